/// Metrics of tensors against those of plain values (metrics.hpp), closed forms, and what both refuse. The same calls on a device: tests/cuda/metric_cases.cpp.
#include "tenon/tensor_metrics.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>

#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/metrics.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

using Values = std::vector<double>;
using Labels = std::vector<std::int64_t>;
using Truth = std::vector<std::uint8_t>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
constexpr std::int64_t kLarge = (1 << 20) + 3;

Values normal(std::int64_t n, std::uint64_t stream, double shift = 0) {
  const Random random(3, stream);
  Values v;
  for (std::int64_t i = 0; i < n; ++i) v.push_back(double(random.normal(std::uint64_t(i))) + shift);
  return v;
}
/// In runs, as labels of neighbouring voxels are.
Labels labels(std::int64_t n, std::int64_t classes, std::uint64_t stream) {
  const Random random(5, stream);
  Labels v;
  for (std::uint64_t i = 0; i < std::uint64_t(n); ++i)
    v.push_back(i && random.below(2 * i, 3) ? v.back() : std::int64_t(random.below(2 * i + 1, std::uint64_t(classes))));
  return v;
}
Truth yes(std::int64_t n, std::uint64_t stream) {
  Truth v;
  for (auto l : labels(n, 2, stream)) v.push_back(std::uint8_t(l));
  return v;
}
/// Rounded, so that some are equal; -0 and 0 among them.
Values tied(std::int64_t n, std::uint64_t stream, double steps = 8) {
  Values v = normal(n, stream);
  for (double& x : v) x = std::round(x * steps) / steps;
  return v;
}
Tensor tensor(const Values& v, DType type = DType::f64) {
  return Tensor::from(v, {std::int64_t(v.size())}).to(type);
}
Tensor tensor(const Labels& v, DType type = DType::i64) {
  return Tensor::from(v, {std::int64_t(v.size())}).to(type);
}
Tensor tensor(const Truth& v, DType type = DType::u8) {
  return tensor(Labels(v.begin(), v.end()), type);
}
Labels counts(const Tensor& t) {
  Labels v;
  for (double x : t.to_vector()) v.push_back(std::int64_t(x));
  return v;
}
/// The same numbers one element after the start of their memory, and as every second of a matrix'.
std::vector<Tensor> as_views(const Tensor& t) {
  const Tensor column = t.reshape({t.size(0), 1});
  return {t, concat({Tensor::zeros({1}, t.dtype()), t}, 0).narrow(0, 1, t.size(0)), concat({column, column}, 1).select(1, 1)};
}
void check_close(double got, double expected) {
  if (std::isnan(expected))
    CHECK(std::isnan(got));
  else
    CHECK(got == Approx(expected).epsilon(1e-12).margin(1e-15));
}
/// Both areas by whole numbers and long doubles: sums of a million doubles in a row, as those of plain values are, lose the digits that are asked for.
std::pair<double, double> exact_areas(const Values& scores, const Truth& truth) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  const std::int64_t n = std::int64_t(truth.size()), positives = std::count(truth.begin(), truth.end(), 1);
  std::int64_t hits = 0, misses = 0, twice = 0;
  long double precision = 0;
  for (std::size_t i = 0, end = 0; i < order.size(); i = end) {
    std::int64_t here = 0;
    for (end = i; end < order.size() && scores[order[end]] == scores[order[i]]; ++end) here += truth[order[end]];
    const std::int64_t tied = std::int64_t(end - i) - here;
    hits += here, misses += tied;
    twice += here * (2 * (n - positives - misses) + tied);
    precision += (long double)(here) / (long double)(positives) * (long double)(hits) / (long double)(end);
  }
  return {double(twice) / (2.0 * double(positives) * double(n - positives)), double(precision)};
}
std::string said(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::usage);
    return e.message();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("counts of labels of every type, views and sizes are those of plain values", "[tensor_metrics]") {
  for (const std::int64_t n : {std::int64_t(1), std::int64_t(17), std::int64_t(4099), kLarge})
    for (const std::int64_t classes : {1, 2, 5, 120}) {
      const Labels predicted = labels(n, classes, 1), truth = labels(n, classes, 2), expected = confusion(predicted, truth, classes);
      for (const auto& [p, t] : {std::pair{DType::u8, DType::u8}, {DType::i64, DType::i64}, {DType::i32, DType::i16}, {DType::u8, DType::i64}, {DType::i8, DType::u8}}) {
        const auto ps = as_views(tensor(predicted, p)), ts = as_views(tensor(truth, t));
        for (std::size_t k = 0; k < (n < kLarge ? ps.size() : 1); ++k) {
          const Tensor c = confusion(ps[k], ts[k], classes);
          CHECK(c.shape() == Shape{classes, classes});
          CHECK(c.dtype() == DType::i64);
          CHECK(counts(c) == expected);
        }
      }
    }
}

