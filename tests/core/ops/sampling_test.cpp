/// Samplings: dependence on the index alone, distributions by chi-square and moments at fixed seeds, nets by counting.
#include "tenon/sampling.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "core/ops/gradient_check.hpp"
#include "kernels/sampling.hpp"
#include "ops/sobol_directions.hpp"
#include "tenon/permutation.hpp"
#include "tenon/random.hpp"

using namespace tenon;

namespace {

constexpr std::int64_t kMany = 100000;

/// Chi-square of values against the distribution function `cdf`, in 50 cells of equal probability.
double chi_square(const std::vector<double>& values, const std::function<double(double)>& cdf) {
  std::vector<double> counts(50);
  for (double v : values) ++counts[std::size_t(std::clamp(int(cdf(v) * 50), 0, 49))];
  double chi = 0;
  const double expected = double(values.size()) / 50;
  for (double c : counts) chi += (c - expected) * (c - expected) / expected;
  return chi;
}
constexpr double kChiLimit = 95;  // 49 degrees of freedom: p = 9e-5

/// P(a, x), the regularised lower incomplete gamma function, by its series.
double lower_gamma(double a, double x) {
  double term = 1 / a, sum = term;
  for (int n = 1; term > 1e-9 * sum; ++n) sum += term *= x / (a + n);
  return sum * std::exp(-x + a * std::log(x) - std::lgamma(a));
}

/// Whether the 2^m points each fall into their own interval of length 2^-m on every axis.
bool one_in_each_interval(const Tensor& points, std::int64_t first, int m) {
  const std::int64_t n = std::int64_t(1) << m;
  const auto x = points.narrow(0, first, n).to_vector();
  for (std::int64_t d = 0; d < points.size(1); ++d) {
    std::vector<bool> seen(std::size_t(n), false);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto cell = std::size_t(x[std::size_t(i * points.size(1) + d)] * double(n));
      if (cell >= seen.size() || seen[cell]) return false;
      seen[cell] = true;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("sampled elements depend on seed, stream and index alone", "[sampling]") {
  const auto prefix = [](const Tensor& long_one, const Tensor& short_one) {
    const auto a = long_one.to_vector(), b = short_one.to_vector();
    return std::equal(b.begin(), b.end(), a.begin());
  };
  CHECK(prefix(random_bernoulli({5, 1001}, 1, 2, 0.3), random_bernoulli({700}, 1, 2, 0.3)));
  CHECK(prefix(random_integers({5, 1001}, 1, 2, -7, 9), random_integers({700}, 1, 2, -7, 9)));
  CHECK(prefix(random_exponential({5, 1001}, 1, 2, 2), random_exponential({700}, 1, 2, 2)));
  CHECK(prefix(random_gamma({5, 1001}, 1, 2, 0.7), random_gamma({700}, 1, 2, 0.7)));
  CHECK(prefix(sobol(5000, 7, 1, 2), sobol(700, 7, 1, 2)));
  CHECK(sobol(300, 7, 1, 2, Scrambling::owen, 4321).to_vector() == sobol(5000, 7, 1, 2).narrow(0, 4321, 300).to_vector());
  CHECK(random_gamma({700}, 1, 3, 0.7).to_vector() != random_gamma({700}, 1, 2, 0.7).to_vector());
  for (std::int64_t n : {32, 33, 1000, 4100}) {
    const Permutation p(n, Random(4, 5));
    const auto permutation = random_permutation(n, 4, 5).to_vector();
    for (std::int64_t i = 0; i < n; ++i) REQUIRE(permutation[std::size_t(i)] == double(p(i)));
  }
}

TEST_CASE("samples drawn many at once are those of each element", "[sampling]") {
  const Random random(std::uint64_t(7) << 32 | 1, std::uint64_t(5) << 32 | 2);
  const Shape shape{5003};
  const auto same = [&](const Tensor& drawn, auto draw) {
    using T = typename decltype(draw)::value_type;
    for (std::int64_t i = 0; i < shape[0]; ++i) REQUIRE(drawn.span<T>()[std::size_t(i)] == draw(std::uint64_t(i)));
  };
  for (double p : {0.0, 0.3, 1.0})
    same(random_bernoulli(shape, random.seed(), random.stream(), p), BernoulliDraw{random, std::uint64_t(std::ldexp(p, 32))});
  for (std::int64_t width : {std::int64_t(1), std::int64_t(1000), std::int64_t(1) << 32, std::int64_t(1) << 60})
    same(random_integers(shape, random.seed(), random.stream(), -5, width - 5), IntegerDraw{random, -5, std::uint64_t(width)});
  const Tensor exponential = random_exponential(shape, random.seed(), random.stream(), 2);
  const ExponentialDraw draw{random, 0.5f};
  for (std::int64_t i = 0; i < shape[0]; ++i)
    REQUIRE(exponential.span<float>()[std::size_t(i)] == Approx(draw(std::uint64_t(i))).epsilon(3e-7));
}

TEST_CASE("samplings give the same bits for every thread count", "[sampling][determinism]") {
  check::same_bits([] {
    return std::vector<Tensor>{random_bernoulli({50003}, 5, 6, 0.2), random_integers({50003}, 5, 6, 0, 100),
                               random_exponential({50003}, 5, 6),    random_gamma({50003}, 5, 6, 2.5),
                               random_permutation(50003, 5, 6),      sobol(5003, 11, 5, 6)};
  });
}

TEST_CASE("bernoulli and integer samples are as frequent as they should be", "[sampling]") {
  for (double p : {0.0, 0.01, 0.5, 1.0}) {
    const auto v = random_bernoulli({kMany}, 3, 1, p).to_vector();
    const double share = std::accumulate(v.begin(), v.end(), 0.0) / kMany;
    CHECK(std::abs(share - p) <= 5 * std::sqrt(p * (1 - p) / kMany));
  }
  CHECK(random_bernoulli({3}, 1, 1, 0.5).dtype() == DType::boolean);
  const auto integers = random_integers({kMany}, 3, 2, -25, 25).to_vector();
  CHECK(chi_square(integers, [](double v) { return (v + 25.5) / 50; }) < kChiLimit);
  CHECK(*std::min_element(integers.begin(), integers.end()) == -25);
  CHECK(*std::max_element(integers.begin(), integers.end()) == 24);
  // the whole range of i64
  const Tensor wide = random_integers({1000}, 3, 3, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  int negative = 0;
  for (std::int64_t v : wide.span<std::int64_t>()) negative += v < 0;
  CHECK(std::abs(negative - 500) < 80);
}

TEST_CASE("exponential and gamma samples follow their distribution functions", "[sampling]") {
  CHECK(chi_square(random_exponential({kMany}, 8, 1, 2.5).to_vector(), [](double x) { return -std::expm1(-2.5 * x); }) < kChiLimit);
  for (double k : {0.3, 1.0, 2.5, 30.0}) {
    INFO("k " << k);
    const auto v = random_gamma({kMany}, 8, 2, k, 3).to_vector();
    CHECK(chi_square(v, [&](double x) { return lower_gamma(k, x / 3); }) < kChiLimit);
    const double mean = std::accumulate(v.begin(), v.end(), 0.0) / kMany;
    CHECK(std::abs(mean - 3 * k) < 5 * 3 * std::sqrt(k / kMany));
  }
}

TEST_CASE("primitive polynomials are as many as theory says", "[sampling][sobol]") {
  // phi(2^s - 1) / s of degree s
  const auto all = primitive_polynomials(kSobolDimensions - 1);
  std::vector<int> by_degree(14);
  for (std::uint32_t p : all) ++by_degree[std::size_t(31 - __builtin_clz(p))];
  CHECK(by_degree == std::vector<int>{0, 1, 1, 2, 2, 6, 6, 18, 16, 48, 60, 176, 144, 630});
  CHECK(all[0] == 3);
  CHECK(all[1] == 7);
  CHECK(all[2] == 11);
  CHECK(all[3] == 13);
}

TEST_CASE("Sobol points fall one into each dyadic interval, scrambled or not", "[sampling][sobol]") {
  for (Scrambling scrambling : {Scrambling::none, Scrambling::owen}) {
    const Tensor points = sobol(1024, kMaxSobolDimensions, 6, 7, scrambling, 0, DType::f64);
    for (int m : {1, 4, 7, 10}) CHECK(one_in_each_interval(points, 0, m));
    CHECK(one_in_each_interval(points, 640, 7));
    CHECK(one_in_each_interval(sobol(512, 50, 6, 7, scrambling, 3 * 512), 0, 9));
  }
  // the first two dimensions make a (0, 2)-sequence: every elementary interval of area 2^-6 has one of 64 points
  for (Scrambling scrambling : {Scrambling::none, Scrambling::owen}) {
    const auto x = sobol(64, 2, 1, 1, scrambling).to_vector();
    for (int a = 0; a <= 6; ++a) {
      std::set<int> cells;
      for (std::size_t i = 0; i < 64; ++i) cells.insert(int(x[2 * i] * (1 << a)) << (6 - a) | int(x[2 * i + 1] * (1 << (6 - a))));
      CHECK(cells.size() == 64);
    }
  }
  CHECK(sobol(4, 1, 0, 0, Scrambling::none).to_vector() == std::vector<double>{0, 0.5, 0.75, 0.25});
}

TEST_CASE("Sobol points have property A: 2^d of them fall one into each corner of the cube of the first d axes", "[sampling][sobol]") {
  for (int d : {1, 2, 5, 8, 12}) {
    const std::int64_t n = std::int64_t(1) << d;
    const auto x = sobol(n, d, 0, 0, Scrambling::none).to_vector();
    std::set<int> corners;
    for (std::int64_t i = 0; i < n; ++i) {
      int corner = 0;
      for (int axis = 0; axis < d; ++axis) corner = corner << 1 | (x[std::size_t(i * d + axis)] >= 0.5);
      corners.insert(corner);
    }
    CHECK(corners.size() == std::size_t(n));
  }
}

TEST_CASE("scrambled points are uniform, dimension by dimension and seed by seed", "[sampling][sobol]") {
  // One point of many independent scramblings: uniform, where the point itself never moves without.
  std::vector<double> first, last;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto x = sobol(1, 20, seed, 1, Scrambling::owen, 5, DType::f64).to_vector();
    first.push_back(x[0]);
    last.push_back(x[19]);
  }
  CHECK(chi_square(first, [](double x) { return x; }) < kChiLimit);
  CHECK(chi_square(last, [](double x) { return x; }) < kChiLimit);
  double product = 0;
  for (std::size_t i = 0; i < first.size(); ++i) product += (first[i] - 0.5) * (last[i] - 0.5);
  CHECK(std::abs(product / 4000) < 5.0 / 12 / std::sqrt(4000.0));
}

TEST_CASE("Sobol points integrate far better than random ones", "[sampling][sobol]") {
  // prod (1 + (x_d - 1/2) / d) over 8 dimensions: its integral is 1
  const auto error = [](const Tensor& points) {
    const auto x = points.to_vector();
    double sum = 0;
    for (std::size_t i = 0; i < 4096; ++i) {
      double f = 1;
      for (std::size_t d = 0; d < 8; ++d) f *= 1 + (x[8 * i + d] - 0.5) / double(d + 1);
      sum += f;
    }
    return std::abs(sum / 4096 - 1);
  };
  CHECK(error(sobol(4096, 8, 2, 3)) < 5e-5);
  CHECK(error(random_uniform({4096, 8}, 2, 3)) > 5e-4);
}

TEST_CASE("samplings say what is wrong", "[sampling][misuse]") {
  check::refuses([] { random_bernoulli({3}, 1, 1, 1.5); }, "random_bernoulli", {"1.5", "[3]"});
  check::refuses([] { random_integers({3}, 1, 1, 4, 4); }, "random_integers", {"4 to 4", "[3]"});
  check::refuses([] { random_permutation(-1, 1, 1); }, "random_permutation", {"-1"});
  check::refuses([] { random_exponential({3}, 1, 1, 0); }, "random_exponential", {"0.0", "[3]"});
  check::refuses([] { random_gamma({3}, 1, 1, -2); }, "random_gamma", {"-2.0", "[3]"});
  check::refuses([] { sobol(3, 1112); }, "sobol", {"1112", "1111"});
  check::refuses([] { sobol(3, 2, 1, 1, Scrambling::none, std::int64_t(1) << 32); }, "sobol", {"2^32"});
  check::refuses([] { sobol(3, 2, 1, 1, Scrambling::none, 0, DType::i32); }, "sobol", {"i32"});
  CHECK(random_permutation(0, 1, 1).shape() == Shape{0});
  CHECK(sobol(0, 3).shape() == Shape{0, 3});
}

TEST_CASE("draws keep to what f32 holds", "[sampling][misuse]") {
  check::refuses([] { random_gamma({3}, 1, 1, 1e39); }, "random_gamma", {"fit f32"});
  check::refuses([] { random_exponential({3}, 1, 1, 1e-39); }, "random_exponential", {"fit f32"});
  check::refuses([] { random_permutation(std::numeric_limits<std::int64_t>::max(), 1, 1); }, "random_permutation", {"does not fit"});
  check::refuses([] { random_bernoulli({-1}, 1, 1, 0.5); }, "random_bernoulli", {"[-1]"});
}
