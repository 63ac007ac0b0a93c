/// Layers over the ops, channels last. Kernel sizes, strides and paddings are one value a spatial axis.
#pragma once

#include <memory>
#include <vector>

#include "tenon/nn/module.hpp"
#include "tenon/ops.hpp"

namespace tenon::nn {

/// [..., in] -> [..., out]. Weight [out, in], Kaiming uniform as PyTorch's default.
class TENON_API Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, bool bias = true);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;
};

/// [N, spatial..., in] -> [N, spatial'..., out], 1 to 3 spatial axes (kernel.size()). Weight [out, kernel..., in/groups],
/// Kaiming normal for a leaky ReLU of slope 0.01.
class TENON_API Conv : public Module {
 public:
  Conv(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, ConvOptions options = {}, bool bias = true);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  ConvOptions options_;
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

class TENON_API LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t features, double eps = 1e-5);
  Tensor forward(const Tensor& x) override;
  Tensor scale, shift;

 private:
  double eps_;
};

class TENON_API BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, double momentum = 0.1, double eps = 1e-5);
  Tensor forward(const Tensor& x) override;
  Tensor scale, shift, running_mean, running_var;

 private:
  double momentum_, eps_;
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
