#include "tenon/field_picture.hpp"

#include <png.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "report/canvas.hpp"
#include "tenon/error.hpp"

using namespace tenon;

namespace {

struct Pixels {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
  std::array<int, 3> at(int x, int y) const {
    const std::size_t i = (std::size_t(y) * std::size_t(width) + std::size_t(x)) * 3;
    return {rgb[i], rgb[i + 1], rgb[i + 2]};
  }
  /// Pixels of exactly this colour.
  int count(const std::array<int, 3>& colour) const {
    int n = 0;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) n += at(x, y) == colour;
    return n;
  }
};

Pixels decode(const std::vector<std::uint8_t>& png) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&image, png.data(), png.size()));
  image.format = PNG_FORMAT_RGB;
  Pixels p{int(image.width), int(image.height), std::vector<std::uint8_t>(PNG_IMAGE_SIZE(image))};
  REQUIRE(png_image_finish_read(&image, nullptr, p.rgb.data(), 0, nullptr));
  return p;
}

}  // namespace

TEST_CASE("a field's picture: larger row coordinates on top, colours by value, NaN grey", "[report]") {
  // Two rows of one column, latitudes falling: the first row lies in the north.
  const std::vector<float> values{1, -1};
  FieldGrid grid{2, 1, {50, 40}, {0}, true};
  const Pixels p = decode(draw_fields({{"t", values, ColourMap::diverging, -1.0, 1.0, ""}}, grid, 1));
  const std::array<int, 3> red{103, 0, 31}, blue{5, 48, 97};
  int first_red = -1, first_blue = -1;
  for (int y = 0; y < p.height && (first_red < 0 || first_blue < 0); ++y)
    for (int x = 60; x < p.width / 2; ++x) {
      if (p.at(x, y) == red && first_red < 0) first_red = y;
      if (p.at(x, y) == blue && first_blue < 0) first_blue = y;
    }
  REQUIRE(first_red >= 0);
  REQUIRE(first_blue >= 0);
  CHECK(first_red < first_blue);
  // Turned, the array is the same map.
  const std::vector<float> turned{-1, 1};
  grid.row_coordinates = {40, 50};
  CHECK(decode(draw_fields({{"t", turned, ColourMap::diverging, -1.0, 1.0, ""}}, grid, 1)).rgb == p.rgb);

  const std::vector<float> holed{1, NAN};
  CHECK(decode(draw_fields({{"t", holed, ColourMap::diverging, -1.0, 1.0, ""}}, grid, 1)).count({204, 204, 204}) > 10000);
}

TEST_CASE("a colour bar has at least three ticks, whatever its ends", "[report]") {
  const std::vector<float> v(17 * 33, 1000);
  std::vector<double> rows, columns;
  for (int i = 0; i < 17; ++i) rows.push_back(30 + 2.5 * i);
  for (int i = 0; i < 33; ++i) columns.push_back(-70 + 2.5 * i);
  const FieldGrid grid{17, 33, rows, columns, true};
  for (const auto& [low, high] : {std::pair{958.3, 1041.7}, {981.0, 1032.0}, {-37.2, 37.2}, {-1.0, 1.0}, {999.7, 1000.4}, {0.0, 3.1e-5}, {-4.9, 4.9}}) {
    INFO(low << " to " << high);
    const Pixels p = decode(draw_fields({{"t", v, ColourMap::sequential, low, high, "hPa"}}, grid, 1));
    // Ticks are dashes of ink, six pixels long, right of the bar: right of the last column that is ink from top to bottom.
    int bar = 0;
    for (int x = 0; x < p.width; ++x) {
      int ink = 0;
      for (int y = 0; y < p.height; ++y) ink += p.at(x, y) == std::array{40, 40, 40};
      if (2 * ink > p.height) bar = x;
    }
    int ticks = 0;
    for (int y = 0; y < p.height; ++y) {
      bool dash = true;
      for (int x = bar + 1; x <= bar + 6; ++x) dash &= p.at(x, y) == std::array{40, 40, 40};
      ticks += dash;
    }
    CHECK(ticks >= 3);
    CHECK(ticks <= 12);
  }
}

TEST_CASE("panels lie beside each other, and the same fields give the same bytes", "[report]") {
  std::vector<float> a, b;
  for (int i = 0; i < 600 * 700; ++i) a.push_back(float(std::sin(i / 700 * 0.05) + i % 700)), b.push_back(float(i % 13));
  const FieldGrid grid{600, 700, {}, {}, false};
  const std::vector<FieldPanel> panels{{"finer than its pixels", a, ColourMap::sequential, {}, {}, "m"}, {"b", b, ColourMap::relief, {}, {}, ""}};
  const auto png = draw_fields(panels, grid, 2);
  CHECK(png == draw_fields(panels, grid, 2));
  const Pixels beside = decode(png), below = decode(draw_fields(panels, grid, 1));
  CHECK(beside.width > 1.8 * below.width);
  CHECK(below.height > 1.8 * beside.height);
}

TEST_CASE("draw_fields refuses what does not fit", "[report]") {
  const std::vector<float> v(6);
  CHECK_THROWS_AS(draw_fields({}, {2, 3, {}, {}, false}), Error);
  CHECK_THROWS_AS(draw_fields({{"t", v, ColourMap::sequential, {}, {}, ""}}, {2, 4, {}, {}, false}), Error);
  CHECK_THROWS_AS(draw_fields({{"t", v, ColourMap::sequential, {}, {}, ""}}, {2, 3, {1, 1}, {}, false}), Error);
  CHECK_THROWS_AS(draw_fields({{"t", v, ColourMap::sequential, {}, {}, ""}}, {2, 3, {}, {1, 3, 2}, false}), Error);
}

TEST_CASE("text on a canvas: widths, clipping and unknown letters", "[report]") {
  using report::Canvas;
  CHECK(Canvas::text_width("", 2) == 0);
  CHECK(Canvas::text_width("1", 2) == 10);
  CHECK(Canvas::text_width("60\u00b0N", 1) == 4 * 6 - 1);
  Canvas canvas(12, 9, {255, 255, 255});
  canvas.text(1, 1, "1", {0, 0, 0}, 1);
  int dots = 0;
  for (std::size_t i = 0; i < canvas.pixels().size(); i += 3) dots += canvas.pixels()[i] == 0;
  CHECK(dots == 1 + 2 + 1 + 1 + 1 + 1 + 3);
  canvas.text(-30, 5, "A\u4e2d long text that leaves on both sides", {0, 0, 0}, 3);  // clipped, not a fault
}
