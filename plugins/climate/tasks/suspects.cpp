#include "climate/tasks/suspects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "climate/tools/statistics.hpp"

namespace tenon::climate {
namespace {

constexpr std::size_t kSample = 1 << 20;  // values that the percentiles are taken from
constexpr double kFar = 5;
constexpr std::size_t kNamed = 5;

/// The 1st and the 99th of a hundred values.
std::pair<double, double> bulk_of(const std::vector<float>& values) {
  std::vector<float> sample;
  const std::size_t stride = values.size() / kSample + 1;
  for (std::size_t i = 0; i < values.size(); i += stride) sample.push_back(values[i]);
  auto at = [&](std::size_t k) {
    std::nth_element(sample.begin(), sample.begin() + std::ptrdiff_t(k), sample.end());
    return double(sample[k]);
  };
  const std::size_t tail = sample.size() / 100;
  return {at(tail), at(sample.size() - 1 - tail)};
}

}  // namespace

std::string suspects_text(const FieldSeries& s) {
  if (s.values.empty()) return {};
  const auto [low, high] = bulk_of(s.values);
  // A field that is nearly always one value (rain, ice) has no such bulk.
  const double margin = high > low ? kFar * (high - low) : std::numeric_limits<double>::infinity();
  std::vector<double> figures;
  for (const auto& [value, count] : statistics_of(Tensor::from(s.values, Shape{std::int64_t(s.values.size())})).suspects) figures.push_back(value);
  std::int64_t count = 0;
  std::string list;
  for (std::size_t i = 0; i < s.values.size(); ++i) {
    const double x = double(s.values[i]);
    if (x >= low - margin && x <= high + margin && std::find(figures.begin(), figures.end(), x) == figures.end()) continue;
    if (std::size_t(count++) >= kNamed) continue;
    const auto point = std::int64_t(i) % s.grid.points();
    list += fmt::format("{}{:g} on {} at latitude {:g}, longitude {:g}", list.empty() ? "" : "; ", x, s.date(std::int64_t(i) / s.grid.points()), s.grid.latitude[std::size_t(point / s.grid.columns())],
                        s.grid.longitude[std::size_t(point % s.grid.columns())]);
  }
  if (count == 0) return {};
  return fmt::format("{} of {} values of '{}' lie far outside the others (98 in a hundred are {:g} to {:g}{}): {}{}; undeclared missing values are best declared (_FillValue) before training", count, s.values.size(), s.variable, low, high,
                     s.unit.empty() ? "" : " " + s.unit, list, std::size_t(count) > kNamed ? ", and others" : "");
}

}  // namespace tenon::climate
