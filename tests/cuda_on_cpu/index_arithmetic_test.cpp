// Indices of kernels: divisions without a division, and loops that are cut where an index would not fit 32 bits.
#include <catch2/catch.hpp>

#include <cstdint>
#include <numeric>
#include <vector>

#include "backend/cuda/conv_map.cuh"
#include "backend/cuda/divider.cuh"
#include "backend/cuda/walk.cuh"
#include "cuda/device.hpp"
#include "cuda_on_cpu/on_device.hpp"

using namespace tenon;
using namespace tenon::cuda;

namespace {

constexpr std::int64_t kLimit = std::int64_t(1) << 31;

struct Sum {
  const int* x;
  int* y;
  __device__ void one(const Offsets<2>& o) const { y[o.of[1]] += x[o.of[0]]; }
  __device__ void pack(const Offsets<2>& o, const bool (&step)[2]) const {
    for (int i = 0; i < 4; ++i) y[o.of[1] + i] += x[o.of[0] + (step[0] ? i : 0)];
  }
};

}  // namespace

TEST_CASE("quotients and remainders are those of a division", "[cuda_on_cpu][indices]") {
  for (const std::int64_t size : {std::int64_t(1), std::int64_t(2), std::int64_t(3), std::int64_t(7), std::int64_t(640), std::int64_t(65537), kLimit - 1, kLimit, 5 * kLimit + 3})
    for (const std::int64_t n : {std::int64_t(0), std::int64_t(1), size - 1, size, size + 1, kLimit - 2, kLimit - 1, kLimit, kLimit + 1, 7 * kLimit + 5, 3 * size - 1}) {
      CAPTURE(size, n);
      std::int64_t rest = n;
      CHECK(LongDivider(size).split(rest) == n / size);
      CHECK(rest == n % size);
      if (size >= kLimit) continue;
      int left = -1;
      CHECK(divide(n, int(size), left) == n / size);
      CHECK(left == n % size);
      if (n >= kLimit) continue;
      auto small = std::uint32_t(n);
      CHECK(Divider(size).split(small) == n / size);
      CHECK(small == n % size);
    }
}

TEST_CASE("an elementwise loop that is cut meets every element once", "[cuda_on_cpu][indices]") {
  REQUIRE(under_test::has_device());
  struct Case {
    Shape shape, from, to;  ///< strides of what is read and written
  };
  const std::vector<Case> cases{
      {{105}, {1}, {1}},
      {{3, 5, 8}, {40, 8, 1}, {1, 3, 15}},
      {{3, 5, 8}, {0, 8, 1}, {40, 8, 1}},
      {{7, 16}, {17, 1}, {20, 1}},
      {{2, 3, 1, 4}, {12, 4, 4, 1}, {100, 20, 1, 5}},
      {{33, 2}, {1, 0}, {3, 1}},
  };
  for (const Case& c : cases)
    for (const std::int64_t most : {1, 4, 7, 16, 50, 1000}) {
      CAPTURE(c.shape.str(), most);
      const under_test::OnDevice<int> x(400), y(400);
      std::iota(x.at, x.at + 400, 1);
      std::fill_n(y.at, 400, 0);
      under_test::begin_run(0);
      void* operands[] = {x.at, y.at};
      WalkLoop<2, 4>(StridedAxes<2>(c.shape, {c.from, c.to}), {sizeof(int), sizeof(int)}, most).run("copy", operands, [](const auto& p) {
        return Sum{reinterpret_cast<const int*>(p[0]), reinterpret_cast<int*>(p[1])};
      });
      under_test::end_run();
      std::vector<int> wanted(400, 0);
      for (std::int64_t i = 0; i < c.shape.numel(); ++i) {
        std::int64_t rest = i, from = 0, to = 0;
        for (int a = c.shape.rank() - 1; a >= 0; --a) {
          from += rest % c.shape[a] * c.from[a], to += rest % c.shape[a] * c.to[a];
          rest /= c.shape[a];
        }
        wanted[std::size_t(to)] += int(from) + 1;
      }
      CHECK(std::vector<int>(y.at, y.at + 400) == wanted);
    }
}
