#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "medical/tasks/split.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

namespace {

std::filesystem::path write(const std::string& text) {
  const auto path =
      std::filesystem::temp_directory_path() / ("tenon-split-test-" + std::to_string(std::hash<std::string>{}(text)) + ".json");
  std::ofstream(path) << text;
  return path;
}

}  // namespace

TEST_CASE("one fold validates, the others train") {
  const auto file = write(R"({"name": "x", "fold_0": ["a", {"id": "b"}], "fold_1": ["c"], "fold_2": ["d"]})");
  const auto split = read_split(file, 1);
  CHECK(split.at("train") == std::vector<std::string>{"a", "b", "d"});
  CHECK(split.at("validation") == std::vector<std::string>{"c"});
  CHECK_THROWS_WITH(read_split(file, 7), Catch::Contains("no fold 7"));
}

TEST_CASE("named parts are taken as they are") {
  const auto split = read_split(write(R"({"train": ["a"], "validation": ["b"], "test": ["c"]})"), 0);
  CHECK(split.at("test") == std::vector<std::string>{"c"});
}

TEST_CASE("a split that cannot be used is refused") {
  CHECK_THROWS_AS(read_split(write("not json"), 0), Error);
  CHECK_THROWS_AS(read_split(write("[1, 2]"), 0), Error);
  CHECK_THROWS_WITH(read_split(write(R"({"validation": ["b"]})"), 0), Catch::Contains("no cases to train on"));
  CHECK_THROWS_WITH(read_split(write(R"({"train": ["../../etc/passwd"]})"), 0), Catch::Contains("passwd"));
  CHECK_THROWS_WITH(read_split(write(R"({"train": [3]})"), 0), Catch::Contains("no case id"));
  CHECK_THROWS_AS(read_split("/nonexistent/folds.json", 0), Error);
}

TEST_CASE("drawn folds cover every case once and do not depend on the order of the ids") {
  std::vector<std::string> ids;
  for (int i = 0; i < 23; ++i) ids.push_back("case" + std::to_string(i));
  std::vector<std::string> seen;
  for (int fold = 0; fold < 5; ++fold) {
    const auto split = draw_split(ids, fold, 5);
    CHECK(split.at("train").size() + split.at("validation").size() == 23);
    CHECK(split.at("validation").size() >= 4);
    seen.insert(seen.end(), split.at("validation").begin(), split.at("validation").end());
  }
  std::sort(seen.begin(), seen.end());
  auto sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  CHECK(seen == sorted);
  std::reverse(ids.begin(), ids.end());
  CHECK(draw_split(ids, 2, 5) == draw_split(sorted, 2, 5));
  CHECK_THROWS_AS(draw_split(ids, 5, 5), Error);
}

TEST_CASE("ids listed twice are found, leakage only where it is not allowed") {
  const Split split{{"train", {"a", "b", "b"}}, {"validation", {"c", "a"}}};
  const auto strict = split_problems(split, false), lenient = split_problems(split, true);
  REQUIRE(strict.size() == 2);
  CHECK(strict[0].code == "medical.duplicate_id");
  CHECK(strict[1].code == "medical.leak");
  CHECK(strict[1].where == "a");
  REQUIRE(lenient.size() == 1);
}