TEST_CASE("counts by case, and without an ignored label", "[tensor_metrics]") {
  const std::int64_t n = 77, classes = 3;
  for (const std::int64_t cases : {1, 2, 40}) {
    const Labels predicted = labels(cases * n, classes, 1), truth = labels(cases * n, classes + 1, 2);
    ConfusionOptions o;
    o.case_axes = 1;
    o.ignored = classes;  // no class, and left out
    const Tensor c = confusion(tensor(predicted).reshape({cases, 7, 11}), tensor(truth).reshape({cases, 7, 11}), classes, o);
    REQUIRE(c.shape() == Shape{cases, classes, classes});
    for (std::int64_t k = 0; k < cases; ++k) {
      Labels p, t;
      for (std::int64_t i = k * n; i < (k + 1) * n; ++i)
        if (truth[std::size_t(i)] != classes) p.push_back(predicted[std::size_t(i)]), t.push_back(truth[std::size_t(i)]);
      CHECK(counts(c.select(0, k)) == confusion(p, t, classes));
    }
    o.ignored = 1;  // a class, and a prediction of it still counts
    const Labels table = counts(confusion(tensor(predicted), tensor(labels(cases * n, classes, 3)), classes, {.ignored = 1}));
    CHECK(table[3] + table[4] + table[5] == 0);
    CHECK(table[1] + table[7] > 0);
  }
  ConfusionOptions each;
  each.case_axes = 2;  // each element is a case
  CHECK(counts(confusion(tensor(Labels{0, 1}).reshape({1, 2}), tensor(Labels{1, 1}).reshape({1, 2}), 2, each)) == Labels{0, 0, 1, 0, 0, 0, 0, 1});
  CHECK(confusion(Tensor::zeros({0, 5}, DType::u8), Tensor::zeros({0, 5}, DType::u8), 2, {.case_axes = 1}).shape() == Shape{0, 2, 2});
}

TEST_CASE("counts of scores are those of the first largest", "[tensor_metrics]") {
  for (const std::int64_t n : {1, 5, 1000, 70001})
    for (const std::int64_t classes : {1, 2, 16, 17, 40, 300}) {
      if (n * classes > (1 << 21)) continue;
      const Labels truth = labels(n, classes, 2);
      for (const DType type : {DType::f32, DType::f64, DType::bf16, DType::f16}) {
        const Tensor scores = tensor(tied(n * classes, 4, 2), type).reshape({n, classes});
        CHECK(counts(confusion_of_scores(scores, tensor(truth, DType::i32))) == confusion(counts(argmax(scores, 1)), truth, classes));
      }
    }
  const Tensor scores = Tensor::from(Values{-kInf, -kInf, 0, 1, kInf, 2}, {3, 2});
  CHECK(counts(confusion_of_scores(scores, tensor(Labels{0, 1, 0}))) == Labels{2, 0, 0, 1});
  const Tensor by_case = confusion_of_scores(scores.reshape({3, 1, 2}), tensor(Labels{0, 1, 0}).reshape({3, 1}), {.case_axes = 1});
  CHECK(counts(by_case) == Labels{1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0});
}

