#include "tenon/metrics.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "metrics/number_text.hpp"
#include "ops/check.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/random.hpp"

namespace tenon {
namespace {

constexpr std::uint64_t kBootstrapStream = 0xb007;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check_lengths(const char* metric, std::size_t a, std::size_t b) {
  if (a != b) throw_usage(metric, std::to_string(a) + " values and " + std::to_string(b) + " of truth");
  if (a == 0) throw_usage(metric, "no values");
}

void check_finite(const char* metric, std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) throw_usage(metric, "value " + std::to_string(i) + " is " + number_text(values[i]), "leave such cases out, and say how many");
}

void check_level(const char* metric, double level) {
  if (!(level > 0 && level < 1)) throw_usage(metric, "level " + number_text(level), "between 0 and 1");
}

std::span<const double> checked_weights(const char* metric, std::size_t n, std::span<const double> weights) {
  if (weights.empty()) return weights;
  if (weights.size() != n) throw_usage(metric, std::to_string(weights.size()) + " weights for " + std::to_string(n) + " values");
  double sum = 0;
  for (double w : weights) {
    if (!(w >= 0) || !std::isfinite(w)) throw_usage(metric, "weight " + number_text(w), "weights are 0 or more");
    sum += w;
  }
  if (!(sum > 0)) throw_usage(metric, "all weights are 0");
  return weights;
}

template <class Value>
double weighted_mean(std::size_t n, std::span<const double> weights, const Value& value) {
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double w = weights.empty() ? 1 : weights[i];
    sum += w * value(i);
    total += w;
  }
  return sum / total;
}

/// Quantile by linear interpolation between order statistics of sorted values.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * double(sorted.size() - 1);
  const auto low = std::size_t(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - double(low)) * (sorted[high] - sorted[low]);
}

Interval percentiles(double value, std::vector<double> resampled, double level) {
  std::erase_if(resampled, [](double v) { return std::isnan(v); });
  if (resampled.empty()) return {value, kNaN, kNaN};
  std::sort(resampled.begin(), resampled.end());
  return {value, quantile(resampled, (1 - level) / 2), quantile(resampled, (1 + level) / 2)};
}

/// Ranks from 1; equal values share the mean of theirs.
std::vector<double> midranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> ranks(x.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = 0.5 * double(begin + end + 1);
    begin = end;
  }
  return ranks;
}

/// DeLong's structural components: for each positive case the share of negatives below it, for each negative that of positives above it.
struct Placements {
  double area = kNaN;
  std::vector<double> positives, negatives;
};

Placements placements(std::span<const double> scores, std::span<const std::uint8_t> truth) {
  std::vector<double> yes, no;
  for (std::size_t i = 0; i < scores.size(); ++i) (truth[i] ? yes : no).push_back(scores[i]);
  Placements p;
  if (yes.empty() || no.empty()) return p;
  std::vector<double> all = yes;
  all.insert(all.end(), no.begin(), no.end());
  const std::vector<double> ranks = midranks(all), among_yes = midranks(yes), among_no = midranks(no);
  const auto m = double(yes.size()), n = double(no.size());
  double sum = 0;
  for (std::size_t i = 0; i < yes.size(); ++i) {
    p.positives.push_back((ranks[i] - among_yes[i]) / n);
    sum += p.positives.back();
  }
  for (std::size_t j = 0; j < no.size(); ++j) p.negatives.push_back(1 - (ranks[yes.size() + j] - among_no[j]) / m);
  p.area = sum / m;
  return p;
}

double variance_of(const std::vector<double>& v) {
  if (v.size() < 2) return kNaN;
  const double mean = std::accumulate(v.begin(), v.end(), 0.0) / double(v.size());
  double sum = 0;
  for (double x : v) sum += (x - mean) * (x - mean);
  return sum / double(v.size() - 1);
}

Interval normal_interval(double value, double variance, double level, double low, double high) {
  const double half = boost::math::quantile(boost::math::complement(boost::math::normal(), (1 - level) / 2)) * std::sqrt(variance);
  return {value, std::max(low, value - half), std::min(high, value + half)};
}

void check_scores(const char* metric, std::span<const double> scores, std::span<const std::uint8_t> truth) {
  check_lengths(metric, scores.size(), truth.size());
  check_finite(metric, scores);
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (truth[i] > 1) throw_usage(metric, "truth " + std::to_string(truth[i]) + " at " + std::to_string(i), "0 for no, 1 for yes");
}

}  // namespace

