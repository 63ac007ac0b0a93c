// Data that ops refuse: told on the device in the CPU's words, whoever of the threads met it first.
#include <catch2/catch.hpp>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cuda/device.hpp"
#include "ops/index_kernels.hpp"
#include "tenon/embedding.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace under_test;

namespace {

using Operands = std::vector<Tensor>;
using Op = std::function<Tensor(const Operands&)>;

/// What is thrown until the result is on the host.
std::string said(const std::function<Tensor()>& f) {
  try {
    f().to_vector();
  } catch (const Error& e) {
    return e.code() + " " + e.message();
  }
  return "nothing";
}
/// By the device, in each order of the threads.
std::string said_there(const Op& op, const Operands& operands) {
  Operands there;
  for (const Tensor& o : operands) there.push_back(o.to(kDevice));
  std::string text;
  for (int run = 0; run < kRuns; ++run) {
    begin_run(run);
    const std::string now = said([&] { return op(there); });
    end_run();
    if (run > 0) CHECK(now == text);
    text = now;
  }
  return text;
}
void check_all(const std::vector<std::pair<Operands, Op>>& cases) {
  for (const auto& [operands, op] : cases) {
    const std::string expected = said([&, &o = operands, &f = op] { return f(o); });
    CHECK(expected != "nothing");
    CHECK(said_there(op, operands) == expected);
  }
}

/// 0 .. n - 1 again and again, but for what stands at `places`.
Tensor indices(const Shape& shape, std::int64_t n, const std::vector<std::pair<std::int64_t, std::int64_t>>& places) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(i * 5 % n);
  for (const auto& [place, value] : places) v[std::size_t(place)] = value;
  return Tensor::from(v, shape);
}
Tensor numbers(const Shape& shape, DType type = DType::f32) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(double(i % 7) - 2);
  return Tensor::from(v, shape).to(type);
}
/// Three of order 5: 4 on the diagonal, 1 beside; the second has `value` at (i, j).
Tensor matrices(double value, std::int64_t i, std::int64_t j) {
  std::vector<double> v;
  for (std::int64_t e = 0; e < 75; ++e) v.push_back(e / 5 % 5 == e % 5 ? 4 : 1);
  v[std::size_t(25 + i * 5 + j)] = value;
  return Tensor::from(v, {3, 5, 5});
}

}  // namespace

TEST_CASE("an index that is not there is refused on the device in the CPU's words", "[cuda][refusals]") {
  TENON_NEEDS_DEVICE();
  const Op add = [](const Operands& o) { return scatter_add(o[0], 1, o[1], o[2]); }, add_rows = [](const Operands& o) { return index_add(o[0], 0, o[1], o[2]); };
  const Op look_up = [](const Operands& o) { return embedding(o[0], o[1]); };
  std::vector<std::pair<Operands, Op>> cases{
      {{numbers({7, 3}), indices({40}, 7, {{33, 7}, {12, -1}})}, [](const Operands& o) { return index_select(o[0], 0, o[1]); }},
      {{numbers({7, 0}), indices({4}, 7, {{3, 7}})}, [](const Operands& o) { return index_select(o[0], 0, o[1]); }},
      {{numbers({2, 9}), indices({2, 40}, 9, {{55, 9}})}, [](const Operands& o) { return gather(o[0], 1, o[1]); }},
      {{numbers({2, 9}), indices({2, 40}, 9, {{79, -9}, {41, 100}}), numbers({2, 40})}, [](const Operands& o) { return scatter(o[0], 1, o[1], o[2]); }},
      {{numbers({2, 9}), indices({2, 600}, 9, {{700, 9}}), numbers({2, 600})}, add},  // so many are sorted first
      {{numbers({9, 2}), indices({600}, 9, {{599, 9}, {77, -1}}), numbers({600, 2})}, add_rows},
      {{indices({40}, 5, {{39, 5}, {17, -3}})}, [](const Operands& o) { return bincount(o[0], 5); }},
      {{indices({8}, 5, {{7, 5}})}, [](const Operands& o) { return bincount(o[0], 5); }},
      {{indices({8}, 5, {{6, 5}}), indices({8}, 3, {})}, [](const Operands& o) { return bincount(o[0], 5, o[1]); }},
  };
  for (DType type : {DType::f32, DType::f64, DType::i64}) cases.push_back({{numbers({2, 9}, type), indices({2, 40}, 9, {{55, 9}, {60, -1}}), numbers({2, 40}, type)}, add});
  for (DType type : {DType::f32, DType::f64, DType::bf16})
    for (std::int64_t channels : {3, 16}) cases.push_back({{numbers({7, channels}, type), indices({40}, 7, {{33, 7}, {12, -1}})}, look_up});
  check_all(cases);
}

