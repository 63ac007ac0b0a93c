/// Convolutions by this library's own kernels: which one takes a geometry, and what memory it needs.
#include <algorithm>
#include <cstdint>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/launch.cuh"

namespace tenon::cuda {
namespace {

/// The weight gradient's workspace: partial sums of the weights, then those of the channels. `tensor_cuts` 0: not on tensor cores.
struct WeightWorkspace {
  std::int64_t cuts = 1, tensor_cuts = 0;
  std::size_t weights = 0, sums = 0;
  std::size_t bytes() const { return weights + sums; }
};

struct SummedRows {
  std::int64_t rows, channels;
};

SummedRows summed(const ConvGeometry& g, ConvSums sums) {
  if (sums == ConvSums::of_y) return {g.batch * g.out_voxels(), g.out_channels};
  return {g.batch * g.in_voxels(), g.in_channels};
}

WeightWorkspace weight_workspace(const ConvGeometry& g, ConvSums sums, bool tensor) {
  WeightWorkspace w;
  w.cuts = conv_weight_cuts(g);
  if (tensor && conv_tensor_fits(g, ConvPass::weight_gradient)) w.tensor_cuts = conv_tensor_weight_cuts(g);
  const std::size_t item = g.dtype == DType::f64 ? 8 : 4;
  const std::int64_t most = std::max(w.cuts, w.tensor_cuts);
  if (most > 1) w.weights = (std::size_t(most * g.weights()) * item + 255) / 256 * 256;
  if (sums != ConvSums::none) w.sums = channel_sums_workspace(g.dtype, summed(g, sums).rows, summed(g, sums).channels);
  return w;
}

}  // namespace

Kernel own_conv(const ConvGeometry& g, ConvPass pass, bool bias, bool tensor) {
  const bool few = conv_few_fits(g, pass), gemm = !few && conv_gemm_fits(g, pass), on_tensor_cores = tensor && conv_tensor_fits(g, pass);
  return [=](void* const* p) {
    const ConvOperands operands{p[0], p[1], bias ? p[2] : nullptr, p[bias ? 3 : 2]};
    if (on_tensor_cores && is_aligned(operands.source, 16) && is_aligned(operands.weights, 16) && is_aligned(operands.result, 16))
      return conv_tensor(g, pass, operands);
    if (few) return conv_few(g, pass, operands);
    gemm ? conv_gemm(g, pass, operands) : conv_direct(g, pass, operands);
  };
}

Kernel own_conv_weights(const ConvGeometry& g, ConvSums sums, bool tensor) {
  const WeightWorkspace w = weight_workspace(g, sums, tensor);
  const SummedRows s = summed(g, sums);
  const bool few = conv_few_weights_fits(g);
  return [=](void* const* p) {
    const bool summing = sums != ConvSums::none;
    auto* workspace = w.bytes() > 0 ? static_cast<std::byte*>(p[summing ? 4 : 3]) : nullptr;
    const bool on_tensor_cores = w.tensor_cuts > 0 && is_aligned(p[0], 16) && is_aligned(p[1], 16) && is_aligned(p[2], 16);
    const std::int64_t cuts = on_tensor_cores ? w.tensor_cuts : w.cuts;
    void* partial = cuts > 1 ? workspace : p[2];
    if (on_tensor_cores) conv_tensor_weights(g, p[0], p[1], partial);
    else few ? conv_few_weights(g, p[0], p[1], partial, cuts) : conv_weights(g, p[0], p[1], partial, cuts);
    if (cuts > 1) add_cuts(g.dtype == DType::f64, partial, p[2], g.weights(), cuts);
    if (summing) channel_sums(g.dtype, sums == ConvSums::of_y ? p[1] : p[0], s.rows, s.channels, p[3], workspace + w.weights);
  };
}

ConvBuffers own_conv_buffers(const ConvGeometry& g, ConvPass pass, ConvSums sums, bool tensor) {
  return {0, pass == ConvPass::weight_gradient ? weight_workspace(g, sums, tensor).bytes() : 0};
}

bool own_conv_is_special(const ConvGeometry& g, ConvPass pass) {
  return pass == ConvPass::weight_gradient ? conv_few_weights_fits(g) : conv_few_fits(g, pass);
}

void install_conv() {
  conv_pack_slot.set(DeviceType::cuda, [](const ConvGeometry&, ConvPass, bool) -> Kernel {
    throw Error(ErrorKind::internal, "conv.pack", "these kernels take the weights as they are");
  });
  conv_forward_slot.set(DeviceType::cuda, [](const ConvGeometry& g, bool bias) { return own_conv(g, ConvPass::forward, bias, true); });
  conv_input_gradient_slot.set(DeviceType::cuda,
                               [](const ConvGeometry& g, bool bias) { return own_conv(g, ConvPass::input_gradient, bias, true); });
  conv_weight_gradient_slot.set(DeviceType::cuda, [](const ConvGeometry& g, ConvSums sums) { return own_conv_weights(g, sums, true); });
  set_conv_buffers(DeviceType::cuda,
                   [](const ConvGeometry& g, ConvPass pass, bool, ConvSums sums) { return own_conv_buffers(g, pass, sums, true); });
}

}  // namespace tenon::cuda
