/// The CPU kernels of RMS norm.
#include <algorithm>
#include <cmath>

#include "kernels/types.hpp"
#include "ops/rms_norm_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/rms_norm.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

template <class A>
void rows(const RowNorm& p, void* const* o) {
  const A *x = static_cast<const A*>(o[0]), *scale = static_cast<const A*>(o[1]);
  A *y = static_cast<A*>(o[2]), *rstd = static_cast<A*>(o[3]);
  auto loop = TENON_BY_ISA(rms_row<A>);
  const std::int64_t C = p.channels;
  parallel_blocks(p.rows, std::max<std::int64_t>(1, 32768 / C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) loop(x + r * C, y + r * C, C, scale, p.eps, rstd + r);
  });
}

template <class A>
void rows_gradient(const RowNorm& p, void* const* o) {
  const A *x = static_cast<const A*>(o[0]), *dy = static_cast<const A*>(o[1]), *rstd = static_cast<const A*>(o[2]),
          *scale = static_cast<const A*>(o[3]);
  A *dx = static_cast<A*>(o[4]), *partial = static_cast<A*>(o[5]), *d_scale = static_cast<A*>(o[6]);
  auto loop = TENON_BY_ISA(rms_row_gradient<A>);
  const std::int64_t C = p.channels;
  parallel_blocks(p.rows, p.block(), [&](std::int64_t begin, std::int64_t end) {
    A* sum = partial + begin / p.block() * C;
    std::fill_n(sum, C, A(0));
    for (std::int64_t r = begin; r < end; ++r) loop(x + r * C, dy + r * C, dx + r * C, C, rstd[r], scale, sum);
  });
  for (std::int64_t c = 0; c < C; ++c) {
    double total = 0;
    for (std::int64_t b = 0; b < p.blocks(); ++b) total += double(partial[b * C + c]);
    d_scale[c] = A(total);
  }
}

}  // namespace

KernelSlot<const RowNorm&> rms_norm_kernel("rms_norm", [](const RowNorm& p) -> Kernel {
  return [p](void* const* o) { (p.dtype == DType::f64 ? rows<double> : rows<float>)(p, o); };
});
KernelSlot<const RowNorm&> rms_norm_gradient_kernel("rms_norm.gradient", [](const RowNorm& p) -> Kernel {
  return [p](void* const* o) { (p.dtype == DType::f64 ? rows_gradient<double> : rows_gradient<float>)(p, o); };
});

}  // namespace tenon
