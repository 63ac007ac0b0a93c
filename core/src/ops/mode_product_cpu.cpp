/// Products of modes on the CPU: each mode is a product of small complex matrices.
#include <algorithm>

#include "ops/fft_kernels.hpp"
#include "ops/mode_matrices.hpp"

#define TENON_ISA_FILE "ops/simd/mode_product.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kProductsATask = 1 << 15;

/// [rows, columns] complex numbers -> their conjugates, [columns, rows].
template <class T>
void adjoint(const T* from, std::int64_t rows, std::int64_t columns, T* to) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      to[2 * (c * rows + r)] = from[2 * (r * columns + c)];
      to[2 * (c * rows + r) + 1] = -from[2 * (r * columns + c) + 1];
    }
}

/// Mode k of `which`; a sample's row of it follows the last sample's after s.k rows. `space`: 2 in out scalars, for x alone.
template <class T>
ModeMatrices<T> one_mode(ModeProduct which, const ModeSizes& s, std::int64_t k, const T* a, const T* b, T* to, T* space) {
  const std::int64_t in = 2 * s.in, out = 2 * s.out, sample_in = s.k * in, sample_out = s.k * out;
  switch (which) {
    case ModeProduct::y:
      return {s.n, s.in, out, a + k * in, sample_in, 2, false, b + k * s.in * out, out, to + k * out, sample_out};
    case ModeProduct::x:
      adjoint(b + k * s.in * out, s.in, s.out, space);
      return {s.n, s.out, in, a + k * out, sample_out, 2, false, space, in, to + k * in, sample_in};
    default:
      return {s.in, s.n, out, a + k * in, 2, sample_in, true, b + k * out, sample_out, to + k * s.in * out, out};
  }
}

template <class T>
Kernel make(ModeProduct which, const ModeSizes& s) {
  const std::int64_t grain = std::max<std::int64_t>(1, kProductsATask / std::max<std::int64_t>(1, s.n * s.in * s.out));
  const auto product = TENON_BY_ISA(mode_matrices<T>);
  return [=](void* const* p) {
    const T *a = static_cast<const T*>(p[0]), *b = static_cast<const T*>(p[1]);
    T* to = static_cast<T*>(p[2]);
    parallel_blocks(s.k, grain, [&](std::int64_t begin, std::int64_t end) {
      thread_local std::vector<T> space;
      if (which == ModeProduct::x) space.resize(std::max(space.size(), std::size_t(2 * s.in * s.out)));
      for (std::int64_t k = begin; k < end; ++k) product(one_mode(which, s, k, a, b, to, space.data()));
    });
  };
}

Kernel make_cpu(ModeProduct which, const ModeSizes& s) {
  return s.dtype == DType::c128 ? make<double>(which, s) : make<float>(which, s);
}

}  // namespace

KernelSlot<ModeProduct, const ModeSizes&> mode_product_kernel{"mode_product", make_cpu};

}  // namespace tenon
