// Which long rows are a library's: a function of sizes and digits, the same on every machine.
#include "backend/cuda/long_rows.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

using namespace tenon::cuda;

TEST_CASE("single rows of some blocks and the longest rows of several are sorted by the library", "[cuda_on_cpu][long_rows]") {
  const std::vector<int> four{0, 8, 16, 24}, two{16, 24}, eight{0, 8, 16, 24, 32, 40, 48, 56};
  for (const auto& digits : {four, two, eight}) {
    CHECK(library_sorts(LongRows::by_size, 1, 1 << 16, digits));
    CHECK_FALSE(library_sorts(LongRows::by_size, 1, (1 << 16) - 1, digits));
    CHECK_FALSE(library_sorts(LongRows::by_size, 2, 1 << 16, digits));
    CHECK_FALSE(library_sorts(LongRows::by_size, 64, (1 << 22) - 1, digits));
    CHECK(library_sorts(LongRows::by_size, 64, 1 << 22, digits));
  }
  const std::int64_t most = (std::int64_t(1) << 32) - 1;
  CHECK(library_sorts(LongRows::by_size, 1, most, four));
  CHECK_FALSE(library_sorts(LongRows::library, 1, most + 1, four));
}

TEST_CASE("digits apart, and one alone, are never sorted by the library", "[cuda_on_cpu][long_rows]") {
  for (const std::vector<int>& digits : {std::vector<int>{0}, {0, 24}, {0, 8, 24}, {}})
    for (LongRows wanted : {LongRows::by_size, LongRows::ours, LongRows::library}) CHECK_FALSE(library_sorts(wanted, 1, 1 << 24, digits));
}

TEST_CASE("long lines of whole numbers are added up by the library", "[cuda_on_cpu][long_rows]") {
  CHECK(library_sums(LongRows::by_size, 1, 1 << 14));
  CHECK_FALSE(library_sums(LongRows::by_size, 1, (1 << 14) - 1));
  CHECK_FALSE(library_sums(LongRows::by_size, 2, 1 << 14));
  CHECK(library_sums(LongRows::by_size, 2, 1 << 22));
  const std::int64_t most = (std::int64_t(1) << 31) - 1;
  CHECK(library_sums(LongRows::by_size, 1, most));
  CHECK_FALSE(library_sums(LongRows::library, 1, most + 1));
}

TEST_CASE("what is said of long rows comes before their size", "[cuda_on_cpu][long_rows]") {
  const std::vector<int> four{0, 8, 16, 24};
  CHECK(library_sorts(LongRows::library, 70, 5000, four));
  CHECK_FALSE(library_sorts(LongRows::ours, 1, 1 << 24, four));
  CHECK(library_sums(LongRows::library, 70, 10));
  CHECK_FALSE(library_sums(LongRows::ours, 1, 1 << 24));
}
