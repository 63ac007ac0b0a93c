/// Which implementation the CPU chooses for a convolution in f32: a case of conv_test.cpp must not slip to another one unseen.
#include <catch2/catch.hpp>

#include "backend/cpu/conv_engine.hpp"

using namespace tenon;

namespace {

ConvGeometry cube(std::int64_t size, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  ConvGeometry g;
  g.spatial = 3;
  g.in_channels = in, g.out_channels = out;
  for (std::size_t a = 0; a < 3; ++a) {
    g.in[a] = size, g.kernel[a] = kernel, g.stride[a] = stride, g.pad[a] = kernel / 2;
    g.out[a] = (size + 2 * g.pad[a] - kernel) / stride + 1;
  }
  return g;
}

std::string chosen(const ConvGeometry& g, ConvPass pass) {
  return cpu::conv_program(g, pass)->describe();
}

const ConvPass kPasses[] = {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient};

}  // namespace

TEST_CASE("f32 convolutions with 3x3x3 kernels and stride 1 go by minimal filtering", "[conv]") {
  for (ConvPass pass : kPasses) {
    CHECK(chosen(cube(12, 16, 32, 3, 1), pass).rfind("Winograd F(2x2x2, 3x3x3)", 0) == 0);
    ConvGeometry planes = cube(18, 32, 16, 3, 1);
    planes.kernel[0] = 1, planes.pad[0] = 0;
    CHECK(chosen(planes, pass).rfind("Winograd F(2x2, 3x3)", 0) == 0);
    CHECK(chosen(cube(4, 16, 32, 3, 1), pass).rfind("Winograd", 0) != 0);    // too few tiles
    CHECK(chosen(cube(12, 16, 20, 3, 1), pass).rfind("Winograd", 0) != 0);   // channels that are no whole panels
    CHECK(chosen(cube(12, 16, 32, 5, 1), pass).rfind("Winograd", 0) != 0);
  }
}

TEST_CASE("f32 convolutions with a stride are gathered products, one phase a residue for input gradients", "[conv]") {
  ConvGeometry g = cube(12, 16, 32, 3, 2);
  CHECK(chosen(g, ConvPass::forward) == "gather and product, 1 phases");
  CHECK(chosen(g, ConvPass::input_gradient) == "gather and product, 8 phases");
  CHECK(chosen(g, ConvPass::weight_gradient) == "gather and product, 1 phases");
  CHECK(chosen(cube(12, 1, 16, 3, 1), ConvPass::forward).rfind("gather", 0) != 0);
}

TEST_CASE("f32 convolutions along one axis with long kernels go by fast filtering", "[conv]") {
  ConvGeometry g;
  g.batch = 8, g.in_channels = 40, g.out_channels = 33;
  g.in[0] = g.out[0] = 100, g.kernel[0] = 11, g.pad[0] = 5;
  for (ConvPass pass : kPasses) {
    CHECK(chosen(g, pass) == "overlapping rows, 2 levels of fast filtering");
    ConvGeometry six = g;
    six.kernel[0] = 6, six.pad[0] = 2, six.out[0] = 99;
    CHECK(chosen(six, pass) == "overlapping rows, 1 levels of fast filtering");
    ConvGeometry three = g, strided = g, thin = g;
    three.kernel[0] = 3, three.pad[0] = 1;
    strided.stride[0] = 2, strided.out[0] = 50;
    thin.in_channels = 4;
    for (const ConvGeometry& other : {three, strided, thin}) CHECK(chosen(other, pass).rfind("overlapping", 0) != 0);
  }
}
