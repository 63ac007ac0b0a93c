/// The spectral convolution of Fourier neural operators (Li et al. 2021), channels last.
#pragma once

#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// y = inverse transform of (kept modes of the transform of x) times a matrix a mode. x [N, spatial..., in] with 1 to 3 spatial axes (f32
/// or f64); `modes` one value a spatial axis: of the last axis the values 0 to m - 1 are kept, of the others the first and the last m; all
/// others count as zero. weight [kept..., in, out, 2] (x's type), kept being 2 m for all but the last axis. Result [N, spatial..., out].
/// Only kept values are ever computed. Differentiable any number of times.
TENON_API Tensor spectral_conv(const Tensor& x, const Tensor& weight, const std::vector<std::int64_t>& modes);

/// Complex products a mode: x [N, K, in] times weight [K, in, out], c64 or c128, to [N, K, out].
TENON_API Tensor mode_product(const Tensor& x, const Tensor& weight);

}  // namespace tenon
