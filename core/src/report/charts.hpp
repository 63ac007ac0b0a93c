/// The report's charts: what is drawn, as a Vega specification for the browser and as a static SVG that stands in its place
/// where scripts or Vega are missing. Both take their colours from the page's style (CSS variables), so light, dark and
/// print need one drawing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/html.hpp"
#include "report/run_record.hpp"

namespace tenon::report {

using Points = std::vector<std::pair<double, double>>;

inline constexpr int kInk = -1;  ///< the colour of the text

struct Series {
  std::string name;
  int colour = 0;  ///< CSS variable --series-<colour>, or kInk
  Points points;
  bool faint = false;  ///< background of another series: no legend, no hover
  bool markers = false;
  bool line = true;    ///< false: markers or bars alone
  bool bars = false;   ///< from nought up to each point
  int dash = -1;       ///< of the line (dash_css()); -1: none
  Points low = {}, high = {};  ///< edges of a band around the line; empty: none
};

/// A horizontal reference value.
struct Rule {
  std::string name;
  int colour = 0, dash = 0;
  double value = 0;
};

struct LineChart {
  std::string title, x_title;
  int height = 250;
  std::vector<Series> series;
  std::vector<Rule> rules;
  std::string y_title = {};
  bool by_step = true;  ///< x counts steps: whole numbers, from nought
};

/// Every case of one metric on a line, with the mean's interval and the baselines.
struct StripRow {
  std::string title;
  int colour = 0;
  std::vector<std::pair<std::string, double>> cases;  ///< id, value; scored ones only
  double mean = 0, low = 0, high = 0;
  std::vector<Rule> rules;
};

struct StripChart {
  std::string unit;
  std::vector<StripRow> rows;
};

inline constexpr int kSeriesColours = 6, kDashes = 4;

Json vega_spec(const LineChart& chart);
Json vega_spec(const StripChart& chart);
std::string static_svg(const LineChart& chart);
std::string static_svg(const StripChart& chart);

/// Stroke pattern of a rule, numbers with spaces between.
std::string dash_css(int index);
/// The chart of a task's evaluation, thinned to what a page can show.
LineChart line_chart(const Chart& chart);

/// At most `limit` points: each stands for a run of equal length and is its mean.
Points thinned(const Points& points, std::size_t limit);
/// Centred moving average over `span` points, fewer (but as many on both sides) near the ends: it neither lags nor leads.
Points smoothed(const Points& points, std::size_t span);

}  // namespace tenon::report
