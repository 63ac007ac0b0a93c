// Large matrices that have no factors: what a library leaves of them is refused in the CPU's words.
#include <catch2/catch.hpp>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cuda/device.hpp"
#include "tenon/error.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace under_test;

namespace {

constexpr std::int64_t kOrder = 70;

/// Three matrices with 3 on their diagonals and small values beside, the second of which has `value` at (i, j).
Tensor spoilt(double value, std::int64_t i, std::int64_t j) {
  std::vector<double> v;
  for (std::int64_t e = 0; e < 3 * kOrder * kOrder; ++e) {
    const std::int64_t row = e / kOrder % kOrder, column = e % kOrder;
    v.push_back(row == column ? 3 : 0.01 * double((row * column + row + column) % 5));
  }
  v[std::size_t((kOrder + i) * kOrder + j)] = value;
  return Tensor::from(v, {3, kOrder, kOrder});
}
/// Rows 0 to 39 of the second matrix are as they were; the others are zero.
Tensor half_zero() {
  Tensor x = spoilt(3, 0, 0);
  return concat({x.narrow(0, 0, 1), pad(x.narrow(0, 1, 1).narrow(1, 0, 40), {0, 0, 0}, {0, kOrder - 40, 0}, 0), x.narrow(0, 2, 1)}, 0);
}

std::string refusal(const std::function<Tensor(const Tensor&)>& f, const Tensor& x, Device device) {
  begin_run(0);
  try {
    (void)f(x.to(device)).to(kCpu);
  } catch (const Error& e) {
    return e.code() + " " + e.message();
  }
  return "none";
}

}  // namespace

TEST_CASE("large matrices without factors are refused as on the CPU", "[cuda][linalg]") {
  TENON_NEEDS_DEVICE();
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  const auto factor = [](const Tensor& x) { return linalg::cholesky(x); };
  const auto inverse = [](const Tensor& x) { return linalg::inv(x); };
  const auto values = [](const Tensor& x) { return linalg::singular_values(x); };
  const auto spectrum = [](const Tensor& x) { return linalg::eigvalsh(x); };
  const auto vectors = [](const Tensor& x) { return linalg::eigh(x).v; };
  const std::vector<std::pair<std::function<Tensor(const Tensor&)>, Tensor>> cases{
      {factor, spoilt(-2, 40, 40)},      {factor, spoilt(0, 0, 0)},        {factor, spoilt(nan, 40, 40)}, {factor, spoilt(nan, 40, 3)},
      {factor, spoilt(infinite, 20, 20)}, {inverse, half_zero()},           {values, spoilt(nan, 3, 50)},  {values, spoilt(-infinite, 3, 50)},
      {spectrum, spoilt(nan, 50, 3)},    {vectors, spoilt(infinite, 3, 50)},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    for (DType type : {DType::f64, DType::f32}) {
      const std::string of_cpu = refusal(cases[i].first, cases[i].second.to(type), kCpu);
      CHECK_THAT(of_cpu, Catch::Matchers::Contains("matrix 1 of 3"));
      CHECK(refusal(cases[i].first, cases[i].second.to(type), kDevice) == of_cpu);
      end_run();
    }
  }
  // what stands in a batch beside one that is refused is refused with it; alone it is not
  CHECK(refusal(factor, spoilt(3, 0, 0), kDevice) == "none");
}
