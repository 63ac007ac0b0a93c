#include <catch2/catch.hpp>
#include <cmath>

#include "../io/faulty_files.hpp"
#include "../io/temporary_folder.hpp"
#include "sample_run.hpp"
#include "tenon/io/file.hpp"
#include "tenon/report.hpp"
#include "tenon/run.hpp"

using namespace tenon;

namespace {

Evaluation one_column(const std::vector<double>& values, bool higher_is_better = true) {
  Evaluation e;
  e.split = "test";
  e.columns = {{"m", "", higher_is_better}};
  for (std::size_t i = 0; i < values.size(); ++i) e.cases.push_back({"case" + std::to_string(i), {values[i]}, {}});
  return e;
}

}  // namespace

TEST_CASE("a summary has the mean, the worst by direction, and counts what was not scored", "[evaluation]") {
  Summary s = summarise(one_column({0.5, NAN, 0.25, 1.0, INFINITY}))[0];
  CHECK(s.mean == Approx(1.75 / 3));
  CHECK(s.worst == 0.25);
  CHECK(s.worst_case == "case2");
  CHECK(s.scored == 3);
  CHECK(s.not_scored == 2);
  s = summarise(one_column({0.5, 0.25, 1.0}, false))[0];
  CHECK(s.worst == 1.0);
  CHECK(s.worst_case == "case2");
}

TEST_CASE("a column with an ideal value is best near it, from either side", "[evaluation]") {
  Evaluation e = one_column({4.0, 7.0, 5.5, 0.5});
  e.columns[0].ideal = 5;
  CHECK(summarise(e)[0].worst == 0.5);
  CHECK(e.columns[0].merit(5.5) > e.columns[0].merit(4.0));
  CHECK(std::isnan(e.columns[0].merit(NAN)));
  TemporaryFolder run("ideal");
  write_evaluation(run.path, e);
  const Evaluation back = evaluation_from_json(read_text(run / "evaluation.json"), run.path);
  CHECK(back.columns[0].ideal == 5);
  CHECK(summarise(back)[0].worst_case == "case3");
}

TEST_CASE("the bootstrap interval agrees with the normal approximation and is the same every time", "[evaluation]") {
  std::vector<double> values;
  Random random(5, 5);
  for (std::uint64_t i = 0; i < 400; ++i) values.push_back(3 + 2 * random.normal(i));
  double mean = 0, square = 0;
  for (double v : values) mean += v / 400;
  for (double v : values) square += (v - mean) * (v - mean) / 400;
  double half = 1.959964 * std::sqrt(square / 400);
  Summary s = summarise(one_column(values))[0], again = summarise(one_column(values))[0];
  CHECK(s.low == Approx(mean - half).margin(0.08 * half));
  CHECK(s.high == Approx(mean + half).margin(0.08 * half));
  CHECK(s.low == again.low);
  CHECK(s.high == again.high);
}

TEST_CASE("summaries of one case and of none", "[evaluation]") {
  Summary s = summarise(one_column({0.7}))[0];
  CHECK(s.mean == 0.7);
  CHECK(s.low == 0.7);
  CHECK(s.high == 0.7);
  s = summarise(one_column({NAN}))[0];
  CHECK(std::isnan(s.mean));
  CHECK(std::isnan(s.low));
  CHECK(std::isnan(s.worst));
  CHECK(s.scored == 0);
  CHECK(s.worst_case.empty());
  CHECK(summarise(Evaluation{}).empty());
  Evaluation ragged = one_column({1});
  ragged.cases[0].values.clear();
  CHECK(code_of([&] { summarise(ragged); }) == "evaluation.columns");
}

TEST_CASE("an evaluation survives the disk, pictures and all", "[evaluation]") {
  TemporaryFolder run("evaluation");
  Evaluation e = sample::evaluation();
  write_evaluation(run.path, e);
  Evaluation back = evaluation_from_json(read_text(run / "evaluation.json"), run.path);
  CHECK(back.split == e.split);
  CHECK(back.notes == e.notes);
  REQUIRE(back.picture_key.size() == 2);
  CHECK(back.picture_key[1].name == "missed");
  CHECK(back.picture_key[1].rgb == e.picture_key[1].rgb);
  REQUIRE(back.cases.size() == e.cases.size());
  for (std::size_t i = 0; i < e.cases.size(); ++i) {
    CHECK(back.cases[i].id == e.cases[i].id);
    for (std::size_t k = 0; k < 3; ++k)
      CHECK((back.cases[i].values[k] == e.cases[i].values[k] || (std::isnan(back.cases[i].values[k]) && std::isnan(e.cases[i].values[k]))));
    REQUIRE(back.cases[i].pictures.size() == e.cases[i].pictures.size());
    for (std::size_t k = 0; k < e.cases[i].pictures.size(); ++k) {
      CHECK(back.cases[i].pictures[k].caption == e.cases[i].pictures[k].caption);
      CHECK(back.cases[i].pictures[k].png == e.cases[i].pictures[k].png);
    }
  }
  CHECK(back.columns[2].unit == "mm");
  CHECK(!back.columns[2].higher_is_better);
  CHECK(std::isnan(back.baselines[1].values[2]));
  CHECK(back.baselines[1].source == e.baselines[1].source);
  CHECK(evaluation_to_json(back) == read_text(run / "evaluation.json"));

  for (auto& c : e.cases) c.pictures.clear();
  write_evaluation(run.path, e);
  CHECK(files().list(run / "pictures").empty());
}

