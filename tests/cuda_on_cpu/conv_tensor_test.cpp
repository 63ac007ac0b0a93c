// Convolutions on tensor cores, all three passes, beside sums in f64: pieces with edges on every side, several in a plane, channels by blocks.
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "backend/cuda/conv_own.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/on_device.hpp"
#include "kernels/types.hpp"

using namespace tenon;
using namespace tenon::cuda;
using under_test::OnDevice;

namespace {

ConvGeometry geometry(std::int64_t batch, std::vector<std::int64_t> sizes, std::int64_t in, std::int64_t out) {
  ConvGeometry g;
  g.dtype = DType::bf16;
  g.spatial = int(sizes.size());
  g.batch = batch, g.in_channels = in, g.out_channels = out;
  for (std::size_t a = 0; a < sizes.size(); ++a) g.in[a] = g.out[a] = sizes[a], g.kernel[a] = 3, g.pad[a] = 1;
  return g;
}

void check_geometry(const ConvGeometry& g) {
  CAPTURE(g.spatial, g.batch, g.in[0], g.in[1], g.in[2], g.in_channels, g.out_channels);
  REQUIRE(conv_tensor_fits(g, ConvPass::weight_gradient));
  const std::size_t x_count = std::size_t(g.batch * g.in_voxels() * g.in_channels), y_count = std::size_t(g.batch * g.out_voxels() * g.out_channels);
  OnDevice<bf16> x_memory(x_count), y_memory(y_count);
  OnDevice<float> w_memory{std::size_t(g.weights())};
  OnDevice<std::byte> workspace(own_conv_buffers(g, ConvPass::weight_gradient, ConvSums::none, true).workspace + 1);
  bf16 *const x = x_memory.at, *const y = y_memory.at;
  float* const w = w_memory.at;
  std::mt19937 random(std::uint32_t(g.in_voxels() + g.in_channels));
  std::normal_distribution<float> draw;
  for (std::size_t i = 0; i < x_count; ++i) x[i] = bf16(draw(random) + 0.3f);
  for (std::size_t i = 0; i < y_count; ++i) y[i] = bf16(draw(random));
  void* operands[] = {x, y, w, workspace.at};
  own_conv_weights(g, ConvSums::none, true)(operands);

  std::vector<double> wanted(std::size_t(g.weights()), 0.0);
  const std::int64_t nz = g.in[0], ny = g.in[1], nx = g.in[2];
  const auto tap_of = [&](int a, std::int64_t tap) { return a < g.spatial ? tap - 1 : 0; };
  for (std::int64_t b = 0; b < g.batch; ++b)
    for (std::int64_t z = 0; z < nz; ++z)
      for (std::int64_t r = 0; r < ny; ++r)
        for (std::int64_t c = 0; c < nx; ++c)
          for (std::int64_t tap = 0; tap < g.taps(); ++tap) {
            const std::int64_t k2 = tap % g.kernel[2], k1 = tap / g.kernel[2] % g.kernel[1], k0 = tap / g.kernel[2] / g.kernel[1];
            const std::int64_t xz = z + tap_of(0, k0), xr = r + tap_of(1, k1), xc = c + tap_of(2, k2);
            if (xz < 0 || xz >= nz || xr < 0 || xr >= ny || xc < 0 || xc >= nx) continue;
            const bf16 *from_x = x + (((b * nz + xz) * ny + xr) * nx + xc) * g.in_channels, *from_y = y + (((b * nz + z) * ny + r) * nx + c) * g.out_channels;
            for (std::int64_t o = 0; o < g.out_channels; ++o)
              for (std::int64_t i = 0; i < g.in_channels; ++i)
                wanted[std::size_t((o * g.taps() + tap) * g.in_channels + i)] += double(float(from_y[o])) * double(float(from_x[i]));
          }
  double off = 0, whole = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) off += std::pow(double(w[i]) - wanted[i], 2), whole += wanted[i] * wanted[i];
  CHECK(off <= 1e-12 * whole);
}