Interval bootstrap(std::int64_t n, const std::function<double(std::span<const std::int64_t>)>& statistic, std::int64_t resamples, double level, std::uint64_t seed) {
  if (n < 1 || resamples < 1 || !(level > 0 && level < 1)) throw_usage("bootstrap", std::to_string(n) + " values, " + std::to_string(resamples) + " resamples, level " + number_text(level));
  std::vector<std::int64_t> all = within_memory("bootstrap", [&] { return std::vector<std::int64_t>(static_cast<std::size_t>(n)); });
  std::iota(all.begin(), all.end(), std::int64_t(0));
  const double value = statistic(all);
  std::vector<double> resampled = within_memory("bootstrap", [&] { return std::vector<double>(static_cast<std::size_t>(resamples)); });
  parallel_for(resamples, [&](std::int64_t r) {
    const Random random(seed, kBootstrapStream);
    std::vector<std::int64_t> drawn(all.size());
    for (std::int64_t i = 0; i < n; ++i) drawn[std::size_t(i)] = std::int64_t(random.below(std::uint64_t(r) * std::uint64_t(n) + std::uint64_t(i), std::uint64_t(n)));
    resampled[std::size_t(r)] = statistic(drawn);
  });
  return percentiles(value, std::move(resampled), level);
}

Interval mean_interval(std::span<const double> values, double level) {
  if (values.empty()) throw_usage("mean_interval", "no values");
  check_finite("mean_interval", values);
  check_level("mean_interval", level);
  const double n = double(values.size());
  double mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  if (values.size() == 1) return {mean, kNaN, kNaN};
  for (double v : values) squares += (v - mean) * (v - mean);
  const double half = boost::math::quantile(boost::math::complement(boost::math::students_t(n - 1), (1 - level) / 2)) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

Interval block_bootstrap_mean(std::span<const double> values, std::int64_t block, std::int64_t resamples, double level, std::uint64_t seed) {
  const auto n = std::int64_t(values.size());
  if (n < 1 || block < 1 || block > n) throw_usage("block_bootstrap_mean", "blocks of " + std::to_string(block) + " from " + std::to_string(n) + " values", "a block is 1 to all of them");
  if (resamples < 1) throw_usage("block_bootstrap_mean", std::to_string(resamples) + " resamples", "1 or more");
  check_level("block_bootstrap_mean", level);
  check_finite("block_bootstrap_mean", values);
  std::vector<double> sums(values.size() + 1, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) sums[i + 1] = sums[i] + values[i];
  const auto sum_from = [&](std::int64_t begin, std::int64_t count) {  // around the circle
    const std::int64_t end = begin + count;
    return end <= n ? sums[std::size_t(end)] - sums[std::size_t(begin)] : sums[std::size_t(n)] - sums[std::size_t(begin)] + sums[std::size_t(end - n)];
  };
  std::vector<double> resampled;
  within_memory("block_bootstrap_mean", [&] { resampled.reserve(static_cast<std::size_t>(resamples)); });
  for (std::int64_t r = 0; r < resamples; ++r) {
    const Random random(seed, std::uint64_t(r));
    double sum = 0;
    std::uint64_t draw = 0;
    for (std::int64_t left = n; left > 0; left -= block) sum += sum_from(std::int64_t(random.below(draw++, std::uint64_t(n))), std::min(block, left));
    resampled.push_back(sum / double(n));
  }
  return percentiles(sums.back() / double(n), std::move(resampled), level);
}

std::vector<std::int64_t> confusion(std::span<const std::int64_t> predicted, std::span<const std::int64_t> truth, std::int64_t classes) {
  check_lengths("confusion", predicted.size(), truth.size());
  if (classes < 1) throw_usage("confusion", std::to_string(classes) + " classes");
  const std::int64_t cells = size_times("confusion", classes, classes);
  std::vector<std::int64_t> counts = within_memory("confusion", [&] { return std::vector<std::int64_t>(static_cast<std::size_t>(cells)); });
  for (std::size_t i = 0; i < truth.size(); ++i) {
    for (std::int64_t label : {predicted[i], truth[i]})
      if (label < 0 || label >= classes) throw_usage("confusion", "label " + std::to_string(label) + " at " + std::to_string(i) + ", of " + std::to_string(classes) + " classes");
    ++counts[std::size_t(truth[i] * classes + predicted[i])];
  }
  return counts;
}

namespace {

struct Margins {
  double all = 0, right = 0;
  std::vector<double> truth, predicted, both;
};
Margins margins(const char* metric, std::span<const std::int64_t> confusion, std::int64_t classes) {
  if (classes < 1 || std::int64_t(confusion.size()) != size_times(metric, classes, classes))
    throw_usage(metric, std::to_string(confusion.size()) + " counts for " + std::to_string(classes) + " classes");
  const auto k = std::size_t(classes);
  Margins m{0, 0, std::vector<double>(k), std::vector<double>(k), std::vector<double>(k)};
  for (std::size_t t = 0; t < k; ++t)
    for (std::size_t p = 0; p < k; ++p) {
      const auto n = double(confusion[t * k + p]);
      m.all += n;
      m.truth[t] += n;
      m.predicted[p] += n;
      if (t == p) m.both[t] = n, m.right += n;
    }
  return m;
}

}  // namespace

double accuracy(std::span<const std::int64_t> counts, std::int64_t classes) {
  const Margins m = margins("accuracy", counts, classes);
  return m.right / m.all;
}

namespace {

double overlap(const char* metric, std::span<const std::int64_t> counts, std::int64_t classes, std::int64_t positive) {
  const Margins m = margins(metric, counts, classes);
  if (positive < 0 || positive >= classes) throw_usage(metric, "class " + std::to_string(positive) + " of " + std::to_string(classes));
  const auto k = std::size_t(positive);
  return 2 * m.both[k] / (m.truth[k] + m.predicted[k]);
}

}  // namespace

double f1(std::span<const std::int64_t> counts, std::int64_t classes, std::int64_t positive) { return overlap("f1", counts, classes, positive); }
double dice(std::span<const std::int64_t> counts, std::int64_t classes, std::int64_t positive) { return overlap("dice", counts, classes, positive); }

double macro_f1(std::span<const std::int64_t> counts, std::int64_t classes) {
  const Margins m = margins("macro_f1", counts, classes);
  double sum = 0, present = 0;
  for (std::size_t k = 0; k < m.both.size(); ++k)
    if (m.truth[k] + m.predicted[k] > 0) sum += 2 * m.both[k] / (m.truth[k] + m.predicted[k]), present += 1;
  return sum / present;
}

double mcc(std::span<const std::int64_t> counts, std::int64_t classes) {
  const Margins m = margins("mcc", counts, classes);
  double cross = 0, truth = 0, predicted = 0;
  for (std::size_t k = 0; k < m.both.size(); ++k) {
    cross += m.truth[k] * m.predicted[k];
    truth += m.truth[k] * m.truth[k];
    predicted += m.predicted[k] * m.predicted[k];
  }
  const double scale = std::sqrt(m.all * m.all - truth) * std::sqrt(m.all * m.all - predicted);
  return scale > 0 ? (m.right * m.all - cross) / scale : kNaN;
}

Interval auroc(std::span<const double> scores, std::span<const std::uint8_t> truth, double level) {
  check_scores("auroc", scores, truth);
  check_level("auroc", level);
  const Placements p = placements(scores, truth);
  if (std::isnan(p.area)) return {kNaN, kNaN, kNaN};
  const double variance = variance_of(p.positives) / double(p.positives.size()) + variance_of(p.negatives) / double(p.negatives.size());
  return normal_interval(p.area, variance, level, 0, 1);
}

Interval auroc_difference(std::span<const double> a, std::span<const double> b, std::span<const std::uint8_t> truth, double level) {
  check_scores("auroc_difference", a, truth);
  check_scores("auroc_difference", b, truth);
  check_level("auroc_difference", level);
  Placements p = placements(a, truth);
  const Placements q = placements(b, truth);
  if (std::isnan(p.area)) return {kNaN, kNaN, kNaN};
  for (std::size_t i = 0; i < p.positives.size(); ++i) p.positives[i] -= q.positives[i];
  for (std::size_t j = 0; j < p.negatives.size(); ++j) p.negatives[j] -= q.negatives[j];
  const double variance = variance_of(p.positives) / double(p.positives.size()) + variance_of(p.negatives) / double(p.negatives.size());
  return normal_interval(p.area - q.area, variance, level, -1, 1);
}

double average_precision(std::span<const double> scores, std::span<const std::uint8_t> truth) {
  check_scores("average_precision", scores, truth);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  const auto positives = double(std::count_if(truth.begin(), truth.end(), [](std::uint8_t t) { return t != 0; }));
  if (positives == 0) return kNaN;
  double sum = 0, hits = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double here = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) here += truth[order[end]] ? 1 : 0;
    hits += here;
    sum += here / positives * (hits / double(end));
    begin = end;
  }
  return sum;
}

