// The stand-in for cuSOLVER: factors multiply to what they are of, and what it demands. And that few large matrices go through it.
#include "cusolverDn.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "backend/cuda/check.cuh"
#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda_on_cpu/libraries/cusolver.hpp"
#include "cuda_on_cpu/on_device.hpp"
#include "ops/linalg_kernels.hpp"
#include "tenon/error.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace tenon::cuda;
using under_test::OnDevice;

namespace {

cusolverDnHandle_t solver() {
  static cusolverDnHandle_t h = [] {
    cusolverDnHandle_t made = nullptr;
    cusolverDnCreate(&made);
    cusolverDnSetStream(made, stream());
    return made;
  }();
  return h;
}

/// Columns `lead` apart, which end with the last value.
struct Matrix {
  int rows, columns, lead;
  OnDevice<double> memory;
  Matrix(int m, int n, int apart) : rows(m), columns(n), lead(apart), memory(std::size_t(apart * (n - 1) + m)) {}
  double& operator()(int i, int j) const { return memory.at[i + j * lead]; }
  double* at() const { return memory.at; }
};

double value(int i, int j) { return std::sin(1.3 * (i + 1) * (j + 2) + i); }
void fill(const Matrix& a) {
  for (int j = 0; j < a.columns; ++j)
    for (int i = 0; i < a.rows; ++i) a(i, j) = value(i, j);
}
/// The largest difference between wanted(i, j) and the sum over k < inner of left(i, k) right(k, j).
using Entry = std::function<double(int, int)>;
double apart(int m, int n, int inner, const Entry& left, const Entry& right, const Entry& wanted) {
  double largest = 0;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int k = 0; k < inner; ++k) sum += left(i, k) * right(k, j);
      const double difference = std::abs(sum - wanted(i, j));
      if (!(difference <= largest)) largest = difference;
    }
  return largest;
}
double identity(int i, int j) { return i == j ? 1 : 0; }
Entry transposed(const Entry& of) {
  return [of](int i, int j) { return of(j, i); };
}

/// What a factorisation works in, as large as it asks for.
template <class Ask>
OnDevice<double> area(int& lwork, Ask&& ask) {
  REQUIRE(ask(&lwork) == CUSOLVER_STATUS_SUCCESS);
  REQUIRE(lwork > 0);
  return OnDevice<double>(std::size_t(lwork));
}

constexpr double kClose = 1e-13;
constexpr cusolverStatus_t kFine = CUSOLVER_STATUS_SUCCESS, kInvalid = CUSOLVER_STATUS_INVALID_VALUE;

}  // namespace

TEST_CASE("the stand-in's Cholesky factors", "[cuda_on_cpu][cusolver]") {
  constexpr int n = 5;
  const auto wanted = [](int i, int j) { return (i == j ? 3 : 0) + 0.2 * std::cos(i + j); };
  for (const auto fill_mode : {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER}) {
    const bool upper = fill_mode == CUBLAS_FILL_MODE_UPPER;
    const Matrix a(n, n, n + 2);
    int lwork = 0;
    const auto work = area(lwork, [&](int* l) { return cusolverDnDpotrf_bufferSize(solver(), fill_mode, n, a.at(), a.lead, l); });
    const OnDevice<int> info(1);
    const auto in_triangle = [&](int i, int j) { return upper ? i <= j : i >= j; };
    for (const double second : {wanted(1, 1), -1.0}) {
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) a(i, j) = in_triangle(i, j) ? wanted(i, j) : NAN;  // the other one is not read
      a(1, 1) = second;
      REQUIRE(cusolverDnDpotrf(solver(), fill_mode, n, a.at(), a.lead, work.at, lwork, info.at) == kFine);
      CHECK(*info.at == (second > 0 ? 0 : 2));
      CHECK(std::isnan(upper ? a(3, 0) : a(0, 3)));
      const Entry l = [&](int i, int j) { return i < j ? 0 : upper ? a(j, i) : a(i, j); };
      if (second > 0) CHECK(apart(n, n, n, l, transposed(l), wanted) < kClose);
    }
    CHECK(cusolverDnDpotrf(solver(), fill_mode, n, a.at(), n - 1, work.at, lwork, info.at) == kInvalid);
    CHECK(cusolverDnDpotrf(solver(), fill_mode, n, a.at(), a.lead, work.at, lwork - 1, info.at) == kInvalid);
    CHECK(cusolverDnDpotrf(solver(), fill_mode, n, a.at(), a.lead, nullptr, lwork, info.at) == kInvalid);
    const OnDevice<double> short_work(std::size_t(lwork - 1));
    CHECK(cusolverDnDpotrf(solver(), fill_mode, n, a.at(), a.lead, short_work.at, lwork, info.at) == kInvalid);
    CHECK_THROWS_WITH(under_test::end_run(), Catch::Matchers::Contains("smaller than it asked for"));
    CHECK(cusolverDnDpotrf(nullptr, fill_mode, n, a.at(), a.lead, work.at, lwork, info.at) == CUSOLVER_STATUS_NOT_INITIALIZED);
  }
  under_test::end_run();
}

