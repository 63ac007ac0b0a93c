// Weight gradients whose cuts are long: what a running sum leaves in the total, and cuts added up. Beside sums in f64.
#include <catch2/catch.hpp>

#include <cmath>
#include <random>
#include <vector>

#include "backend/cuda/conv_own.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/on_device.hpp"

using namespace tenon;
using namespace tenon::cuda;
using under_test::OnDevice;

namespace {

/// One axis, no window: dW[o, i] = sum over rows of y[row, o] x[row, i], i of o's group.
template <class T>
void check_sums(std::int64_t rows, std::int64_t in, std::int64_t out, std::int64_t groups, std::int64_t cuts) {
  CAPTURE(sizeof(T), rows, in, out, groups, cuts);
  ConvGeometry g;
  g.dtype = sizeof(T) == 8 ? DType::f64 : DType::f32;
  g.spatial = 1, g.batch = 1, g.in_channels = in, g.out_channels = out, g.groups = groups;
  g.in[0] = g.out[0] = rows;
  const std::int64_t sources = in / groups, results = out / groups;
  REQUIRE(g.weights() == out * sources);
  const OnDevice<T> x(std::size_t(rows * in)), y(std::size_t(rows * out)), partial(std::size_t(cuts * g.weights())), w{std::size_t(g.weights())};
  std::mt19937 random{std::uint32_t(rows + in)};
  std::normal_distribution<double> draw(0.3);
  for (std::int64_t i = 0; i < rows * in; ++i) x.at[i] = T(draw(random));
  for (std::int64_t i = 0; i < rows * out; ++i) y.at[i] = T(draw(random));
  under_test::begin_run(1);
  conv_weights(g, x.at, y.at, partial.at, cuts);
  add_cuts(sizeof(T) == 8, partial.at, w.at, g.weights(), cuts);
  under_test::end_run();
  double off = 0, whole = 0;
  for (std::int64_t o = 0; o < out; ++o)
    for (std::int64_t i = 0; i < sources; ++i) {
      double sum = 0;
      for (std::int64_t r = 0; r < rows; ++r) sum += double(y.at[r * out + o]) * double(x.at[r * in + o / results * sources + i]);
      off += std::pow(double(w.at[o * sources + i]) - sum, 2), whole += sum * sum;
    }
  CHECK(off <= (sizeof(T) == 8 ? 1e-28 : 1e-12) * whole);
}

}  // namespace

TEST_CASE("weight gradients over long cuts are sums of all rows", "[cuda_on_cpu][conv]") {
  REQUIRE(under_test::has_device());
  for (const std::int64_t rows : {1024, 2069}) {
    check_sums<float>(rows, 9, 7, 1, 1);   // by tiles
    check_sums<float>(rows, 4, 6, 2, 1);   // a thread a weight
    check_sums<double>(rows, 4, 6, 2, 3);
  }
}
