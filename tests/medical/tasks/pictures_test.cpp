#include <catch2/catch.hpp>
#include <set>

#include "medical/tasks/pictures.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::medical;

TEST_CASE("a case becomes one PNG, the same for the same case, another when the prediction differs") {
  std::vector<float> image(6 * 8 * 10);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = float(i % 37);
  std::vector<std::uint8_t> truth(image.size(), 0), guess = truth;
  truth[200] = truth[201] = 1;
  guess[201] = 1;
  guess[202] = 2;
  Geometry g;
  g.size = {10, 8, 6};
  g.to_ras[2][2] = 3;
  const Shape shape{6, 8, 10};
  const Tensor i = Tensor::from(image, shape), t = Tensor::from(truth, shape), p = Tensor::from(guess, shape);
  const Picture one = picture_case(i, t, p, g, "a case"), two = picture_case(i, t, p, g, "a case"), same = picture_case(i, t, t, g, "");
  CHECK(one.caption == "a case");
  REQUIRE(one.png.size() > 24);
  CHECK(one.png[1] == 'P');
  CHECK(one.png == two.png);
  CHECK(one.png != same.png);
  CHECK_THROWS_AS(picture_case(i, t, Tensor::from(guess, Shape{6, 10, 8}), g, ""), Error);
}

TEST_CASE("the first labels have colours of their own") {
  std::set<std::array<std::uint8_t, 3>> colours;
  for (int label = 1; label <= 7; ++label) colours.insert(label_colour(label));
  CHECK(colours.size() == 7);
  const auto key = picture_key({"background", "anterior", "posterior"});
  REQUIRE(key.size() == 5);
  CHECK(key[0].name == "anterior");
  CHECK(key[0].rgb == label_colour(1));
  CHECK(key[1].rgb == label_colour(2));
  CHECK(key[4].name == "difference: added");
}