TEST_CASE("the stand-in's LU factors", "[cuda_on_cpu][cusolver]") {
  constexpr int n = 6;
  const Matrix a(n, n, n + 1);
  fill(a);
  int lwork = 0;
  const auto work = area(lwork, [&](int* l) { return cusolverDnDgetrf_bufferSize(solver(), n, n, nullptr, a.lead, l); });
  const OnDevice<int> pivots(n), info(1);
  REQUIRE(cusolverDnDgetrf(solver(), n, n, a.at(), a.lead, work.at, pivots.at, info.at) == kFine);
  CHECK(*info.at == 0);
  std::vector<int> row{0, 1, 2, 3, 4, 5};
  for (int j = 0; j < n; ++j) {
    REQUIRE(pivots.at[j] > j);
    REQUIRE(pivots.at[j] <= n);
    std::swap(row[std::size_t(j)], row[std::size_t(pivots.at[j] - 1)]);
    for (int i = j + 1; i < n; ++i) CHECK(std::abs(a(i, j)) <= 1);
  }
  const Entry l = [&](int i, int j) { return i > j ? a(i, j) : identity(i, j); }, u = [&](int i, int j) { return i > j ? 0 : a(i, j); };
  CHECK(apart(n, n, n, l, u, [&](int i, int j) { return value(row[std::size_t(i)], j); }) < kClose);
  fill(a);
  for (int i = 0; i < n; ++i) a(i, 3) = 2 * a(i, 1), a(i, 0) = i == 2 ? 1 : 0, a(i, 4) = 0;
  for (int i = 0; i < n; ++i) a(i, 1) = a(i, 3) = i == 0 ? 1 : 0;
  REQUIRE(cusolverDnDgetrf(solver(), n, n, a.at(), a.lead, work.at, pivots.at, info.at) == kFine);
  CHECK(*info.at == 4);  // the first of two pivots that are 0
  under_test::end_run();
}

TEST_CASE("the stand-in's QR factors", "[cuda_on_cpu][cusolver]") {
  for (const auto& [m, n, wide] : {std::tuple{7, 4, 4}, {7, 4, 7}, {4, 7, 4}, {5, 5, 5}}) {
    CAPTURE(m, n, wide);
    const int k = std::min(m, n);
    const Matrix a(m, n, m + 1), q(m, wide, m + 1);
    fill(a);
    const OnDevice<double> tau{std::size_t(k)};
    const OnDevice<int> info(1);
    int lwork = 0, more = 0;
    const auto work = area(lwork, [&](int* l) { return cusolverDnDgeqrf_bufferSize(solver(), m, n, nullptr, a.lead, l); });
    const auto other = area(more, [&](int* l) { return cusolverDnDorgqr_bufferSize(solver(), m, wide, k, nullptr, q.lead, nullptr, l); });
    REQUIRE(cusolverDnDgeqrf(solver(), m, n, a.at(), a.lead, tau.at, work.at, lwork, info.at) == kFine);
    for (int j = 0; j < k; ++j)
      for (int i = 0; i < m; ++i) q(i, j) = a(i, j);
    REQUIRE(cusolverDnDorgqr(solver(), m, wide, k, q.at(), q.lead, tau.at, other.at, more, info.at) == kFine);
    CHECK(*info.at == 0);
    const Entry columns = [&, &m = q](int i, int j) { return m(i, j); };
    CHECK(apart(wide, wide, m, transposed(columns), columns, identity) < kClose);
    CHECK(apart(m, n, k, columns, [&, &m = a](int i, int j) { return i > j ? 0 : m(i, j); }, value) < kClose);
    CHECK(cusolverDnDorgqr(solver(), m, m + 1, k, q.at(), q.lead, tau.at, other.at, more, info.at) == kInvalid);
    CHECK(cusolverDnDorgqr(solver(), m, wide, k, q.at(), q.lead, tau.at, other.at, more - 1, info.at) == kInvalid);
  }
  under_test::end_run();
}

