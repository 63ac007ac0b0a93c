#include "genomics/tasks/scoring.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <mutex>

#include "tenon/metrics.hpp"

namespace tenon::genomics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kBins = 10;
constexpr std::size_t kPoints = 400;

/// One class against the rest.
struct Binary {
  std::vector<double> p;
  std::vector<std::uint8_t> truth;
  bool both() const { return std::find(truth.begin(), truth.end(), 0) != truth.end() && std::find(truth.begin(), truth.end(), 1) != truth.end(); }
};

Binary one_against_rest(std::span<const double> probabilities, std::span<const std::int64_t> truth, std::int64_t classes, std::int64_t one) {
  Binary b;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    b.p.push_back(probabilities[i * std::size_t(classes) + std::size_t(one)]);
    b.truth.push_back(truth[i] == one);
  }
  return b;
}

/// Probability of the predicted class against whether it is right.
Binary confidence(std::span<const double> probabilities, std::span<const std::int64_t> truth, std::int64_t classes) {
  Binary b;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double* p = probabilities.data() + i * std::size_t(classes);
    const std::int64_t said = predicted_class(p, classes);
    b.p.push_back(p[said]);
    b.truth.push_back(said == truth[i]);
  }
  return b;
}

/// Values of all columns, in their order.
std::vector<double> values_of(std::span<const double> probabilities, std::span<const std::int64_t> truth, std::int64_t classes) {
  std::vector<std::int64_t> said;
  for (std::size_t i = 0; i < truth.size(); ++i) said.push_back(predicted_class(probabilities.data() + i * std::size_t(classes), classes));
  const auto table = confusion(said, truth, classes);
  const double defined = mcc(table, classes), correlation = std::isnan(defined) ? 0 : defined, right = accuracy(table, classes);
  if (classes == 2) {
    const Binary b = one_against_rest(probabilities, truth, classes, 1);
    const bool both = b.both();
    return {both ? auroc(b.p, b.truth).value : kNaN, both ? average_precision(b.p, b.truth) : kNaN, correlation, right, calibration_error(b.p, b.truth)};
  }
  double areas = 0, precisions = 0;
  std::int64_t there = 0;
  for (std::int64_t k = 0; k < classes; ++k) {
    const Binary b = one_against_rest(probabilities, truth, classes, k);
    if (!b.both()) continue;
    areas += auroc(b.p, b.truth).value;
    precisions += average_precision(b.p, b.truth);
    ++there;
  }
  const Binary b = confidence(probabilities, truth, classes);
  return {correlation, right, there ? areas / double(there) : kNaN, there ? precisions / double(there) : kNaN, calibration_error(b.p, b.truth)};
}

std::vector<std::size_t> by_falling_score(const Binary& b) {
  std::vector<std::size_t> order(b.p.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return b.p[i] > b.p[j]; });
  return order;
}

/// At most kPoints of a curve's points, its ends among them: more are not seen.
void thin(Curve& c) {
  const std::size_t n = c.x.size();
  if (n <= kPoints) return;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const std::size_t from = i * (n - 1) / (kPoints - 1);
    c.x[i] = c.x[from];
    c.y[i] = c.y[from];
  }
  c.x.resize(kPoints);
  c.y.resize(kPoints);
}

/// Points of the ROC curve (x false, y true positive rate) or of precision over recall; equal scores are one step.
Curve roc_curve(const std::string& name, const Binary& b) {
  Curve c{name, {0}, {0}};
  const auto order = by_falling_score(b);
  const double positives = double(std::count(b.truth.begin(), b.truth.end(), 1)), negatives = double(b.truth.size()) - positives;
  double tp = 0, fp = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (b.truth[order[i]] ? tp : fp) += 1;
    if (i + 1 < order.size() && b.p[order[i + 1]] == b.p[order[i]]) continue;
    c.x.push_back(fp / negatives);
    c.y.push_back(tp / positives);
  }
  thin(c);
  return c;
}

Curve precision_curve(const std::string& name, const Binary& b) {
  Curve c{name, {}, {}};
  const auto order = by_falling_score(b);
  const double positives = double(std::count(b.truth.begin(), b.truth.end(), 1));
  double tp = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    tp += b.truth[order[i]];
    if (i + 1 < order.size() && b.p[order[i + 1]] == b.p[order[i]]) continue;
    if (c.x.empty()) {
      c.x.push_back(0);
      c.y.push_back(tp / double(i + 1));
    }
    c.x.push_back(tp / positives);
    c.y.push_back(tp / double(i + 1));
  }
  thin(c);
  return c;
}

/// Wilson's interval of a share: the band of points that rest on few sequences.
void wilson(double share, double n, double& low, double& high) {
  constexpr double z = 1.959963984540054;
  const double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  low = std::max(0.0, middle - half);
  high = std::min(1.0, middle + half);
}

/// Share of true positives in a grid of false positive rates, with the pointwise 95 % band of Wilson's interval.
void add_band(Curve& roc, const Binary& b) {
  const double positives = double(std::count(b.truth.begin(), b.truth.end(), 1));
  for (double y : roc.y) {
    double low = 0, high = 0;
    wilson(y, positives, low, high);
    roc.low.push_back(low);
    roc.high.push_back(high);
  }
}

Curve reliability(const std::string& name, const Binary& b) {
  Curve c{name, {}, {}, {}, {}, Curve::Kind::points};
  for (int bin = 0; bin < kBins; ++bin) {
    double n = 0, sum = 0, right = 0;
    for (std::size_t i = 0; i < b.p.size(); ++i)
      if (std::min(kBins - 1, int(b.p[i] * kBins)) == bin) {
        n += 1;
        sum += b.p[i];
        right += b.truth[i];
      }
    if (n == 0) continue;
    double low = 0, high = 0;
    wilson(right / n, n, low, high);
    c.x.push_back(sum / n);
    c.y.push_back(right / n);
    c.low.push_back(low);
    c.high.push_back(high);
  }
  return c;
}

