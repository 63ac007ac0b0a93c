/// Convolutions of each channel by itself in f32, against the reference loops in double; and the loops of every instruction set.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <vector>

#include "backend/cpu/conv_engine.hpp"
#include "tenon/device.hpp"
#include "tenon/kernel.hpp"
#include "tenon/random.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/depthwise.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

struct Axis {
  std::int64_t in, kernel, stride, pad, dilation;
};

ConvGeometry depthwise(std::int64_t batch, std::int64_t channels, const std::vector<Axis>& axes) {
  ConvGeometry g;
  g.spatial = int(axes.size());
  g.batch = batch;
  g.in_channels = g.out_channels = g.groups = channels;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const Axis& x = axes[a];
    g.in[a] = x.in, g.kernel[a] = x.kernel, g.stride[a] = x.stride, g.pad[a] = x.pad, g.dilation[a] = x.dilation;
    g.out[a] = (x.in + 2 * x.pad - x.dilation * (x.kernel - 1) - 1) / x.stride + 1;
  }
  return g;
}

std::vector<float> noise(std::int64_t count, std::uint64_t stream) {
  Random random(5, stream);
  std::vector<float> v;
  for (std::int64_t i = 0; i < count; ++i) v.push_back(float(random.normal(std::uint64_t(i))));
  return v;
}

/// What the program makes of the same operands in T, the weights' gradient followed by the sums of y.
template <class T>
std::vector<T> result(ConvGeometry g, ConvPass pass) {
  g.dtype = std::is_same_v<T, double> ? DType::f64 : DType::f32;
  auto cast = [](const std::vector<float>& v) { return std::vector<T>(v.begin(), v.end()); };
  const auto x = cast(noise(g.batch * g.in_voxels() * g.in_channels, 1)), y = cast(noise(g.batch * g.out_voxels() * g.out_channels, 2)), w = cast(noise(g.weights(), 3)),
             bias = cast(noise(g.in_channels, 4));
  const bool of_weights = pass == ConvPass::weight_gradient;
  const auto program = cpu::conv_program(g, pass, !of_weights, of_weights ? ConvSums::of_y : ConvSums::none);
  CHECK((program->describe().rfind("depthwise", 0) == 0) == std::is_same_v<T, float>);
  std::vector<char> packed(program->packed_bytes() + 64), space(program->workspace_bytes() + 64);
  if (of_weights) {
    std::vector<T> out(w.size() + std::size_t(g.out_channels), T(-7));
    program->run_weights(x.data(), y.data(), out.data(), out.data() + w.size(), space.data());
    return out;
  }
  std::vector<T> out(pass == ConvPass::forward ? y.size() : x.size(), T(-7));
  const void* weights = w.data();
  if (program->packed_bytes()) program->pack(w.data(), packed.data()), weights = packed.data();
  program->run(pass == ConvPass::forward ? x.data() : y.data(), weights, bias.data(), out.data());
  return out;
}

void check(const ConvGeometry& g, ConvPass pass) {
  const std::vector<double> right = result<double>(g, pass);
  const std::vector<float> got = result<float>(g, pass);
  REQUIRE(got.size() == right.size());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < right.size(); ++i) error += std::pow(double(got[i]) - right[i], 2), size += right[i] * right[i];
  INFO(g.spatial << " axes, " << g.in_channels << " channels, pass " << int(pass));
  CHECK(error <= 1e-12 * size);
}

