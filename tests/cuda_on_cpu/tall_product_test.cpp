// Products of tall matrices beside sums in f64, and beside what their bounds say.
#include "backend/cuda/tall_product.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "cuda_on_cpu/on_device.hpp"
#include "tenon/device.hpp"

using namespace tenon::cuda;

namespace {

struct Case {
  TallShape s;
  bool sums;
  std::size_t offset;  ///< elements before the operands: 1 leaves them aligned to one element
};

void check_case(const Case& given) {
  const TallShape& s = given.s;
  CAPTURE(s.k, s.m, s.n, s.a_row, s.b_row, given.sums, given.offset);
  std::mt19937 random(std::uint32_t(s.k + 7 * s.m + 11 * s.n));
  std::normal_distribution<float> draw;
  const std::size_t a_count = std::size_t((s.k - 1) * s.a_row + s.m), b_count = std::size_t((s.k - 1) * s.b_row + s.n);
  under_test::OnDevice<float> a(a_count + given.offset), b(b_count + given.offset), c(std::size_t(s.m * s.n)), sums(std::size_t(s.m)),
      workspace((tall_product_workspace(s, given.sums) + 3) / 4);
  float *x = a.at + given.offset, *y = b.at + given.offset;
  for (std::size_t i = 0; i < a_count; ++i) x[i] = draw(random);
  for (std::size_t i = 0; i < b_count; ++i) y[i] = draw(random) + 0.5f;
  tall_product(s, x, y, c.at, given.sums ? sums.at : nullptr, workspace.at);
  double off = 0, whole = 0, off_sums = 0, whole_sums = 0;
  for (std::int64_t i = 0; i < s.m; ++i) {
    std::vector<double> row(std::size_t(s.n), 0.0);
    double sum = 0;
    for (std::int64_t r = 0; r < s.k; ++r) {
      const double v = x[r * s.a_row + i];
      sum += v;
      for (std::int64_t j = 0; j < s.n; ++j) row[std::size_t(j)] += v * double(y[r * s.b_row + j]);
    }
    for (std::int64_t j = 0; j < s.n; ++j) {
      off += std::pow(double(c.at[i * s.n + j]) - row[std::size_t(j)], 2);
      whole += std::pow(row[std::size_t(j)], 2);
    }
    if (given.sums) off_sums += std::pow(double(sums.at[i]) - sum, 2), whole_sums += sum * sum;
  }
  CHECK(off <= 1e-12 * whole);
  CHECK(off_sums <= 1e-12 * whole_sums);
}

}  // namespace

TEST_CASE("products of tall matrices, and the sums of their columns", "[cuda_on_cpu]") {
  for (const bool sums : {false, true}) {
    check_case({{2051, 1, 128, 1, 128}, sums, 0});
    check_case({{2049, 5, 7, 5, 7}, sums, 0});
    check_case({{2080, 6, 5, 8, 12}, sums, 1});  // rows apart, no wide loads
  }
}

TEST_CASE("products of tall matrices of every cut", "[cuda_on_cpu][slow]") {
  for (const bool sums : {false, true}) {
    check_case({{2048, 64, 64, 64, 64}, sums, 0});
    check_case({{2111, 128, 1, 128, 1}, sums, 0});
    check_case({{2080, 68, 66, 70, 72}, sums, 0});  // rows apart, one operand in fours
    check_case({{2080, 66, 68, 68, 68}, sums, 0});
    check_case({{2300, 64, 32, 64, 32}, sums, 1});  // no wide loads
    check_case({{2304, 100, 128, 100, 128}, sums, 0});
    check_case({{4300, 128, 128, 128, 128}, sums, 0});  // three rounds of rows a piece
  }
}

TEST_CASE("a product is tall where rows are many and axes are short", "[cuda_on_cpu]") {
  CHECK(tall_product_fits({2048, 128, 128, 128, 128}));
  CHECK(tall_product_fits({2048, 1, 63, 1, 63}));
  CHECK(tall_product_fits({65536, 64, 3, 64, 3}));
  CHECK_FALSE(tall_product_fits({65536, 1, 1, 1, 1}));
  CHECK_FALSE(tall_product_fits({65536, 32, 31, 32, 31}));
  CHECK_FALSE(tall_product_fits({2047, 64, 64, 64, 64}));
  CHECK_FALSE(tall_product_fits({4096, 129, 64, 129, 64}));
  CHECK_FALSE(tall_product_fits({4096, 64, 129, 64, 129}));
  CHECK_FALSE(tall_product_fits({4096, 64, 0, 64, 1}));
}

TEST_CASE("pieces of very tall matrices stay short", "[cuda_on_cpu]") {
  const TallShape s{std::int64_t(1) << 26, 64, 64, 64, 64};
  CHECK(tall_product_workspace(s, false) == std::size_t(s.k / 8192 * 64 * 64) * 4);
}
