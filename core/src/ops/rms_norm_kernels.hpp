/// Kernel slots of RMS norm (private): f32 and f64; on CUDA bf16 and f16 too, with the parameters in f32.
#pragma once

#include "ops/norm_kernels.hpp"

namespace tenon {

/// x, scale -> y, rstd [rows]
extern TENON_API KernelSlot<const RowNorm&> rms_norm_kernel;
/// x, d_y, rstd, scale -> d_x, partial [blocks, channels] in the scale's type, d_scale
extern TENON_API KernelSlot<const RowNorm&> rms_norm_gradient_kernel;

}  // namespace tenon
