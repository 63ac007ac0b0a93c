/// The CPU's Fourier transforms against the defining sum in long double: every layout, kind and direction, smooth sizes and others.
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <cstring>
#include <numbers>
#include <vector>

#include "backend/cpu/fft/fft.hpp"
#include "backend/cpu/fft/fft_long.hpp"
#include "backend/cpu/fft/fft_tables.hpp"
#include "tenon/device.hpp"
#include "tenon/random.hpp"

using namespace tenon;

namespace {

using Wide = std::complex<long double>;

struct Lines {
  std::int64_t outer, inner;
};

template <class T>
std::vector<T> noise(std::int64_t count, std::uint64_t stream) {
  Random random(11, stream);
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(T(random.normal(std::uint64_t(i))));
  return values;
}

/// The line through (outer, inner) of interleaved or real values.
template <class T>
std::vector<Wide> line_of(const std::vector<T>& x, std::int64_t count, bool complex, const Lines& lines, std::int64_t o, std::int64_t i) {
  std::vector<Wide> line;
  for (std::int64_t j = 0; j < count; ++j) {
    auto at = std::size_t((o * count + j) * lines.inner + i);
    line.push_back(complex ? Wide(x[2 * at], x[2 * at + 1]) : Wide(x[at], 0));
  }
  return line;
}

std::vector<Wide> defining_sum(const std::vector<Wide>& x, bool inverse) {
  auto n = std::int64_t(x.size());
  std::vector<Wide> roots, sums;
  for (std::int64_t k = 0; k < n; ++k) {
    long double angle = (inverse ? 2 : -2) * std::numbers::pi_v<long double> * static_cast<long double>(k) / static_cast<long double>(n);
    roots.emplace_back(std::cos(angle), std::sin(angle));
  }
  for (std::int64_t k = 0; k < n; ++k) {
    Wide sum = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += x[std::size_t(j)] * roots[std::size_t(j * k % n)];
    sums.push_back(sum);
  }
  return sums;
}

/// Largest relative error, in the norm of each line, in units of the type's precision.
template <class T>
double error(FftKind kind, bool inverse, std::int64_t n, const Lines& lines) {
  FftGeometry g{kind, inverse, std::is_same_v<T, double> ? DType::f64 : DType::f32, lines.outer, n, lines.inner};
  bool complex_in = kind != FftKind::real_forward, complex_out = kind != FftKind::real_inverse;
  std::int64_t count_in = kind == FftKind::real_inverse ? (g.n / 2 + 1) : n, count_out = kind == FftKind::real_forward ? (g.n / 2 + 1) : n;
  auto x = noise<T>(count_in * lines.outer * lines.inner * (complex_in ? 2 : 1), std::uint64_t(n));
  constexpr std::size_t guard = 16;
  const T untouched = T(-77);
  std::vector<T> y(std::size_t(count_out * lines.outer * lines.inner * (complex_out ? 2 : 1)) + guard, untouched);
  auto program = cpu::make_fft(g);
  std::vector<std::byte> space(program->workspace_bytes() + 64);
  void* aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(space.data()) + 63) / 64 * 64);
  const double scale = 0.5;
  program->run(x.data(), y.data(), aligned, scale);
  for (std::size_t i = y.size() - guard; i < y.size(); ++i) REQUIRE(y[i] == untouched);
  double worst = 0;
  for (std::int64_t o = 0; o < lines.outer; ++o)
    for (std::int64_t i = 0; i < lines.inner; ++i) {
      std::vector<Wide> line = line_of(x, count_in, complex_in, lines, o, i);
      if (kind == FftKind::real_inverse) {  // the other half by symmetry
        line[0] = line[0].real();
        if (n % 2 == 0) line[std::size_t(n / 2)] = line[std::size_t(n / 2)].real();
        for (std::int64_t k = n / 2 + 1; k < n; ++k) line.push_back(std::conj(line[std::size_t(n - k)]));
      }
      std::vector<Wide> wanted = defining_sum(line, inverse || kind == FftKind::real_inverse), got = line_of(y, count_out, complex_out, lines, o, i);
      long double off = 0, norm = 0;
      for (std::int64_t k = 0; k < count_out; ++k) {
        off += std::norm(got[std::size_t(k)] - wanted[std::size_t(k)] * static_cast<long double>(scale));
        norm += std::norm(wanted[std::size_t(k)] * static_cast<long double>(scale));
      }
      worst = std::max(worst, double(std::sqrt(off / norm)));
    }
  return worst / double(std::numeric_limits<T>::epsilon());
}

template <class T>
void check_all(std::int64_t n, const Lines& lines) {
  // each pass rounds once or twice; Bluestein's three transforms of a larger size more
  const double bound = 1.0 + 0.6 * std::log2(double(n) + 1) * (n > 13 ? 3 : 1);
  for (FftKind kind : {FftKind::complex, FftKind::real_forward, FftKind::real_inverse})
    for (bool inverse : {false, true}) {
      if (inverse && kind != FftKind::complex) continue;
      INFO("n " << n << ", lines " << lines.outer << " x " << lines.inner << ", kind " << int(kind) << (inverse ? ", inverse" : ""));
      CHECK(error<T>(kind, inverse, n, lines) < bound);
    }
}

}  // namespace