TEST_CASE("errors of numbers are those of plain values", "[tensor_metrics]") {
  for (const std::int64_t n : {std::int64_t(1), std::int64_t(7), std::int64_t(8193), kLarge}) {
    const Values x = normal(n, 1, 3), t = normal(n, 2, 2), c = normal(n, 4);
    Values w = normal(n, 3);
    for (double& v : w) v = v < 0 ? 0 : v;  // weights of zero among them
    if (n == 1) w = {2};
    const auto xs = as_views(tensor(x)), ts = as_views(tensor(t)), ws = as_views(tensor(w)), cs = as_views(tensor(c));
    for (std::size_t k = 0; k < xs.size(); ++k) {
      check_close(rmse(xs[k], ts[k]).item(), rmse(x, t));
      check_close(rmse(xs[k], ts[k], ws[k]).item(), rmse(x, t, w));
      check_close(mae(xs[k], ts[k]).item(), mae(x, t));
      check_close(mae(xs[k], ts[k], ws[k]).item(), mae(x, t, w));
      check_close(bias(xs[k], ts[k], ws[k]).item(), bias(x, t, w));
      check_close(anomaly_correlation(xs[k], ts[k], cs[k]).item(), anomaly_correlation(x, t, c));
      check_close(anomaly_correlation(xs[k], ts[k], cs[k], ws[k]).item(), anomaly_correlation(x, t, c, w));
      if (n > 1) check_close(pearson(xs[k], ts[k]).item(), pearson(x, t));
    }
  }
}

TEST_CASE("errors of other types are those of the numbers that they hold", "[tensor_metrics]") {
  const std::int64_t n = 1003;
  for (const DType type : {DType::f32, DType::bf16, DType::f16})
    for (const DType other : {type, DType::f64, DType::f32}) {
      const Tensor x = tensor(normal(n, 1), type), t = tensor(normal(n, 2), other), w = abs(tensor(normal(n, 3), type));
      const Values a = x.to_vector(), b = t.to_vector(), weights = w.to_vector();
      check_close(rmse(x, t, w).item(), rmse(a, b, weights));
      check_close(pearson(x, t).item(), pearson(a, b));
      CHECK(rmse(x, t).dtype() == DType::f64);
    }
}

