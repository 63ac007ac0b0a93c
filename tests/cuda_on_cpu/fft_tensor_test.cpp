// Transforms on tensor cores beside sums in f64: every kind, numbers of kept values on both sides of a tile's edge, lines that end inside a warp's.
#include "ops/fft_tensor.cuh"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <complex>
#include <numbers>
#include <random>
#include <vector>

#include "cuda/device.hpp"
#include "cuda_on_cpu/on_device.hpp"

using namespace tenon;
using namespace tenon::cuda;

namespace {

using Complex64 = std::complex<double>;

/// What FftGeometry says, sum by sum. x and the result hold `parts` numbers a value.
std::vector<double> sums_of(const FftGeometry& g, double scale, const float* x) {
  const bool real_in = g.kind == FftKind::real_forward, real_out = g.kind == FftKind::real_inverse, inverse = real_out || (g.kind == FftKind::complex && g.inverse);
  const std::int64_t kept = g.kept(), from = inverse ? kept : g.n, to = inverse ? g.n : kept;
  std::vector<double> y;
  for (std::int64_t o = 0; o < g.outer; ++o)
    for (std::int64_t q = 0; q < to; ++q)
      for (std::int64_t c = 0; c < g.inner; ++c) {
        Complex64 sum = 0;
        for (std::int64_t p = 0; p < from; ++p) {
          const std::int64_t at = (o * from + p) * g.inner + c, k = inverse ? p : q, j = inverse ? q : p, f = k < g.first() ? k : k + g.whole() - kept;
          const bool own = k == 0 || 2 * k == g.n;
          Complex64 v = real_in ? Complex64(double(x[at]), 0) : Complex64(double(x[2 * at]), real_out && own ? 0.0 : double(x[2 * at + 1]));
          const double angle = 2 * std::numbers::pi * double(f * j % g.n) / double(g.n);
          v *= std::polar(scale, inverse ? angle : -angle);
          if ((real_in || real_out) && !own) v *= g.interior;
          if (real_out && !own) v *= 2.0;
          sum += v;
        }
        y.push_back(sum.real());
        if (!real_out) y.push_back(sum.imag());
      }
  return y;
}

void check_transform(const FftGeometry& g, double scale = 0.37) {
  CAPTURE(int(g.kind), g.inverse, g.outer, g.n, g.inner, g.low, g.high, g.interior);
  REQUIRE(tensor_fft_fits(g));
  const bool real_in = g.kind == FftKind::real_forward, real_out = g.kind == FftKind::real_inverse, inverse = real_out || (g.kind == FftKind::complex && g.inverse);
  const std::size_t lines = std::size_t(g.outer * g.inner), in = lines * std::size_t(inverse ? g.kept() : g.n) * (real_in ? 1 : 2),
                    out = lines * std::size_t(inverse ? g.n : g.kept()) * (real_out ? 1 : 2);
  under_test::OnDevice<float> x(in), y(out);
  std::mt19937 random(std::uint32_t(g.n + 31 * g.inner));
  std::normal_distribution<float> draw;
  for (std::size_t i = 0; i < in; ++i) x.at[i] = draw(random);
  const Kernel kernel = make_tensor_fft(g, scale, [](void* const*) { FAIL("the plain kernel ran"); });
  void* operands[] = {x.at, y.at};
  kernel(operands);
  const std::vector<double> wanted = sums_of(g, scale, x.at);
  REQUIRE(wanted.size() == out);
  double off = 0, whole = 0;
  for (std::size_t i = 0; i < out; ++i) off += std::pow(double(y.at[i]) - wanted[i], 2), whole += std::pow(wanted[i], 2);
  CHECK(off <= 1e-13 * whole);
}

}  // namespace

TEST_CASE("transforms on tensor cores are as exact as in f32", "[fft]") {
  TENON_NEEDS_DEVICE();
  for (const std::int64_t n : {1, 2, 7, 16, 33, 64}) {
    const std::int64_t half = n / 2 + 1;
    for (const std::int64_t low : {std::int64_t(1), std::min<std::int64_t>(half, 9), half}) {
      check_transform({.kind = FftKind::real_forward, .outer = 3, .n = n, .inner = 12, .low = low});
      check_transform({.kind = FftKind::real_forward, .outer = 2, .n = n, .inner = 4, .low = low, .interior = 2});
      check_transform({.kind = FftKind::real_inverse, .outer = 3, .n = n, .inner = 12, .low = low});
      check_transform({.kind = FftKind::real_inverse, .outer = 1, .n = n, .inner = 140, .low = low, .interior = 0.5});
    }
    for (const bool inverse : {false, true}) {
      check_transform({.kind = FftKind::complex, .inverse = inverse, .outer = 3, .n = n, .inner = 12});
      if (n >= 7) check_transform({.kind = FftKind::complex, .inverse = inverse, .outer = 2, .n = n, .inner = 36, .low = 3, .high = 2});
    }
  }
}

TEST_CASE("a transform of many rows goes over them in groups", "[fft]") {
  TENON_NEEDS_DEVICE();
  check_transform({.kind = FftKind::complex, .outer = 2, .n = 90, .inner = 8, .low = 25, .high = 24});
  check_transform({.kind = FftKind::real_inverse, .outer = 1, .n = 243, .inner = 4, .low = 20});
  check_transform({.kind = FftKind::real_forward, .outer = 1, .n = 240, .inner = 4, .low = 48});
}

TEST_CASE("what tensor cores cannot take is left to the plain kernel", "[fft]") {
  TENON_NEEDS_DEVICE();
  CHECK_FALSE(tensor_fft_fits({.kind = FftKind::real_forward, .outer = 3, .n = 64, .inner = 6}));
  CHECK_FALSE(tensor_fft_fits({.kind = FftKind::real_forward, .scalar = DType::f64, .outer = 3, .n = 64, .inner = 8}));
  CHECK_FALSE(tensor_fft_fits({.kind = FftKind::real_forward, .outer = 1, .n = 8192, .inner = 8, .low = 12}));  // the matrix outgrows the cache
  const FftGeometry g{.kind = FftKind::real_forward, .outer = 1, .n = 16, .inner = 4};
  REQUIRE(tensor_fft_fits(g));
  int plain = 0;
  const Kernel kernel = make_tensor_fft(g, 1, [&](void* const*) { ++plain; });
  under_test::OnDevice<float> x(65), y(73);
  void *off_x[] = {x.at + 1, y.at}, *off_y[] = {x.at, y.at + 1};
  kernel(off_x);
  kernel(off_y);
  CHECK(plain == 2);
}

TEST_CASE("a value that is not finite spoils its own line", "[fft]") {
  TENON_NEEDS_DEVICE();
  const FftGeometry g{.kind = FftKind::real_forward, .outer = 1, .n = 8, .inner = 8};
  under_test::OnDevice<float> x(64), y(80);
  for (int i = 0; i < 64; ++i) x.at[i] = 1;
  x.at[8 * 3 + 5] = std::numeric_limits<float>::infinity();
  void* operands[] = {x.at, y.at};
  make_tensor_fft(g, 1, {})(operands);
  for (int q = 0; q < 5; ++q)
    for (int c = 0; c < 8; ++c) CHECK(std::isfinite(y.at[2 * (8 * q + c)]) == (c != 5));
}
