#include <catch2/catch.hpp>

#include "tenon/params.hpp"

using tenon::nearest_names;
using tenon::suggestion;
using Names = std::vector<std::string>;

TEST_CASE("nearest names: slips of every kind, nearest first, at most three") {
  const Names known = {"width", "depth", "patch", "batch", "learning_rate", "channels"};
  CHECK(nearest_names("widht", known) == Names{"width"});         // a swap counts once
  CHECK(nearest_names("wdth", known) == Names{"width"});          // left out
  CHECK(nearest_names("channells", known) == Names{"channels"});  // one more
  CHECK(nearest_names("WIDTH", known) == Names{"width"});         // letter case
  CHECK(nearest_names("learnin_rate", known) == Names{"learning_rate"});
  CHECK(nearest_names("patch", known) == Names{"patch", "batch"});  // itself before its neighbour
  CHECK(nearest_names("zzzzzz", known).empty());
  CHECK(nearest_names("", known).empty());
  CHECK(nearest_names("ab", {"ax", "ay", "az", "aw"}) == Names{"ax", "ay", "az"});
  CHECK(nearest_names("a", {"b"}).empty());  // every letter wrong is not near
}

TEST_CASE("suggestion says the nearest, or all that is known") {
  CHECK(suggestion("widht", {"width", "depth"}) == "did you mean 'width'?");
  CHECK(suggestion("patch", {"patch", "batch"}) == "did you mean 'patch' or 'batch'?");
  CHECK(suggestion("ab", {"ax", "ay", "az"}) == "did you mean 'ax', 'ay' or 'az'?");
  CHECK(suggestion("colour", {"width", "depth"}) == "known: width, depth");
  CHECK(suggestion("colour", {}) == "none are known");
  Names many;
  for (int i = 0; i < 100; ++i) many.push_back("name" + std::to_string(i));
  CHECK_THAT(suggestion("zzz", many), Catch::Contains("name23, ... (100 in all)"));
}
