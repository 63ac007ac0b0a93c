#include "report/charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace tenon::report {
namespace {

constexpr double kWidth = 720;  ///< the width that static drawings and strip layouts assume
constexpr double kRowHeight = 92, kDotRadius = 3.2, kRowTitle = 22;

Json dash_json(int index) {
  std::string text = "[" + dash_css(index) + "]";
  std::replace(text.begin(), text.end(), ' ', ',');
  return Json::parse(text);
}

struct Range {
  double low = INFINITY, high = -INFINITY;
  void take(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v), high = std::max(high, v);
  }
  /// Never empty, with some air on both sides.
  Range padded(double share) const {
    if (!(low <= high)) return {0, 1};
    double air = high > low ? (high - low) * share : std::max(std::abs(high) * 0.1, 1e-6);
    return {low - air, high + air};
  }
};

/// About `count` round values inside the range.
std::vector<double> ticks(Range range, int count) {
  double raw = (range.high - range.low) / count, power = std::pow(10, std::floor(std::log10(raw))), rest = raw / power;
  double step = power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
  std::vector<double> out;
  for (double k = std::ceil(range.low / step - 1e-9); k * step <= range.high + step * 1e-9; ++k) out.push_back(k * step);
  return out;
}

std::string tick_label(double v) {
  if (std::abs(v) < 1e-12) return "0";
  return std::abs(v) >= 10000 ? grouped(std::int64_t(std::llround(v))) : fmt::format("{:.4g}", v);
}

std::string colour(int index) {
  if (index == kInk) return "var(--ink)";
  return fmt::format("var(--series-{})", index % kSeriesColours);
}

Range x_range(const LineChart& chart) {
  Range range;
  double nearest = INFINITY;  // of two bars
  for (const Series& s : chart.series) {
    for (std::size_t i = 0; i < s.points.size(); ++i) {
      range.take(s.points[i].first);
      if (s.bars && i > 0) nearest = std::min(nearest, std::abs(s.points[i].first - s.points[i - 1].first));
    }
  }
  if (std::isfinite(nearest)) range.low -= nearest / 2, range.high += nearest / 2;
  if (chart.by_step && range.low > 0 && range.low < 0.15 * range.high) range.low = 0;  // training starts at nought, whatever was recorded first
  return range.low < range.high ? range : range.padded(0.1);
}

/// Rules far outside the curves (a floor at 0.1 below scores of 0.9) are still drawn; faint noise may leave the frame.
Range y_range(const LineChart& chart) {
  Range strong, faint;
  for (const Series& s : chart.series)
  {
    for (const auto& [x, y] : s.points) (s.faint ? faint : strong).take(y);
    for (const auto& [x, y] : s.low) strong.take(y);
    for (const auto& [x, y] : s.high) strong.take(y);
    if (s.bars) strong.take(0);
  }
  for (const Rule& r : chart.rules) strong.take(r.value);
  if (!(strong.low <= strong.high)) return faint.padded(0.05);
  double reach = std::max(strong.high - strong.low, 1e-9) * 0.4;
  strong.take(std::clamp(faint.low, strong.low - reach, strong.high));
  strong.take(std::clamp(faint.high, strong.low, strong.high + reach));
  return strong.padded(0.06);
}

Range strip_range(const StripChart& chart) {
  Range range;
  for (const StripRow& row : chart.rows) {
    for (const auto& [id, v] : row.cases) range.take(v);
    range.take(row.low), range.take(row.high);
    for (const Rule& r : row.rules) range.take(r.value);
  }
  return range.padded(0.03);
}

/// Vertical offsets that keep the dots of a row apart: equal places on the axis are filled outwards from the middle.
std::vector<double> spread(const StripRow& row, Range range) {
  std::map<long, int> used;
  std::vector<double> offsets;
  for (const auto& [id, v] : row.cases) {
    long place = std::lround((v - range.low) / (range.high - range.low) * (kWidth - 40) / (2.1 * kDotRadius));
    int n = used[place]++;
    double offset = (n + 1) / 2 * 2.1 * kDotRadius * (n % 2 ? -1 : 1);
    offsets.push_back(std::clamp(offset, -kRowHeight / 2 + kRowTitle, kRowHeight / 2 - 8));
  }
  return offsets;
}