TEST_CASE("the stand-in's singular values", "[cuda_on_cpu][cusolver]") {
  for (const auto& [m, n, rank] : {std::tuple{7, 4, 4}, {5, 5, 5}, {6, 5, 2}, {4, 3, 0}}) {
    CAPTURE(m, n, rank);
    const auto wanted = [rank = rank](int i, int j) {
      double sum = 0;
      for (int k = 0; k < rank; ++k) sum += value(i, k) * std::cos(2.1 * k * (j + 1));
      return sum;
    };
    const Matrix a(m, n, m + 1), u(m, n, m + 2), vt(n, n, n + 3);
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < m; ++i) a(i, j) = wanted(i, j);
    const OnDevice<double> s{std::size_t(n)};
    const OnDevice<int> info(1);
    int lwork = 0;
    const auto work = area(lwork, [&, m = m, n = n](int* l) { return cusolverDnDgesvd_bufferSize(solver(), m, n, l); });
    const auto run = [&, m = m, n = n](signed char job) {
      return cusolverDnDgesvd(solver(), job, 'S', m, n, a.at(), a.lead, s.at, u.at(), u.lead, vt.at(), vt.lead, work.at, lwork, nullptr, info.at);
    };
    REQUIRE(run('S') == kFine);
    CHECK(*info.at == 0);
    for (int i = 1; i < n; ++i) CHECK(s.at[i - 1] >= s.at[i]);
    const Entry left = [&](int i, int j) { return u(i, j); }, right = [&](int i, int j) { return vt(i, j); };
    CHECK(apart(m, n, n, [&](int i, int k) { return u(i, k) * s.at[k]; }, right, wanted) < kClose);
    CHECK(apart(n, n, m, transposed(left), left, identity) < kClose);
    CHECK(apart(n, n, n, right, transposed(right), identity) < kClose);
    CHECK(std::isnan(a(0, 0)));
    on_cpu::leave_unconverged(1);
    fill(a);
    REQUIRE(run('S') == kFine);
    CHECK(*info.at > 0);
    CHECK(std::isnan(s.at[0]));
    CHECK(run('A') == kInvalid);
  }
  int lwork = 0;
  CHECK(cusolverDnDgesvd_bufferSize(solver(), 4, 5, &lwork) == kInvalid);  // only as many columns as rows
  under_test::end_run();
}

TEST_CASE("the stand-in's eigenvalues", "[cuda_on_cpu][cusolver]") {
  constexpr int n = 6;
  const auto wanted = [](int i, int j) { return value(std::max(i, j), std::min(i, j)); };
  std::vector<double> values;
  for (const auto mode : {CUSOLVER_EIG_MODE_VECTOR, CUSOLVER_EIG_MODE_NOVECTOR})
    for (const auto fill_mode : {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER}) {
      const Matrix a(n, n, n + 1);
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) a(i, j) = i == j || (i < j) == (fill_mode == CUBLAS_FILL_MODE_UPPER) ? wanted(i, j) : NAN;
      const OnDevice<double> w(n);
      const OnDevice<int> info(1);
      int lwork = 0;
      const auto work = area(lwork, [&](int* l) { return cusolverDnDsyevd_bufferSize(solver(), mode, fill_mode, n, a.at(), a.lead, w.at, l); });
      REQUIRE(cusolverDnDsyevd(solver(), mode, fill_mode, n, a.at(), a.lead, w.at, work.at, lwork, info.at) == kFine);
      CHECK(*info.at == 0);
      const std::vector<double> found(w.at, w.at + n);
      CHECK(std::is_sorted(found.begin(), found.end()));
      if (values.empty()) values = found;
      CHECK(found == values);
      if (mode == CUSOLVER_EIG_MODE_NOVECTOR) {
        CHECK(std::isnan(a(1, 1)));
      } else {
        const Entry v = [&](int i, int j) { return a(i, j); };
        CHECK(apart(n, n, n, [&](int i, int k) { return a(i, k) * w.at[k]; }, transposed(v), wanted) < kClose);
        CHECK(apart(n, n, n, transposed(v), v, identity) < kClose);
      }
      CHECK(cusolverDnDsyevd(solver(), mode, fill_mode, n, a.at(), a.lead, w.at, work.at, lwork - 1, info.at) == kInvalid);
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) a(i, j) = NAN;
      REQUIRE(cusolverDnDsyevd(solver(), mode, fill_mode, n, a.at(), a.lead, w.at, work.at, lwork, info.at) == kFine);
      CHECK(*info.at > 0);
      CHECK_THROWS_WITH(under_test::end_run(), Catch::Matchers::Contains("not finite"));
    }
}

namespace {

int calls(const std::function<void(const Tensor&)>& f, const Shape& shape) {
  const Tensor x = check::made(1, shape).to(under_test::kDevice);
  on_cpu::solver_calls_run();
  f(x);
  return on_cpu::solver_calls_run();
}
/// With 300 added to its diagonal.
Tensor definite(const Tensor& x) {
  std::vector<double> v(std::size_t(x.size(-1) * x.size(-1)), 0.0);
  for (std::int64_t i = 0; i < x.size(-1); ++i) v[std::size_t(i * (x.size(-1) + 1))] = 300;
  return x + Tensor::from(v, {x.size(-1), x.size(-1)}).to(x.device());
}

}  // namespace

