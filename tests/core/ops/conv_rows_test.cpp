/// The f64 products of rows against the plain loops, for each pass.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "backend/cpu/conv_engine.hpp"

using namespace tenon;

namespace {

std::vector<double> irregular(std::int64_t n, int k) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(std::sin(0.37 * double(i) * double(i) + 1.7 * double(i) + k));
  return v;
}

/// The result of a pass, then the sums of a weight gradient.
std::vector<double> results(const cpu::ConvProgram& program, const ConvGeometry& g, ConvPass pass) {
  const auto x = irregular(g.batch * g.in_voxels() * g.in_channels, 1), y = irregular(g.batch * g.out_voxels() * g.out_channels, 2);
  const auto w = irregular(g.weights(), 3), bias = irregular(pass == ConvPass::forward ? g.out_channels : g.in_channels, 4);
  if (pass == ConvPass::weight_gradient) {
    std::vector<double> to(w.size() + std::size_t(g.out_channels)), workspace(program.workspace_bytes() / sizeof(double));
    program.run_weights(x.data(), y.data(), to.data(), to.data() + w.size(), workspace.data());
    return to;
  }
  std::vector<double> packed = w;
  if (program.packed_bytes() > 0) program.pack(w.data(), packed.data());
  std::vector<double> to((pass == ConvPass::forward ? y : x).size(), 7);
  program.run((pass == ConvPass::forward ? x : y).data(), packed.data(), bias.data(), to.data());
  return to;
}

}  // namespace

TEST_CASE("f64 convolutions as products of rows equal plain loops", "[conv]") {
  struct Case {
    int spatial;
    std::int64_t batch, in_channels, out_channels, groups;
    ConvGeometry::Sizes in, kernel, stride, pad, dilation;
  };
  for (const Case& c : {Case{1, 1, 3, 5, 1, {700, 1, 1}, {9, 1, 1}, {1, 1, 1}, {4, 0, 0}, {1, 1, 1}},
                        {1, 2, 4, 8, 1, {611, 1, 1}, {4, 1, 1}, {3, 1, 1}, {2, 0, 0}, {2, 1, 1}},
                        {1, 40, 8, 8, 1, {5, 1, 1}, {7, 1, 1}, {1, 1, 1}, {3, 0, 0}, {1, 1, 1}},  // no voxel has all positions inside
                        {2, 2, 16, 24, 2, {13, 11, 1}, {3, 3, 1}, {1, 1, 1}, {1, 1, 0}, {1, 1, 1}},
                        {2, 3, 5, 7, 1, {17, 12, 1}, {3, 4, 1}, {2, 2, 1}, {1, 2, 0}, {1, 1, 1}},
                        {2, 1, 6, 6, 1, {15, 19, 1}, {3, 3, 1}, {1, 1, 1}, {2, 3, 0}, {2, 3, 1}},
                        {3, 2, 4, 9, 1, {6, 7, 8}, {3, 2, 3}, {1, 1, 1}, {1, 0, 2}, {1, 1, 1}},
                        {3, 9, 4, 3, 1, {6, 7, 9}, {2, 3, 3}, {2, 1, 2}, {0, 1, 1}, {1, 1, 1}}}) {
    ConvGeometry g;
    g.spatial = c.spatial, g.dtype = DType::f64;
    g.batch = c.batch, g.in_channels = c.in_channels, g.out_channels = c.out_channels, g.groups = c.groups;
    g.in = c.in, g.kernel = c.kernel, g.stride = c.stride, g.pad = c.pad, g.dilation = c.dilation;
    for (std::size_t a = 0; a < 3; ++a) g.out[a] = (g.in[a] + 2 * g.pad[a] - g.reach(int(a))) / g.stride[a] + 1;
    for (ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
      const ConvSums sums = pass == ConvPass::weight_gradient ? ConvSums::of_y : ConvSums::none;
      const auto program = cpu::conv_program(g, pass, true, sums), reference = cpu::make_reference_conv(g, pass, sums);
      INFO(c.spatial << " axes, " << g.in[0] << ", pass " << int(pass) << ", " << program->describe());
      REQUIRE(program->describe().rfind("products of rows", 0) == 0);
      const auto got = results(*program, g, pass), expected = results(*reference, g, pass);
      REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - expected[i]) <= 1e-11);
    }
  }
}
