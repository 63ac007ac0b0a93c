#include "tenon/embedding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "backend/cpu/rows.hpp"
#include "ops/check.hpp"
#include "ops/embedding_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kColumns = 16;  ///< of a task where rows are few: a cache line

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

/// The positions of indices, block by block of the table's rows, in each in their order.
struct RowBlocks {
  std::vector<std::int64_t> first, position;
  RowBlocks(const EmbeddingRows& p, const std::int64_t* index, std::int64_t rows, std::int64_t blocks)
      : first(std::size_t(blocks) + 1), position(std::size_t(p.count)) {
    for (std::int64_t i = 0; i < p.count; ++i) ++first[std::size_t(index[i] / rows) + 1];
    std::partial_sum(first.begin(), first.end(), first.begin());
    std::vector<std::int64_t> next = first;
    for (std::int64_t i = 0; i < p.count; ++i) position[std::size_t(next[std::size_t(index[i] / rows)]++)] = i;
  }
};

/// Columns [left, right) of the rows from `low` on, which lie at `to`, `rows` of them; `position(k)`, k < hits, is where the indices name
/// one.
template <class T, class Position>
void add_block(const EmbeddingRows& p, const T* d_y, const std::int64_t* index, T* to, std::int64_t low, std::int64_t rows,
               std::int64_t left, std::int64_t right, std::int64_t hits, const Position& position) {
  if (left == 0 && right == p.channels)
    std::fill_n(to, rows * p.channels, T(0));
  else
    for (std::int64_t r = 0; r < rows; ++r) std::fill(to + r * p.channels + left, to + r * p.channels + right, T(0));
  for (std::int64_t k = 0; k < hits; ++k) {
    const std::int64_t i = position(k);
    if (index[i] == p.padding) continue;
    T* row = to + (index[i] - low) * p.channels;
    const T* from = d_y + i * p.channels;
    for (std::int64_t c = left; c < right; ++c) row[c] += from[c];
  }
}

/// A task owns its elements of the table, so the order of a sum is that of the indices: a block of rows that a cache holds, or columns of
/// them where blocks are few. A large table goes past the caches.
template <class T>
void add_rows(const EmbeddingRows& p, void* const* o) {
  constexpr std::int64_t kBlock = cpu::kTaskBytes / std::int64_t(sizeof(T));
  const T* d_y = static_cast<const T*>(o[0]);
  const auto* index = static_cast<const std::int64_t*>(o[1]);
  T* d_table = static_cast<T*>(o[2]);
  const std::int64_t rows = std::clamp<std::int64_t>(kBlock / std::max<std::int64_t>(1, p.channels), 1, std::max<std::int64_t>(1, p.rows)),
                     blocks = cpu::ceil_div(p.rows, rows),
                     width = blocks < thread_count() ? kColumns : std::max<std::int64_t>(1, p.channels),
                     pieces = cpu::ceil_div(p.channels, width);
  if (blocks <= 1)
    return parallel_blocks(p.channels, width, [&](std::int64_t begin, std::int64_t end) {
      add_block(p, d_y, index, d_table, 0, p.rows, begin, end, p.count, [](std::int64_t k) { return k; });
    });
  const bool stream = pieces == 1 && rows * p.channels <= kBlock && p.rows * p.channels * std::int64_t(sizeof(T)) >= cpu::kStreamBytes;
  const RowBlocks at(p, index, rows, blocks);
  parallel_for(blocks * pieces, [&](std::int64_t task) {
    alignas(64) T buffer[kBlock];
    const std::int64_t block = task / pieces, left = task % pieces * width, low = block * rows, n = std::min(rows, p.rows - low);
    const std::int64_t* position = at.position.data() + at.first[std::size_t(block)];
    T* to = d_table + low * p.channels;
    add_block(p, d_y, index, stream ? buffer : to, low, n, left, std::min(p.channels, left + width),
              at.first[std::size_t(block) + 1] - at.first[std::size_t(block)], [=](std::int64_t k) { return position[k]; });
    if (!stream) return;
    cpu::stream_row(reinterpret_cast<char*>(to), reinterpret_cast<const char*>(buffer), n * p.channels * std::int64_t(sizeof(T)));
    cpu::end_streams();
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
