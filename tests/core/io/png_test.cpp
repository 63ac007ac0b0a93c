#include "tenon/io/png.hpp"

#include <png.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "faulty_files.hpp"

using namespace tenon;

TEST_CASE("a PNG decodes to the pixels that went in, and is the same every time", "[io]") {
  const std::uint32_t formats[] = {0, PNG_FORMAT_GRAY, 0, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
  for (int channels : {1, 3, 4}) {
    std::vector<std::uint8_t> pixels(std::size_t(13 * 7 * channels));
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = std::uint8_t(i * 31 + i / 7);
    auto png = encode_png(pixels, 13, 7, channels);
    CHECK(png == encode_png(pixels, 13, 7, channels));
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_memory(&image, png.data(), png.size()));
    CHECK(image.width == 13);
    CHECK(image.height == 7);
    image.format = formats[channels];
    std::vector<std::uint8_t> back(PNG_IMAGE_SIZE(image));
    REQUIRE(png_image_finish_read(&image, nullptr, back.data(), 0, nullptr));
    CHECK(back == pixels);
  }
}

TEST_CASE("encode_png refuses sizes that do not agree", "[io]") {
  std::vector<std::uint8_t> pixels(12);
  CHECK_THROWS_AS(encode_png(pixels, 2, 3, 3), Error);
  CHECK_THROWS_AS(encode_png(pixels, 2, 3, 2), Error);
  CHECK_THROWS_AS(encode_png(pixels, 0, 3, 1), Error);
  CHECK_THROWS_AS(encode_png(pixels, -2, -6, 1), Error);
}
