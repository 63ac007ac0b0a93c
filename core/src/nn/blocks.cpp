#include "tenon/nn/blocks.hpp"

#include <algorithm>

#include "ops/named.hpp"

namespace tenon::nn {

ModulePtr norm_activation(std::int64_t channels, const NormActivation& o) {
  enum class Norm { batch, group, instance, layer, none };
  static const Named<Norm> known{
      {"batch", Norm::batch}, {"group", Norm::group}, {"instance", Norm::instance}, {"layer", Norm::layer}, {"none", Norm::none}};
  const Norm norm = find_named("norm_activation", "normalisation", o.norm, known);
  if (channels < 1 || o.groups < 1)
    throw_usage("norm_activation", std::to_string(channels) + " channels in " + std::to_string(o.groups) + " groups", "1 or more of each");
  auto activation = std::make_shared<Activation>(o.activation, o.activation == "leaky_relu" ? std::optional(o.slope) : std::nullopt);
  if (norm == Norm::none) return activation;
  const bool fused = activation->slope() && norm != Norm::layer;
  const double slope = fused ? *activation->slope() : 1;
  ModulePtr layer;
  if (norm == Norm::batch) layer = std::make_shared<BatchNorm>(channels, 0.1, 1e-5, slope);
  if (norm == Norm::group) {
    std::int64_t groups = std::min(o.groups, channels);
    while (channels % groups) --groups;
    layer = std::make_shared<GroupNorm>(groups, channels, 1e-5, slope);
  }
  if (norm == Norm::instance) layer = std::make_shared<InstanceNorm>(channels, 1e-5, slope);
  if (norm == Norm::layer) layer = std::make_shared<LayerNorm>(channels);
  return fused || o.activation == "identity" ? layer : std::make_shared<Sequential>(std::vector<ModulePtr>{layer, activation});
}

Tensor Flatten::forward(const Tensor& x) {
  if (x.rank() < 1) throw_usage("Flatten", "x " + x.str() + " has no sample axis");
  std::int64_t values = 1;
  for (int a = 1; a < x.rank(); ++a) values *= x.size(a);
  return x.reshape({x.size(0), values});
}

Residual::Residual(ModulePtr f, ModulePtr shortcut) : f_(std::move(f)), shortcut_(std::move(shortcut)) {
  if (!f_) throw_usage("Residual", "no module given");
  add_module("f", f_);
  if (shortcut_) add_module("shortcut", shortcut_);
}

Tensor Residual::forward(const Tensor& x) {
  Tensor past = shortcut_ ? shortcut_->forward(x) : x, y = f_->forward(x);
  if (!(past.shape() == y.shape()))
    throw_usage("Residual", "the shortcut gives " + past.str() + ", the branch " + y.str(), "give a shortcut that fits");
  return past + y;
}

ResNetBlock::ResNetBlock(const ResNetBlockOptions& o) : pre_activation_(o.pre_activation) {
  const std::size_t axes = std::size_t(std::max(o.spatial_axes, 0));
  if (o.spatial_axes < 1 || o.spatial_axes > 3) throw_usage("ResNetBlock", std::to_string(o.spatial_axes) + " spatial axes", "1, 2 or 3");
  if (o.kernel < 1 || o.kernel % 2 == 0) throw_usage("ResNetBlock", "kernel " + std::to_string(o.kernel) + " is not odd");
  if (!o.stride.empty() && o.stride.size() != axes)
    throw_usage("ResNetBlock", std::to_string(o.stride.size()) + " strides for " + std::to_string(axes) + " spatial axes");
  const bool strided = std::any_of(o.stride.begin(), o.stride.end(), [](std::int64_t s) { return s != 1; });
  const bool plain = o.norm.norm == "none";
  const std::vector<std::int64_t> kernel(axes, o.kernel), padding(axes, o.kernel / 2), one(axes, 1);
  const ConvEdges edges{o.edges, false};
  auto convolution = [&](std::int64_t in, const std::vector<std::int64_t>& stride, bool bias) {
    return std::make_shared<Conv>(in, o.out, kernel, ConvOptions{stride, padding, {}, 1}, bias, edges);
  };
  NormActivation bare = o.norm;
  bare.activation = "identity";
  if (pre_activation_) norm1_ = add_module("norm1", norm_activation(o.in, o.norm));
  first_ = add_module("conv1", convolution(o.in, o.stride, plain));
  if (!pre_activation_) norm1_ = add_module("norm1", norm_activation(o.out, o.norm));
  if (pre_activation_) norm2_ = add_module("norm2", norm_activation(o.out, o.norm));
  second_ = add_module("conv2", convolution(o.out, {}, plain || pre_activation_));
  if (!pre_activation_) norm2_ = add_module("norm2", norm_activation(o.out, bare));
  if (strided || o.in != o.out) {
    shortcut_ =
        add_module("shortcut", std::make_shared<Conv>(o.in, o.out, one, ConvOptions{o.stride, {}, {}, 1}, plain || pre_activation_));
    if (!pre_activation_ && !plain) shortcut_norm_ = add_module("shortcut_norm", norm_activation(o.out, bare));
  }
  if (!pre_activation_)
    last_ = add_module(
        "activation",
        std::make_shared<Activation>(o.norm.activation, o.norm.activation == "leaky_relu" ? std::optional(o.norm.slope) : std::nullopt));
}

Tensor ResNetBlock::forward(const Tensor& x) {
  if (pre_activation_) {
    Tensor active = norm1_->forward(x);
    Tensor past = shortcut_ ? shortcut_->forward(active) : x;
    return past + second_->forward(norm2_->forward(first_->forward(active)));
  }
  Tensor y = norm2_->forward(second_->forward(norm1_->forward(first_->forward(x))));
  Tensor past = shortcut_ ? shortcut_->forward(x) : x;
  if (shortcut_norm_) past = shortcut_norm_->forward(past);
  return last_->forward(past + y);
}

}  // namespace tenon::nn
