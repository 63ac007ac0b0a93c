/// Strided copies with conversion, and fill: the base of contiguous(), to() and assign() (private).
#pragma once

#include <vector>

#include "tenon/kernel.hpp"

namespace tenon {

/// to[i] = convert(from[i]); equal shapes, any strides, any types, one device. Not differentiable.
void copy_strided(const Tensor& from, const Tensor& to);
void fill_strided(const Tensor& to, double value);

/// A tensor's layout without its data: what a kernel may capture.
struct Layout {
  Shape shape, strides;
  DType dtype = DType::f32;
  Layout() = default;
  explicit Layout(const Tensor& t) : shape(t.shape()), strides(t.strides()), dtype(t.dtype()) {}
};

TENON_API extern KernelSlot<const Layout&, const Layout&> copy_kernel;
TENON_API extern KernelSlot<const Layout&, double> fill_kernel;

/// A dense tensor in another type.
struct Cast {
  DType from, to;  ///< f32, f16 or bf16
  std::int64_t count;
};
inline constexpr std::size_t kCasts = 48;  ///< most in one kernel
/// Several at once: their sources, then their results.
TENON_API extern KernelSlot<const std::vector<Cast>&> casts_kernel;

}  // namespace tenon
