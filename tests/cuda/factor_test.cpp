// Large matrices that have no factors: what a library leaves of them is refused in the CPU's words.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

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

namespace {

/// What a recorded step is made of is not the library's, which waits for the device; and nothing is refused there: NaN says it.
void check_recorded(std::int64_t count, std::int64_t order, int steps) {
  const auto all = [](const Tensor& x) {
    return std::vector<Tensor>{linalg::cholesky(x), linalg::inv(x), linalg::qr(x).r, linalg::svd(x).s, linalg::eigvalsh(x)};
  };
  const auto cut = [&](const Tensor& x) { return x.narrow(0, 1, count).narrow(1, 0, order).narrow(2, 0, order).contiguous(); };
  const Tensor good = cut(spoilt(3, 0, 0)) + tril(Tensor::full({order, order}, 0.1, DType::f64)), bad = cut(spoilt(std::numeric_limits<double>::quiet_NaN(), 3, 1));
  const std::vector<Tensor> expected = all(good);
  begin_run(0);
  const Tensor x = good.to(kDevice);
  std::vector<Tensor> found;
  const StepPlan plan = StepPlan::record([&] { found = all(x); });
  for (int step = 0; step < steps; ++step) {  // launch by launch, captured, a graph
    const Tensor& next = step == 2 ? bad : good;
    x.copy_from_host(next.raw(), next.nbytes());
    plan.run();
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO("order " << order << ", step " << step << ", result " << i);
      const Tensor y = found[i].to(kCpu);
      if (step == 2) CHECK(std::isnan(sum(y.narrow(0, 0, 1)).item()));
      else CHECK(nmse(y, expected[i]) < 1e-18);
    }
  }
  CHECK_THAT(plan.replay_note(), Catch::Matchers::StartsWith("one CUDA graph of "));
  end_run();
}

}  // namespace

TEST_CASE("factors in a recorded step are a graph's, and NaN where there are none", "[cuda][linalg]") {
  TENON_NEEDS_DEVICE();
  check_recorded(2, 5, 4);
}

TEST_CASE("large factors in a recorded step are a graph's, and NaN where there are none", "[cuda][linalg][slow]") {
  TENON_NEEDS_DEVICE();
  check_recorded(1, 65, 3);
}

namespace {

/// Diagonally dominant; `bad`: a matrix one of whose minors is not positive, from row `row` on.
Tensor dominant(std::int64_t count, std::int64_t order, std::int64_t bad = -1, std::int64_t row = 0) {
  std::vector<double> v;
  for (std::int64_t e = 0; e < count * order * order; ++e) {
    const std::int64_t matrix = e / (order * order), i = e / order % order, j = e % order;
    v.push_back(i != j ? 0.01 * double((i * j + i + j + matrix) % 5) : matrix == bad && i == row ? -1.0 : 5.0 + double(matrix));
  }
  return Tensor::from(v, {count, order, order});
}

}  // namespace

TEST_CASE("Cholesky factors of large order in a recorded step are halved down to leaves, and NaN where there are none", "[cuda][linalg]") {
  TENON_NEEDS_DEVICE();
  const Tensor good = dominant(2, 150), bad = dominant(2, 150, 1, 140);
  const Tensor expected = linalg::cholesky(good);
  begin_run(0);
  const Tensor x = good.to(kDevice);
  Tensor found;
  const StepPlan plan = StepPlan::record([&] { found = linalg::cholesky(x); });
  plan.run();
  const Tensor first = found.to(kCpu).clone();
  CHECK(nmse(first, expected) < 1e-28);
  CHECK(sum(abs(triu(first, 1))).item() == 0);
  for (int step = 0; step < 2; ++step) {
    x.copy_from_host(bad.raw(), bad.nbytes());
    plan.run();
    CHECK(found.to(kCpu).narrow(0, 0, 1).to_vector() == first.narrow(0, 0, 1).to_vector());
    const std::vector<double> refused = found.to(kCpu).narrow(0, 1, 1).to_vector();
    CHECK(std::all_of(refused.begin(), refused.end(), [](double v) { return std::isnan(v); }));
  }
  end_run();
}

TEST_CASE("LU factors of large order in a recorded step go panel by panel, and NaN where there are none", "[cuda][linalg]") {
  TENON_NEEDS_DEVICE();
  // rows that pivots bring up from far below, and a column of zeros in the second matrix
  const Tensor good = flip(dominant(2, 150), {1});
  Tensor bad = good.clone();
  bad.narrow(0, 1, 1).narrow(2, 140, 1).assign(Tensor::zeros({1, 150, 1}, DType::f64));
  const Tensor expected = linalg::inv(good), log_abs = linalg::slogdet(good).log_abs, sign = linalg::slogdet(good).sign;
  begin_run(0);
  const Tensor x = good.to(kDevice);
  Tensor inverse, logs, signs;
  const StepPlan plan = StepPlan::record([&] {
    inverse = linalg::inv(x);
    const auto d = linalg::slogdet(x);
    logs = d.log_abs, signs = d.sign;
  });
  for (int step = 0; step < 3; ++step) {
    const Tensor& next = step == 2 ? bad : good;
    x.copy_from_host(next.raw(), next.nbytes());
    plan.run();
    const std::int64_t right = step == 2 ? 1 : 2;
    CHECK(nmse(inverse.to(kCpu).narrow(0, 0, right).contiguous(), expected.narrow(0, 0, right).contiguous()) < 1e-26);
    CHECK(nmse(logs.to(kCpu).narrow(0, 0, right).contiguous(), log_abs.narrow(0, 0, right).contiguous()) < 1e-28);
    CHECK(signs.to(kCpu).narrow(0, 0, right).to_vector() == sign.narrow(0, 0, right).to_vector());
    if (step < 2) continue;
    CHECK(std::isnan(sum(inverse.to(kCpu).narrow(0, 1, 1)).item()));
    CHECK(signs.to(kCpu).to_vector()[1] == 0);
    CHECK(std::isinf(logs.to(kCpu).to_vector()[1]));
  }
  end_run();
}

TEST_CASE("one of many matrices whose minor is not positive is refused in the CPU's words where factors are halved", "[cuda][linalg][slow]") {
  TENON_NEEDS_DEVICE();
  const auto factor = [](const Tensor& x) { return linalg::cholesky(x); };
  const Tensor bad = dominant(16, 112, 3, 100);
  const std::string of_cpu = refusal(factor, bad, kCpu);
  CHECK_THAT(of_cpu, Catch::Matchers::Contains("matrix 3 of 16"));
  CHECK(refusal(factor, bad, kDevice) == of_cpu);
  CHECK(refusal(factor, dominant(16, 112), kDevice) == "none");
  const auto inverse = [](const Tensor& x) { return linalg::inv(x); };
  const Tensor singular = dominant(16, 112) * Tensor::from([] {
    std::vector<double> columns(16 * 112, 1.0);
    columns[5 * 112 + 100] = 0;
    return columns;
  }(), {16, 1, 112});
  CHECK_THAT(refusal(inverse, singular, kCpu), Catch::Matchers::Contains("matrix 5 of 16"));
  CHECK(refusal(inverse, singular, kDevice) == refusal(inverse, singular, kCpu));
}