/// `gaps`: a point that is missing interrupts the line.
Json points_json(const Points& points, bool gaps) {
  Json list = Json::array();
  for (const auto& [x, y] : points) {
    if (std::isfinite(y))
      list.push_back({{"x", x}, {"y", y}, {"d", true}});
    else if (gaps)
      list.push_back({{"x", x}, {"y", 0}, {"d", false}});
  }
  return list;
}

/// Half the distance of neighbouring bars, less a gap; of charts that have bars.
double bar_width(const Series& s) {
  double nearest = INFINITY;
  for (std::size_t i = 1; i < s.points.size(); ++i) nearest = std::min(nearest, std::abs(s.points[i].first - s.points[i - 1].first));
  return std::isfinite(nearest) && nearest > 0 ? 0.4 * nearest : 0.4;
}

/// The band of a series as points of its two edges; a place where either is missing ends one stretch and begins another.
std::vector<std::vector<std::array<double, 3>>> band_stretches(const Series& s) {
  std::vector<std::vector<std::array<double, 3>>> out;
  bool open = false;
  for (std::size_t i = 0; i < s.low.size(); ++i) {
    const bool here = std::isfinite(s.low[i].second) && std::isfinite(s.high[i].second);
    if (here && !open) out.emplace_back();
    if (here) out.back().push_back({s.low[i].first, s.low[i].second, s.high[i].second});
    open = here;
  }
  return out;
}

Json value_of(const char* name) {
  return {{"value", name}};
}

Json axis(const char* orient, const char* scale, const std::string& title, int count) {
  Json out = {{"orient", orient},
              {"scale", scale},
              {"grid", true},
              {"tickCount", count},
              {"domain", false},
              {"ticks", false},
              {"labelPadding", 6},
              {"gridColor", "var(--rule)"},
              {"labelColor", "var(--soft)"},
              {"labelFontSize", 11},
              {"labelFont", "inherit"},
              {"labelOverlap", true},
              // years stay 2004; numbers of five digits and more get separators, as tick_label writes them
              {"encode", {{"labels", {{"update", {{"text", {{"signal", "abs(datum.value) >= 10000 ? format(datum.value, ',.0f') : format(datum.value, '.4~g')"}}}}}}}}}};
  if (!title.empty())
    out.update({{"title", title},
                {"titleColor", "var(--soft)"},
                {"titleFontSize", 11},
                {"titleFont", "inherit"},
                {"titleFontWeight", "normal"},
                {"titlePadding", 6}});
  return out;
}

Json base_spec(double height) {
  return {{"width", kWidth},
          {"height", height},
          {"padding", 2},
          {"background", nullptr},
          {"autosize", {{"type", "fit"}, {"contains", "padding"}}}};
}

// ---- static drawings ------------------------------------------------------------------------------------------

struct Frame {
  double left, right, top, bottom;
  Range xs, ys;
  double x(double v) const { return left + (v - xs.low) / (xs.high - xs.low) * (right - left); }
  double y(double v) const { return bottom - (v - ys.low) / (ys.high - ys.low) * (bottom - top); }
};

std::string svg_open(double height, const std::string& label) {
  return fmt::format(R"(<svg class="static" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">)", kWidth, height, escape(label));
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& style) {
  return fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" style="{}"/>)", x1, y1, x2, y2, style);
}

std::string svg_text(double x, double y, const char* anchor, const std::string& text, const char* css = "") {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>)", x, y, anchor, css, escape(text));
}

std::string x_axis(const Frame& f, const std::string& title) {
  std::string out;
  for (double t : ticks(f.xs, 8)) {
    out += svg_line(f.x(t), f.top, f.x(t), f.bottom, "stroke:var(--rule)");
    out += svg_text(f.x(t), f.bottom + 16, "middle", tick_label(t));
  }
  return title.empty() ? out : out + svg_text((f.left + f.right) / 2, f.bottom + 34, "middle", title);
}

std::string polyline(const Frame& f, const Series& s) {
  std::string path;
  bool pen = false;
  for (const auto& [x, y] : s.points) {
    if (std::isfinite(y)) path += fmt::format("{}{:.1f} {:.1f}", pen ? "L" : "M", f.x(x), std::clamp(f.y(y), f.top, f.bottom));
    pen = std::isfinite(y);
  }
  return fmt::format(R"(<path d="{}" style="fill:none;stroke:{};stroke-width:{};opacity:{}{}"/>)", path, colour(s.colour), s.faint ? 1 : 2,
                     s.faint ? 0.3 : 1, s.dash < 0 ? "" : ";stroke-dasharray:" + dash_css(s.dash));
}

}  // namespace

