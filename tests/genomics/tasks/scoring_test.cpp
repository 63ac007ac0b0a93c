#include "genomics/tasks/scoring.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/ops/gradient_check.hpp"
#include "tenon/metrics.hpp"
#include "tenon/ops.hpp"
#include "tenon/tensor_metrics.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

#include "genomics/golden/classification.inc"

struct Scored {
  std::vector<double> p;
  std::vector<std::int64_t> truth;
};

Scored binary() {
  Scored s;
  for (int i = 0; i < 80; ++i) {
    const double p = std::round((i * 37) % 101 / 101.0 * 10) / 10;
    s.p.insert(s.p.end(), {1 - p, p});
    s.truth.push_back((i * 13 + i / 4) % 3 == 0);
  }
  return s;
}

Scored three() {
  Scored s;
  for (int i = 0; i < 80; ++i) {
    double v[3], sum = 0;
    const int factor[] = {3, 5, 11};
    for (int k = 0; k < 3; ++k) sum += v[k] = ((i * factor[k]) % 17 + 1) / 17.0;
    for (double x : v) s.p.push_back(x / sum);
    s.truth.push_back((i * i + i / 3) % 3);
  }
  return s;
}

std::vector<double> values(const std::vector<Interval>& scores, std::size_t n) {
  std::vector<double> v;
  for (std::size_t i = 0; i < n; ++i) v.push_back(scores[i].value);
  return v;
}

}  // namespace

TEST_CASE("scores of two and of three classes are scikit-learn's", "[genomics][scoring]") {
  const Scored two = binary(), more = three();
  check::require_close(values(score(two.p, two.truth, 2, 0), 4), kBinary, 1e-10);
  check::require_close(values(score(more.p, more.truth, 3, 0), 4), kThree, 1e-10);
}

TEST_CASE("scores of tensors are scikit-learn's", "[genomics][scoring][tensor_metrics]") {
  const Scored two = binary();
  const Tensor p = Tensor::from(two.p, {80, 2}), truth = Tensor::from(two.truth, {80}), positive = p.select(1, 1);
  const Tensor said = greater_equal(positive, Tensor::full({}, 0.5, DType::f64));
  const Tensor counts = confusion(said, truth, 2);
  check::require_close({auroc(positive, truth).item(), average_precision(positive, truth).item(), mcc(counts.span<std::int64_t>(), 2), accuracy(counts.span<std::int64_t>(), 2)},
                       kBinary, 1e-10);
  const Scored more = three();
  const Tensor q = Tensor::from(more.p, {80, 3}), labels = Tensor::from(more.truth, {80}), table = confusion_of_scores(q, labels);
  const Tensor against_rest = one_hot(labels, 3, DType::u8).transpose(0, 1), scores = q.transpose(0, 1);
  check::require_close({mcc(table.span<std::int64_t>(), 3), accuracy(table.span<std::int64_t>(), 3), mean(auroc(scores, against_rest, 1)).item(),
                        mean(average_precision(scores, against_rest, 1)).item()},
                       kThree, 1e-10);
}

TEST_CASE("every score has its interval, AUROC DeLong's", "[genomics][scoring]") {
  const Scored two = binary();
  const auto scores = score(two.p, two.truth, 2);
  const auto columns = score_columns(2);
  REQUIRE(scores.size() == columns.size());
  for (std::size_t k = 0; k < scores.size(); ++k) {
    INFO(columns[k].name);
    CHECK(scores[k].low <= scores[k].value + 0.2);
    CHECK(scores[k].low < scores[k].high);
    if (columns[k].name != "calibration error") {  // a resample is less smooth: its error is larger as a rule
      CHECK(scores[k].low <= scores[k].value);
      CHECK(scores[k].high >= scores[k].value);
    }
  }
  std::vector<double> p;
  std::vector<std::uint8_t> truth;
  for (std::size_t i = 0; i < two.truth.size(); ++i) {
    p.push_back(two.p[2 * i + 1]);
    truth.push_back(std::uint8_t(two.truth[i]));
  }
  const Interval delong = auroc(p, truth);
  CHECK(scores[0].low == delong.low);
  CHECK(scores[0].high == delong.high);
  CHECK(columns[mcc_column(2)].name == "MCC");
  CHECK(score_columns(3)[mcc_column(3)].name == "MCC");
}

TEST_CASE("one class alone: areas are not defined, MCC is 0", "[genomics][scoring]") {
  const std::vector<double> p{0.2, 0.8, 0.7, 0.3};
  const auto scores = score(p, std::vector<std::int64_t>{1, 1}, 2, 50);
  CHECK(std::isnan(scores[0].value));
  CHECK(std::isnan(scores[1].value));
  CHECK(scores[2].value == 0);
  CHECK(scores[3].value == 0.5);
  CHECK(score_charts({"a", "b"}, p, std::vector<std::int64_t>{1, 1}, {}).empty());
}

TEST_CASE("charts: ROC from corner to corner, calibration within its bars", "[genomics][scoring]") {
  const Scored two = binary(), more = three();
  const auto charts = score_charts({"background", "promoter"}, two.p, two.truth, {"beside", two.p});
  REQUIRE(charts.size() == 3);
  const Curve& roc = charts[0].curves[0];
  CHECK(roc.name == "promoter");
  CHECK(roc.x.front() == 0);
  CHECK(roc.y.front() == 0);
  CHECK(roc.x.back() == 1);
  CHECK(roc.y.back() == 1);
  double area = 0;
  for (std::size_t i = 1; i < roc.x.size(); ++i) area += (roc.x[i] - roc.x[i - 1]) * (roc.y[i] + roc.y[i - 1]) / 2;
  CHECK(area == Approx(kBinary[0]));
  CHECK(charts[0].curves[1].y == roc.y);  // the baseline is the same here
  CHECK(charts[0].curves[1].reference);
  double average = 0;
  const Curve& precision = charts[1].curves[0];
  for (std::size_t i = 1; i < precision.x.size(); ++i) average += (precision.x[i] - precision.x[i - 1]) * precision.y[i];
  CHECK(average == Approx(kBinary[1]));
  for (const auto& chart : charts)
    for (const auto& c : chart.curves) {
      REQUIRE(c.x.size() == c.y.size());
      REQUIRE(c.low.size() == c.high.size());
      for (std::size_t i = 0; i < c.low.size(); ++i) {
        CHECK(c.low[i] <= c.y[i] + 1e-12);
        CHECK(c.high[i] >= c.y[i] - 1e-12);
      }
    }
  CHECK(score_charts({"a", "b", "c"}, more.p, more.truth, {})[0].curves.size() == 4);  // three classes and chance
}
