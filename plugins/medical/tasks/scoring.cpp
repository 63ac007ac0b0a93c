#include "medical/tasks/scoring.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "medical/metrics/overlap.hpp"
#include "tenon/surface_distance.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kDice = "Dice ";

SurfaceKind kind_of(const ScoreSettings& s) {
  return s.surface == "voxel" ? SurfaceKind::voxel : SurfaceKind::surfel;
}

bool wants(const ScoreSettings& s, const char* metric) {
  return std::find(s.metrics.begin(), s.metrics.end(), metric) != s.metrics.end();
}

}  // namespace

std::vector<MetricColumn> score_columns(const ScoreSettings& s) {
  std::vector<MetricColumn> columns;
  for (const auto& metric : s.metrics)
    for (std::size_t v = 1; v < s.label_names.size(); ++v) {
      if (metric == "dice")
        columns.push_back({kDice + s.label_names[v], "", true});
      else if (metric == "hd95")
        columns.push_back({"HD95 " + s.label_names[v], "mm", false});
      else
        columns.push_back({"NSD " + s.label_names[v], "", true});
    }
  return columns;
}

std::vector<double> score_case(const ScoreSettings& s, const Tensor& prediction, const Tensor& truth, const Geometry& geometry) {
  const Tensor dense_guess = prediction.contiguous(), dense_truth = truth.contiguous();
  const auto guess = dense_guess.span<std::uint8_t>(), actual = dense_truth.span<std::uint8_t>();
  const auto labels = s.label_names.size();
  const auto counts = overlaps(guess, actual, int(labels));
  std::vector<SurfaceDistances> surfaces(labels);
  if (wants(s, "hd95") || wants(s, "nsd")) {
    const auto mm = geometry.spacing();
    for (std::size_t v = 1; v < labels; ++v) {
      std::vector<std::uint8_t> a(actual.size()), g(guess.size());
      for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = actual[i] == v;
        g[i] = guess[i] == v;
      }
      surfaces[v] = surface_distances(a, g, {truth.size(0), truth.size(1), truth.size(2)}, {mm[2], mm[1], mm[0]}, kind_of(s));
    }
  }
  std::vector<double> values;
  for (const auto& metric : s.metrics)
    for (std::size_t v = 1; v < labels; ++v)
      values.push_back(metric == "dice"   ? counts[v].dice()
                       : metric == "hd95" ? surfaces[v].hausdorff(95)
                                          : surfaces[v].surface_dice(s.tolerance));
  return values;
}

double mean_dice(const std::vector<MetricColumn>& columns, const std::vector<double>& values) {
  double sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < columns.size() && i < values.size(); ++i)
    if (columns[i].name.starts_with(kDice) && !std::isnan(values[i])) {
      sum += values[i];
      ++count;
    }
  return count ? sum / count : 0;
}

std::vector<double> column_means(const std::vector<CaseResult>& cases, std::size_t columns) {
  std::vector<double> means;
  for (std::size_t k = 0; k < columns; ++k) {
    double sum = 0;
    std::int64_t count = 0;
    for (const auto& c : cases)
      if (k < c.values.size() && !std::isnan(c.values[k])) {
        sum += c.values[k];
        ++count;
      }
    means.push_back(count ? sum / double(count) : kNaN);
  }
  return means;
}

std::vector<std::string> score_notes(const ScoreSettings& s) {
  std::vector<std::string> notes{empty_mask_rule()};
  if (wants(s, "hd95") || wants(s, "nsd"))
    notes.push_back(kind_of(s) == SurfaceKind::surfel
                        ? "surface metrics by surfels (area-weighted 2x2x2 neighbourhoods, as google-deepmind/surface-distance)"
                        : "surface metrics by voxels (mask minus its 6-neighbour erosion, as MONAI)");
  if (wants(s, "nsd")) {
    char text[64];
    std::snprintf(text, sizeof text, "NSD at a tolerance of %g mm", s.tolerance);
    notes.push_back(text);
  }
  return notes;
}

}  // namespace tenon::medical
