/// A small RGB canvas with rectangles and text, for pictures made of pixels. Internal.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tenon/export.hpp"

namespace tenon::report {

using Rgb = std::array<std::uint8_t, 3>;

class TENON_API Canvas {
 public:
  Canvas(int width, int height, const Rgb& ground);
  int width() const { return width_; }
  int height() const { return height_; }
  const std::vector<std::uint8_t>& pixels() const { return pixels_; }

  /// What lies outside is left out.
  void set(int x, int y, const Rgb& colour);
  void fill(int x, int y, int width, int height, const Rgb& colour);
  void outline(int x, int y, int width, int height, const Rgb& colour);  ///< one pixel wide, inside
  /// Upper left corner at (x, y); each dot of the 5 x 7 letters is `scale` pixels wide. UTF-8; unknown characters are boxes.
  void text(int x, int y, std::string_view text, const Rgb& colour, int scale);

  static int text_width(std::string_view text, int scale);  ///< pixels, without the gap after the last letter
  static int text_height(int scale) { return 7 * scale; }

 private:
  int width_, height_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace tenon::report