TEST_CASE("Fourier transforms of every size to 70 are the defining sum", "[fft][slow]") {
  for (std::int64_t n = 1; n <= 70; ++n)
    for (const Lines& lines : {Lines{1, 1}, Lines{37, 1}, Lines{2, 35}}) {
      check_all<float>(n, lines);
      check_all<double>(n, lines);
    }
}

TEST_CASE("Fourier transforms along an axis of any stride are the defining sum", "[fft][slow]") {
  for (std::int64_t n : {8, 12, 30, 49, 100, 121, 256})
    for (const Lines& lines : {Lines{1, 3}, Lines{5, 7}, Lines{3, 16}, Lines{16, 1}, Lines{33, 2}, Lines{2, 64}}) {
      check_all<float>(n, lines);
      check_all<double>(n, lines);
    }
}

TEST_CASE("Fourier transforms of lines of few values are the defining sum", "[fft]") {
  for (std::int64_t n : {2, 3, 4, 8})
    for (const Lines& lines : {Lines{1, 1}, Lines{8, 1}, Lines{37, 1}, Lines{64, 1}, Lines{3, 16}}) {
      check_all<float>(n, lines);
      check_all<double>(n, lines);
    }
}

TEST_CASE("long Fourier transforms are the defining sum", "[fft][slow]") {
  // products of all radices, powers, primes, twice a prime, and sizes that are cut into a matrix
  for (std::int64_t n : {512, 720, 1001, 1009, 1024, 1331, 2018, 2048, 2187, 3072, 4099, 4096})
    for (const Lines& lines : {Lines{1, 1}, Lines{2, 1}}) {
      check_all<float>(n, lines);
      check_all<double>(n, lines);
    }
}

TEST_CASE("roots of unity from tables are those taken one by one", "[fft]") {
  for (std::int64_t n : {1, 2, 3, 5, 8, 12, 97, 1000, 4096, 1000003, 3 << 20}) {
    const cpu::UnitRoots roots(n);
    double worst = 0;
    for (std::int64_t k = 0; k < n; k += std::max<std::int64_t>(1, n / 5000)) worst = std::max(worst, std::abs(roots(k) - cpu::unit_root(k, n)));
    for (std::int64_t k : {n / 8, n / 4, n / 2, 3 * n / 4, n - 1}) worst = std::max(worst, std::abs(roots(k) - cpu::unit_root(k, n)));
    INFO(n);
    CHECK(worst <= 0x1p-53);
    if (n % 4 == 0) CHECK(roots(n / 4) == std::complex<double>(0, -1));
  }
}

TEST_CASE("the tables of a long Fourier transform are made once", "[fft]") {
  for (std::int64_t n : {65536, 5003}) {
    const auto first = cpu::FftLong<float>::of(n);
    REQUIRE(first);
    CHECK(cpu::FftLong<float>::of(n) == first);
  }
  CHECK_FALSE(cpu::FftLong<float>::of(100));
}

TEST_CASE("Fourier transforms may be done in place and come back", "[fft]") {
  for (std::int64_t n : {96, 97, 1000, 4096, 5003})
    for (const Lines& lines : {Lines{1, 1}, Lines{3, 5}, Lines{1, 32}}) {
      auto x = noise<double>(2 * n * lines.outer * lines.inner, 5), y = x;
      for (bool inverse : {false, true}) {
        auto program = cpu::make_fft({FftKind::complex, inverse, DType::f64, lines.outer, n, lines.inner});
        std::vector<double> space(program->workspace_bytes() / sizeof(double) + 1);
        program->run(y.data(), y.data(), space.data(), inverse ? 1.0 / double(n) : 1.0);
      }
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
      INFO(n << ": " << lines.outer << " x " << lines.inner);
      CHECK(worst < 2e-14);
    }
}

TEST_CASE("Fourier transforms give the same bits for 1, 2 and 4 threads", "[fft][threads]") {
  for (auto [outer, n, inner] : {std::array<std::int64_t, 3>{1, 65536, 1}, {64, 1024, 1}, {4, 60, 100}, {1, 5003, 1}}) {
    auto x = noise<float>(2 * outer * n * inner, 3);
    std::vector<float> first;
    int before = thread_count();
    for (int threads : {1, 2, 4}) {
      set_thread_count(threads);
      auto program = cpu::make_fft({FftKind::complex, false, DType::f32, outer, n, inner});
      std::vector<float> y(x.size()), space(program->workspace_bytes() / sizeof(float) + 1);
      program->run(x.data(), y.data(), space.data(), 1);
      if (first.empty()) first = y;
      CHECK(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)) == 0);
    }
    set_thread_count(before);
  }
}

