#include <catch2/catch.hpp>
#include <cmath>

#include "medical/shared_data.hpp"
#include "medical/tasks/atlas.hpp"
#include "medical/tasks/dataset.hpp"
#include "medical/tasks/scoring.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

TEST_CASE("an atlas of equal cases is the case itself") {
  std::vector<std::uint8_t> v(4 * 6 * 5, 0);
  for (std::size_t i = 40; i < 90; ++i) v[i] = std::uint8_t(1 + i % 2);
  const Tensor label = Tensor::from(v, Shape{4, 6, 5});
  const Tensor atlas = build_atlas({label, label, label}, 3);
  REQUIRE(atlas.shape() == Shape({4, 6, 5, 3}));
  for (std::size_t i = 0; i < v.size(); ++i)
    for (std::size_t k = 0; k < 3; ++k) CHECK(atlas.data<float>()[i * 3 + k] == Approx(k == v[i] ? 1 : 0));
  CHECK_THROWS_AS(build_atlas({}, 3), Error);
}

TEST_CASE("the floor of the hippocampus set, fold 0, is .746 and .687") {
  TENON_NEEDS_MEDICAL_DATA(root);
  DataSettings s;
  s.root = root / "hippocampus";
  s.images = "imagesTr";
  s.labels = "labelsTr";
  s.folds = "folds.json";
  s.label_names = {"background", "anterior", "posterior"};
  s.extensions = {".nii.gz"};
  s.normalisation = "zscore";
  Dataset data(s);
  data.load({});
  REQUIRE(data.split("train").size() == 156);
  REQUIRE(data.split("validation").size() == 52);
  std::vector<Tensor> labels;
  for (const auto& c : data.split("train")) labels.push_back(c.label);
  const Tensor atlas = build_atlas(labels, 3);
  ScoreSettings scoring;
  scoring.label_names = s.label_names;
  std::vector<CaseResult> results;
  for (const auto& c : data.split("validation"))
    results.push_back(
        {c.files.id, score_case(scoring, labels_from_scores(stretch_atlas(atlas, c.path.size), c.path), c.label, c.geometry), {}});
  const auto means = column_means(results, 2);
  // Made there on 36x50x36 voxels; the training fold's own median is 36x50x35.
  CHECK(means[0] == Approx(0.746).margin(0.0015));
  CHECK(means[1] == Approx(0.687).margin(0.0015));
}
