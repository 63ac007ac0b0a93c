/// Complex tensors: c64 (two f32) and c128 (two f64), stored as std::complex stores them.
///
/// Arithmetic (+, -, *, /), exp, log, sqrt, rsqrt, square, sin, cos, sinh, cosh, tanh, pow with a real exponent, sum, mean, matmul, where
/// and everything that moves elements take complex tensors as well; comparisons of order do not. Gradients of a real loss follow the
/// convention of PyTorch and JAX's conjugate: the gradient of z = x + iy is dL/dx + i dL/dy.
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

/// A view [..., 2] of a complex tensor's parts.
TENON_API Tensor view_as_real(const Tensor& z);
/// The complex tensor [...] over pairs in the last axis of x [..., 2], f32 or f64: a view where the pairs lie side by side, else a copy.
TENON_API Tensor view_as_complex(const Tensor& x);
/// re + i im; both of one real type, broadcast.
TENON_API Tensor complex(const Tensor& re, const Tensor& im);
/// size (cos(angle) + i sin(angle)).
TENON_API Tensor polar(const Tensor& size, const Tensor& angle);
TENON_API Tensor real(const Tensor& z);   ///< a view; a real tensor is its own real part
TENON_API Tensor imag(const Tensor& z);   ///< a view; refuses a real tensor
TENON_API Tensor conj(const Tensor& z);   ///< a real tensor is its own conjugate
TENON_API Tensor angle(const Tensor& z);  ///< in (-pi, pi]; of complex tensors
/// sqrt(x^2 + y^2) without overflow; its gradient at (0, 0) is 0.
TENON_API Tensor hypot(const Tensor& x, const Tensor& y);

}  // namespace tenon