Curve straight(const std::string& name, double y0, double y1) {
  Curve c{name, {0, 1}, {y0, y1}};
  c.reference = true;
  return c;
}

}  // namespace

std::int64_t predicted_class(const double* p, std::int64_t classes) {
  if (classes == 2) return p[1] >= 0.5;
  return std::max_element(p, p + classes) - p;
}

std::vector<MetricColumn> score_columns(std::int64_t classes) {
  const MetricColumn correlation{"MCC", "", true, false}, right{"accuracy", "", true, true}, calibration{"calibration error", "", false, false};
  if (classes == 2) return {{"AUROC", "", true, false}, {"AUPRC", "", true, false}, correlation, right, calibration};
  return {correlation, right, {"AUROC, mean of classes", "", true, false}, {"AUPRC, mean of classes", "", true, false}, calibration};
}

std::size_t mcc_column(std::int64_t classes) {
  return classes == 2 ? 2 : 0;
}

std::vector<Interval> score(std::span<const double> probabilities, std::span<const std::int64_t> truth, std::int64_t classes, std::int64_t resamples) {
  const std::vector<double> values = values_of(probabilities, truth, classes);
  std::vector<Interval> out;
  for (double v : values) out.push_back({v, kNaN, kNaN});
  if (resamples <= 0) return out;

  // One set of resamples serves all columns. They are drawn on several threads; sorted below, their order does not matter.
  std::mutex mutex;
  const auto n = std::int64_t(truth.size());
  std::vector<std::vector<double>> drawn_values(values.size());
  bootstrap(
      n,
      [&](std::span<const std::int64_t> drawn) {
        std::vector<double> p;
        std::vector<std::int64_t> t;
        p.reserve(drawn.size() * std::size_t(classes));
        for (auto i : drawn) {
          p.insert(p.end(), probabilities.begin() + i * classes, probabilities.begin() + (i + 1) * classes);
          t.push_back(truth[std::size_t(i)]);
        }
        const auto v = values_of(p, t, classes);
        const std::lock_guard lock(mutex);
        for (std::size_t k = 0; k < v.size(); ++k) drawn_values[k].push_back(v[k]);
        return 0.0;
      },
      resamples);
  for (std::size_t k = 0; k < out.size(); ++k) {
    auto& v = drawn_values[k];
    std::erase_if(v, [](double x) { return std::isnan(x); });
    if (v.empty() || std::isnan(out[k].value)) continue;
    std::sort(v.begin(), v.end());
    auto at = [&](double share) {
      const double place = share * double(v.size() - 1);
      const auto i = std::size_t(place);
      return i + 1 < v.size() ? v[i] + (place - double(i)) * (v[i + 1] - v[i]) : v[i];
    };
    out[k].low = at(0.025);
    out[k].high = at(0.975);
  }
  if (classes == 2) {
    const Binary b = one_against_rest(probabilities, truth, classes, 1);
    if (b.both()) out[0] = auroc(b.p, b.truth);
  }
  return out;
}

std::vector<std::string> score_notes(std::int64_t classes) {
  std::vector<std::string> notes;
  notes.push_back(classes == 2 ? "AUROC with DeLong's 95 % interval, ties by half; the other intervals are percentiles of 1000 bootstrap samples of sequences"
                               : "95 % intervals: percentiles of 1000 bootstrap samples of sequences; areas are the mean of each class against the rest");
  notes.push_back("AUPRC is the average precision, equal scores in one step; MCC is 0 where a margin of the table is empty; calibration error over 15 bins of equal width");
  return notes;
}

std::vector<Chart> score_charts(const std::vector<std::string>& classes, std::span<const double> probabilities, std::span<const std::int64_t> truth,
                                const NamedProbabilities& baseline) {
  const auto n = std::int64_t(classes.size());
  Chart roc{"ROC", "false positive rate", "true positive rate", {}, "band: pointwise 95 % interval of the true positive rate (Wilson)"};
  Chart precision{"Precision and recall", "recall", "precision", {}, {}};
  Chart calibration{"Calibration", "predicted probability", "share that is true", {}, "bins of width 0.1 that hold sequences; band: 95 % interval (Wilson)"};
  for (std::int64_t k = n == 2 ? 1 : 0; k < n; ++k) {
    const Binary b = one_against_rest(probabilities, truth, n, k);
    if (!b.both()) continue;
    const std::string name = classes[std::size_t(k)];
    roc.curves.push_back(roc_curve(name, b));
    add_band(roc.curves.back(), b);
    precision.curves.push_back(precision_curve(name, b));
    calibration.curves.push_back(reliability(name, b));
    if (n == 2 && !baseline.probabilities.empty()) {
      const Binary other = one_against_rest(baseline.probabilities, truth, n, k);
      roc.curves.push_back(roc_curve(baseline.name, other));
      precision.curves.push_back(precision_curve(baseline.name, other));
      roc.curves.back().reference = precision.curves.back().reference = true;
    }
  }
  if (roc.curves.empty()) return {};
  if (n == 2) {
    const double share = double(std::count(truth.begin(), truth.end(), 1)) / double(truth.size());
    precision.curves.push_back(straight("share of " + classes[1], share, share));
  }
  roc.curves.push_back(straight("chance", 0, 1));
  calibration.curves.push_back(straight("calibrated", 0, 1));
  return {roc, precision, calibration};
}

}  // namespace tenon::genomics