TEST_CASE("few large matrices are factored by cuSOLVER, small and many middling ones are not", "[cuda_on_cpu][cusolver]") {
  REQUIRE(under_test::has_device());
  const auto cholesky = [](const Tensor& x) { (void)linalg::cholesky(definite(x)); };
  const auto inverse = [](const Tensor& x) { (void)linalg::inv(definite(x)); };
  const auto qr = [](const Tensor& x) { (void)linalg::qr(x); };
  const auto values = [](const Tensor& x) { (void)linalg::singular_values(x); };
  const auto spectrum = [](const Tensor& x) { (void)linalg::eigvalsh(x); };
  CHECK(calls(cholesky, {2, 66, 66}) == 2);
  CHECK(calls(inverse, {3, 66, 66}) == 3);
  CHECK(calls(qr, {2, 66, 80}) == 4);  // reflectors, and their product
  CHECK(calls(values, {2, 80, 66}) == 2);
  CHECK(calls(spectrum, {2, 66, 66}) == 2);
  CHECK(calls(cholesky, {16, 66, 66}) == 0);
  CHECK(calls(cholesky, {16, 129, 129}) == 16);
  CHECK(calls(qr, {2, 64, 300}) == 0);
  CHECK(calls(spectrum, {2, 64, 64}) == 0);
  under_test::end_run();
}

TEST_CASE("a recorded step has our own factors, with the same bits in each run", "[cuda_on_cpu][cusolver]") {
  REQUIRE(under_test::has_device());
  const DeviceScope on(under_test::kDevice);
  const Tensor x = definite(check::made(1, {66, 66}, DType::f64).to(under_test::kDevice));
  on_cpu::solver_calls_run();
  std::vector<Tensor> found;
  const StepPlan plan = StepPlan::record([&] { found = {linalg::qr(x).r, linalg::eigvalsh(x), linalg::inv(x)}; });
  std::vector<std::vector<double>> first;
  for (int run = 0; run < 3; ++run) {  // launch by launch, captured, a graph
    plan.run();
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (run == 0) first.push_back(found[i].to_vector());
      else CHECK(found[i].to_vector() == first[i]);
    }
  }
  CHECK(on_cpu::solver_calls_run() == 0);
  CHECK_THAT(plan.replay_note(), Catch::Matchers::StartsWith("one CUDA graph of "));
  under_test::end_run();
}

TEST_CASE("what cuSOLVER does not bring to an end is refused", "[cuda_on_cpu][cusolver]") {
  REQUIRE(under_test::has_device());
  const auto said = [](const char* op, const std::function<Tensor(const Tensor&)>& f) {
    const Tensor x = check::made(1, {3, 66, 66}).to(under_test::kDevice);
    on_cpu::leave_unconverged(1, 1);
    CHECK_THROWS_WITH(f(x), Catch::Matchers::Contains(std::string(op) + ": matrix 1 of 3 did not converge"));
    CHECK_NOTHROW(f(x));
  };
  said("svd", [](const Tensor& x) { return linalg::svd(x).u; });
  said("eigh", [](const Tensor& x) { return linalg::eigh(x).v; });
  under_test::end_run();
}

TEST_CASE("a kernel that refused a matrix takes the next one", "[cuda_on_cpu][cusolver]") {
  REQUIRE(under_test::has_device());
  constexpr int n = 66;
  const OnDevice<double> none(n * n), one(n * n), u(n * n), w(n), v(n * n);
  const OnDevice<int> pivots(n);
  for (int e = 0; e < n * n; ++e) none.at[e] = 0, one.at[e] = e % (n + 1) == 0 ? 1 + e : 0.125;
  const linalg::Matrices p{"factor", 1, n, n, true};
  const auto twice = [](const Kernel& kernel, std::vector<void*> operands, double* refused, double* taken) {
    operands[0] = refused;
    CHECK_THROWS_WITH(kernel(operands.data()), Catch::Matchers::Contains("factor: matrix 0 of 1"));
    operands[0] = taken;
    CHECK_NOTHROW(kernel(operands.data()));
  };
  twice(linalg::cholesky_kernel(under_test::kDevice, p), {nullptr, u.at}, none.at, one.at);
  twice(linalg::lu_kernel(under_test::kDevice, p), {nullptr, u.at, pivots.at}, none.at, one.at);
  on_cpu::leave_unconverged(1);
  twice(linalg::svd_kernel(under_test::kDevice, p), {nullptr, u.at, w.at, v.at, nullptr}, one.at, one.at);
  on_cpu::leave_unconverged(1);
  twice(linalg::eigh_kernel(under_test::kDevice, p), {nullptr, w.at, v.at, nullptr}, one.at, one.at);
  under_test::end_run();
}