std::string dash_css(int index) {
  static constexpr const char* kPatterns[kDashes] = {"6 4", "2 3", "10 4 2 4", "1 5"};
  return kPatterns[index % kDashes];
}

Points thinned(const Points& points, std::size_t limit) {
  if (points.size() <= limit || limit == 0) return points;
  Points out;
  for (std::size_t i = 0; i < limit; ++i) {
    std::size_t from = points.size() * i / limit, to = points.size() * (i + 1) / limit;
    double x = 0, y = 0;
    std::size_t n = 0;
    for (std::size_t k = from; k < to; ++k) {
      if (!std::isfinite(points[k].second)) continue;
      x += points[k].first, y += points[k].second, ++n;
    }
    if (n > 0) out.emplace_back(x / double(n), y / double(n));
  }
  return out;
}

Points smoothed(const Points& points, std::size_t span) {
  Points out;
  for (const auto& p : points)
    if (std::isfinite(p.second)) out.push_back(p);
  std::vector<double> sums{0};
  for (const auto& [x, y] : out) sums.push_back(sums.back() + y);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::size_t reach = std::min({span / 2, i, out.size() - 1 - i});
    out[i].second = (sums[i + reach + 1] - sums[i - reach]) / double(2 * reach + 1);
  }
  return out;
}

LineChart line_chart(const Chart& chart) {
  constexpr std::size_t kMost = 1500;  // of a curve: more than a page has pixels
  LineChart out{.title = chart.title, .x_title = chart.x, .height = 300, .series = {}, .rules = {}, .y_title = chart.y, .by_step = false};
  int colours = 0, dashes = 0;
  for (const Curve& c : chart.curves) {
    Series s{.name = c.name, .colour = c.reference ? kInk : colours++, .points = {}};
    s.line = c.kind == Curve::Kind::line;
    s.bars = c.kind == Curve::Kind::bars;
    s.markers = c.kind == Curve::Kind::points || (s.line && c.x.size() <= 40);
    if (c.reference && s.line) s.dash = dashes++;
    const auto at = [&](const std::vector<double>& values) {
      Points points;
      for (std::size_t i = 0; i < values.size(); ++i) points.emplace_back(c.x[i], values[i]);
      // Bars and gaps stand where they are; a long whole line is thinned by taking every n-th point, its last one always.
      if (points.size() <= kMost || s.bars) return points;
      Points some;
      const std::size_t every = (points.size() + kMost - 1) / kMost;
      for (std::size_t i = 0; i < points.size(); i += every) some.push_back(points[i]);
      if ((points.size() - 1) % every != 0) some.push_back(points.back());
      return some;
    };
    s.points = at(c.y), s.low = at(c.low), s.high = at(c.high);
    out.series.push_back(std::move(s));
  }
  return out;
}