TEST_CASE("names of pictures are plain and differ", "[evaluation]") {
  CHECK(picture_file_name("hippocampus_001", 0) == "pictures/hippocampus_001.png");
  CHECK(picture_file_name("hippocampus_001", 1) == "pictures/hippocampus_001-2.png");
  for (std::string id : {"../../etc/passwd", "a/b", "..", "", ".hidden", "a b", sample::kHostile}) {
    std::string name = picture_file_name(id, 0);
    INFO(name);
    CHECK(name.starts_with("pictures/"));
    CHECK(name.find('/', 9) == std::string::npos);
    CHECK(name.find("..") == std::string::npos);
    CHECK(name.find_first_of("<>\"'& ") == std::string::npos);
  }
  CHECK(picture_file_name("a/b", 0) != picture_file_name("a_b", 0));
  CHECK(picture_file_name("a/b", 0) != picture_file_name("a b", 0));
}

TEST_CASE("an evaluation.json that is broken or leads elsewhere is refused", "[evaluation]") {
  auto reading = [](const std::string& json) { return code_of([&] { evaluation_from_json(json, {}); }); };
  auto with_picture = [](const std::string& file) {
    return R"({"format":1,"split":"s","columns":[],"baselines":[],"notes":[],"cases":[{"id":"a","values":[],"pictures":[{"file":")" + file +
           R"(","caption":""}]}]})";
  };
  CHECK(reading(with_picture("pictures/a.png")).empty());
  for (const char* file : {"/etc/passwd", "../x.png", "pictures/../x.png", "pictures/..", "x.png", "pictures/a/b.png", "pictures", ""})
    CHECK(reading(with_picture(file)) == "evaluation.picture");
  CHECK(reading("") == "evaluation.json");
  CHECK(reading("{}") == "evaluation.json");
  CHECK(reading(R"({"format":2})") == "evaluation.format");
  CHECK(
      reading(
          R"({"format":1,"split":"s","columns":[{"name":"m","unit":"","higher_is_better":true}],"baselines":[],"notes":[],"cases":[{"id":"a","values":[]}]})") ==
      "evaluation.columns");
  Evaluation twice = one_column({1, 2});
  for (auto& c : twice.cases) c.id = "same", c.pictures.push_back({"", {1, 2, 3}});
  TemporaryFolder run("twice");
  CHECK(code_of([&] { write_evaluation(run.path, twice); }) == "evaluation.duplicate_case");
}

TEST_CASE("a total takes the place of the mean over cases, with its own interval", "[evaluation]") {
  Evaluation e = one_column({0.5, 1.0});
  e.columns.push_back({"AUROC", "", true, false});
  for (CaseResult& c : e.cases) c.values.push_back(NAN);
  e.totals = {{NAN, NAN, NAN}, {0.9, 0.8, 0.95}};
  const auto s = summarise(e);
  CHECK(s[0].mean == 0.75);
  CHECK_FALSE(s[0].total);
  CHECK(s[1].mean == 0.9);
  CHECK(s[1].low == 0.8);
  CHECK(s[1].high == 0.95);
  CHECK(s[1].total);
  e.totals.pop_back();
  CHECK(code_of([&] { summarise(e); }) == "evaluation.columns");
}

TEST_CASE("totals, charts and pictures of a split survive the disk", "[evaluation]") {
  TemporaryFolder run("charts");
  Evaluation e = one_column({0.5, 1.0});
  e.columns[0].per_case = false;
  e.totals = {{0.9, 0.8, NAN}};
  e.charts = {{"ROC", "false positives", "true positives", {{"model", {0, 0.5, 1}, {0, NAN, 1}, {0, 0.1, 0.2}, {0.1, 0.3, 1}}, {.name = "chance", .x = {0, 1}, .y = {0, 1}, .kind = Curve::Kind::bars, .reference = true}}, "why"}};
  e.pictures = {{"map", sample::panels(2)}};
  e.checkpoint = "best";
  e.overrides = {"data.root=/else where"};
  e.inputs = {{"a.nii", "00ff"}};
  e.cases[0].id = "split+1";  // a case of that name does not meet the split's picture
  e.cases[0].pictures = {{"case", sample::panels(9)}};
  write_evaluation(run.path, e);
  const Evaluation back = evaluation_from_json(read_text(run / "evaluation.json"), run.path);
  CHECK_FALSE(back.columns[0].per_case);
  REQUIRE(back.totals.size() == 1);
  CHECK(back.totals[0].low == 0.8);
  CHECK(std::isnan(back.totals[0].high));
  REQUIRE(back.charts.size() == 1);
  REQUIRE(back.charts[0].curves.size() == 2);
  const Curve& model = back.charts[0].curves[0];
  CHECK(model.x == std::vector<double>{0, 0.5, 1});
  CHECK(std::isnan(model.y[1]));
  CHECK(model.high == std::vector<double>{0.1, 0.3, 1});
  CHECK(back.charts[0].curves[1].kind == Curve::Kind::bars);
  CHECK(back.charts[0].curves[1].reference);
  CHECK(back.charts[0].note == "why");
  CHECK(back.checkpoint == "best");
  CHECK(back.overrides == e.overrides);
  CHECK(back.inputs == e.inputs);
  REQUIRE(back.pictures.size() == 1);
  CHECK(back.pictures[0].png == e.pictures[0].png);
  CHECK(back.cases[0].pictures[0].png == e.cases[0].pictures[0].png);
  e.charts[0].curves[0].high.pop_back();
  CHECK(code_of([&] { write_evaluation(run.path, e); }) == "evaluation.chart");
}
