/// What norm.cpp and layer_norm.cpp share (private).
#pragma once

#include <vector>

#include "ops/norm_kernels.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// Throws unless x is floating and scale and shift are [C] in f32 or x's type.
void check_norm_parameters(const char* op, const Tensor& x, const Tensor& scale, const Tensor& shift);

/// Gradients of x, scale and shift written in plain ops, for second derivatives. `grouped` is x's shape as
/// [samples, voxels, groups, channels / groups]; statistics are shared over axes 1 and 3.
std::vector<Tensor> norm_gradient_of_ops(const Tensor& d_y, const Tensor& x, const Tensor& scale, const Shape& grouped, double eps);

/// x, scale, shift -> partial, mean, var, rstd as of the statistics, y: both at once, on a CPU, where chunks() is 1.
extern TENON_API KernelSlot<const ChannelNorm&> channel_norm_samples_kernel;

}  // namespace tenon