const std::vector<ConvGeometry> kGeometries = {
    depthwise(2, 16, {{40, 5, 1, 2, 1}}),                                          // one axis
    depthwise(3, 19, {{37, 4, 1, 1, 2}}),                                          // channels in ever narrower vectors, an even kernel, gaps
    depthwise(1, 8, {{1100, 3, 1, 0, 1}}),                                         // three segments, no padding
    depthwise(2, 24, {{9, 3, 1, 1, 1}, {8, 3, 1, 1, 1}, {7, 3, 1, 1, 1}}),         // three axes
    depthwise(1, 33, {{6, 5, 1, 2, 1}, {7, 2, 1, 0, 1}, {21, 9, 1, 4, 1}}),        // unlike kernels; more than two groups of four taps
    depthwise(1, 8, {{4, 3, 1, 3, 2}, {3, 1, 1, 0, 1}, {2, 5, 1, 6, 2}}),          // windows with no tap inside, none all inside
};

}  // namespace

TEST_CASE("convolutions of each channel by itself are the reference's", "[conv]") {
  for (const ConvGeometry& g : kGeometries)
    for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) check(g, pass);
  // with a stride the gradient of x is the library's
  for (const ConvGeometry& g : {depthwise(2, 16, {{41, 5, 2, 2, 1}}), depthwise(1, 20, {{9, 3, 2, 1, 1}, {8, 3, 3, 1, 1}, {23, 3, 2, 2, 1}})})
    for (ConvPass pass : {ConvPass::forward, ConvPass::weight_gradient}) check(g, pass);
  check(depthwise(2, 24, {{14, 5, 1, 2, 1}, {15, 7, 2, 3, 1}}), ConvPass::weight_gradient);
}

TEST_CASE("convolutions of each channel by itself give the same bits for 1, 2 and 5 threads", "[conv][threads]") {
  const int before = thread_count();
  for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
    std::vector<float> first;
    for (int threads : {1, 2, 5}) {
      set_thread_count(threads);
      const std::vector<float> got = result<float>(kGeometries[3], pass);
      if (first.empty()) first = got;
      CHECK(std::memcmp(first.data(), got.data(), got.size() * sizeof(float)) == 0);
    }
  }
  set_thread_count(before);
}

TEST_CASE("every instruction set convolves each channel by itself alike", "[conv][isa]") {
  struct Loops {
    decltype(&isa_base::depthwise_run) run;
    decltype(&isa_base::depthwise_weights) weights;
  };
  std::vector<Loops> all{{isa_base::depthwise_run, isa_base::depthwise_weights}};
#if defined(__x86_64__)
  if (isa_level() >= 1) all.push_back({isa_avx2::depthwise_run, isa_avx2::depthwise_weights});
  if (isa_level() >= 2) all.push_back({isa_avx512::depthwise_run, isa_avx512::depthwise_weights});
#endif
  cpu::DepthwiseShape s;
  s.in = {3, 6, 30}, s.out = {3, 6, 30}, s.kernel = {3, 3, 7}, s.stride = {1, 1, 1}, s.pad = {1, 1, 3}, s.dilation = {1, 1, 1};
  s.channels = 37;
  const std::int64_t units = 2 * 3 * 6, numbers = s.taps() * s.channels;
  const auto x = noise(units * 30 * s.channels, 1), y = noise(units * 30 * s.channels, 2), w = noise(numbers, 3), bias = noise(s.channels, 4);
  std::vector<float> first_run;
  std::vector<double> first_weights;
  for (const Loops& loops : all) {
    std::vector<float> out(x.size());
    std::vector<double> sums(static_cast<std::size_t>(numbers)), of_y(static_cast<std::size_t>(s.channels));
    loops.run(s, x.data(), w.data(), bias.data(), out.data(), 0, units);
    loops.weights(s, x.data(), y.data(), sums.data(), of_y.data(), 0, units);
    sums.insert(sums.end(), of_y.begin(), of_y.end());
    if (first_run.empty()) first_run = out, first_weights = sums;
    double worst = 0;
    for (std::size_t i = 0; i < out.size(); ++i) worst = std::max(worst, double(std::abs(out[i] - first_run[i])));
    for (std::size_t i = 0; i < sums.size(); ++i) worst = std::max(worst, std::abs(sums[i] - first_weights[i]));
    CHECK(worst < 3e-4);
  }
}
