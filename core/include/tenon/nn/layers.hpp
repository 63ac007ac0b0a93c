/// Layers over the ops, channels last. Kernel sizes, strides and paddings are one value a spatial axis.
#pragma once

#include <memory>
#include <vector>

#include "tenon/nn/module.hpp"
#include "tenon/ops.hpp"
#include "tenon/padding.hpp"

namespace tenon::nn {

/// [..., in] -> [..., out]. Weight [out, in], Kaiming uniform as PyTorch's default.
class TENON_API Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, bool bias = true);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;
};

/// What a convolution reads beyond the edges of its input.
struct ConvEdges {
  /// A rule for each spatial axis, for both its sides; empty: zeros. Zeros cost nothing; other rules cost one padded copy of the input.
  std::vector<PaddingMode> modes;
  /// Pads by (kernel - 1) dilation in all, the odd one after, so that stride 1 keeps the sizes; options.padding must be empty.
  bool same = false;
};

/// [N, spatial..., in] -> [N, spatial'..., out], 1 to 3 spatial axes (kernel.size()). Weight [out, kernel..., in/groups],
/// Kaiming normal for a leaky ReLU of slope 0.01. E.g. circular in longitude, reflected in latitude:
/// Conv(4, 8, {3, 3}, {}, true, {{PaddingMode::reflect, PaddingMode::circular}, true}).
class TENON_API Conv : public Module {
 public:
  Conv(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, ConvOptions options = {}, bool bias = true, ConvEdges edges = {});
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  ConvOptions options_;
  std::vector<AxisPadding> edges_;  ///< those that the convolution itself cannot do
};

/// Weight [in, kernel..., out].
class TENON_API ConvTranspose : public Module {
 public:
  ConvTranspose(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, ConvOptions options = {}, bool bias = true);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  ConvOptions options_;
};

/// Instance norm with the activation in the same pass: slope 1 for none, 0 for ReLU.
class TENON_API InstanceNorm : public Module {
 public:
  explicit InstanceNorm(std::int64_t channels, double eps = 1e-5, double slope = 1.0);
  Tensor forward(const Tensor& x) override;
  Tensor scale, shift;

 private:
  double eps_, slope_;
};

/// Statistics over the voxels and C / groups channels of each sample; x [N, spatial..., C]. Activation as in InstanceNorm.
class TENON_API GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, double eps = 1e-5, double slope = 1.0);
  Tensor forward(const Tensor& x) override;
  Tensor scale, shift;

 private:
  std::int64_t groups_;
  double eps_, slope_;
};

class TENON_API LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t features, double eps = 1e-5);
  Tensor forward(const Tensor& x) override;
  Tensor scale, shift;

 private:
  double eps_;
};

/// Activation as in InstanceNorm.
class TENON_API BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, double momentum = 0.1, double eps = 1e-5, double slope = 1.0);
  Tensor forward(const Tensor& x) override;
  Tensor scale, shift, running_mean, running_var;

 private:
  double momentum_, eps_, slope_;
};

/// Runs its children one after the other.
class TENON_API Sequential : public Module {
 public:
  explicit Sequential(std::vector<ModulePtr> layers);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<ModulePtr> layers_;
};

}  // namespace tenon::nn
