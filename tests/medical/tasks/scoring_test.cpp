#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "medical/tasks/scoring.hpp"

using namespace tenon;
using namespace tenon::medical;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("columns are named by metric and label, and values stand in their order") {
  ScoreSettings s;
  s.label_names = {"background", "liver", "tumour"};
  s.metrics = {"dice", "hd95", "nsd"};
  const auto columns = score_columns(s);
  REQUIRE(columns.size() == 6);
  CHECK(columns[0].name == "Dice liver");
  CHECK(columns[3].name == "HD95 tumour");
  CHECK(columns[3].unit == "mm");
  CHECK_FALSE(columns[3].higher_is_better);
  CHECK(columns[4].name == "NSD liver");

  std::vector<std::uint8_t> t(60, 0), p(60, 0);
  t[10] = p[10] = 1;
  p[20] = 2;
  Geometry g;
  g.size = {5, 4, 3};
  const auto v = score_case(s, Tensor::from(p, Shape{3, 4, 5}), Tensor::from(t, Shape{3, 4, 5}), g);
  const std::vector<double> expected{1, 0, 0, std::sqrt(50.0), 1, 0};  // label 2 is in one image alone: the volume's diagonal
  for (std::size_t k = 0; k < 6; ++k) CHECK(v[k] == Approx(expected[k]));
}

TEST_CASE("means skip what was not scored and nothing else") {
  const std::vector<CaseResult> cases{{"a", {1, kNaN}, {}}, {"b", {0, kNaN}, {}}, {"c", {kNaN, kNaN}, {}}};
  const auto means = column_means(cases, 2);
  CHECK(means[0] == 0.5);
  CHECK(std::isnan(means[1]));
  ScoreSettings s;
  s.label_names = {"background", "one", "two"};
  CHECK(mean_dice(score_columns(s), means) == 0.5);
  s.metrics = {"hd95", "dice"};
  CHECK(mean_dice(score_columns(s), {90, 80, 0.25, 0.75}) == 0.5);
}

TEST_CASE("notes declare the rule for empty masks and the surface definition") {
  ScoreSettings s;
  CHECK(score_notes(s).size() == 1);
  s.metrics = {"dice", "nsd"};
  s.surface = "voxel";
  const auto notes = score_notes(s);
  REQUIRE(notes.size() == 3);
  CHECK(notes[1].find("voxels") != std::string::npos);
  CHECK(notes[2].find("1 mm") != std::string::npos);
}
