/// f32 convolutions of each channel by itself.
#include <algorithm>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/conv_engine.hpp"
#include "backend/cpu/depthwise.hpp"
#include "tenon/kernel.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/depthwise.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {
namespace {

constexpr std::int64_t kFewestChannels = 8;  // below, vectors would be too narrow
constexpr std::int64_t kTaskMultiplications = 1 << 20;
constexpr std::int64_t kMostParts = 64;  // of a weight gradient's units; a part has sums of its own
constexpr std::int64_t kPartsBytes = 4 << 20;

std::array<std::int64_t, 3> to_the_right(const ConvGeometry& g, const ConvGeometry::Sizes& sizes, std::int64_t otherwise) {
  std::array<std::int64_t, 3> out{otherwise, otherwise, otherwise};
  for (int a = 0; a < g.spatial; ++a) out[std::size_t(3 - g.spatial + a)] = sizes[std::size_t(a)];
  return out;
}

DepthwiseShape shape_of(const ConvGeometry& g) {
  DepthwiseShape s;
  s.in = to_the_right(g, g.in, 1), s.out = to_the_right(g, g.out, 1), s.kernel = to_the_right(g, g.kernel, 1);
  s.stride = to_the_right(g, g.stride, 1), s.pad = to_the_right(g, g.pad, 0), s.dilation = to_the_right(g, g.dilation, 1);
  s.channels = g.in_channels;
  return s;
}

/// The gradient of x with stride 1 is a convolution of y with the taps in reverse.
DepthwiseShape reversed(const DepthwiseShape& s) {
  DepthwiseShape r = s;
  std::swap(r.in, r.out);
  for (std::size_t a = 0; a < 3; ++a) r.pad[a] = s.dilation[a] * (s.kernel[a] - 1) - s.pad[a];
  return r;
}

class DepthwiseConv final : public ConvProgram {
 public:
  DepthwiseConv(const ConvGeometry& g, ConvPass pass, ConvSums sums)
      : shape_(pass == ConvPass::input_gradient ? reversed(shape_of(g)) : shape_of(g)), reversed_(pass == ConvPass::input_gradient), sums_(sums == ConvSums::of_y) {
    shape_.segments = ceil_div(shape_.out[2], DepthwiseShape::kSegment);
    units_ = g.batch * shape_.out[0] * shape_.out[1] * shape_.segments;
    const std::int64_t numbers = shape_.taps() * shape_.channels;
    if (pass != ConvPass::weight_gradient) {
      packed_bytes_ = std::size_t(numbers) * sizeof(float);
      return;
    }
    part_ = numbers + shape_.channels;
    parts_ = std::clamp<std::int64_t>(kPartsBytes / (part_ * std::int64_t(sizeof(double))), 1, std::clamp<std::int64_t>(units_, 1, kMostParts));
    workspace_bytes_ = std::size_t(parts_ * part_) * sizeof(double);
  }

  void pack(const void* weights, void* packed) const override {
    const auto* w = static_cast<const float*>(weights);
    auto* to = static_cast<float*>(packed);
    const std::int64_t taps = shape_.taps(), channels = shape_.channels;
    for (std::int64_t t = 0; t < taps; ++t)
      for (std::int64_t c = 0; c < channels; ++c) to[t * channels + c] = w[c * taps + (reversed_ ? taps - 1 - t : t)];
  }

  void run(const void* source, const void* packed, const void* bias, void* destination) const override {
    const std::int64_t each = shape_.taps() * shape_.channels * std::min(shape_.out[2], DepthwiseShape::kSegment);
    parallel_blocks(units_, std::max<std::int64_t>(1, kTaskMultiplications / std::max<std::int64_t>(each, 1)), [&](std::int64_t begin, std::int64_t end) {
      depthwise_loops().run(shape_, static_cast<const float*>(source), static_cast<const float*>(packed), static_cast<const float*>(bias), static_cast<float*>(destination), begin, end);
    });
  }

  void run_weights(const void* x, const void* y, void* weights, void* sums, void* workspace) const override {
    auto* parts = static_cast<double*>(workspace);
    const std::int64_t taps = shape_.taps(), channels = shape_.channels;
    parallel_for(parts_, [&](std::int64_t i) {
      double* part = parts + i * part_;
      std::fill(part, part + part_, 0.0);
      depthwise_loops().weights(shape_, static_cast<const float*>(x), static_cast<const float*>(y), part, sums_ ? part + taps * channels : nullptr, units_ * i / parts_,
                                units_ * (i + 1) / parts_);
    });
    for (std::int64_t i = 1; i < parts_; ++i)
      for (std::int64_t j = 0; j < part_; ++j) parts[j] += parts[i * part_ + j];
    auto* w = static_cast<float*>(weights);
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t t = 0; t < taps; ++t) w[c * taps + t] = float(parts[t * channels + c]);
    if (!sums_ || !sums) return;
    for (std::int64_t c = 0; c < channels; ++c) static_cast<float*>(sums)[c] = float(parts[taps * channels + c]);
  }

  std::string describe() const override { return "depthwise rows, " + std::to_string(units_) + " of them"; }

 private:
  DepthwiseShape shape_;
  bool reversed_, sums_;
  std::int64_t units_ = 0, part_ = 0, parts_ = 0;
};

}  // namespace

const DepthwiseLoops& depthwise_loops() {
  static const DepthwiseLoops loops{TENON_BY_ISA(depthwise_run), TENON_BY_ISA(depthwise_weights)};
  return loops;
}

std::shared_ptr<const ConvProgram> make_depthwise_conv(const ConvGeometry& g, ConvPass pass, ConvSums sums) {
  if (g.dtype != DType::f32 || g.groups != g.in_channels || g.out_channels != g.in_channels || g.in_channels < kFewestChannels || sums == ConvSums::of_x) return nullptr;
  // the library has good loops of its own for two axes: forward, the gradient of x, and that of weights of 3 x 3
  if (g.spatial == 2 && (pass != ConvPass::weight_gradient || std::max(g.kernel[0], g.kernel[1]) <= 3)) return nullptr;
  const DepthwiseShape s = shape_of(g);
  if (s.tap_rows() > DepthwiseShape::kMostTapRows) return nullptr;
  if (pass == ConvPass::input_gradient && s.stride != std::array<std::int64_t, 3>{1, 1, 1}) return nullptr;
  return std::make_shared<DepthwiseConv>(g, pass, sums);
}

}  // namespace tenon::cpu
