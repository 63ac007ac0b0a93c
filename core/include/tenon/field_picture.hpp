/// Fields on a rectilinear grid as pictures: panels side by side or below each other, each with title, axes, ticks and a colour bar.
///
/// Deterministic: the same fields give the same bytes. Stateless; cost: a pass over each field and one over the pixels.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

enum class ColourMap {
  sequential,  ///< dark blue to yellow, for amounts
  diverging,   ///< blue, white, red: for differences; the range is symmetric about 0 unless given
  relief,      ///< blues below 0, greens and browns above: for heights
};

struct FieldPanel {
  std::string title;               ///< printed above it, in the characters of ASCII and the degree sign
  std::span<const float> values;   ///< rows x columns, row major; NaN is grey
  ColourMap map = ColourMap::sequential;
  std::optional<double> low, high;  ///< of the colours; by default those of the values, but for the outermost 0.5 % at either end
  std::string unit;                ///< beside the colour bar
};

/// The grid of all panels of a picture.
struct FieldGrid {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> row_coordinates, column_coordinates;  ///< monotonic, one a row or column; empty: positions. The larger row coordinate is drawn on top
  bool geographic = false;  ///< coordinates are latitudes and longitudes in degrees: ticks read 60°N, 30°W; else plain numbers
};

/// PNG of the panels, `across` in a row. Throws a usage error where sizes do not agree or there is no panel.
TENON_API std::vector<std::uint8_t> draw_fields(const std::vector<FieldPanel>& panels, const FieldGrid& grid, int across = 2);

}  // namespace tenon