/// y or x, from the other one and the weights.
void check_pass(const ConvGeometry& g, ConvPass pass, bool bias) {
  CAPTURE(int(pass), bias, g.spatial, g.batch, g.in[0], g.in[1], g.in[2], g.in_channels, g.out_channels);
  REQUIRE(conv_tensor_fits(g, pass));
  const bool forward = pass == ConvPass::forward;
  const std::int64_t sources = forward ? g.in_channels : g.out_channels, results = forward ? g.out_channels : g.in_channels;
  const std::size_t voxels = std::size_t(g.batch * g.in_voxels()), count = voxels * std::size_t(results);
  OnDevice<bf16> source_memory(voxels * std::size_t(sources)), result_memory(count);
  OnDevice<float> weight_memory{std::size_t(g.weights())}, bias_memory{std::size_t(results)};
  bf16 *const source = source_memory.at, *const result = result_memory.at;
  float *const w = weight_memory.at, *const b = bias_memory.at;
  std::mt19937 random(std::uint32_t(g.in_voxels() + g.in_channels + 7 * int(pass)));
  std::normal_distribution<float> draw;
  for (std::size_t i = 0; i < voxels * std::size_t(sources); ++i) source[i] = bf16(draw(random));
  for (std::int64_t i = 0; i < g.weights(); ++i) w[i] = draw(random);
  for (std::int64_t i = 0; i < results; ++i) b[i] = draw(random);
  std::vector<void*> operands{source, w, result};
  if (bias) operands.insert(operands.begin() + 2, b);
  own_conv(g, pass, bias, true)(operands.data());

  const std::int64_t nz = g.in[0], ny = g.in[1], nx = g.in[2];
  const auto tap_of = [&](int a, std::int64_t tap) { return (forward ? 1 : -1) * (a < g.spatial ? tap - 1 : 0); };
  std::int64_t wrong = 0;
  for (std::int64_t v = 0; v < std::int64_t(voxels); ++v) {
    const std::int64_t c = v % nx, r = v / nx % ny, z = v / nx / ny % nz, sample = v / nx / ny / nz;
    for (std::int64_t to = 0; to < results; ++to) {
      double sum = bias ? double(b[to]) : 0;
      for (std::int64_t tap = 0; tap < g.taps(); ++tap) {
        const std::int64_t k2 = tap % g.kernel[2], k1 = tap / g.kernel[2] % g.kernel[1], k0 = tap / g.kernel[2] / g.kernel[1];
        const std::int64_t fz = z + tap_of(0, k0), fr = r + tap_of(1, k1), fc = c + tap_of(2, k2);
        if (fz < 0 || fz >= nz || fr < 0 || fr >= ny || fc < 0 || fc >= nx) continue;
        for (std::int64_t from = 0; from < sources; ++from) {
          const float weight = w[forward ? (to * g.taps() + tap) * sources + from : (from * g.taps() + tap) * results + to];
          sum += double(float(source[(((sample * nz + fz) * ny + fr) * nx + fc) * sources + from])) * double(float(bf16(weight)));
        }
      }
      // rounded to 8 bits, after sums in f32
      wrong += !(std::abs(double(float(result[v * results + to])) - sum) <= std::ldexp(std::abs(sum), -8) + 1e-4);
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("convolutions and input gradients on tensor cores are the sums over the taps", "[conv][slow]") {
  TENON_NEEDS_DEVICE();
  for (const bool bias : {false, true}) {
    check_pass(geometry(1, {1, 1, 1}, 32, 32), ConvPass::forward, bias);
    check_pass(geometry(1, {1, 1, 1}, 32, 32), ConvPass::input_gradient, bias);
    check_pass(geometry(2, {5, 4, 6}, 32, 64), ConvPass::forward, bias);
    check_pass(geometry(2, {5, 4, 6}, 96, 32), ConvPass::input_gradient, bias);
    check_pass(geometry(3, {7, 5}, 32, 32), ConvPass::forward, bias);
    check_pass(geometry(3, {7, 5}, 64, 32), ConvPass::input_gradient, bias);
  }
}

TEST_CASE("convolutions on tensor cores of planes in several pieces", "[conv][slow]") {
  TENON_NEEDS_DEVICE();
  for (const ConvPass pass : {ConvPass::forward, ConvPass::input_gradient}) {
    check_pass(geometry(1, {3, 3, 130}, 32, 32), pass, false);  // three pieces across
    check_pass(geometry(1, {2, 40, 20}, 32, 32), pass, true);   // several down
    check_pass(geometry(1, {300, 2, 3}, 32, 32), pass, false);  // planes in parts of several
  }
}

TEST_CASE("weight gradients on tensor cores are the sums over the voxels", "[conv][slow]") {
  TENON_NEEDS_DEVICE();
  check_geometry(geometry(1, {1, 1, 1}, 32, 32));
  check_geometry(geometry(2, {3, 4, 5}, 32, 32));
  check_geometry(geometry(1, {2, 7, 17}, 64, 32));
  check_geometry(geometry(1, {2, 3, 4}, 32, 96));
  check_geometry(geometry(3, {9, 7}, 32, 64));
  check_geometry(geometry(1, {1, 2}, 32, 32));
}

TEST_CASE("weight gradients on tensor cores of planes in several pieces", "[conv][slow]") {
  TENON_NEEDS_DEVICE();
  check_geometry(geometry(1, {2, 5, 130}, 32, 32));   // three pieces across
  check_geometry(geometry(1, {2, 61, 20}, 32, 32));   // several down
  check_geometry(geometry(2, {12, 13, 40}, 32, 32));  // a block has several pieces
}

TEST_CASE("which convolutions tensor cores take", "[conv]") {
  TENON_NEEDS_DEVICE();
  CHECK(conv_tensor_fits(geometry(2, {8, 8, 8}, 32, 64), ConvPass::forward));
  CHECK_FALSE(conv_tensor_fits(geometry(2, {8, 8, 8}, 64, 32), ConvPass::forward));
  CHECK(conv_tensor_fits(geometry(2, {8, 8, 8}, 64, 32), ConvPass::input_gradient));
  CHECK_FALSE(conv_tensor_fits(geometry(2, {8, 8, 8}, 32, 64), ConvPass::input_gradient));
  const ConvGeometry good = geometry(2, {8, 8, 8}, 32, 64);
  CHECK(conv_tensor_fits(good, ConvPass::weight_gradient));
  auto without = [&](auto change) {
    ConvGeometry g = good;
    change(g);
    return conv_tensor_fits(g, ConvPass::weight_gradient) || conv_tensor_fits(g, ConvPass::forward);
  };
  CHECK_FALSE(without([](ConvGeometry& g) { g.dtype = DType::f32; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.in_channels = 48; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.out_channels = 8; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.groups = 2; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.stride[1] = 2, g.out[1] = 4; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.pad[0] = 0, g.out[0] = 6; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.dilation[2] = 2, g.pad[2] = 2; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.kernel[0] = 1, g.pad[0] = 0; }));
  CHECK_FALSE(without([](ConvGeometry& g) { g.batch = 0; }));
}