TEST_CASE("errors by case, with one row of weights for all, and their closed forms", "[tensor_metrics]") {
  const std::int64_t cases = 5, n = 9001;
  const Values x = normal(cases * n, 1), t = normal(cases * n, 2), c = normal(n, 3);
  Values w = normal(n, 4);
  for (double& v : w) v = v * v;
  const Tensor tx = tensor(x).reshape({cases, n}), tt = tensor(t).reshape({cases, n});
  const Tensor error = rmse(tx, tt, tensor(w), 1), correlation = anomaly_correlation(tx, tt, tensor(c), tensor(w), 1), r = pearson(tx, tt, 1);
  REQUIRE(error.shape() == Shape{cases});
  for (std::int64_t k = 0; k < cases; ++k) {
    const Values a(x.begin() + k * n, x.begin() + (k + 1) * n), b(t.begin() + k * n, t.begin() + (k + 1) * n);
    check_close(error.select(0, k).item(), rmse(a, b, w));
    check_close(correlation.select(0, k).item(), anomaly_correlation(a, b, c, w));
    check_close(r.select(0, k).item(), pearson(a, b));
  }
  const ErrorSums s = error_sums(tensor(Values{1, 2, 5}), tensor(Values{0, 4, 5}), tensor(Values{1, 2, 1}));
  CHECK(Values{s.weight.item(), s.error.item(), s.absolute.item(), s.square.item(), s.x.item(), s.truth.item(), s.x_square.item(), s.truth_square.item(), s.product.item()} ==
        Values{4, -3, 5, 9, 10, 13, 34, 57, 41});
  CHECK(relative_l2(s).item() == Approx(std::sqrt(9.0 / 57)).epsilon(1e-15));
  CHECK(std::isnan(relative_l2(tensor(Values{1, 2}), tensor(Values{0, 0})).item()));
  CHECK(std::isnan(pearson(tensor(Values{1, 2, 3}), tensor(Values{2, 2, 2})).item()));
  // what does not vary has no correlation, though its mean is off by a rounding; small numbers have one, though its square is none
  const Values tenth(1000, 0.1), fifth(1000, 0.2), small{1e-100, 2e-100, 4e-100}, others{1e-100, 3e-100, 4e-100};
  CHECK(std::isnan(pearson(tenth, fifth)));
  CHECK(std::isnan(pearson(tensor(tenth), tensor(fifth)).item()));
  CHECK(pearson(small, others) == Approx(pearson(Values{1, 2, 4}, Values{1, 3, 4})));
  CHECK(pearson(tensor(small), tensor(others)).item() == Approx(pearson(small, others)));
  // many short rows
  const Tensor short_x = tensor(normal(3000, 5)).reshape({1000, 3}), short_t = tensor(normal(3000, 6)).reshape({1000, 3});
  const Values bias_of = bias(short_x, short_t, {}, 1).to_vector(), a = short_x.to_vector(), b = short_t.to_vector();
  for (std::size_t k = 0; k < 1000; ++k) check_close(bias_of[k], (a[3 * k] - b[3 * k] + a[3 * k + 1] - b[3 * k + 1] + a[3 * k + 2] - b[3 * k + 2]) / 3);
  // of batches, added up
  const ErrorSums first = error_sums(tx.narrow(0, 0, 2), tt.narrow(0, 0, 2)), second = error_sums(tx.narrow(0, 2, 3), tt.narrow(0, 2, 3));
  check_close(sqrt((first.square + second.square) / (first.weight + second.weight)).item(), rmse(x, t));
}

TEST_CASE("a correlation of numbers far from zero keeps its digits", "[tensor_metrics]") {
  const Values x = normal(5000, 1, 1e6);
  Values y = normal(5000, 2, -1e6);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += 0.5 * (x[i] - 1e6);
  CHECK(pearson(tensor(x), tensor(y)).item() == Approx(pearson(x, y)).epsilon(1e-12));
}

TEST_CASE("areas under curves are those of plain values, whatever is tied", "[tensor_metrics]") {
  for (const std::int64_t n : {std::int64_t(1), std::int64_t(2), std::int64_t(9), std::int64_t(8200), kLarge})
    for (const double steps : {0.5, 8.0, 1e9}) {
      if (n == kLarge && steps == 8) continue;  // between the other two
      const Values scores = tied(n, 1, steps);
      const Truth truth = yes(n, 2);
      const auto ss = as_views(tensor(scores)), ts = as_views(tensor(truth));
      double area = 0, precision = 0;
      if (n < kLarge)
        area = auroc(scores, truth).value, precision = average_precision(scores, truth);
      else
        std::tie(area, precision) = exact_areas(scores, truth);
      for (std::size_t k = 0; k < (n > 10000 ? 1 : ss.size()); ++k) {
        check_close(auroc(ss[k], ts[k]).item(), area);
        check_close(average_precision(ss[k], ts[k]).item(), precision);
      }
    }
  const Truth truth{1, 0, 1, 0, 1};
  const Tensor t = tensor(truth);
  check_close(auroc(tensor(Values{-0.0, 0.0, 0.0, -0.0, 0.0}), t).item(), 0.5);  // all scores equal: -0 is 0
  check_close(average_precision(tensor(Values{-0.0, 0.0, 0.0, -0.0, 0.0}), t).item(), 3.0 / 5);
  check_close(auroc(tensor(Values{-0.0, 0.0, 1, -1, 2}), t).item(), (0.5 + 1 + 2 + 2) / 6);
  for (const Truth& one : {Truth{1, 1, 1}, Truth{0, 0, 0}}) {  // a class is absent
    const Values scores{1, 3, 2};
    CHECK(std::isnan(auroc(tensor(scores), tensor(one)).item()));
    check_close(average_precision(tensor(scores), tensor(one)).item(), average_precision(scores, one));
  }
  for (const DType type : {DType::f32, DType::bf16, DType::f16})
    for (const DType label : {DType::boolean, DType::i8, DType::i32}) {
      const Tensor scores = tensor(normal(3001, 1), type);
      const Truth said_yes = yes(3001, 2);
      check_close(auroc(scores, tensor(said_yes, label)).item(), auroc(scores.to_vector(), said_yes).value);
      check_close(average_precision(scores, tensor(said_yes, label)).item(), average_precision(scores.to_vector(), said_yes));
    }
}

