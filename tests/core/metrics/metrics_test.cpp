/// Metrics against their definitions written out, published examples and closed forms.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/metrics.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

using Values = std::vector<double>;
using Labels = std::vector<std::int64_t>;
using Truth = std::vector<std::uint8_t>;

Values normal(std::size_t n, std::uint64_t stream, double shift = 0) {
  const Random random(3, stream);
  Values v;
  for (std::size_t i = 0; i < n; ++i) v.push_back(double(random.normal(i)) + shift);
  return v;
}

}  // namespace

TEST_CASE("confusion matrices and what is read from them", "[metrics]") {
  const Labels truth{0, 0, 0, 1, 1, 2, 2, 2, 2}, predicted{0, 1, 0, 1, 1, 2, 2, 0, 1};
  const auto c = confusion(predicted, truth, 3);
  CHECK(c == Labels{2, 1, 0, 0, 2, 0, 1, 1, 2});
  CHECK(accuracy(c, 3) == Approx(6.0 / 9));
  CHECK(f1(c, 3, 2) == Approx(2 * 2.0 / (4 + 2)));
  CHECK(dice(c, 3, 2) == f1(c, 3, 2));
  CHECK_THROWS_WITH(dice(c, 3, 3), Catch::Contains("dice: class 3 of 3"));
  CHECK(macro_f1(c, 3) == Approx((4.0 / 6 + 4.0 / 6 + 4.0 / 6) / 3));
  // Gorodkin's formula by hand: (6 * 9 - (3*3 + 2*4 + 4*2)) / sqrt(81 - 29) / sqrt(81 - 29)
  CHECK(mcc(c, 3) == Approx((54.0 - 25) / 52));
  // two classes: (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))
  const Labels two{70, 10, 5, 15};
  CHECK(mcc(two, 2) == Approx((15.0 * 70 - 10 * 5) / std::sqrt(25.0 * 20 * 80 * 75)));
  CHECK(std::isnan(mcc(Labels{4, 0, 2, 0}, 2)));
  CHECK_THROWS_WITH(confusion(predicted, truth, 2), Contains("confusion") && Contains("label 2"));
  CHECK_THROWS_WITH(confusion(Labels{0}, truth, 3), Contains("1 values and 9"));
}

TEST_CASE("AUROC counts pairs, ties by half, and DeLong's variance is the one of its definition", "[metrics]") {
  const Values scores{0.1, 0.4, 0.35, 0.8, 0.4, 0.9, 0.35, 0.2};
  const Truth truth{0, 0, 1, 1, 1, 1, 0, 0};
  Values v10, v01(4, 0);
  double pairs = 0;
  std::vector<std::size_t> yes{2, 3, 4, 5}, no{0, 1, 6, 7};
  for (std::size_t i : yes) {
    double above = 0;
    for (std::size_t k = 0; k < no.size(); ++k) {
      const double psi = scores[i] > scores[no[k]] ? 1 : scores[i] == scores[no[k]] ? 0.5 : 0;
      above += psi;
      v01[k] += psi / 4;
    }
    v10.push_back(above / 4);
    pairs += above;
  }
  const double area = pairs / 16;
  double s10 = 0, s01 = 0;
  for (double v : v10) s10 += (v - area) * (v - area) / 3;
  for (double v : v01) s01 += (v - area) * (v - area) / 3;
  const double half = 1.959963984540054 * std::sqrt(s10 / 4 + s01 / 4);
  const Interval a = auroc(scores, truth);
  CHECK(a.value == Approx(area).epsilon(1e-14));
  CHECK(a.low == Approx(std::max(0.0, area - half)).epsilon(1e-12));
  CHECK(a.high == Approx(std::min(1.0, area + half)).epsilon(1e-12));
  CHECK(std::isnan(auroc(scores, Truth(8, 1)).value));
  const double nearly_all = std::nextafter(1.0, 0.0);
  CHECK(auroc(scores, truth, nearly_all).low == 0);
  CHECK(auroc(scores, truth, nearly_all).high == 1);
  CHECK(std::isfinite(mean_interval(scores, nearly_all).high));
  CHECK_THROWS_WITH(auroc(Values{0.5, NAN}, Truth{0, 1}), Contains("auroc") && Contains("value 1 is"));
}

TEST_CASE("AUROC of two normal distributions is the closed form, within its interval nineteen times of twenty", "[metrics]") {
  const double truth_area = 0.5 * std::erfc(-1.0 / 2);  // Phi(d / sqrt 2) for a shift of d = 1
  int covered = 0;
  for (std::uint64_t r = 0; r < 200; ++r) {
    Values scores = normal(80, 2 * r, 1), more = normal(120, 2 * r + 1);
    scores.insert(scores.end(), more.begin(), more.end());
    Truth truth(80, 1);
    truth.resize(200, 0);
    const Interval a = auroc(scores, truth);
    covered += a.low <= truth_area && truth_area <= a.high;
  }
  CHECK(covered >= 180);
  CHECK(covered <= 198);
}