Json vega_spec(const LineChart& chart) {
  Range xs = x_range(chart), ys = y_range(chart);
  Json spec = base_spec(chart.height);
  Json data = Json::array(), marks = Json::array(), hover = Json::array();
  for (const Rule& r : chart.rules)
    marks.push_back({{"type", "rule"},
                     {"encode",
                      {{"enter",
                        {{"stroke", value_of(colour(r.colour).c_str())},
                         {"strokeDash", {{"value", dash_json(r.dash)}}},
                         {"opacity", {{"value", 0.75}}}}},
                       {"update", {{"x", {{"value", 0}}}, {"x2", {{"signal", "width"}}}, {"y", {{"scale", "y"}, {"value", r.value}}}}}}}});
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const Series& s = chart.series[i];
    std::string name = "line" + std::to_string(i);
    data.push_back({{"name", name}, {"values", points_json(s.points, s.line)}});
    const auto stretches = band_stretches(s);
    for (std::size_t b = 0; b < stretches.size(); ++b) {
      const std::string band = name + "-band" + std::to_string(b);
      Json values = Json::array();
      for (const auto& [x, low, high] : stretches[b]) values.push_back({{"x", x}, {"a", low}, {"b", high}});
      data.push_back({{"name", band}, {"values", values}});
      marks.push_back({{"type", "area"},
                       {"from", {{"data", band}}},
                       {"clip", true},
                       {"interactive", false},
                       {"encode",
                        {{"enter", {{"fill", value_of(colour(s.colour).c_str())}, {"opacity", {{"value", 0.18}}}}},
                         {"update",
                          {{"x", {{"scale", "x"}, {"field", "x"}}}, {"y", {{"scale", "y"}, {"field", "a"}}}, {"y2", {{"scale", "y"}, {"field", "b"}}}}}}}});
    }
    if (s.bars) {
      const double half = bar_width(s);
      Json bars = Json::array();
      for (const auto& [x, y] : s.points)
        if (std::isfinite(y)) bars.push_back({{"a", x - half}, {"b", x + half}, {"y", y}});
      data.push_back({{"name", name + "-bars"}, {"values", bars}});
      marks.push_back({{"type", "rect"},
                       {"from", {{"data", name + "-bars"}}},
                       {"clip", true},
                       {"interactive", false},
                       {"encode",
                        {{"enter", {{"fill", value_of(colour(s.colour).c_str())}, {"opacity", {{"value", 0.55}}}}},
                         {"update",
                          {{"x", {{"scale", "x"}, {"field", "a"}}},
                           {"x2", {{"scale", "x"}, {"field", "b"}}},
                           {"y", {{"scale", "y"}, {"field", "y"}}},
                           {"y2", {{"scale", "y"}, {"value", 0}}}}}}}});
    }
    if (s.line) {
      Json enter = {{"stroke", value_of(colour(s.colour).c_str())},
                    {"strokeWidth", {{"value", s.faint ? 1 : 2}}},
                    {"opacity", {{"value", s.faint ? 0.3 : 1.0}}},
                    {"defined", {{"field", "d"}}},
                    {"strokeJoin", value_of("round")}};
      if (s.dash >= 0) enter["strokeDash"] = {{"value", dash_json(s.dash)}};
      marks.push_back({{"type", "line"},
                       {"from", {{"data", name}}},
                       {"clip", true},
                       {"interactive", false},
                       {"encode", {{"enter", enter}, {"update", {{"x", {{"scale", "x"}, {"field", "x"}}}, {"y", {{"scale", "y"}, {"field", "y"}}}}}}}});
    }
    if (s.faint) continue;
    for (const auto& [x, y] : s.markers ? s.points : thinned(s.points, 240))  // markers are drawn where something was measured, never at a mean of some
      if (std::isfinite(y))
        hover.push_back({{"x", x},
                         {"y", y},
                         {"c", colour(s.colour)},
                         {"o", s.markers ? 1 : 0},
                         {"t", chart.by_step ? fmt::format("{}: {} at {} {}", s.name, figure(y), chart.x_title, tick_label(std::round(x)))
                                              : fmt::format("{}: {} at {}", s.name, figure(y), figure(x))}});
  }
  data.push_back({{"name", "hover"}, {"values", hover}});
  marks.push_back(
      {{"type", "symbol"},
       {"from", {{"data", "hover"}}},
       {"encode",
        {{"enter", {{"fill", {{"field", "c"}}}, {"size", {{"value", 44}}}, {"tooltip", {{"field", "t"}}}}},
         {"update", {{"x", {{"scale", "x"}, {"field", "x"}}}, {"y", {{"scale", "y"}, {"field", "y"}}}, {"opacity", {{"field", "o"}}}}},
         {"hover", {{"opacity", {{"value", 1}}}}}}}});
  spec["data"] = data;
  spec["scales"] = {
      {{"name", "x"}, {"type", "linear"}, {"range", "width"}, {"domain", {xs.low, xs.high}}, {"nice", false}, {"zero", false}},
      {{"name", "y"}, {"type", "linear"}, {"range", "height"}, {"domain", {ys.low, ys.high}}, {"nice", false}, {"zero", false}}};
  spec["axes"] = {axis("left", "y", chart.y_title, chart.height < 180 ? 4 : 6), axis("bottom", "x", chart.x_title, 8)};
  spec["marks"] = marks;
  return spec;
}