TEST_CASE("areas, calibration and Brier's score by case", "[tensor_metrics]") {
  for (const std::int64_t n : {6, 10000}) {
    const std::int64_t cases = 4;
    Values p = tied(cases * n, 1, 64);
    for (double& v : p) v = 1 / (1 + std::exp(-v));
    p[0] = 1, p[1] = 0;  // the ends belong to bins
    const Truth truth = yes(cases * n, 2);
    const Tensor tp = tensor(p).reshape({cases, n}), tt = tensor(truth).reshape({cases, n});
    const Tensor area = auroc(tp, tt, 1), precision = average_precision(tp, tt, 1), calibration = calibration_error(tp, tt, 10, 1), brier = brier_score(tp, tt, 1);
    // cases as columns, by a view
    const Tensor columns = auroc(tp.transpose(0, 1).contiguous().transpose(0, 1), tt.transpose(0, 1).contiguous().transpose(0, 1), 1);
    for (std::int64_t k = 0; k < cases; ++k) {
      const Values a(p.begin() + k * n, p.begin() + (k + 1) * n);
      const Truth b(truth.begin() + k * n, truth.begin() + (k + 1) * n);
      check_close(area.select(0, k).item(), auroc(a, b).value);
      check_close(columns.select(0, k).item(), auroc(a, b).value);
      check_close(precision.select(0, k).item(), average_precision(a, b));
      check_close(calibration.select(0, k).item(), calibration_error(a, b, 10));
      check_close(brier.select(0, k).item(), brier_score(a, b));
    }
    check_close(calibration_error(tp, tt).item(), calibration_error(p, truth));
    check_close(brier_score(tp, tt).item(), brier_score(p, truth));
  }
}

TEST_CASE("no case gives no result", "[tensor_metrics]") {
  const Tensor x = Tensor::zeros({0, 4}), t = Tensor::zeros({0, 4}, DType::u8);
  for (const Tensor& y : {rmse(x, x, {}, 1), relative_l2(x, x, {}, 1), pearson(x, x, 1), auroc(x, t, 1), average_precision(x, t, 1),
                          calibration_error(x, t, 5, 1), brier_score(x, t, 1)}) {
    CHECK(y.shape() == Shape{0});
    CHECK(y.dtype() == DType::f64);
  }
}

TEST_CASE("metrics of tensors do not depend on threads", "[tensor_metrics]") {
  const Tensor x = tensor(normal(kLarge, 1)), y = tensor(normal(kLarge, 2)), t = tensor(yes(kLarge, 3));
  const int before = thread_count();
  std::vector<Values> all;
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    all.push_back({rmse(x, y).item(), pearson(x, y).item(), average_precision(x, t).item()});
  }
  set_thread_count(before);
  CHECK(all[0] == all[1]);
  CHECK(all[0] == all[2]);
}

