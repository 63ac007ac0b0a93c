/// Scores of the task: intersection over union of each class over all pillars of the split, beside rules that need no network.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>

#include "classes.hpp"
#include "features.hpp"
#include "picture.hpp"
#include "segmentation.hpp"
#include "tenon/metrics.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;

using Counts = std::array<std::int64_t, kClasses * kClasses>;  ///< [truth * kClasses + guess]

Counts count(const std::vector<std::uint8_t>& guess, const std::vector<std::uint8_t>& truth) {
  Counts counts{};
  for (std::size_t c = 0; c < truth.size(); ++c)
    if (truth[c] != kUnseen) ++counts[truth[c] * kClasses + guess[c]];
  return counts;
}

/// Of each class, TP / (TP + FP + FN), then the mean over the classes that occur. NaN for a class that neither truth nor guess has.
std::vector<double> ious(const Counts& counts) {
  std::vector<double> values;
  double sum = 0, classes = 0;
  for (std::size_t k = 0; k < kClasses; ++k) {
    std::int64_t either = -counts[k * kClasses + k];
    for (std::size_t other = 0; other < kClasses; ++other) either += counts[k * kClasses + other] + counts[other * kClasses + k];
    const double iou =
        either > 0 ? static_cast<double>(counts[k * kClasses + k]) / static_cast<double>(either) : std::numeric_limits<double>::quiet_NaN();
    values.push_back(iou);
    if (std::isnan(iou)) continue;
    sum += iou;
    ++classes;
  }
  values.push_back(sum / classes);
  return values;
}

Counts total(const std::vector<Counts>& scenes, std::span<const std::int64_t> drawn) {
  Counts sum{};
  for (const std::int64_t i : drawn)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += scenes[static_cast<std::size_t>(i)][k];
  return sum;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

}  // namespace

Evaluation Segmentation::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  Evaluation result;
  result.split = split;
  result.columns = columns();
  std::vector<std::vector<std::uint8_t>> truths, guesses;
  std::vector<Counts> mine;
  std::vector<std::vector<Counts>> theirs(rules_.size());
  for (std::size_t i = 0; i < validation_.size(); ++i) {
    monitor.turn("scoring", static_cast<std::int64_t>(i), cases_);
    const Scene& scene = validation_[i];
    truths.push_back(cell_classes(grid_, scene.points, scene.classes));
    guesses.push_back(guess(model, scene.points).classes);
    mine.push_back(count(guesses[i], truths[i]));
    for (std::size_t r = 0; r < rules_.size(); ++r) theirs[r].push_back(count(rules_[r].apply(grid_, scene.points), truths[i]));
    CaseResult scored;
    scored.id = "street " + std::to_string(i);
    scored.values = ious(mine[i]);
    result.cases.push_back(std::move(scored));
  }

  // Many streets have few pillars of a class: scores are of all pillars together, as the field gives them, not means over streets.
  std::vector<std::int64_t> all(validation_.size());
  std::iota(all.begin(), all.end(), 0);
  for (std::size_t k = 0; k < result.columns.size(); ++k)
    result.totals.push_back(bootstrap(cases_, [&](std::span<const std::int64_t> drawn) { return ious(total(mine, drawn))[k]; }));
  for (std::size_t r = 0; r < rules_.size(); ++r)
    result.baselines.push_back({rules_[r].name(), ious(total(theirs[r], all)), "computed on this split; fitted to 128 other streets"});

  const Counts sum = total(mine, all);
  const double pillars = static_cast<double>(std::accumulate(sum.begin(), sum.end(), std::int64_t{0}));
  std::string shares;
  for (std::size_t k = 0; k < kClasses; ++k) {
    const auto first = sum.begin() + static_cast<std::ptrdiff_t>(k * kClasses);
    shares += (k > 0 ? ", " : "") + std::string(kClassNames[k]) + " " +
              percent(static_cast<double>(std::accumulate(first, first + kClasses, std::int64_t{0})) / pillars);
  }
  result.notes = {
      "IoU: TP / (TP + FP + FN) over the pillars of all streets that hold a point; intervals: 95 %, 2000 resamples of the streets",
      "pillars by class: " + shares, "the streets are made by the plugin: scores say nothing about real ones"};

  std::vector<std::size_t> order(result.cases.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return result.cases[a].values.back() < result.cases[b].values.back(); });
  for (std::size_t i = 0; i < std::min(order.size(), static_cast<std::size_t>(pictures)); ++i) {
    const std::array<std::vector<std::uint8_t>, 2> maps{truths[order[i]], guesses[order[i]]};
    CaseResult& scored = result.cases[order[i]];
    scored.pictures.push_back(
        {"mean IoU " + percent(scored.values.back()) + "; truth, then prediction; forward is up", draw_classes(grid_, maps)});
  }
  if (pictures > 0)
    for (std::size_t k = 0; k < kClasses; ++k) result.picture_key.push_back({kClassNames[k], kClassColours[k]});
  return result;
}

}  // namespace driving_plugin
