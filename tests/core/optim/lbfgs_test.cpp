#include "tenon/lbfgs.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/ops/gradient_check.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

struct Row {
  std::int64_t iterations, evaluations;
  std::vector<double> values;
};
const std::vector<std::pair<std::string, std::vector<Row>>> kGolden{
#include "golden/lbfgs.inc"
};

Tensor leaf(const std::vector<double>& values) {
  Tensor x = Tensor::from(values, {std::int64_t(values.size())});
  x.set_requires_grad();
  return x;
}

/// |A x - A x0|^2 / 2, A[i][j] = sin(1 + 3 i + i j), x0[j] = j - 2.
Tensor squares(const Tensor& x) {
  std::vector<double> a, target;
  for (int i = 0; i < 9; ++i)
    for (int j = 0; j < 6; ++j) a.push_back(std::sin(1 + 3 * i + i * j));
  for (int j = 0; j < 6; ++j) target.push_back(j - 2);
  const Tensor m = Tensor::from(a, {9, 6});
  return sum(square(matmul(m, (x - Tensor::from(target, {6})).reshape({6, 1})))) * 0.5;
}

/// Rosenbrock 1960.
Tensor valley(const Tensor& x) {
  const std::int64_t n = x.size(0) - 1;
  const Tensor a = x.narrow(0, 0, n), b = x.narrow(0, 1, n);
  return sum(square(b - a * a)) * 100.0 + sum(square(a - 1.0));
}

std::vector<double> valley_start(int n) {
  std::vector<double> x;
  for (int i = 0; i < n; ++i) x.push_back(i % 2 ? 1.0 : -1.2);
  return x;
}

struct Problem {
  Tensor x;
  LbfgsOptions options;
  Tensor (*loss)(const Tensor&);
  double operator()() const {
    Tensor l = loss(x);
    l.backward();
    return l.item();
  }
};

Problem problem(const std::string& name) {
  if (name == "squares") return {leaf(std::vector<double>(6)), {.iterations = 20}, squares};
  if (name == "squares_fixed") return {leaf(std::vector<double>(6)), {.rate = 0.1, .iterations = 20, .history = 4, .strong_wolfe = false}, squares};
  if (name == "valley_2") return {leaf(valley_start(2)), {.iterations = 20}, valley};
  REQUIRE(name == "valley_8");
  return {leaf(valley_start(8)), {.iterations = 10, .evaluations = 40, .history = 5}, valley};
}

}  // namespace

TEST_CASE("L-BFGS follows PyTorch's: iterations, evaluations and values", "[optim][lbfgs]") {
  for (const auto& [name, rows] : kGolden) {
    const Problem p = problem(name);
    Lbfgs solver({{"x", p.x}}, p.options);
    for (const Row& row : rows) {
      solver.step(p);
      INFO(name << " after " << row.iterations << " iterations");
      CHECK(solver.iterations() == row.iterations);
      CHECK(solver.evaluations() == row.evaluations);
      const auto got = p.x.to_vector();
      for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(row.values[i]).epsilon(1e-6).margin(1e-6));
    }
  }
}

TEST_CASE("L-BFGS reaches minima known in closed form, in f64 and f32", "[optim][lbfgs]") {
  for (const DType type : {DType::f64, DType::f32}) {
    Problem p{Tensor::from(valley_start(8), {8}).to(type).clone(), {.gradient_tolerance = 1e-6, .change_tolerance = 1e-15}, valley};
    p.x.set_requires_grad();
    Lbfgs solver({{"x", p.x}}, p.options);
    for (int k = 0; k < 20 && !solver.converged(); ++k) solver.step(p);
    CHECK(solver.converged());
    for (double v : p.x.to_vector()) CHECK(v == Approx(1).epsilon(type == DType::f64 ? 1e-6 : 2e-3));
  }
  Problem p{leaf(std::vector<double>(6)), {.change_tolerance = 1e-15}, squares};
  Lbfgs solver({{"x", p.x}}, p.options);
  for (int k = 0; k < 20 && !solver.converged(); ++k) solver.step(p);
  const auto x = p.x.to_vector();
  for (std::size_t j = 0; j < 6; ++j) CHECK(x[j] == Approx(double(j) - 2).margin(1e-5));
}

TEST_CASE("L-BFGS goes on from its state to the same bits, and for any number of threads", "[optim][lbfgs]") {
  const auto run = [](int steps_before, int threads) {
    const int before = thread_count();
    set_thread_count(threads);
    Problem p{leaf(valley_start(20000)), {.iterations = 3, .history = 4}, valley};
    auto solver = std::make_unique<Lbfgs>(nn::NamedTensors{{"x", p.x}}, p.options);
    for (int k = 0; k < 6; ++k) {
      if (k == steps_before) {
        const auto state = solver->state();
        solver = std::make_unique<Lbfgs>(nn::NamedTensors{{"x", p.x}}, p.options);
        solver->load(state);
      }
      solver->step(p);
    }
    set_thread_count(before);
    return p.x.to_vector();
  };
  const auto whole = run(-1, 1);
  CHECK(run(2, 1) == whole);
  CHECK(run(0, 2) == whole);
  CHECK(run(5, 4) == whole);
}

TEST_CASE("L-BFGS says what is wrong", "[optim][lbfgs]") {
  CHECK_THROWS_WITH(Lbfgs({}), Contains("Lbfgs: there are no parameters"));
  CHECK_THROWS_WITH(Lbfgs({{"x", Tensor::zeros({2})}}), Contains("'x' is f32[2]") && Contains("leaves that require gradients"));
  Tensor x = leaf({1, 2});
  CHECK_THROWS_WITH(Lbfgs({{"x", x}}, {.history = 0}), Contains("history 0"));
  Lbfgs solver({{"x", x}});
  CHECK_THROWS_WITH(solver.step([] { return 1.0; }), Contains("Lbfgs::step: 'x' has no gradient"));
  try {
    solver.step([&] {
      Tensor l = sum(log(x - 3.0));
      l.backward();
      return l.item();
    });
    FAIL("a loss that is not finite was taken");
  } catch (const Error& e) {
    CHECK(e.code() == "lbfgs.not_finite");
  }
  Tensor y = leaf({1, 2, 3});
  Lbfgs other({{"y", y}});
  CHECK_THROWS_WITH(other.load(solver.state()), Contains("lacks 'direction' [3]"));
}
