#include "tenon/nn/layers.hpp"

#include <cmath>
#include <tuple>

#include "ops/check.hpp"
#include "tenon/normalisation.hpp"

namespace tenon::nn {
namespace {

void check_channels(const char* layer, std::int64_t channels) {
  if (channels < 1) throw_usage(layer, std::to_string(channels) + " channels", "1 or more");
}

std::int64_t product(const char* layer, const std::vector<std::int64_t>& v) {
  std::int64_t n = 1;
  for (std::int64_t s : v) n = size_times(layer, n, s);
  return n;
}

/// What both kinds of convolution ask of their arguments.
void check_convolution(const char* layer, std::int64_t in, std::int64_t out, const std::vector<std::int64_t>& kernel, const ConvOptions& o) {
  if (in < 1 || out < 1) throw_usage(layer, std::to_string(in) + " -> " + std::to_string(out) + " channels", "1 or more of each");
  if (kernel.empty() || kernel.size() > 3) throw_usage(layer, "kernel " + list_str(kernel) + " has no 1 to 3 spatial axes");
  for (std::int64_t k : kernel)
    if (k < 1) throw_usage(layer, "kernel " + list_str(kernel), "1 or more along each axis");
  for (auto [values, name, least] : {std::tuple{&o.stride, "stride", 1}, std::tuple{&o.padding, "padding", 0}, std::tuple{&o.dilation, "dilation", 1}}) {
    if (!values->empty() && values->size() != kernel.size())
      throw_usage(layer, std::string(name) + " " + list_str(*values) + " beside kernel " + list_str(kernel), "one value a spatial axis");
    for (std::int64_t v : *values)
      if (v < least) throw_usage(layer, std::string(name) + " " + list_str(*values), std::to_string(least) + " or more along each axis");
  }
  if (o.groups < 1 || in % o.groups || out % o.groups)
    throw_usage(layer, std::to_string(in) + " -> " + std::to_string(out) + " channels are not divisible by " + std::to_string(o.groups) + " groups");
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
  if (edges.same && !options.padding.empty()) throw_usage("Conv", "padding is given beside 'same'", "leave options.padding empty");
  if (edges.modes.empty() && !edges.same) return;
  std::vector<std::int64_t> inside(axes, 0);
  for (std::size_t a = 0; a < axes; ++a) {
    const PaddingMode mode = edges.modes.empty() ? PaddingMode::constant : edges.modes[a];
    std::int64_t before = options.padding.empty() ? 0 : options.padding[a], after = before;
    if (edges.same) {
      const std::int64_t total = size_times("Conv", kernel[a] - 1, options.dilation.empty() ? 1 : options.dilation[a]);
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
  check_convolution("Conv", in, out, kernel, options_);
  plan_edges(kernel, edges, options_, edges_);
  std::int64_t fan_in = size_times("Conv", in / options_.groups, product("Conv", kernel));
  weight = add_parameter("weight", weight_shape(out, kernel, in / options_.groups), {Init::Kind::kaiming_normal, 0.01, fan_in});
  if (with_bias) bias = add_parameter("bias", {out}, {});
}
Tensor Conv::forward(const Tensor& x) { return conv(edges_.empty() ? x : pad_axes(x, edges_), weight, bias, options_); }

ConvTranspose::ConvTranspose(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, ConvOptions options, bool with_bias) : options_(std::move(options)) {
  check_convolution("ConvTranspose", in, out, kernel, options_);
  // every output voxel sees about in * kernel / stride inputs
  std::int64_t fan_in = std::max<std::int64_t>(1, size_times("ConvTranspose", in / options_.groups, product("ConvTranspose", kernel)) / product("ConvTranspose", options_.stride));
  weight = add_parameter("weight", weight_shape(in, kernel, out / options_.groups), {Init::Kind::kaiming_normal, 0.01, fan_in});
  if (with_bias) bias = add_parameter("bias", {out}, {});
}
Tensor ConvTranspose::forward(const Tensor& x) { return conv_transpose(x, weight, bias, options_); }

InstanceNorm::InstanceNorm(std::int64_t channels, double eps, double slope) : eps_(eps), slope_(slope) {
  check_channels("InstanceNorm", channels);
  scale = add_parameter("scale", {channels}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {channels}, {});
}
Tensor InstanceNorm::forward(const Tensor& x) { return instance_norm(x, scale, shift, eps_, slope_); }

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double eps, double slope) : groups_(groups), eps_(eps), slope_(slope) {
  if (groups < 1 || channels < 1 || channels % groups) throw_usage("GroupNorm", std::to_string(channels) + " channels do not divide into " + std::to_string(groups) + " groups");
  scale = add_parameter("scale", {channels}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {channels}, {});
}
Tensor GroupNorm::forward(const Tensor& x) { return group_norm(x, groups_, scale, shift, eps_, slope_); }

LayerNorm::LayerNorm(std::int64_t features, double eps) : eps_(eps) {
  check_channels("LayerNorm", features);
  scale = add_parameter("scale", {features}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {features}, {});
}
Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, scale, shift, eps_); }

BatchNorm::BatchNorm(std::int64_t channels, double momentum, double eps, double slope) : momentum_(momentum), eps_(eps), slope_(slope) {
  check_channels("BatchNorm", channels);
  scale = add_parameter("scale", {channels}, {Init::Kind::constant, 1});
  shift = add_parameter("shift", {channels}, {});
  running_mean = add_buffer("running_mean", {channels}, 0);
  running_var = add_buffer("running_var", {channels}, 1);
}
Tensor BatchNorm::forward(const Tensor& x) { return batch_norm(x, scale, shift, running_mean, running_var, training(), momentum_, eps_, slope_); }

Sequential::Sequential(std::vector<ModulePtr> layers) : layers_(std::move(layers)) {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    if (!layers_[i]) throw_usage("Sequential", "layer " + std::to_string(i) + " of " + std::to_string(layers_.size()) + " is null");
  for (std::size_t i = 0; i < layers_.size(); ++i) add_module(std::to_string(i), layers_[i]);
}
Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const ModulePtr& layer : layers_) y = layer->forward(y);
  return y;
}

}  // namespace tenon::nn
