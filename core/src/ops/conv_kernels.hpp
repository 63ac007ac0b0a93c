/// The convolution kernels a device provides. The CPU column is filled in conv.cpp; a backend library fills its own.
#pragma once

#include <cstddef>

#include "backend/conv_geometry.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

/// Memory that a pass needs beside its operands; the op makes it as u8 tensors, so that a recorded step plans it too.
struct ConvBuffers {
  std::size_t packed_weights = 0;  ///< 0: the pass takes the weights as they are, and there is no conv_pack launch
  std::size_t workspace = 0;       ///< 0: no workspace operand
};

/// Reads the f32 weights, writes the packed ones of that pass.
TENON_API extern KernelSlot<const ConvGeometry&, ConvPass, bool> conv_pack_slot;
/// Reads x, weights (packed or not) and, when `bias`, one f32 a channel of y; writes y and the workspace, if any.
TENON_API extern KernelSlot<const ConvGeometry&, bool> conv_forward_slot;
/// Reads y's gradient, weights and, when `bias`, one f32 a channel of x; writes x's gradient and the workspace, if any.
TENON_API extern KernelSlot<const ConvGeometry&, bool> conv_input_gradient_slot;
/// Reads x and y's gradient; writes the f32 weight gradient, then the channel sums asked for (f32), then the workspace, if any.
TENON_API extern KernelSlot<const ConvGeometry&, ConvSums> conv_weight_gradient_slot;
// With f64 operands every f32 above is f64.

using ConvBuffersFn = std::function<ConvBuffers(const ConvGeometry&, ConvPass, bool bias, ConvSums sums)>;
/// What buffers a device's kernels want; set along with its kernels.
TENON_API void set_conv_buffers(DeviceType type, ConvBuffersFn sizes);
TENON_API const ConvBuffersFn& conv_buffers(DeviceType type);

}  // namespace tenon