TEST_CASE("the difference of two AUROCs knows that the cases are the same", "[metrics]") {
  const Values a = normal(300, 1);
  Values b = a, noise = normal(300, 2);
  Truth truth(300);
  for (std::size_t i = 0; i < 300; ++i) truth[i] = a[i] + 0.8 * noise[i] > 0;
  const Values small = normal(300, 3);
  for (std::size_t i = 0; i < 300; ++i) b[i] += 0.05 * small[i];
  const Interval d = auroc_difference(a, b, truth);
  CHECK(d.value == Approx(auroc(a, truth).value - auroc(b, truth).value).epsilon(1e-12));
  CHECK(d.high - d.low < 0.25 * (auroc(a, truth).high - auroc(a, truth).low));
  CHECK(auroc_difference(a, a, truth).high == Approx(0).margin(1e-12));
}

TEST_CASE("average precision, calibration and Brier's score by hand", "[metrics]") {
  // from the top: yes, no, {yes, no}, yes
  const Values scores{0.9, 0.8, 0.5, 0.5, 0.1};
  const Truth truth{1, 0, 1, 0, 1};
  CHECK(average_precision(scores, truth) == Approx((1.0 + 2.0 / 4 + 3.0 / 5) / 3));
  CHECK(std::isnan(average_precision(scores, Truth(5, 0))));
  CHECK(calibration_error(Values{0.1, 0.15, 0.95, 1.0}, Truth{0, 1, 1, 1}, 10) == Approx((0.75 + 0.05) / 4));
  CHECK(brier_score(Values{0.2, 0.7}, Truth{0, 1}) == Approx((0.04 + 0.09) / 2));
  CHECK_THROWS_WITH(calibration_error(Values{1.5}, Truth{1}), Contains("probability 1.5"));
}

TEST_CASE("errors of numbers, with weights", "[metrics]") {
  const Values x{1, 2, 5}, t{0, 4, 5}, w{1, 2, 1}, c{1, 1, 1};
  CHECK(rmse(x, t) == Approx(std::sqrt(5.0 / 3)));
  CHECK(rmse(x, t, w) == Approx(std::sqrt(9.0 / 4)));
  CHECK(mae(x, t, w) == Approx(5.0 / 4));
  CHECK(bias(x, t, w) == Approx(-3.0 / 4));
  CHECK(anomaly_correlation(x, t, c, w) == Approx((0 + 2 * 3 + 16) / std::sqrt((0 + 2 * 1 + 16.0) * (1 + 2 * 9 + 16.0))));
  CHECK(spearman(Values{1, 2, 3, 4}, Values{1, 10, 100, 1000}) == Approx(1));
  CHECK(spearman(Values{1, 2, 2, 4}, Values{4, 3, 3, 1}) == Approx(-1));
  CHECK_THROWS_WITH(rmse(x, Values{1}), Contains("rmse") && Contains("3 values and 1"));
  CHECK_THROWS_WITH(mae(x, t, Values{1, -1, 1}), Contains("weights are 0 or more"));
}

TEST_CASE("CRPS of an ensemble is its double sum, and that of one member its absolute error", "[metrics]") {
  const Values members{0.3, -1.2, 2.5, 0.4, 0.4};
  for (bool fair : {false, true}) {
    double error = 0, spread = 0;
    for (double a : members) {
      error += std::abs(a - 0.7) / 5;
      for (double b : members) spread += std::abs(a - b);
    }
    CHECK(crps(members, 0.7, fair) == Approx(error - spread / (2 * 5 * (fair ? 4 : 5))).epsilon(1e-13));
  }
  CHECK(crps(Values{3}, 1) == 2);
  CHECK_THROWS_WITH(crps(Values{3}, 1, true), Contains("crps"));
}

TEST_CASE("bootstrap intervals are those of the normal theory for a mean, and do not depend on threads", "[metrics]") {
  const Values v = normal(400, 9, 5);
  const double mean = std::accumulate(v.begin(), v.end(), 0.0) / 400;
  double variance = 0;
  for (double x : v) variance += (x - mean) * (x - mean) / 399;
  const auto statistic = [&](std::span<const std::int64_t> drawn) {
    double sum = 0;
    for (std::int64_t i : drawn) sum += v[std::size_t(i)];
    return sum / double(drawn.size());
  };
  const int before = thread_count();
  std::vector<Interval> all;
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    all.push_back(bootstrap(400, statistic, 4000));
  }
  set_thread_count(before);
  const double half = 1.96 * std::sqrt(variance / 400);
  CHECK(all[0].value == Approx(mean));
  CHECK(all[0].low == Approx(mean - half).margin(0.1 * half));
  CHECK(all[0].high == Approx(mean + half).margin(0.1 * half));
  for (const Interval& i : all) CHECK((i.low == all[0].low && i.high == all[0].high));
  // values in pairs: blocks see that there are only half as many, single values do not
  Values pairs;
  for (double x : normal(2000, 10)) pairs.insert(pairs.end(), 2, x);
  const Interval single = block_bootstrap_mean(pairs, 1), blocks = block_bootstrap_mean(pairs, 20);
  CHECK((blocks.high - blocks.low) / (single.high - single.low) == Approx(std::sqrt(2.0)).epsilon(0.15));
}

