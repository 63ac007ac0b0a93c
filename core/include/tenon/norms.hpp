/// Normalisations beside those of ops.hpp.
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

/// Over the last axis: y = x / sqrt(mean(x^2) + eps) * scale. x [..., C], scale [C] in f32 or x's type. Zhang & Sennrich 2019.
TENON_API Tensor rms_norm(const Tensor& x, const Tensor& scale, double eps = 1e-6);

}  // namespace tenon
