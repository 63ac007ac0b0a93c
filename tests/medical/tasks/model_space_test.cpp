#include <catch2/catch.hpp>

#include "medical/tasks/model_space.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

namespace {

Geometry grid(double x, double y, double z, std::array<std::int64_t, 3> size = {20, 30, 40}) {
  Geometry g;
  g.size = size;
  g.to_ras = {{{x, 0, 0, 0}, {0, y, 0, 0}, {0, 0, z, 0}}};
  return g;
}

}  // namespace

TEST_CASE("the model's grid: commonest orientation, median spacing") {
  const ModelSpace s = choose_space({grid(1, 1, 1), grid(1, 1, 3), grid(1, 2, 5), grid(-1, 1, 3)});
  CHECK(s.orientation == "RAS");
  CHECK(s.spacing == std::array<double, 3>{1, 1, 3});
  CHECK_THROWS_AS(choose_space({}), Error);
}

TEST_CASE("scans within 5 % of the spacing keep their voxels") {
  const ModelSpace space{"RAS", {1, 1, 1}};
  CHECK(path_to(grid(1.04, 0.96, 1), space).identity());
  const auto path = path_to(grid(1.04, 2, 1), space);
  CHECK_FALSE(path.identity());
  CHECK(path.size == Size3{40, 60, 20});
}

TEST_CASE("a flipped scan goes to the model and its labels come back") {
  const ModelSpace space{"RAS", {1, 1, 1}};
  const auto path = path_to(grid(-1, 1, 1, {3, 2, 2}), space);
  std::vector<float> v(12);
  for (std::size_t i = 0; i < 12; ++i) v[i] = float(i);
  const Tensor turned = image_to_model(Tensor::from(v, Shape{2, 2, 3}), path);
  CHECK(turned.to_vector()[0] == 2);
  std::vector<float> scores(24, 0.0f);
  scores[1] = 1;
  const auto back = labels_from_scores(Tensor::from(scores, Shape{2, 2, 3, 2}), path).to_vector();
  CHECK(back[2] == 1);
  CHECK(back[0] == 0);
}