TEST_CASE("any metric has a bootstrap interval over its cases", "[metrics]") {
  const std::int64_t n = 400;
  std::vector<double> x, truth;
  std::vector<std::int64_t> predicted, labels;
  for (std::int64_t i = 0; i < n; ++i) {
    truth.push_back(std::sin(double(i)));
    x.push_back(truth.back() + 0.1 * std::cos(7.0 * double(i)));
    labels.push_back(i % 3);
    predicted.push_back(i % 5 ? i % 3 : 0);
  }
  const auto error = [](auto a, auto b) { return rmse(a, b); };
  const Interval e = bootstrap_of({}, error, x, truth);
  CHECK(e.value == rmse(x, truth));
  CHECK(e.low < e.value);
  CHECK(e.value < e.high);
  // the delta method: the mean of squares has a normal error
  double mean_square = 0, fourth = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double q = std::pow(x[std::size_t(i)] - truth[std::size_t(i)], 2);
    mean_square += q / double(n), fourth += q * q / double(n);
  }
  const double half = 1.96 * std::sqrt((fourth - mean_square * mean_square) / double(n)) / (2 * e.value);
  CHECK((e.high - e.low) / 2 == Approx(half).epsilon(0.08));
  // the statistic written over indices gives the same numbers
  const Interval by_hand = bootstrap(n, [&](std::span<const std::int64_t> drawn) {
    std::vector<double> a, b;
    for (std::int64_t i : drawn) a.push_back(x[std::size_t(i)]), b.push_back(truth[std::size_t(i)]);
    return rmse(a, b);
  }, 300, 0.9, 7);
  const Interval same = bootstrap_of({300, 0.9, 7}, error, x, truth);
  CHECK(same.low == by_hand.low);
  CHECK(same.high == by_hand.high);
  const Interval m = bootstrap_of({200}, [](auto p, auto t) { return mcc(confusion(p, t, 3), 3); }, predicted, labels);
  CHECK(m.value == mcc(confusion(predicted, labels, 3), 3));
  CHECK(m.low < m.high);
  x.pop_back();
  CHECK_THROWS_WITH(bootstrap_of({}, error, x, truth), Contains("bootstrap_of: ranges of 399 and 400 cases"));
}

TEST_CASE("mean of runs with Student's interval", "[metrics]") {
  // R: t.test(c(.95, .96, .955, .97, .965))$conf.int
  const Interval i = mean_interval(Values{.95, .96, .955, .97, .965});
  CHECK(i.value == Approx(.96).epsilon(1e-14));
  const double half = 2.7764451051977987 * std::sqrt(.00025 / 4 / 5);  // t of 4 degrees of freedom at .975
  CHECK(i.low == Approx(.96 - half).epsilon(1e-12));
  CHECK(i.high == Approx(.96 + half).epsilon(1e-12));
  CHECK(std::isnan(mean_interval(Values{3}).low));
  CHECK_THROWS_AS(mean_interval(Values{}), Error);
  CHECK_THROWS_AS(mean_interval(Values{1, NAN}), Error);
}

TEST_CASE("metrics refuse what is out of their range", "[metrics][misuse]") {
  CHECK_THROWS_WITH(auroc(Values{0.1, 0.2}, Truth{0, 2}), Contains("auroc: truth 2 at 1"));
  const Values v{1, 2, 3, 4};
  const Truth t{0, 1, 0, 1};
  CHECK_THROWS_WITH(block_bootstrap_mean(v, 1, 100, 2.0), Contains("block_bootstrap_mean: level 2"));
  CHECK_THROWS_WITH(block_bootstrap_mean(v, 1, 0), Contains("block_bootstrap_mean: 0 resamples"));
  CHECK_THROWS_WITH(auroc(v, t, 1.0), Contains("auroc: level 1"));
  CHECK_THROWS_WITH(auroc_difference(v, v, t, 0.0), Contains("auroc_difference: level 0"));
  CHECK_THROWS_WITH(confusion(Labels{5}, Labels{5}, std::int64_t(1) << 32), Contains("confusion: ") && Contains("does not fit 63 bits"));
  CHECK_THROWS_WITH(accuracy(Labels{}, std::int64_t(1) << 32), Contains("accuracy: ") && Contains("does not fit 63 bits"));
  try {
    confusion(Labels{5}, Labels{5}, std::int64_t(1) << 30);
    FAIL("2^60 counts were held");
  } catch (const Error& e) {
    CHECK(e.code() == "memory.exhausted");
  }
}
