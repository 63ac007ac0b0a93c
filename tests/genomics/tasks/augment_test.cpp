#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "genomics/tasks/classification.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

std::vector<std::uint8_t> varied(const AugmentSettings& s, const std::vector<std::uint8_t>& from, std::uint64_t stream) {
  std::vector<std::uint8_t> to(from.size(), 9);
  augment_codes(s, Random(1, stream), from.data(), std::int64_t(from.size()), to.data());
  return to;
}

std::vector<std::uint8_t> sequence(std::size_t n) {
  std::vector<std::uint8_t> codes;
  for (std::size_t i = 0; i < n; ++i) codes.push_back(std::uint8_t(i * i % 4 + (i % 3 == 0 && i % 2) % 4));
  for (auto& c : codes) c = c % 4;
  return codes;
}

}  // namespace

TEST_CASE("without augmentation a sample is itself", "[genomics][augment]") {
  const auto codes = sequence(50);
  CHECK(varied({}, codes, 3) == codes);
}

TEST_CASE("half of the samples are reverse complements", "[genomics][augment]") {
  const auto codes = sequence(51);
  std::vector<std::uint8_t> turned(codes.rbegin(), codes.rend());
  for (auto& c : turned) c = std::uint8_t(3 - c);
  int count = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const auto v = varied({.reverse_complement = true}, codes, i);
    REQUIRE((v == codes || v == turned));
    count += v == turned;
  }
  CHECK(count > 160);
  CHECK(count < 240);
}

TEST_CASE("a shift moves all bases alike and brings in N, on either strand", "[genomics][augment]") {
  const auto codes = sequence(40);
  std::set<std::int64_t> seen;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto v = varied({.shift = 3}, codes, i);
    std::int64_t by = -99;
    for (std::int64_t s = -3; s <= 3; ++s) {
      bool fits = true;
      for (std::int64_t j = 0; j < 40; ++j) fits &= v[std::size_t(j)] == (j + s < 0 || j + s >= 40 ? 4 : codes[std::size_t(j + s)]);
      if (fits) by = s;
    }
    REQUIRE(by != -99);
    seen.insert(by);
  }
  CHECK(seen.size() == 7);
}

TEST_CASE("masks and mutations take their share of bases", "[genomics][augment]") {
  const auto codes = sequence(20000);
  const auto masked = varied({.mask = 0.1}, codes, 1);
  const auto unknown = std::count(masked.begin(), masked.end(), 4);
  CHECK(unknown > 1800);
  CHECK(unknown < 2200);
  const auto mutated = varied({.mutate = 0.2}, codes, 2);
  std::int64_t other = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) other += mutated[i] != codes[i];
  CHECK(other > 2700);  // a quarter of the replaced are what they were
  CHECK(other < 3300);
}
