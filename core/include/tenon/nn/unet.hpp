/// nnU-Net's plain U-Net for 1 to 3 spatial axes: two (conv, instance norm, leaky ReLU, or others by name) a stage, strided
/// downsampling, transposed-convolution upsampling, skips, and a 1x1 head at every resolution for deep supervision.
/// Isensee et al., Nature Methods 18, 2021.
#pragma once

#include <string>

#include "tenon/nn/blocks.hpp"

namespace tenon::nn {

struct UNetOptions {
  std::int64_t in_channels = 1, classes = 2;
  std::vector<std::int64_t> widths{32, 64, 128, 256};       ///< channels a stage
  std::vector<std::vector<std::int64_t>> strides;           ///< of stages 1..; empty: 2 along every axis
  std::vector<std::vector<std::int64_t>> kernels;           ///< a stage; empty: 3 along every axis
  int spatial_axes = 3;
  DType compute = DType::f32;                                ///< type of activations: f32 or bf16
  double slope = 0.01;
  std::int64_t heads = 0;                                    ///< resolutions with a head, finest first; 0: all but the bottleneck
  std::string norm = "instance", activation = "leaky_relu";  ///< of norm_activation; `slope` is leaky_relu's
  std::int64_t groups = 8;                                   ///< of norm "group"
  std::vector<PaddingMode> edges;                            ///< what lies beyond each spatial axis; empty: zeros
};

/// forward: x [N, spatial..., in] f32 -> full-resolution logits [N, spatial..., classes].
/// forward_all: the logits at every resolution, finest first (the bottleneck has no head).
/// Sizes must be divisible by the product of the strides.
class TENON_API UNet : public Module {
 public:
  explicit UNet(UNetOptions options);
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override;
  Tensor forward(const Tensor& x) override;
  std::int64_t size_divisor() const override;  ///< of all axes together
  const UNetOptions& options() const noexcept { return options_; }

 private:
  class Stage;
  std::int64_t stride_along(std::size_t axis) const;
  std::vector<Tensor> decode(const Tensor& x, bool all_heads);
  UNetOptions options_;
  std::vector<std::shared_ptr<Stage>> down_, up_;
  std::vector<std::shared_ptr<ConvTranspose>> upsample_;
  std::vector<std::shared_ptr<Conv>> heads_;  ///< from the coarsest; null where there is none
};

}  // namespace tenon::nn