TEST_CASE("pruned spectra are the whole ones' first and last values, and zeros where they are read", "[fft]") {
  struct Case {
    FftKind kind;
    std::int64_t n, low, high;
  };
  for (const Case& c : {Case{FftKind::complex, 12, 3, 2}, Case{FftKind::complex, 17, 4, 0}, Case{FftKind::complex, 12, 7, 5}, Case{FftKind::complex, 30, 0, 5}, Case{FftKind::real_forward, 12, 4, 0},
                        Case{FftKind::real_forward, 15, 3, 0}, Case{FftKind::real_inverse, 12, 3, 0}, Case{FftKind::real_inverse, 15, 5, 0}})
    for (bool inverse : {false, true})
      for (const Lines& lines : {Lines{3, 1}, Lines{40, 1}, Lines{2, 5}, Lines{2, 40}}) {
        if (inverse != (c.kind == FftKind::real_inverse) && c.kind != FftKind::complex) continue;
        INFO("kind " << int(c.kind) << (inverse ? " inverse" : "") << " n " << c.n << " kept " << c.low << " + " << c.high << ", lines " << lines.outer << " x " << lines.inner);
        FftGeometry whole{c.kind, inverse, DType::f64, lines.outer, c.n, lines.inner}, kept = whole;
        kept.low = c.low;
        kept.high = c.high;
        kept.interior = whole.interior = c.kind == FftKind::complex ? 1 : 0.5;
        const std::int64_t spectrum_unit = 2, other = c.kind == FftKind::complex ? 2 : 1;
        auto size = [&](std::int64_t values, std::int64_t unit) { return values * unit * lines.outer * lines.inner; };
        auto run = [](const FftGeometry& g, const std::vector<double>& in, std::int64_t out) {
          std::vector<double> y(std::size_t(out), -77);
          auto program = cpu::make_fft(g);
          std::vector<std::byte> space(program->workspace_bytes() + 64);
          program->run(in.data(), y.data(), reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(space.data()) + 63) / 64 * 64), 0.25);
          return y;
        };
        /// Where value j of the kept spectrum stands in the whole one.
        auto place = [&](std::int64_t j) { return j < c.low ? j : whole.whole() - c.high + (j - c.low); };
        auto gather = [&](const std::vector<double>& from, bool back) {  // whole -> kept, or kept -> whole with zeros
          const std::int64_t row = lines.inner * spectrum_unit;
          std::vector<double> to(std::size_t(size(back ? whole.whole() : kept.kept(), spectrum_unit)), 0);
          for (std::int64_t o = 0; o < lines.outer; ++o)
            for (std::int64_t j = 0; j < kept.kept(); ++j)
              for (std::int64_t i = 0; i < row; ++i) {
                const auto a = std::size_t((o * whole.whole() + place(j)) * row + i), b = std::size_t((o * kept.kept() + j) * row + i);
                if (back) to[a] = from[b];
                else to[b] = from[a];
              }
          return to;
        };
        if (inverse) {
          auto z = noise<double>(size(kept.kept(), spectrum_unit), 3);
          CHECK(run(kept, z, size(c.n, other)) == run(whole, gather(z, true), size(c.n, other)));
        } else {
          auto x = noise<double>(size(c.n, other), 4);
          CHECK(run(kept, x, size(kept.kept(), spectrum_unit)) == gather(run(whole, x, size(whole.whole(), spectrum_unit)), false));
        }
      }
}

TEST_CASE("the weight of values that are not their own mirror", "[fft]") {
  for (std::int64_t n : {1, 2, 7, 8, 4096}) {  // the last as one long line
    FftGeometry plain{FftKind::real_forward, false, DType::f64, 1, n, 1}, weighed = plain;
    weighed.interior = 3;
    auto x = noise<double>(n, 5);
    std::vector<double> y(std::size_t(2 * plain.whole())), z = y, back(x.size()), again(x.size());
    std::vector<std::byte> space(cpu::make_fft(plain)->workspace_bytes() + 64);
    void* aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(space.data()) + 63) / 64 * 64);
    cpu::make_fft(plain)->run(x.data(), y.data(), aligned, 1);
    cpu::make_fft(weighed)->run(x.data(), z.data(), aligned, 1);
    for (std::int64_t k = 0; k < plain.whole(); ++k)
      for (std::size_t part = 0; part < 2; ++part) {
        INFO("n " << n << ", value " << k);
        CHECK(std::abs(z[std::size_t(2 * k) + part] - y[std::size_t(2 * k) + part] * (k == 0 || 2 * k == n ? 1 : 3)) <= 1e-12 * double(n));
      }
    plain.kind = weighed.kind = FftKind::real_inverse;
    cpu::make_fft(plain)->run(z.data(), back.data(), aligned, 1);
    cpu::make_fft(weighed)->run(y.data(), again.data(), aligned, 1);
    for (std::size_t i = 0; i < back.size(); ++i) CHECK(std::abs(back[i] - again[i]) <= 1e-11 * double(n));
  }
}
