/// The matrix product's CUDA column: a list of matrices as few batches at equal distances.
#include <algorithm>
#include <optional>
#include <vector>

#include "backend/cuda/check.cuh"
#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/product.hpp"
#include "backend/cuda/tall_product.hpp"
#include "ops/matmul_kernels.hpp"
#include "tenon/precision.hpp"

namespace tenon::cuda {
namespace {

using Offsets = std::vector<std::int64_t>;

/// Positions first, first + step ... of the list, `count` of them, one distance apart.
bool regular(const Offsets& o, std::size_t first, std::size_t step, std::size_t count, std::int64_t distance) {
  for (std::size_t i = 1; i < count; ++i)
    if (o[first + i * step] != o[first] + std::int64_t(i) * distance) return false;
  return true;
}

/// Calls of `count` matrices each: matrices start + stride i of the list.
struct Batches {
  std::size_t count = 1, stride = 1;
  std::vector<std::size_t> starts;
};

std::int64_t distance(const Offsets& o, std::size_t from, std::size_t stride) {
  return from + stride < o.size() ? o[from + stride] - o[from] : 0;
}

bool all_regular(const Offsets& o, const Batches& b) {
  for (std::size_t start : b.starts)
    if (!regular(o, start, b.stride, b.count, distance(o, 0, b.stride))) return false;
  return true;
}

/// The leading axes of the operands make one or two levels of equal distances, as a rule: the longer level is the batch.
Batches batches_of(const Offsets& a, const Offsets& b) {
  const std::size_t all = a.size();
  std::size_t run = 1;  // of equal distances from the first matrix on
  while (run < all && a[run] - a[0] == std::int64_t(run) * distance(a, 0, 1) && b[run] - b[0] == std::int64_t(run) * distance(b, 0, 1))
    ++run;
  if (all % run == 0) {
    Batches inner{run, 1, {}}, outer{all / run, run, {}};
    for (std::size_t i = 0; i < all; i += run) inner.starts.push_back(i);
    for (std::size_t i = 0; i < run; ++i) outer.starts.push_back(i);
    const bool inner_fits = all_regular(a, inner) && all_regular(b, inner);
    if (outer.count > inner.count && all_regular(a, outer) && all_regular(b, outer)) return outer;
    if (inner_fits) return inner;
  }
  Batches single;
  for (std::size_t i = 0; i < all; ++i) single.starts.push_back(i);
  return single;
}

/// The grid's third axis ends at 65535 matrices: a longer batch is several calls.
constexpr std::size_t kMostMatrices = 65535;

ProductShape shape_of(const MatmulGeometry& g, const Batches& batches, std::size_t count) {
  ProductShape s;
  s.in = g.in, s.out = g.out;
  s.m = g.m, s.n = g.n, s.k = g.k;
  s.a_row = g.a_row, s.a_col = g.a_col, s.b_row = g.b_row, s.b_col = g.b_col;
  s.bias = g.bias;
  s.count = std::int64_t(count);
  if (count > 1) {
    s.a_step = distance(g.a_offset, 0, batches.stride), s.b_step = distance(g.b_offset, 0, batches.stride);
    s.c_step = std::int64_t(batches.stride) * g.m * g.n;
  }
  return s;
}

/// The tall product (tall_product.hpp) that g is, where it is one.
std::optional<TallShape> tall_shape(const MatmulGeometry& g) {
  if (g.in != DType::f32 || g.out != DType::f32 || g.bias || g.a_offset.size() != 1 || (g.m > 1 && g.a_row != 1) || g.b_col != 1 || tf32_allowed()) return {};
  const TallShape s{g.k, g.m, g.n, g.a_col, g.b_row};
  return tall_product_fits(s) ? std::optional(s) : std::nullopt;
}

std::size_t matmul_workspace(const MatmulGeometry& g) {
  if (const auto tall = tall_shape(g)) return tall_product_workspace(*tall, g.sums);
  if (g.sums) return channel_sums_workspace(g.in, g.k, g.m);
  ProductShape s;
  s.out = g.out, s.n = g.n, s.bias = g.bias;
  return product_workspace(s);
}

/// One call of the library: `product` at places in bytes.
struct Call {
  ProductCall product;
  std::size_t a, b, c;
};

std::vector<Call> calls_of(const MatmulGeometry& g) {
  const Batches batches = batches_of(g.a_offset, g.b_offset);
  const std::size_t most = std::min(batches.count, kMostMatrices), rest = batches.count % most;
  const ProductCall whole = make_product(shape_of(g, batches, most));
  const ProductCall last = rest ? make_product(shape_of(g, batches, rest)) : ProductCall();
  const std::size_t in = size_of(g.in), matrix = std::size_t(g.m * g.n) * size_of(g.out);
  std::vector<Call> calls;
  for (std::size_t start : batches.starts)
    for (std::size_t i = 0; i < batches.count; i += most) {
      const std::size_t at = start + i * batches.stride;
      calls.push_back(
          {i + most <= batches.count ? whole : last, std::size_t(g.a_offset[at]) * in, std::size_t(g.b_offset[at]) * in, at * matrix});
    }
  return calls;
}

Kernel make_tall(const TallShape& s, bool sums) {
  return [=](void* const* p) {
    tall_product(s, static_cast<const float*>(p[0]), static_cast<const float*>(p[1]), static_cast<float*>(p[2]), static_cast<float*>(sums ? p[3] : nullptr),
                 p[sums ? 4 : 3]);
  };
}

/// A weight gradient with its bias' gradient. Of f32 the library sums by a kernel beside the product, with few blocks: ours has more.
Kernel make_summed(const MatmulGeometry& g) {
  ProductShape s = shape_of(g, {1, 1, {0}}, 1);
  s.sums = g.in != DType::f32;
  if (s.sums)
    if (SummedProductCall both = make_summed_product(s)) return [=](void* const* p) { both(p[0], p[1], p[2], p[3]); };
  s.sums = false;
  const bool workspace = matmul_workspace(g) > 0;
  return [=, product = make_product(s)](void* const* p) {
    product(p[0], p[1], nullptr, p[2], nullptr);
    channel_sums(g.in, p[0], g.k, g.m, p[3], workspace ? p[4] : nullptr);
  };
}

Kernel make_matmul(const MatmulGeometry& g) {
  if (const auto tall = tall_shape(g)) return make_tall(*tall, g.sums);
  if (g.sums) return make_summed(g);
  return [calls = calls_of(g), bias = g.bias, workspace = g.bias && matmul_workspace(g) > 0](void* const* p) {
    const auto *a = static_cast<const std::byte*>(p[0]), *b = static_cast<const std::byte*>(p[1]);
    auto* c = static_cast<std::byte*>(p[bias ? 3 : 2]);
    for (const Call& call : calls) call.product(a + call.a, b + call.b, bias ? p[2] : nullptr, c + call.c, workspace ? p[4] : nullptr);
  };
}

}  // namespace

void install_matmul() {
  matmul_slot.set(DeviceType::cuda, make_matmul);
  set_matmul_workspace(DeviceType::cuda, matmul_workspace);
  set_matmul_sums(DeviceType::cuda, true);
}

}  // namespace tenon::cuda
