/// Strided copies with conversion, and fill: the base of contiguous(), to() and assign() (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

/// to[i] = convert(from[i]); equal shapes, any strides, any types, one device. Not differentiable.
void copy_strided(const Tensor& from, const Tensor& to);
void fill_strided(const Tensor& to, double value);

/// A tensor's layout without its data: what a kernel may capture.
struct Layout {
  Shape shape, strides;
  DType dtype;
  explicit Layout(const Tensor& t) : shape(t.shape()), strides(t.strides()), dtype(t.dtype()) {}
};

TENON_API extern KernelSlot<const Layout&, const Layout&> copy_kernel;
TENON_API extern KernelSlot<const Layout&, double> fill_kernel;

}  // namespace tenon
