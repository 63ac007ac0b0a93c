/// The loops under triangles and LU of every instruction set that this CPU has, against the definitions.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#define TENON_ISA_FILE "backend/cpu/simd/triangle.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

struct Loops {
  decltype(&isa_base::substitute) substitute;
  decltype(&isa_base::substitute_right<16>) substitute_right;
  decltype(&isa_base::subtract_lines) subtract_lines;
  decltype(&isa_base::divide_line) divide_line;
  decltype(&isa_base::largest_place) largest_place;
  decltype(&isa_base::sum_of_squares) sum_of_squares;
  decltype(&isa_base::largest_size) largest_size;
};

#define LOOPS(isa)                                                                                                              \
  {                                                                                                                             \
    isa::substitute, isa::substitute_right<16>, isa::subtract_lines, isa::divide_line, isa::largest_place, isa::sum_of_squares, \
        isa::largest_size                                                                                                       \
  }

std::vector<Loops> available() {
  std::vector<Loops> all{LOOPS(isa_base)};
#if defined(__x86_64__)
  if (isa_level() >= 1) all.push_back(LOOPS(isa_avx2));
  if (isa_level() >= 2) all.push_back(LOOPS(isa_avx512));
#endif
  return all;
}

std::vector<double> irregular(std::int64_t n, int k) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(std::sin(0.37 * double(i) * double(i) + 1.7 * double(i) + k));
  return v;
}

}  // namespace

TEST_CASE("every instruction set solves small triangles", "[linalg][isa]") {
  for (const Loops& loops : available())
    for (std::int64_t n : {1, 7, 16})
      for (std::int64_t k : {1, 9, 77})
        for (int kind = 0; kind < 5; ++kind) {
          const bool upper = kind & 1, unit = kind & 2, right = kind == 4;
          INFO("order " << n << ", " << k << " sides, kind " << kind);
          std::vector<double> t = irregular(n * 20, 1), start = irregular(n * k, 2);
          for (std::int64_t i = 0; i < n; ++i) t[std::size_t(i * 21)] += 4;
          std::vector<double> x = start;
          if (right)
            loops.substitute_right(n, k, t.data(), 20, x.data(), n);
          else
            loops.substitute(upper, unit, n, k, t.data(), 20, 1, x.data(), k);
          for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t c = 0; c < k; ++c) {
              double sum = 0;
              for (std::int64_t j = upper ? i : 0; j <= (upper ? n - 1 : i); ++j)
                sum += (i == j && unit ? 1 : t[std::size_t(i * 20 + j)]) * x[std::size_t(right ? c * n + j : j * k + c)];
              REQUIRE(sum == Approx(start[std::size_t(right ? c * n + i : i * k + c)]).margin(1e-9));
            }
        }
}

TEST_CASE("every instruction set runs along lines alike", "[linalg][isa]") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const Loops& loops : available())
    for (std::int64_t n : {1, 7, 31, 32, 200}) {
      INFO(n << " values");
      const std::vector<double> x = irregular(3 * n, 1), f = irregular(3, 5);
      std::vector<double> y = irregular(n, 2), z = y;
      loops.subtract_lines(n, 3, f.data(), x.data(), n, y.data());
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t p = 0; p < 3; ++p) z[std::size_t(i)] -= f[std::size_t(p)] * x[std::size_t(p * n + i)];
        REQUIRE(y[std::size_t(i)] == Approx(z[std::size_t(i)]).margin(1e-14));
      }
      loops.divide_line(n, 3.0, y.data());
      double squares = 0, most = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        REQUIRE(y[std::size_t(i)] == Approx(z[std::size_t(i)] / 3).margin(1e-14));
        squares += x[std::size_t(i)] * x[std::size_t(i)];
        most = std::max(most, std::abs(x[std::size_t(i)]));
      }
      REQUIRE(loops.sum_of_squares(n, x.data()) == Approx(squares));
      REQUIRE(loops.largest_size(n, x.data()) == most);
      for (std::int64_t place = 0; place < n; place += 5) {
        std::vector<double> line = irregular(n, 3);
        line[std::size_t(place)] = place % 2 ? 5 : -5;
        line.back() = n - 1 > place ? 5 : line.back();  // the first of equals
        REQUIRE(loops.largest_place(n, line.data()) == place);
        if (place > 0) line[std::size_t(place - 1)] = nan;
        REQUIRE(loops.largest_place(n, line.data()) == (place == 1 ? 0 : place));
        REQUIRE(std::isnan(loops.largest_size(n, line.data())) == (place > 0));
        line[std::size_t(place)] = -infinity;
        REQUIRE(loops.largest_place(n, line.data()) == (place == 1 ? 0 : place));
      }
      REQUIRE(loops.largest_place(n, std::vector<double>(std::size_t(n), nan).data()) == 0);
    }
}