Json vega_spec(const StripChart& chart) {
  Range range = strip_range(chart);
  Json spec = base_spec(double(chart.rows.size()) * kRowHeight + 40);
  Json dots = Json::array(), bars = Json::array(), rules = Json::array(), titles = Json::array();
  for (std::size_t r = 0; r < chart.rows.size(); ++r) {
    const StripRow& row = chart.rows[r];
    double middle = (double(r) + 0.5) * kRowHeight + 8;
    std::vector<double> offsets = spread(row, range);
    for (std::size_t i = 0; i < row.cases.size(); ++i)
      dots.push_back({{"v", row.cases[i].second},
                      {"y", middle + offsets[i]},
                      {"c", colour(row.colour)},
                      {"t", row.cases[i].first + ": " + figure(row.cases[i].second)}});
    if (std::isfinite(row.mean))
      bars.push_back({{"m", row.mean},
                      {"a", row.low},
                      {"b", row.high},
                      {"y", middle},
                      {"t", fmt::format("mean {}, 95 % interval {} to {}", figure(row.mean), figure(row.low), figure(row.high))}});
    for (const Rule& rule : row.rules)
      rules.push_back({{"v", rule.value},
                       {"y", middle - kRowHeight / 2 + kRowTitle},
                       {"y2", middle + kRowHeight / 2 - 8},
                       {"d", rule.dash % kDashes},
                       {"t", rule.name + ": " + figure(rule.value)}});
    titles.push_back({{"y", middle - kRowHeight / 2 + 11}, {"t", row.title}});
  }
  spec["data"] = {{{"name", "dots"}, {"values", dots}},
                  {{"name", "bars"}, {"values", bars}},
                  {{"name", "rules"}, {"values", rules}},
                  {{"name", "titles"}, {"values", titles}}};
  spec["scales"] = {
      {{"name", "x"}, {"type", "linear"}, {"range", "width"}, {"domain", {range.low, range.high}}, {"nice", false}, {"zero", false}},
      {{"name", "dash"},
       {"type", "ordinal"},
       {"domain", {0, 1, 2, 3}},
       {"range", {dash_json(0), dash_json(1), dash_json(2), dash_json(3)}}}};
  spec["axes"] = Json::array({axis("bottom", "x", chart.unit, 8)});
  Json x_of_v = {{"scale", "x"}, {"field", "v"}}, y = {{"field", "y"}};
  spec["marks"] = {
      {{"type", "text"},
       {"from", {{"data", "titles"}}},
       {"interactive", false},
       {"encode",
        {{"update",
          {{"x", {{"value", 0}}},
           {"y", y},
           {"text", {{"field", "t"}}},
           {"fill", value_of("var(--ink)")},
           {"fontSize", {{"value", 12.5}}},
           {"font", value_of("inherit")},
           {"fontWeight", {{"value", 600}}},
           {"baseline", value_of("middle")}}}}}},
      {{"type", "rule"},
       {"from", {{"data", "rules"}}},
       {"encode",
        {{"enter",
          {{"stroke", value_of("var(--ink)")},
           {"strokeWidth", {{"value", 1.5}}},
           {"opacity", {{"value", 0.8}}},
           {"tooltip", {{"field", "t"}}},
           {"strokeDash", {{"scale", "dash"}, {"field", "d"}}}}},
         {"update", {{"x", x_of_v}, {"y", y}, {"y2", {{"field", "y2"}}}}}}}},
      {{"type", "symbol"},
       {"from", {{"data", "dots"}}},
       {"encode",
        {{"enter", {{"fill", {{"field", "c"}}}, {"size", {{"value", 34}}}, {"tooltip", {{"field", "t"}}}}},
         {"update", {{"x", x_of_v}, {"y", y}, {"opacity", {{"value", 0.6}}}}},
         {"hover", {{"opacity", {{"value", 1}}}}}}}},
      {{"type", "rect"},
       {"from", {{"data", "bars"}}},
       {"encode",
        {{"enter", {{"fill", value_of("var(--ink)")}, {"tooltip", {{"field", "t"}}}}},
         {"update",
          {{"x", {{"scale", "x"}, {"field", "a"}}}, {"x2", {{"scale", "x"}, {"field", "b"}}}, {"yc", y}, {"height", {{"value", 4}}}}}}}},
      {{"type", "symbol"},
       {"from", {{"data", "bars"}}},
       {"encode",
        {{"enter",
          {{"fill", value_of("var(--paper)")},
           {"stroke", value_of("var(--ink)")},
           {"strokeWidth", {{"value", 2}}},
           {"size", {{"value", 90}}},
           {"shape", value_of("diamond")},
           {"tooltip", {{"field", "t"}}}}},
         {"update", {{"x", {{"scale", "x"}, {"field", "m"}}}, {"y", y}}}}}}};
  return spec;
}