TEST_CASE("metrics are recorded in a step, and tell what they refuse when it runs", "[tensor_metrics][plan]") {
  const Tensor x = tensor(normal(300, 1)), y = tensor(normal(300, 2)), t = tensor(yes(300, 3));
  Tensor error, r, area, table, calibration;
  const StepPlan plan = StepPlan::record([&] {
    error = rmse(x * 2.0, y);
    r = pearson(x, y);
    area = auroc(x, t);
    table = confusion(greater(x, y), t, 2);
    calibration = calibration_error(sigmoid(x), t);
  });
  for (const std::uint64_t stream : {11, 12}) {
    x.copy_from_host(normal(300, stream).data(), 300 * sizeof(double));
    plan.run();
    check_close(error.item(), rmse((x * 2.0).to_vector(), y.to_vector()));
    check_close(r.item(), pearson(x.to_vector(), y.to_vector()));
    check_close(area.item(), auroc(x.to_vector(), yes(300, 3)).value);
    CHECK(counts(table) == counts(confusion(greater(x, y), t, 2)));
    check_close(calibration.item(), calibration_error(sigmoid(x).to_vector(), yes(300, 3)));
  }
  x.narrow(0, 7, 1).copy_from_host(&kNaN, sizeof kNaN);
  CHECK_THROWS_WITH(plan.run(), Contains("rmse: value 7 is nan"));
}

TEST_CASE("a metric has no gradient", "[tensor_metrics]") {
  Tensor x = tensor(normal(5, 1));
  x.set_requires_grad();
  CHECK_FALSE(rmse(x, tensor(normal(5, 2))).requires_grad());
  CHECK_FALSE(auroc(x, tensor(yes(5, 2))).requires_grad());
  CHECK_FALSE(calibration_error(sigmoid(x), tensor(yes(5, 2))).requires_grad());
  CHECK_FALSE(confusion_of_scores(x.reshape({1, 5}), tensor(Labels{1})).requires_grad());
}