TEST_CASE("a step with an index that is not there is refused on the device, and the next one is not", "[cuda][refusals]") {
  TENON_NEEDS_DEVICE();
  begin_run(0);
  const Tensor table = numbers({7, 4}).to(kDevice), which = indices({5}, 7, {}).to(kDevice);
  Tensor rows;
  const StepPlan plan = StepPlan::record([&] { rows = embedding(table, which); });
  const Tensor bad = indices({5}, 7, {{3, 11}}), good = indices({5}, 7, {{3, 2}});
  for (int step = 0; step < 4; ++step) {  // launch by launch, captured, a graph
    const Tensor& next = step % 2 == 0 ? bad : good;
    which.copy_from_host(next.raw(), next.nbytes());
    const std::string text = said([&] {
      plan.run();
      return rows;
    });
    CHECK(text == (step % 2 == 0 ? "embedding.index embedding: index 11 at position 3 of a table of 7 rows" : "nothing"));
  }
  CHECK(rows.to_vector() == embedding(table.to(kCpu), good).to_vector());
  end_run();
}

TEST_CASE("more indices than a kernel on the device counts are refused before any memory is taken", "[cuda][refusals]") {
  TENON_NEEDS_DEVICE();
  constexpr std::int64_t kMany = std::int64_t(1) << 32;
  IndexMove p{"scatter_add", {}, kMany, Shape{kMany}, DType::f32, false, true};
  p.at.n = 9;
  CHECK_THROWS_WITH(scatter_add_kernel(kDevice, p), Catch::Matchers::StartsWith("scatter_add: no kernel for 2^32 or more indices or places on cuda"));
  p.op = "scatter";
  CHECK_THROWS_WITH(scatter_kernel(kDevice, p), Catch::Matchers::StartsWith("scatter: no kernel for 2^32 or more sources along an axis on cuda"));
}

TEST_CASE("few picks a row are added on the device without memory for a sort, however many places there are", "[cuda][refusals]") {
  TENON_NEEDS_DEVICE();
  constexpr std::int64_t kRows = std::int64_t(1) << 32;  // records of so many would be refused
  IndexMove p{"scatter_add", {}, 1, Shape{kRows, 1}, DType::f32, false, true};
  p.at.outer = kRows, p.at.n = 9;
  CHECK_NOTHROW(scatter_add_kernel(kDevice, p));
}

TEST_CASE("a row that is not sorted is refused on the device, too", "[cuda][refusals]") {
  TENON_NEEDS_DEVICE();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Op search = [](const Operands& o) { return searchsorted(o[0], o[1]); };
  const auto rows = [](std::vector<double> v, DType type) { return Tensor::from(v, {2, 4}).to(type); };
  const std::string start = "searchsorted.not_sorted searchsorted: the element at ", end = ", stands behind a larger one";
  for (DType type : {DType::f32, DType::f64, DType::i32})
    CHECK(said_there(search, {rows({1, 2, 3, 4, 0, 5, -4, 9}, type), numbers({2, 3}, type)}) == start + "2 of row 1, " + (type == DType::i32 ? "-4" : "-4.000000") + end);
  CHECK(said_there(search, {rows({1, nan, 3, 4, 0, 5, 6, 9}, DType::f32), numbers({2, 3})}) == start + "2 of row 0, 3.000000" + end);
  CHECK(said_there(search, {rows({1, 2, nan, nan, 0, 5, 6, nan}, DType::f32), numbers({2, 3})}) == "nothing");  // NaN stands behind all
}

TEST_CASE("small matrices without factors are refused on the device in the CPU's words", "[cuda][refusals][linalg]") {
  TENON_NEEDS_DEVICE();
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  const Op factor = [](const Operands& o) { return linalg::cholesky(o[0]); }, inverse = [](const Operands& o) { return linalg::inv(o[0]); },
           triangle = [](const Operands& o) { return linalg::triangular_solve(o[0], o[1]); }, least = [](const Operands& o) { return linalg::lstsq(o[0], o[1]); };
  constexpr std::int64_t kLarge = 140;  // more rows than a block solves
  std::vector<double> diagonals(3 * kLarge * kLarge, 0.0);
  for (std::int64_t i = 0; i < 3 * kLarge; ++i) diagonals[std::size_t(i * kLarge + i % kLarge)] = i == kLarge + 130 ? 0 : 2;
  const Tensor large = Tensor::from(diagonals, {3, kLarge, kLarge});
  Tensor with_zeros = matrices(4, 0, 0) * Tensor::from(std::vector<double>{1, 0, 1}, {3, 1, 1});
  check_all({
      {{matrices(-2, 3, 3)}, factor},
      {{matrices(nan, 2, 2)}, factor},
      {{matrices(infinite, 0, 0)}, factor},
      {{with_zeros}, inverse},
      {{tril(matrices(0, 4, 4)), numbers({3, 5, 2}, DType::f64)}, triangle},
      {{large, numbers({3, kLarge, 2}, DType::f64)}, triangle},
      {{with_zeros, numbers({3, 5, 2}, DType::f64)}, least},
      {{triu(matrices(1e-20, 4, 4)), numbers({3, 5, 2}, DType::f64)}, least},
      {{matrices(nan, 3, 1)}, [](const Operands& o) { return linalg::singular_values(o[0]); }},
      {{matrices(infinite, 3, 1)}, [](const Operands& o) { return linalg::svd(o[0]).u; }},
      {{matrices(nan, 3, 1)}, [](const Operands& o) { return linalg::eigh(o[0]).v; }},
      {{matrices(-infinite, 1, 1)}, [](const Operands& o) { return linalg::eigvalsh(o[0]); }},
  });
}
