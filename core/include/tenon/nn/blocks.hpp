/// Pieces that networks on grids and sequences are built of: normalisation with activation by name, flattening, residual blocks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tenon/nn/activations.hpp"
#include "tenon/nn/layers.hpp"

namespace tenon::nn {

struct NormActivation {
  std::string norm = "batch";       ///< "batch", "group", "instance", "layer" (over the channels of each voxel) or "none"
  std::string activation = "relu";  ///< of Activation
  std::int64_t groups = 8;          ///< of "group"; the largest divisor of the channels that is no greater is taken
  double slope = 0.01;              ///< of "leaky_relu"
};

/// Normalisation and activation of [N, spatial..., channels]: one pass where the normalisation can do the activation (batch, group and
/// instance with relu, leaky_relu or identity), else one layer after the other. An unknown name is a usage error with those nearest.
/// Parameters: scale and shift of the normalisation.
TENON_API ModulePtr norm_activation(std::int64_t channels, const NormActivation& options);

/// [N, ...] -> [N, all the rest].
class TENON_API Flatten : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

/// x + f(x), or shortcut(x) + f(x).
class TENON_API Residual : public Module {
 public:
  explicit Residual(ModulePtr f, ModulePtr shortcut = nullptr);
  Tensor forward(const Tensor& x) override;

 private:
  ModulePtr f_, shortcut_;
};

struct ResNetBlockOptions {
  std::int64_t in = 1, out = 1;
  int spatial_axes = 2;
  std::int64_t kernel = 3;           ///< odd, along every axis
  std::vector<std::int64_t> stride;  ///< one a spatial axis; empty: 1
  bool pre_activation = false;       ///< He et al., ECCV 2016: normalisation and activation before each convolution
  NormActivation norm;
  std::vector<PaddingMode> edges;  ///< one a spatial axis; empty: zeros
};

/// Two convolutions and a shortcut (He et al., CVPR 2016): [N, spatial..., in] -> [N, spatial / stride..., out]. The shortcut is the input,
/// or a 1x1 convolution where channels or sizes change. Convolutions that a normalisation follows have no bias, as it would take it out
/// again.
class TENON_API ResNetBlock : public Module {
 public:
  explicit ResNetBlock(const ResNetBlockOptions& options);
  Tensor forward(const Tensor& x) override;

 private:
  bool pre_activation_;
  std::shared_ptr<Conv> first_, second_, shortcut_;
  ModulePtr norm1_, norm2_, shortcut_norm_, last_;
};

}  // namespace tenon::nn
