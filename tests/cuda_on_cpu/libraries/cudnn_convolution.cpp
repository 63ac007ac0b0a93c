// Convolutions as cuDNN's graphs have them: channels last, weights [out channels, taps, channels of a group].
#include <bit>

#include "cuda_on_cpu/libraries/cudnn_loops.hpp"
#include "ops/convert.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda::on_cpu {
namespace {

using Values = std::vector<double>;

double in_tf32(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(float(value));
  return double(std::bit_cast<float>((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu));
}

Values read(const void* from, DType type, std::int64_t count, bool tf32) {
  Values all;
  dispatch_floating("stand-in", type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (std::int64_t i = 0; i < count; ++i) all.push_back(convert<double>(static_cast<const T*>(from)[i]));
  });
  if (tf32)
    for (double& v : all) v = in_tf32(v);
  return all;
}

/// `link(row of x, row of y, tap)` for each pair of positions that a tap joins.
template <class Link>
void for_links(const ConvGeometry& g, const Link& link) {
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t to = 0; to < g.out_voxels(); ++to)
      for (std::int64_t tap = 0; tap < g.taps(); ++tap) {
        std::int64_t from = 0, rest_to = to, rest_tap = tap, step_from = 1;
        bool there = true;
        for (std::size_t a = 3; a-- > 0;) {  // the last axis first
          const std::int64_t i = rest_to % g.out[a] * g.stride[a] - g.pad[a] + rest_tap % g.kernel[a] * g.dilation[a];
          rest_to /= g.out[a], rest_tap /= g.kernel[a];
          there = there && i >= 0 && i < g.in[a];
          from += i * step_from;
          step_from *= g.in[a];
        }
        if (there) link(n * g.in_voxels() + from, n * g.out_voxels() + to, tap);
      }
}

/// x, y or w is written, of the two others.
void convolve(const CudnnConvolution& q, Values& x, Values& y, Values& w) {
  const ConvGeometry& g = q.geometry;
  const std::int64_t in = g.in_channels / g.groups, out = g.out_channels / g.groups;
  for_links(g, [&](std::int64_t x_row, std::int64_t y_row, std::int64_t tap) {
    for (std::int64_t group = 0; group < g.groups; ++group)
      for (std::int64_t o = group * out; o < (group + 1) * out; ++o) {
        double* const from_x = &x[std::size_t(x_row * g.in_channels + group * in)];
        double* const from_w = &w[std::size_t((o * g.taps() + tap) * in)];
        double& of_y = y[std::size_t(y_row * g.out_channels + o)];
        for (std::int64_t i = 0; i < in; ++i) {
          if (q.pass == ConvPass::forward) of_y += from_x[i] * from_w[i];
          else if (q.pass == ConvPass::input_gradient) from_x[i] += of_y * from_w[i];
          else from_w[i] += from_x[i] * of_y;
        }
      }
  });
}

}  // namespace

std::vector<std::int64_t> operands_of(const CudnnConvolution& q) {
  const ConvGeometry& g = q.geometry;
  const bool forward = q.pass == ConvPass::forward, weights = q.pass == ConvPass::weight_gradient;
  const auto item = std::int64_t(size_of(g.dtype));
  const std::int64_t x = g.batch * g.in_voxels() * g.in_channels * item, y = g.batch * g.out_voxels() * g.out_channels * item;
  if (weights) return {x, y, g.weights() * (q.half_weights ? item : 4)};
  std::vector<std::int64_t> bytes{forward ? x : y, g.weights() * item, forward ? y : x};
  if (q.bias) bytes.insert(bytes.begin() + 2, (forward ? g.out_channels : g.in_channels) * 4);
  return bytes;
}

void check_question(const CudnnConvolution& q) {
  const ConvGeometry& g = q.geometry;
  const bool weights = q.pass == ConvPass::weight_gradient;
  want(g.dtype != DType::f64, "a convolution in f64");
  want(g.in_channels % g.groups == 0 && g.out_channels % g.groups == 0, "channels that do not divide into groups");
  want(!q.half_weights || (weights && size_of(g.dtype) == 2), "weights in 16 bits of another pass or type");
  want(!q.bias || !weights, "a weight gradient with a bias");
  want(!q.allow_tf32 || g.dtype == DType::f32, "TF32 of another type");
}

std::vector<Result> results_of(const CudnnConvolution& q, const std::vector<void*>& operands, Deed deed) {
  const ConvGeometry& g = q.geometry;
  const bool forward = q.pass == ConvPass::forward, weights = q.pass == ConvPass::weight_gradient, tf32 = deed == Deed::in_tf32;
  const std::int64_t x_count = g.batch * g.in_voxels() * g.in_channels, y_count = g.batch * g.out_voxels() * g.out_channels;
  Values x(std::size_t(x_count), 0.0), y(std::size_t(y_count), 0.0), w(std::size_t(g.weights()), 0.0);
  Values& first = q.pass == ConvPass::input_gradient ? y : x;
  Values& second = weights ? y : w;
  Values& made = weights ? w : forward ? y : x;
  first = read(operands[0], g.dtype, std::int64_t(first.size()), tf32);
  second = read(operands[1], g.dtype, std::int64_t(second.size()), tf32);
  convolve(q, x, y, w);
  const std::int64_t width = weights ? g.weights() : forward ? g.out_channels : g.in_channels;
  if (q.bias) {
    const Values bias = read(operands[2], DType::f32, width, false);
    for (std::size_t i = 0; i < made.size(); ++i) made[i] += bias[i % std::size_t(width)];
  }
  const DType type = weights && !q.half_weights ? DType::f32 : g.dtype;
  auto* const to = static_cast<std::byte*>(operands.back());
  return {{type, width, std::move(made), [=](std::int64_t row) { return to + std::size_t(row * width) * size_of(type); }}};
}

}  // namespace tenon::cuda::on_cpu
