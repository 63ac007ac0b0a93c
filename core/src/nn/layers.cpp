#include "tenon/nn/layers.hpp"

#include <cmath>

#include "tenon/error.hpp"
#include "tenon/normalisation.hpp"

namespace tenon::nn {
namespace {

std::int64_t product(const std::vector<std::int64_t>& v) {
  std::int64_t n = 1;
  for (std::int64_t s : v) n *= s;
  return n;
}

Shape weight_shape(std::int64_t first, const std::vector<std::int64_t>& kernel, std::int64_t last) {
  Shape s{first};
  for (std::int64_t k : kernel) s.push_back(k);
  s.push_back(last);
  return s;
}

/// Leaves to `options` the zeros that are alike on both sides, and to `padded` the rest.
void plan_edges(const std::vector<std::int64_t>& kernel, const ConvEdges& edges, ConvOptions& options, std::vector<AxisPadding>& padded) {
  const std::size_t axes = kernel.size();
  auto fits = [&](std::size_t values, const char* what) {
    if (values != 0 && values != axes)
      throw_usage("Conv", std::to_string(values) + " values of " + what + " for " + std::to_string(axes) + " spatial axes");
  };
  fits(edges.modes.size(), "padding modes");
  fits(options.padding.size(), "padding");
  fits(options.dilation.size(), "dilation");
  if (edges.same && !options.padding.empty()) throw_usage("Conv", "padding is given beside 'same'", "leave options.padding empty");
  if (edges.modes.empty() && !edges.same) return;
  std::vector<std::int64_t> inside(axes, 0);
  for (std::size_t a = 0; a < axes; ++a) {
    const PaddingMode mode = edges.modes.empty() ? PaddingMode::constant : edges.modes[a];
    std::int64_t before = options.padding.empty() ? 0 : options.padding[a], after = before;
    if (edges.same) {
      const std::int64_t total = (kernel[a] - 1) * (options.dilation.empty() ? 1 : options.dilation[a]);
      before = total / 2, after = total - before;
    }
    if (mode == PaddingMode::constant && before == after)
      inside[a] = before;
    else if (before + after > 0)
      padded.push_back({1 + int(a), {before, mode}, {after, mode}});
  }
  options.padding = inside;
}

}  // namespace

Linear::Linear(std::int64_t in, std::int64_t out, bool with_bias) {
  if (in < 1 || out < 1) throw_usage("Linear", "sizes " + std::to_string(in) + " -> " + std::to_string(out));
  // PyTorch's default: Kaiming uniform with slope sqrt(5), that is uniform within 1 / sqrt(in)
  double bound = 1 / std::sqrt(double(in));
  weight = add_parameter("weight", {out, in}, {Init::Kind::uniform, bound});
  if (with_bias) bias = add_parameter("bias", {out}, {Init::Kind::uniform, bound});
}
Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias); }

Conv::Conv(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, ConvOptions options, bool with_bias, ConvEdges edges)
    : options_(std::move(options)) {
  if (options_.groups < 1 || in % options_.groups || out % options_.groups)
    throw_usage("Conv", std::to_string(in) + " -> " + std::to_string(out) + " channels are not divisible by " + std::to_string(options_.groups) + " groups");
  plan_edges(kernel, edges, options_, edges_);
  std::int64_t fan_in = in / options_.groups * product(kernel);
  weight = add_parameter("weight", weight_shape(out, kernel, in / options_.groups), {Init::Kind::kaiming_normal, 0.01, fan_in});
  if (with_bias) bias = add_parameter("bias", {out}, {});
}
Tensor Conv::forward(const Tensor& x) { return conv(edges_.empty() ? x : pad_axes(x, edges_), weight, bias, options_); }

ConvTranspose::ConvTranspose(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, ConvOptions options, bool with_bias) : options_(std::move(options)) {
  if (options_.groups < 1 || in % options_.groups || out % options_.groups)
    throw_usage("ConvTranspose", std::to_string(in) + " -> " + std::to_string(out) + " channels are not divisible by " + std::to_string(options_.groups) + " groups");
  // every output voxel sees about in * kernel / stride inputs
  std::int64_t fan_in = std::max<std::int64_t>(1, in / options_.groups * product(kernel) / std::max<std::int64_t>(1, product(options_.stride)));
  weight = add_parameter("weight", weight_shape(in, kernel, out / options_.groups), {Init::Kind::kaiming_normal, 0.01, fan_in});
  if (with_bias) bias = add_parameter("bias", {out}, {});
}
Tensor ConvTranspose::forward(const Tensor& x) { return conv_transpose(x, weight, bias, options_); }

InstanceNorm::InstanceNorm(std::int64_t channels, double eps, double slope) : eps_(eps), slope_(slope) {
  scale = add_parameter("scale", {channels}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {channels}, {});
}
Tensor InstanceNorm::forward(const Tensor& x) { return instance_norm(x, scale, shift, eps_, slope_); }

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double eps, double slope) : groups_(groups), eps_(eps), slope_(slope) {
  if (groups < 1 || channels % groups) throw_usage("GroupNorm", std::to_string(channels) + " channels do not divide into " + std::to_string(groups) + " groups");
  scale = add_parameter("scale", {channels}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {channels}, {});
}
Tensor GroupNorm::forward(const Tensor& x) { return group_norm(x, groups_, scale, shift, eps_, slope_); }

LayerNorm::LayerNorm(std::int64_t features, double eps) : eps_(eps) {
  scale = add_parameter("scale", {features}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {features}, {});
}
Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, scale, shift, eps_); }

BatchNorm::BatchNorm(std::int64_t channels, double momentum, double eps, double slope) : momentum_(momentum), eps_(eps), slope_(slope) {
  scale = add_parameter("scale", {channels}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {channels}, {});
  running_mean = add_buffer("running_mean", {channels}, 0);
  running_var = add_buffer("running_var", {channels}, 1);
}
Tensor BatchNorm::forward(const Tensor& x) { return batch_norm(x, scale, shift, running_mean, running_var, training(), momentum_, eps_, slope_); }

Sequential::Sequential(std::vector<ModulePtr> layers) : layers_(std::move(layers)) {
  for (std::size_t i = 0; i < layers_.size(); ++i) add_module(std::to_string(i), layers_[i]);
}
Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const ModulePtr& layer : layers_) y = layer->forward(y);
  return y;
}

}  // namespace tenon::nn