double calibration_error(std::span<const double> probabilities, std::span<const std::uint8_t> truth, int bins) {
  check_scores("calibration_error", probabilities, truth);
  if (bins < 1) throw_usage("calibration_error", std::to_string(bins) + " bins");
  std::vector<double> count(static_cast<std::size_t>(bins)), believed(count.size()), true_share(count.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double p = probabilities[i];
    if (p < 0 || p > 1) throw_usage("calibration_error", "probability " + number_text(p) + " at " + std::to_string(i));
    const auto bin = std::min(count.size() - 1, std::size_t(p * bins));
    count[bin] += 1, believed[bin] += p, true_share[bin] += truth[i] ? 1 : 0;
  }
  double sum = 0;
  for (std::size_t b = 0; b < count.size(); ++b) sum += std::abs(believed[b] - true_share[b]);
  return sum / double(truth.size());
}

double brier_score(std::span<const double> probabilities, std::span<const std::uint8_t> truth) {
  check_scores("brier_score", probabilities, truth);
  return weighted_mean(truth.size(), {}, [&](std::size_t i) {
    const double e = probabilities[i] - (truth[i] ? 1 : 0);
    return e * e;
  });
}

namespace {

std::span<const double> check_numbers(const char* metric, std::span<const double> x, std::span<const double> truth, std::span<const double> weights) {
  check_lengths(metric, x.size(), truth.size());
  check_finite(metric, x);
  check_finite(metric, truth);
  return checked_weights(metric, x.size(), weights);
}

}  // namespace

