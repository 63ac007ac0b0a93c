#include "tenon/embedding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "ops/check.hpp"
#include "ops/embedding_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kColumns = 16;  // of a task that adds rows: a task owns its columns, so the order of the sum is that of the indices

Kernel gather(const EmbeddingRows& p) {
  return [p](void* const* o) {
    const auto* table = static_cast<const std::byte*>(o[0]);
    const auto* index = static_cast<const std::int64_t*>(o[1]);
    auto* y = static_cast<std::byte*>(o[2]);
    const std::size_t row = std::size_t(p.channels) * size_of(p.dtype);
    for (std::int64_t i = 0; i < p.count; ++i)
      if (index[i] < 0 || index[i] >= p.rows) refuse_row(index[i], i, p.rows);
    parallel_blocks(p.count, std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(std::int64_t(row), 1)),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i)
                        std::memcpy(y + std::size_t(i) * row, table + std::size_t(index[i]) * row, row);
                    });
  };
}

template <class T>
void add_rows(const EmbeddingRows& p, void* const* o) {
  const T* d_y = static_cast<const T*>(o[0]);
  const auto* index = static_cast<const std::int64_t*>(o[1]);
  T* d_table = static_cast<T*>(o[2]);
  parallel_blocks(p.channels, kColumns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = 0; r < p.rows; ++r) std::fill(d_table + r * p.channels + begin, d_table + r * p.channels + end, T(0));
    for (std::int64_t i = 0; i < p.count; ++i) {
      if (index[i] == p.padding) continue;
      T* to = d_table + index[i] * p.channels;
      for (std::int64_t c = begin; c < end; ++c) to[c] += d_y[i * p.channels + c];
    }
  });
}

std::array<EmbeddingWorkspaceFn, kDeviceTypes>& workspace_sizes() {
  static std::array<EmbeddingWorkspaceFn, kDeviceTypes> table;
  return table;
}

Tensor rows_of(const Tensor& table, const Tensor& flat, const EmbeddingRows& p, const Shape& shape);

/// The gradient of the table, in f32 or f64, differentiable itself: a sum of rows, whose own gradient is rows again.
Tensor sum_rows(const Tensor& d_y, const Tensor& flat, const EmbeddingRows& p) {
  Tensor d = d_y.contiguous(), out = Tensor::empty({p.rows, p.channels}, d.dtype(), d.device());
  EmbeddingRows typed = p;
  typed.dtype = d.dtype();
  std::vector<Tensor> writes{out};
  if (const EmbeddingWorkspaceFn& bytes = workspace_sizes()[std::size_t(d.device().type)])
    if (const std::size_t size = bytes(typed); size > 0) writes.push_back(Tensor::empty({std::int64_t(size)}, DType::u8, d.device()));
  launch("embedding.gradient", std::vector<Tensor>{d, flat}, writes, embedding_gradient_kernel(d.device(), typed));
  return differentiable("embedding", out, {d}, [flat, typed, shape = d.shape()](const std::vector<Tensor>& dd) {
    Tensor rows = rows_of(dd[0], flat, typed, shape);
    if (typed.padding < 0) return std::vector{rows};
    Tensor counts = not_equal(flat, Tensor::full(Shape{}, double(typed.padding), DType::i64, flat.device())).to(rows.dtype());
    Shape column = shape;
    column[-1] = 1;
    return std::vector{rows * counts.reshape(column)};
  });
}

Tensor rows_of(const Tensor& table_given, const Tensor& flat, const EmbeddingRows& p, const Shape& shape) {
  Tensor table = table_given.contiguous(), y = Tensor::empty(shape, table.dtype(), table.device());
  if (y.numel() > 0) launch("embedding", {table, flat}, {y}, embedding_kernel(table.device(), p));
  return differentiable("embedding", y, {table}, [flat, p](const std::vector<Tensor>& d) {
    const DType wide = p.dtype == DType::f64 ? DType::f64 : DType::f32;
    return std::vector{sum_rows(d[0].to(wide), flat, p).to(p.dtype)};
  });
}

}  // namespace

void set_embedding_workspace(DeviceType type, EmbeddingWorkspaceFn bytes) {
  workspace_sizes()[std::size_t(type)] = std::move(bytes);
}

KernelSlot<const EmbeddingRows&> embedding_kernel("embedding", gather);
KernelSlot<const EmbeddingRows&> embedding_gradient_kernel("embedding.gradient", [](const EmbeddingRows& p) -> Kernel {
  return [p](void* const* o) { (p.dtype == DType::f64 ? add_rows<double> : add_rows<float>)(p, o); };
});

Tensor embedding(const Tensor& table, const Tensor& indices, std::int64_t padding) {
  check_floating("embedding", table, "table");
  check_integer("embedding", indices, "indices");
  check_same_device("embedding", table, indices);
  if (table.rank() != 2) throw_usage("embedding", "table " + table.str() + " is not [V, C]");
  if (padding >= table.size(0)) throw_usage("embedding", "padding index " + std::to_string(padding) + " of table " + table.str());
  Shape shape = indices.shape();
  if (shape.rank() == kMaxRank) throw_usage("embedding", "indices " + indices.str() + " have no room for another axis");
  shape.push_back(table.size(1));
  Tensor flat = indices.to(DType::i64).contiguous().reshape({indices.numel()});
  return rows_of(table, flat, {table.dtype(), table.size(0), table.size(1), flat.numel(), padding}, shape);
}

Tensor sinusoidal_positions(std::int64_t length, std::int64_t channels, double base) {
  if (length < 0 || channels < 0 || !(base > 0))
    throw_usage("sinusoidal_positions",
                "length " + std::to_string(length) + ", channels " + std::to_string(channels) + ", base " + std::to_string(base));
  check_result("sinusoidal_positions", {length, channels}, DType::f32);
  return within_memory("sinusoidal_positions", [&] {
    std::vector<float> v;
    v.reserve(std::size_t(length * channels));
    for (std::int64_t l = 0; l < length; ++l)
      for (std::int64_t c = 0; c < channels; ++c) {
        const double angle = double(l) / std::pow(base, double(c / 2 * 2) / double(channels));
        v.push_back(float(c % 2 ? std::cos(angle) : std::sin(angle)));
      }
    return Tensor::from(v, {length, channels});
  });
}

}  // namespace tenon