TEST_CASE("metrics of tensors refuse what those of plain values do, and say where", "[tensor_metrics][misuse]") {
  const Tensor x = tensor(Values{1, 2, 5}), t = tensor(Values{0, 4, 5}), yes_no = tensor(Labels{0, 1, 1});
  const auto with = [](Values v, std::size_t at, double bad) {
    v[at] = bad;
    return tensor(v);
  };
  const Values ones{1, 1, 1};
  CHECK(said([&] { rmse(with(ones, 2, kNaN), t); }) == "rmse: value 2 is nan");
  CHECK(said([&] { mae(with(ones, 1, -kInf), t); }) == "mae: value 1 is -inf");
  CHECK(said([&] { bias(x, with(ones, 0, kInf)); }) == "bias: value 0 of truth is inf");
  CHECK(said([&] { pearson(x, with(ones, 0, kNaN)); }) == "pearson: value 0 of truth is nan");
  CHECK(said([&] { pearson(x, with(ones, 2, -kInf)); }) == "pearson: value 2 of truth is -inf");
  CHECK(said([&] { rmse(x, t, with(ones, 1, -1)); }) == "rmse: weight -1 of value 1");
  CHECK(said([&] { rmse(x, t, with(ones, 1, kNaN)); }) == "rmse: weight nan of value 1");
  CHECK(said([&] { rmse(x, t, with({0, 0, 0}, 1, -1)); }) == "rmse: weight -1 of value 1");
  CHECK(said([&] { relative_l2(x, t, tensor(Values{0, 0, 0})); }) == "relative_l2: all weights are 0");
  CHECK(said([&] { error_sums(x.reshape({3, 1}), t.reshape({3, 1}), tensor(Values{1, 0, 1}).reshape({3, 1}), 1); }) == "error_sums: all weights are 0 in case 1");
  CHECK(said([&] { anomaly_correlation(x, t, with(ones, 1, kNaN)); }) == "anomaly_correlation: the climatology of value 1 is nan");
  CHECK(said([&] { confusion(tensor(Labels{0, 3, 7}), yes_no, 3); }) == "confusion: label 3 at 1, of 3 classes");
  CHECK(said([&] { confusion(yes_no, tensor(Labels{0, 1, -1}), 3); }) == "confusion: label -1 of truth at 2, of 3 classes");
  CHECK(said([&] { confusion_of_scores(with({1, 2, 3, 4}, 3, kNaN).reshape({2, 2}), tensor(Labels{0, 1})); }) == "confusion_of_scores: value 3 is nan");
  CHECK(said([&] { auroc(with(ones, 1, kNaN), yes_no); }) == "auroc: value 1 is nan");
  CHECK(said([&] { average_precision(x, tensor(Labels{0, 2, 5})); }) == "average_precision: truth 2 at 1");
  CHECK(said([&] { brier_score(with(ones, 2, kInf), yes_no); }) == "brier_score: value 2 is inf");
  CHECK(said([&] { calibration_error(with(ones, 0, 1.5), yes_no); }) == "calibration_error: probability 1.5 at 0");
  CHECK(said([&] { calibration_error(with(ones, 2, -0.5), yes_no, 4); }) == "calibration_error: probability -0.5 at 2");
  CHECK(said([&] { calibration_error(with(ones, 2, 1.0000001), yes_no, 4); }) == "calibration_error: probability 1.0000001 at 2");
  // the first of many, whichever thread meets it
  Values many(std::size_t(kLarge), 1.0);
  for (const std::size_t at : {std::size_t(900000), std::size_t(20001), std::size_t(500000)}) many[at] = kNaN;
  CHECK(said([&] { rmse(tensor(many), tensor(normal(kLarge, 1))); }) == "rmse: value 20001 is nan");
  CHECK(said([&] { auroc(tensor(many), tensor(yes(kLarge, 1))); }) == "auroc: value 20001 is nan");

  // shapes, types, options
  CHECK_THAT(said([&] { rmse(x, tensor(Values{1})); }), Contains("rmse: f64[3] cpu and truth f64[1] cpu"));
  CHECK_THAT(said([&] { rmse(yes_no, t); }), Contains("rmse: x is i64[3] cpu, not floating point"));
  CHECK_THAT(said([&] { rmse(x, t, tensor(Values{1, 2})); }), Contains("rmse: weights f64[2] cpu for f64[3] cpu"));
  CHECK_THAT(said([&] { rmse(x, t, {}, 2); }), Contains("rmse: 2 case axes of f64[3] cpu"));
  CHECK_THAT(said([&] { rmse(Tensor::zeros({2, 0}), Tensor::zeros({2, 0}), {}, 1); }), Contains("rmse: no values in f32[2, 0] cpu"));
  CHECK_THAT(said([&] { mae(Tensor(), t); }), Contains("mae: x is undefined"));
  CHECK_THAT(said([&] { anomaly_correlation(x, t, {}); }), Contains("anomaly_correlation: climatology is undefined"));
  CHECK_THAT(said([&] { anomaly_correlation(x, t, tensor(Values{1, 2})); }), Contains("climatology f64[2] cpu for f64[3] cpu"));
  CHECK_THAT(said([&] { confusion(yes_no, tensor(Labels{1}), 2); }), Contains("confusion: i64[3] cpu and truth i64[1] cpu"));
  CHECK_THAT(said([&] { confusion(x, yes_no, 2); }), Contains("confusion: predicted is f64[3] cpu, not an integer type"));
  CHECK_THAT(said([&] { confusion(yes_no, yes_no, 0); }), Contains("confusion: 0 classes"));
  CHECK_THAT(said([&] { confusion(yes_no, yes_no, std::int64_t(1) << 32); }), Contains("does not fit 63 bits"));
  CHECK_THAT(said([&] { confusion_of_scores(x, yes_no); }), Contains("confusion_of_scores: f64[3] cpu and truth i64[3] cpu"));
  CHECK_THAT(said([&] { confusion_of_scores(Tensor::full({}, 1), yes_no); }), Contains("have no class axis"));
  CHECK_THAT(said([&] { auroc(x, t); }), Contains("auroc: truth is f64[3] cpu, not an integer type"));
  CHECK_THAT(said([&] { auroc(Tensor::zeros({0}), Tensor::zeros({0}, DType::u8)); }), Contains("auroc: no values"));
  CHECK_THAT(said([&] { calibration_error(x, yes_no, 0); }), Contains("calibration_error: 0 bins"));
}