double rmse(std::span<const double> x, std::span<const double> truth, std::span<const double> given) {
  const auto w = check_numbers("rmse", x, truth, given);
  return std::sqrt(weighted_mean(x.size(), w, [&](std::size_t i) { return (x[i] - truth[i]) * (x[i] - truth[i]); }));
}

double mae(std::span<const double> x, std::span<const double> truth, std::span<const double> given) {
  const auto w = check_numbers("mae", x, truth, given);
  return weighted_mean(x.size(), w, [&](std::size_t i) { return std::abs(x[i] - truth[i]); });
}

double bias(std::span<const double> x, std::span<const double> truth, std::span<const double> given) {
  const auto w = check_numbers("bias", x, truth, given);
  return weighted_mean(x.size(), w, [&](std::size_t i) { return x[i] - truth[i]; });
}

double anomaly_correlation(std::span<const double> x, std::span<const double> truth, std::span<const double> climatology, std::span<const double> given) {
  const auto w = check_numbers("anomaly_correlation", x, truth, given);
  check_numbers("anomaly_correlation", x, climatology, {});
  const auto mean = [&](auto&& value) { return weighted_mean(x.size(), w, value); };
  const double cross = mean([&](std::size_t i) { return (x[i] - climatology[i]) * (truth[i] - climatology[i]); });
  const double a = mean([&](std::size_t i) { return (x[i] - climatology[i]) * (x[i] - climatology[i]); });
  const double b = mean([&](std::size_t i) { return (truth[i] - climatology[i]) * (truth[i] - climatology[i]); });
  return a > 0 && b > 0 ? cross / (std::sqrt(a) * std::sqrt(b)) : kNaN;
}

double pearson(std::span<const double> x, std::span<const double> y) {
  check_numbers("pearson", x, y, {});
  const auto varies = [](std::span<const double> v) { return std::any_of(v.begin(), v.end(), [&](double e) { return e != v[0]; }); };
  if (!varies(x) || !varies(y)) return kNaN;  // its mean may be off by a rounding
  const double mx = weighted_mean(x.size(), {}, [&](std::size_t i) { return x[i]; }), my = weighted_mean(y.size(), {}, [&](std::size_t i) { return y[i]; });
  double cross = 0, a = 0, b = 0;
  for (std::size_t i = 0; i < x.size(); ++i) cross += (x[i] - mx) * (y[i] - my), a += (x[i] - mx) * (x[i] - mx), b += (y[i] - my) * (y[i] - my);
  return a > 0 && b > 0 ? cross / (std::sqrt(a) * std::sqrt(b)) : kNaN;
}

double spearman(std::span<const double> x, std::span<const double> y) {
  check_numbers("spearman", x, y, {});
  return pearson(midranks(x), midranks(y));
}

double crps(std::span<const double> members, double truth, bool fair) {
  const auto m = double(members.size());
  if (m < (fair ? 2 : 1)) throw_usage("crps", "an ensemble of " + std::to_string(members.size()));
  check_finite("crps", members);
  check_finite("crps", std::span<const double>(&truth, 1));
  std::vector<double> sorted(members.begin(), members.end());
  std::sort(sorted.begin(), sorted.end());
  double error = 0, spread = 0;  // sum over pairs |x_i - x_j| = 2 sum (2 i - M + 1) x_(i)
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    error += std::abs(sorted[i] - truth);
    spread += 2 * (2 * double(i) - m + 1) * sorted[i];
  }
  return error / m - spread / (2 * m * (fair ? m - 1 : m));
}

}  // namespace tenon
