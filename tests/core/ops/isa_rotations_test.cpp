/// The rotation loops of every instruction set that this CPU has, against rotations one by one.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#define TENON_ISA_FILE "backend/cpu/simd/rotations.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

TEST_CASE("every instruction set rotates alike", "[linalg][isa]") {
  std::vector<decltype(&isa_base::rotate_rows)> all{isa_base::rotate_rows};
#if defined(__x86_64__)
  if (isa_level() >= 1) all.push_back(isa_avx2::rotate_rows);
  if (isa_level() >= 2) all.push_back(isa_avx512::rotate_rows);
#endif
  const std::int64_t rows = 9, columns = 59, stride = 61;
  std::vector<double> start(std::size_t(rows * stride)), sweeps;
  for (std::size_t i = 0; i < start.size(); ++i) start[i] = std::sin(double(i * i));
  std::vector<double> expected = start;
  for (auto [first, count] : {std::pair{0, 8}, {2, 3}, {7, 1}, {1, 6}}) {
    sweeps.push_back(first), sweeps.push_back(count);
    for (int r = first; r < first + count; ++r) {
      const double angle = 0.3 * r + count, c = std::cos(angle), s = std::sin(angle);
      sweeps.push_back(c), sweeps.push_back(s);
      for (std::int64_t j = 0; j < columns; ++j) {
        double &a = expected[std::size_t(r * stride + j)], &b = expected[std::size_t((r + 1) * stride + j)];
        const double x = a, y = b;
        a = c * x + s * y;
        b = c * y - s * x;
      }
    }
  }
  for (auto rotate : all) {
    std::vector<double> x = start;
    rotate(x.data(), stride, columns, sweeps.data(), sweeps.data() + sweeps.size());
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(x[i] == Approx(expected[i]).margin(1e-14));
  }
}
