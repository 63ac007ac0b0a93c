#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "tenon/random.hpp"

using namespace tenon;

TEST_CASE("Philox 4x32-10 gives the published vectors", "[random]") {
  // Known answers of Random123 (kat_vectors): counter, key, result.
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform and normal numbers have their moments", "[random]") {
  constexpr int kCount = 200000;
  Random random(17, 3);
  double sum = 0, squares = 0, low = 1, high = 0, normal_sum = 0, normal_squares = 0, normal_cubes = 0, normal_fourths = 0, neighbours = 0,
         before = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform(std::uint64_t(i)), n = random.normal(std::uint64_t(i));
    sum += u;
    squares += u * u;
    low = std::min(low, u);
    high = std::max(high, u);
    normal_sum += n;
    normal_squares += n * n;
    normal_cubes += n * n * n;
    normal_fourths += n * n * n * n;
    neighbours += n * before;
    before = n;
  }
  // five standard errors each
  const double root = std::sqrt(double(kCount));
  CHECK(low >= 0);
  CHECK(high < 1);
  CHECK(std::fabs(sum / kCount - 0.5) < 5 * std::sqrt(1.0 / 12) / root);
  CHECK(std::fabs(squares / kCount - 1.0 / 3) < 5 * std::sqrt(4.0 / 45) / root);
  CHECK(std::fabs(normal_sum / kCount) < 5 / root);
  CHECK(std::fabs(normal_squares / kCount - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::fabs(normal_cubes / kCount) < 5 * std::sqrt(15.0) / root);
  CHECK(std::fabs(normal_fourths / kCount - 3) < 5 * std::sqrt(96.0) / root);
  CHECK(std::fabs(neighbours / kCount) < 5 / root);
}

TEST_CASE("a number depends on seed, stream and index alone", "[random]") {
  CHECK(Random(1, 2).bits(3) == Random(1, 2).bits(3));
  std::set<std::uint32_t> first;
  for (auto r : {Random(1, 2), Random(2, 2), Random(1, 3), Random(1, 2).child(0), Random(1, 2).child(1), Random(1ull << 32, 2),
                 Random(1, 2ull << 32)})
    first.insert(r.bits(3)[0]);
  CHECK(first.size() == 7);
  CHECK(Random(1, 2).bits(1ull << 32) != Random(1, 2).bits(0));
  CHECK(Random(5, 6).child(9).seed() == 5);
}

TEST_CASE("integers below n are uniform and within range", "[random]") {
  Random random(4, 4);
  std::array<int, 7> counts{};
  for (std::uint64_t i = 0; i < 70000; ++i) ++counts[random.below(i, 7)];
  for (int c : counts) CHECK(std::abs(c - 10000) < 500);
  CHECK(random.below(0, 1) == 0);
  CHECK(random.below(12, ~0ull) < ~0ull);
}

TEST_CASE("a normal number is finite for every uniform it can meet", "[random]") {
  Random random(0, 0);
  bool finite = true;
  for (std::uint64_t i = 0; i < 1000000; ++i) finite = finite && std::isfinite(random.normal(i));
  CHECK(finite);
}
