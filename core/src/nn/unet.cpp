#include "tenon/nn/unet.hpp"

#include <algorithm>
#include <numeric>

#include "ops/check.hpp"

namespace tenon::nn {

/// Two times convolution, normalisation, activation; the first convolution may have a stride.
class UNet::Stage : public Module {
 public:
  Stage(std::int64_t in, std::int64_t out, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride, const UNetOptions& o) {
    const NormActivation norm{o.norm, o.activation, o.groups, o.slope};
    const ConvEdges edges{o.edges, false};
    std::vector<std::int64_t> padding;
    for (std::int64_t k : kernel) padding.push_back(k / 2);
    first_ = add_module("conv1", std::make_shared<Conv>(in, out, kernel, ConvOptions{stride, padding, {}, 1}, true, edges));
    first_norm_ = add_module("norm1", norm_activation(out, norm));
    second_ = add_module("conv2", std::make_shared<Conv>(out, out, kernel, ConvOptions{{}, padding, {}, 1}, true, edges));
    second_norm_ = add_module("norm2", norm_activation(out, norm));
  }
  Tensor forward(const Tensor& x) override {
    return second_norm_->forward(second_->forward(first_norm_->forward(first_->forward(x))));
  }

 private:
  std::shared_ptr<Conv> first_, second_;
  ModulePtr first_norm_, second_norm_;
};

UNet::UNet(UNetOptions options) : options_(std::move(options)) {
  UNetOptions& o = options_;
  if (o.spatial_axes < 1 || o.spatial_axes > 3) throw_usage("UNet", std::to_string(o.spatial_axes) + " spatial axes", "1, 2 or 3");
  if (o.widths.size() < 2) throw_usage("UNet", "needs at least two stages, got " + std::to_string(o.widths.size()) + " widths");
  if (o.heads < 0) throw_usage("UNet", std::to_string(o.heads) + " heads", "0 for one at every resolution");
  const std::size_t stages = o.widths.size(), axes = std::size_t(o.spatial_axes);
  if (o.strides.empty()) o.strides.assign(stages - 1, std::vector<std::int64_t>(axes, 2));
  if (o.kernels.empty()) o.kernels.assign(stages, std::vector<std::int64_t>(axes, 3));
  if (o.strides.size() != stages - 1 || o.kernels.size() != stages)
    throw_usage("UNet", std::to_string(stages) + " widths need " + std::to_string(stages - 1) + " strides and " + std::to_string(stages) + " kernels");
  for (std::int64_t channels : {o.in_channels, o.classes, *std::min_element(o.widths.begin(), o.widths.end())})
    if (channels < 1) throw_usage("UNet", "in_channels " + std::to_string(o.in_channels) + ", classes " + std::to_string(o.classes) + ", widths " + list_str(o.widths), "1 or more of each");
  for (const auto& stride : o.strides)
    if (stride.size() != axes || std::any_of(stride.begin(), stride.end(), [](std::int64_t s) { return s < 1; }))
      throw_usage("UNet", "strides " + list_str(stride) + " for " + std::to_string(axes) + " spatial axes", "one value of 1 or more an axis");
  for (const auto& kernel : o.kernels)  // an even one would not keep the size
    if (kernel.size() != axes || std::any_of(kernel.begin(), kernel.end(), [](std::int64_t k) { return k < 1 || k % 2 == 0; }))
      throw_usage("UNet", "kernel " + list_str(kernel) + " for " + std::to_string(axes) + " spatial axes", "one odd value an axis");
  for (std::size_t a = 0; a < axes; ++a) stride_along(a);
  for (std::size_t i = 0; i < stages; ++i) {
    std::int64_t in = i == 0 ? o.in_channels : o.widths[i - 1];
    std::vector<std::int64_t> stride = i == 0 ? std::vector<std::int64_t>(axes, 1) : o.strides[i - 1];
    down_.push_back(add_module("down" + std::to_string(i), std::make_shared<Stage>(in, o.widths[i], o.kernels[i], stride, o)));
  }
  for (std::size_t k = 0; k + 1 < stages; ++k) {
    std::size_t i = stages - 2 - k;  // from the coarsest
    upsample_.push_back(add_module("upsample" + std::to_string(i), std::make_shared<ConvTranspose>(o.widths[i + 1], o.widths[i], o.strides[i], ConvOptions{o.strides[i], {}, {}, 1})));
    up_.push_back(add_module("up" + std::to_string(i), std::make_shared<Stage>(2 * o.widths[i], o.widths[i], o.kernels[i], std::vector<std::int64_t>(axes, 1), o)));
    bool head = o.heads == 0 || std::int64_t(i) < o.heads;
    heads_.push_back(head ? add_module("head" + std::to_string(i), std::make_shared<Conv>(o.widths[i], o.classes, std::vector<std::int64_t>(axes, 1))) : nullptr);
  }
}

std::int64_t UNet::stride_along(std::size_t axis) const {
  std::int64_t all = 1;
  for (const auto& s : options_.strides) all = size_times("UNet", all, s[axis]);
  return all;
}

std::int64_t UNet::size_divisor() const {
  std::int64_t all = 1;
  for (std::size_t a = 0; a < std::size_t(options_.spatial_axes); ++a) all = std::lcm(all, stride_along(a));
  return all;
}

std::vector<Tensor> UNet::decode(const Tensor& input, bool all_heads) {
  const std::size_t axes = std::size_t(options_.spatial_axes);
  if (input.rank() != int(axes) + 2 || input.size(-1) != options_.in_channels)
    throw_usage("UNet", "expected [N, " + std::to_string(axes) + " spatial axes, " + std::to_string(options_.in_channels) + "], got " + input.str());
  for (std::size_t a = 0; a < axes; ++a) {
    const std::int64_t divisor = stride_along(a);
    if (input.size(int(a) + 1) % divisor)
      throw_usage("UNet", "size " + std::to_string(input.size(int(a) + 1)) + " along spatial axis " + std::to_string(a) + " of " + input.str() + " is not divisible by " + std::to_string(divisor), "pad the input");
  }
  Tensor x = input.to(options_.compute);
  std::vector<Tensor> skips, outputs;
  for (auto& stage : down_) skips.push_back(x = stage->forward(x));
  skips.pop_back();
  for (std::size_t k = 0; k < up_.size(); ++k) {
    Tensor upsampled = upsample_[k]->forward(x);
    x = {};
    Tensor joined = concat({upsampled, skips.back()}, -1);
    upsampled = {};
    skips.pop_back();
    x = up_[k]->forward(joined);
    if (heads_[k] && (all_heads || k + 1 == up_.size())) outputs.insert(outputs.begin(), heads_[k]->forward(x));
  }
  return outputs;
}

std::vector<Tensor> UNet::forward_all(const std::vector<Tensor>& inputs) {
  if (inputs.size() != 1) throw_usage("UNet", "takes one input, got " + std::to_string(inputs.size()));
  return decode(inputs[0], true);
}

Tensor UNet::forward(const Tensor& x) { return decode(x, false)[0].to(DType::f32); }

}  // namespace tenon::nn