std::string static_svg(const LineChart& chart) {
  double height = chart.height;
  Frame f{chart.y_title.empty() ? 52.0 : 74.0, kWidth - 12, 8, height - 42, x_range(chart), y_range(chart)};
  std::string out = svg_open(height, chart.title) + x_axis(f, chart.x_title);
  for (double t : ticks(f.ys, height < 180 ? 4 : 6)) {
    out += svg_line(f.left, f.y(t), f.right, f.y(t), "stroke:var(--rule)");
    out += svg_text(f.left - 8, f.y(t) + 4, "end", tick_label(t));
  }
  for (const Rule& r : chart.rules)
    out += svg_line(f.left, f.y(r.value), f.right, f.y(r.value),
                    fmt::format("stroke:{};opacity:.75;stroke-dasharray:{}", colour(r.colour), dash_css(r.dash)));
  if (!chart.y_title.empty())
    out += fmt::format(R"svg(<text x="14" y="{0:.1f}" text-anchor="middle" transform="rotate(-90 14 {0:.1f})">{1}</text>)svg", (f.top + f.bottom) / 2, escape(chart.y_title));
  for (const Series& s : chart.series) {
    for (const auto& stretch : band_stretches(s)) {
      std::string path;
      for (const auto& [x, low, high] : stretch) path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", f.x(x), std::clamp(f.y(high), f.top, f.bottom));
      for (std::size_t i = stretch.size(); i-- > 0;) path += fmt::format("L{:.1f} {:.1f}", f.x(stretch[i][0]), std::clamp(f.y(stretch[i][1]), f.top, f.bottom));
      out += fmt::format(R"(<path d="{}Z" style="fill:{};opacity:.18"/>)", path, colour(s.colour));
    }
    if (s.bars)
      for (const auto& [x, y] : s.points)
        if (std::isfinite(y)) {
          const double half = bar_width(s), a = f.y(y), b = f.y(0);
          out += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" style="fill:{};opacity:.55"/>)", f.x(x - half), std::min(a, b),
                             f.x(x + half) - f.x(x - half), std::abs(a - b), colour(s.colour));
        }
    if (s.line) out += polyline(f, s);
    if (!s.markers) continue;
    for (const auto& [x, y] : s.points)
      if (std::isfinite(y))
        out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.5" style="fill:{}"/>)", f.x(x), f.y(y), colour(s.colour));
  }
  return out + "</svg>";
}

std::string static_svg(const StripChart& chart) {
  double height = double(chart.rows.size()) * kRowHeight + 8 + 40;
  Frame f{8, kWidth - 12, 8, height - 40, strip_range(chart), {0, 1}};
  std::string out = svg_open(height, "every case by metric") + x_axis(f, chart.unit);
  for (std::size_t r = 0; r < chart.rows.size(); ++r) {
    const StripRow& row = chart.rows[r];
    double middle = (double(r) + 0.5) * kRowHeight + 8;
    out += svg_text(f.left, middle - kRowHeight / 2 + 15, "start", row.title, "row-title");
    for (const Rule& rule : row.rules)
      out += svg_line(f.x(rule.value), middle - kRowHeight / 2 + kRowTitle, f.x(rule.value), middle + kRowHeight / 2 - 8,
                      fmt::format("stroke:var(--ink);opacity:.8;stroke-dasharray:{}", dash_css(rule.dash)));
    std::vector<double> offsets = spread(row, f.xs);
    for (std::size_t i = 0; i < row.cases.size(); ++i)
      out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{}" style="fill:{};opacity:.6"><title>{}: {}</title></circle>)",
                         f.x(row.cases[i].second), middle + offsets[i], kDotRadius, colour(row.colour), escape(row.cases[i].first),
                         figure(row.cases[i].second));
    if (!std::isfinite(row.mean)) continue;
    out += svg_line(f.x(row.low), middle, f.x(row.high), middle, "stroke:var(--ink);stroke-width:4");
    out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="5" style="fill:var(--paper);stroke:var(--ink);stroke-width:2"/>)",
                       f.x(row.mean), middle);
  }
  return out + "</svg>";
}

}  // namespace tenon::report
