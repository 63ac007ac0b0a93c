#include "tenon/field_picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "report/canvas.hpp"
#include "tenon/error.hpp"
#include "tenon/io/png.hpp"

namespace tenon {
namespace {

using report::Canvas;
using report::Rgb;

constexpr Rgb kPaper{255, 255, 255}, kInk{40, 40, 40}, kMissing{204, 204, 204};
constexpr int kScale = 2, kGap = 14, kTick = 6, kBar = 16, kTarget = 440;  // pixels; kTarget: a panel's longer side, about
constexpr int kTextHeight = 7 * kScale;

struct Stop {
  double at;
  Rgb colour;
};

// Sequential: matplotlib's viridis at nine places; diverging: ColorBrewer's RdBu.
constexpr Stop kSequential[] = {{0, {68, 1, 84}},        {.125, {72, 40, 120}}, {.25, {62, 74, 137}},   {.375, {49, 104, 142}}, {.5, {38, 130, 142}},
                                {.625, {31, 158, 137}},  {.75, {53, 183, 121}}, {.875, {109, 205, 89}}, {1, {253, 231, 37}}};
constexpr Stop kDiverging[] = {{0, {5, 48, 97}},      {.1, {33, 102, 172}},  {.2, {67, 147, 195}}, {.3, {146, 197, 222}}, {.4, {209, 229, 240}}, {.5, {247, 247, 247}},
                               {.6, {253, 219, 199}}, {.7, {244, 165, 130}}, {.8, {214, 96, 77}},  {.9, {178, 24, 43}},   {1, {103, 0, 31}}};
constexpr Stop kSea[] = {{0, {8, 29, 88}}, {.5, {34, 94, 168}}, {1, {199, 233, 240}}};
constexpr Stop kLand[] = {{0, {0, 104, 55}}, {.15, {120, 198, 121}}, {.35, {255, 247, 188}}, {.65, {166, 97, 26}}, {1, {250, 245, 240}}};

Rgb blend(std::span<const Stop> stops, double at) {
  at = std::clamp(at, 0.0, 1.0);
  std::size_t k = 1;
  while (k + 1 < stops.size() && stops[k].at < at) ++k;
  const double share = (at - stops[k - 1].at) / (stops[k].at - stops[k - 1].at);
  Rgb c{};
  for (std::size_t i = 0; i < 3; ++i) c[i] = std::uint8_t(std::lround(stops[k - 1].colour[i] + share * (double(stops[k].colour[i]) - stops[k - 1].colour[i])));
  return c;
}

struct Range {
  double low, high;
};

Rgb colour_of(double value, ColourMap map, const Range& range) {
  if (std::isnan(value)) return kMissing;
  if (map == ColourMap::relief) {
    if (value < 0) return blend(kSea, range.low < 0 ? 1 - value / range.low : 1);
    return blend(kLand, range.high > 0 ? value / range.high : 0);
  }
  const double at = (value - range.low) / (range.high - range.low);
  return map == ColourMap::diverging ? blend(kDiverging, at) : blend(kSequential, at);
}

Range range_of(const FieldPanel& panel) {
  std::vector<float> finite;
  for (float v : panel.values)
    if (std::isfinite(v)) finite.push_back(v);
  Range r{0, 1};
  if (!finite.empty()) {
    const std::size_t tail = finite.size() / 200;
    std::nth_element(finite.begin(), finite.begin() + std::ptrdiff_t(tail), finite.end());
    r.low = double(finite[tail]);
    std::nth_element(finite.begin(), finite.end() - 1 - std::ptrdiff_t(tail), finite.end());
    r.high = double(finite[finite.size() - 1 - tail]);
    if (panel.map == ColourMap::diverging) {
      r.high = std::max(std::abs(r.low), std::abs(r.high));
      r.low = -r.high;
    }
  }
  if (panel.low) r.low = *panel.low;
  if (panel.high) r.high = *panel.high;
  if (!(r.high > r.low)) r.high = r.low + 1;
  return r;
}

/// 1, 2 or 5 times a power of ten: a step with which `span` holds about `count` of them.
double tick_step(double span, int count) {
  const double rough = span / count, power = std::pow(10.0, std::floor(std::log10(rough)));
  for (double f : {1.0, 2.0, 5.0})
    if (f * power >= rough * 0.999) return f * power;
  return 10 * power;
}

/// The same for a bar's ends, made finer until at least three of its multiples lie between them.
double bar_tick_step(const Range& range, int count) {
  auto ticks = [&](double step) { return std::floor(range.high / step + 1e-9) - std::ceil(range.low / step - 1e-9) + 1; };
  double step = tick_step(range.high - range.low, count);
  for (int finer = count + 1; ticks(step) < 3 && finer < count + 20; ++finer) step = tick_step(range.high - range.low, finer);
  return step;
}

std::string number(double v, double step) {
  char text[48];
  const int digits = step >= 1 ? 0 : std::min(8, int(std::ceil(-std::log10(step) - 1e-9)));
  if (std::abs(v) < step * 1e-6) v = 0;
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

std::string place(double v, double step, bool geographic, bool latitude) {
  if (!geographic) return number(v, step);
  if (!latitude) {
    v = std::fmod(v + 180, 360);
    if (v < 0) v += 360;
    v -= 180;
  }
  const char* side = v == 0 || (!latitude && v == -180) ? "" : latitude ? (v > 0 ? "N" : "S") : (v > 0 ? "E" : "W");
  return number(std::abs(v), step) + "\u00b0" + side;
}

/// One axis of the grid: how its cells lie along pixels, larger coordinates away from the origin.
struct Side {
  std::int64_t cells;
  std::vector<double> at;  ///< coordinates, ascending
  bool turned;             ///< the array runs against them
  double low, high;        ///< outer edges

  Side(std::int64_t n, const std::vector<double>& coordinates) : cells(n), at(coordinates), turned(false) {
    if (at.empty())
      for (std::int64_t i = 0; i < n; ++i) at.push_back(double(i));
    turned = at.front() > at.back();
    if (turned) std::reverse(at.begin(), at.end());
    const double first = n > 1 ? at[1] - at[0] : 1, last = n > 1 ? at[std::size_t(n - 1)] - at[std::size_t(n - 2)] : 1;
    low = at.front() - first / 2;
    high = at.back() + last / 2;
  }
  double span() const { return high - low; }
  /// The cell at a share of the span, in the array's order.
  std::int64_t cell(double share) const {
    const double x = low + share * span();
    auto right = std::size_t(std::lower_bound(at.begin(), at.end(), x) - at.begin());
    if (right == at.size()) right = at.size() - 1;
    if (right > 0 && x - at[right - 1] < at[right] - x) --right;
    return turned ? cells - 1 - std::int64_t(right) : std::int64_t(right);
  }
};

/// Mean of the finite values of a block of cells, so that a field finer than the picture is not merely sampled.
double block_mean(const FieldPanel& p, std::int64_t columns, std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1) {
  if (r0 > r1) std::swap(r0, r1);
  if (c0 > c1) std::swap(c0, c1);
  double sum = 0;
  std::int64_t n = 0;
  for (std::int64_t r = r0; r <= r1; ++r)
    for (std::int64_t c = c0; c <= c1; ++c)
      if (const float v = p.values[std::size_t(r * columns + c)]; std::isfinite(v)) sum += double(v), ++n;
  return n ? sum / double(n) : std::numeric_limits<double>::quiet_NaN();
}

struct Layout {
  int map_width, map_height, left, right, top, bottom;
  int width() const { return left + map_width + right; }
  int height() const { return top + map_height + bottom; }
};

void require_monotonic(const std::string& name, const std::vector<double>& coordinates, std::int64_t n) {
  if (coordinates.empty()) return;
  const bool up = coordinates.front() < coordinates.back();
  bool monotonic = std::int64_t(coordinates.size()) == n;
  for (std::size_t i = 1; i < coordinates.size(); ++i) monotonic &= up ? coordinates[i] > coordinates[i - 1] : coordinates[i] < coordinates[i - 1];
  if (!monotonic) throw_usage("draw_fields", "the " + name + " coordinates are not monotonic, one a " + name, "sort them first");
}

void draw_panel(Canvas& canvas, int x0, int y0, const FieldPanel& panel, const FieldGrid& grid, const Side& rows, const Side& columns, const Layout& l) {
  const Range range = range_of(panel);
  const int mx = x0 + l.left, my = y0 + l.top;
  canvas.text(mx, y0, panel.title, kInk, kScale);
  for (int y = 0; y < l.map_height; ++y)
    for (int x = 0; x < l.map_width; ++x) {
      const double below = 1 - double(y + 1) / l.map_height, above = 1 - double(y) / l.map_height;
      const double eps = 1e-9;
      const std::int64_t r0 = rows.cell(below + eps), r1 = rows.cell(above - eps);
      const std::int64_t c0 = columns.cell(double(x) / l.map_width + eps), c1 = columns.cell(double(x + 1) / l.map_width - eps);
      // A pixel within a cell shows it; one that spans several shows their mean.
      const double value = std::abs(r1 - r0) <= 1 && std::abs(c1 - c0) <= 1
                               ? double(panel.values[std::size_t(rows.cell((above + below) / 2) * grid.columns + columns.cell((x + 0.5) / l.map_width))])
                               : block_mean(panel, grid.columns, r0, r1, c0, c1);
      canvas.set(mx + x, my + y, colour_of(value, panel.map, range));
    }
  canvas.outline(mx - 1, my - 1, l.map_width + 2, l.map_height + 2, kInk);

  auto degrees_step = [&](double span, int count) {
    if (!grid.geographic) return tick_step(span, count);
    for (double step : {1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0})
      if (span / step <= count) return step;
    return span < count ? tick_step(span, count) : 90.0;
  };
  const double row_step = degrees_step(rows.span(), std::max(2, l.map_height / 70)), column_step = degrees_step(columns.span(), std::max(2, l.map_width / 110));
  for (double v = std::ceil(rows.low / row_step - 1e-9) * row_step; v <= rows.high + 1e-9; v += row_step) {
    const int y = my + int(std::lround((1 - (v - rows.low) / rows.span()) * l.map_height));
    const std::string text = place(v, row_step, grid.geographic, true);
    canvas.fill(mx - 1 - kTick, y, kTick, 1, kInk);
    canvas.text(mx - kTick - 6 - Canvas::text_width(text, kScale), std::clamp(y - kTextHeight / 2, my - kTextHeight / 2, my + l.map_height - kTextHeight / 2), text, kInk, kScale);
  }
  for (double v = std::ceil(columns.low / column_step - 1e-9) * column_step; v <= columns.high + 1e-9; v += column_step) {
    const int x = mx + int(std::lround((v - columns.low) / columns.span() * l.map_width));
    const std::string text = place(v, column_step, grid.geographic, false);
    canvas.fill(x, my + l.map_height + 1, 1, kTick, kInk);
    canvas.text(x - Canvas::text_width(text, kScale) / 2, my + l.map_height + kTick + 5, text, kInk, kScale);
  }

  const int bx = mx + l.map_width + kGap;
  for (int y = 0; y < l.map_height; ++y)
    canvas.fill(bx, my + y, kBar, 1, colour_of(range.low + (range.high - range.low) * (1 - (y + 0.5) / l.map_height), panel.map, range));
  canvas.outline(bx - 1, my - 1, kBar + 2, l.map_height + 2, kInk);
  const double bar_step = bar_tick_step(range, std::max(2, l.map_height / 60));
  for (double v = std::ceil(range.low / bar_step - 1e-9) * bar_step; v <= range.high + bar_step * 1e-9; v += bar_step) {
    const int y = my + int(std::lround((1 - (v - range.low) / (range.high - range.low)) * l.map_height));
    canvas.fill(bx + kBar + 1, y, kTick, 1, kInk);
    canvas.text(bx + kBar + kTick + 4, y - kTextHeight / 2, number(v, bar_step), kInk, kScale);
  }
  if (!panel.unit.empty()) canvas.text(bx - 1 + std::max(0, (kBar - Canvas::text_width(panel.unit, kScale)) / 2), y0, panel.unit, kInk, kScale);
}

}  // namespace

std::vector<std::uint8_t> draw_fields(const std::vector<FieldPanel>& panels, const FieldGrid& grid, int across) {
  if (panels.empty() || across < 1 || grid.rows < 1 || grid.columns < 1)
    throw_usage("draw_fields", std::to_string(panels.size()) + " panels of " + std::to_string(grid.rows) + " x " + std::to_string(grid.columns) + ", " + std::to_string(across) + " in a row");
  for (const auto& p : panels)
    if (std::int64_t(p.values.size()) != grid.rows * grid.columns)
      throw_usage("draw_fields", "'" + p.title + "' has " + std::to_string(p.values.size()) + " values for " + std::to_string(grid.rows) + " x " + std::to_string(grid.columns));
  require_monotonic("row", grid.row_coordinates, grid.rows);
  require_monotonic("column", grid.column_coordinates, grid.columns);
  const Side rows(grid.rows, grid.row_coordinates), columns(grid.columns, grid.column_coordinates);
  const double aspect = std::clamp(columns.span() / rows.span(), 0.25, 4.0);
  Layout l{};
  l.map_width = int(std::lround(aspect >= 1 ? kTarget : kTarget * aspect));
  l.map_height = int(std::lround(aspect >= 1 ? kTarget / aspect : kTarget));
  l.left = Canvas::text_width("888\u00b0N", kScale) + kTick + 8;
  l.right = kGap + kBar + kTick + 6 + Canvas::text_width("-88888", kScale);
  l.top = kTextHeight + 8;
  l.bottom = kTick + 8 + kTextHeight;
  const int count = int(panels.size()), rows_of_panels = (count + across - 1) / across, in_a_row = std::min(count, across);
  Canvas canvas(kGap + in_a_row * (l.width() + kGap), kGap + rows_of_panels * (l.height() + kGap), kPaper);
  for (int i = 0; i < count; ++i)
    draw_panel(canvas, kGap + i % across * (l.width() + kGap), kGap + i / across * (l.height() + kGap), panels[std::size_t(i)], grid, rows, columns, l);
  return encode_png(canvas.pixels(), canvas.width(), canvas.height(), 3);
}

}  // namespace tenon
