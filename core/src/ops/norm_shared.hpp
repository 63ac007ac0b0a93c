/// What norm.cpp and layer_norm.cpp share (private).
#pragma once

#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// Throws unless x is floating and scale and shift are [C] in f32 or x's type.
void check_norm_parameters(const char* op, const Tensor& x, const Tensor& scale, const Tensor& shift);

/// Gradients of x, scale and shift written in plain ops, for second derivatives. `grouped` is x's shape as
/// [samples, voxels, groups, channels / groups]; statistics are shared over axes 1 and 3.
std::vector<Tensor> norm_gradient_of_ops(const Tensor& d_y, const Tensor& x, const Tensor& scale, const Shape& grouped, double eps);

}  // namespace tenon
