/// Metrics of tensors: what is checked and composed. The kernels are those of confusion, error_sums and ranked_scores.
#include "tenon/tensor_metrics.hpp"

#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "metrics/number_text.hpp"
#include "ops/check.hpp"
#include "ops/metric_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/device.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/ordering.hpp"

namespace tenon {

void refuse_metric(const char* op, std::int64_t value, std::int64_t at, std::int64_t classes) {
  if (at >= kNoWeight) throw_usage(op, "all weights are 0" + (value > 1 ? " in case " + std::to_string(at - kNoWeight) : std::string()));
  const std::string place = std::to_string(at / kWhys), number = number_text(std::bit_cast<double>(value)), label = std::to_string(value);
  const std::string of_classes = ", of " + std::to_string(classes) + " classes", hint = "leave such cases out, and say how many";
  switch (Why(at % kWhys)) {
    case Why::value: throw_usage(op, "value " + place + " is " + number, hint);
    case Why::truth: throw_usage(op, "value " + place + " of truth is " + number, hint);
    case Why::climatology: throw_usage(op, "the climatology of value " + place + " is " + number, hint);
    case Why::weight: throw_usage(op, "weight " + number + " of value " + place, "weights are 0 or more");
    case Why::label: throw_usage(op, "label " + label + " at " + place + of_classes);
    case Why::label_of_truth: throw_usage(op, "label " + label + " of truth at " + place + of_classes);
    case Why::binary: throw_usage(op, "truth " + label + " at " + place, "0 for no, 1 for yes");
    case Why::probability: break;
  }
  throw_usage(op, "probability " + number + " at " + place, "give what softmax or sigmoid gives");
}

namespace {

/// [cases..., elements...] as rows.
struct Cases {
  Shape cases, one;
  RowParts cut;

  Cases(const char* op, const Tensor& x, const Shape& shape, int case_axes) {
    if (case_axes < 0 || case_axes > shape.rank())
      throw_usage(op, std::to_string(case_axes) + " case axes of " + x.str(), "0 to " + std::to_string(shape.rank()) + ": the leading axes that remain");
    for (int a = 0; a < shape.rank(); ++a) (a < case_axes ? cases : one).push_back(shape[a]);
    cut = {cases.numel(), one.numel()};
    if (cut.n == 0) throw_usage(op, "no values in " + x.str());
  }
  Shape rows() const { return {cut.rows, cut.n}; }
};

void check_pair(const char* op, const Tensor& x, const Tensor& truth, const Shape& wanted) {
  check_same_device(op, x, truth);
  if (truth.shape() != wanted) throw_usage(op, x.str() + " and truth " + truth.str(), "expected truth of shape " + wanted.str());
}

// ---- classes -------------------------------------------------------------------------------------------------------

Tensor count(const char* op, const Tensor& predicted, const Tensor& truth, bool scored, std::int64_t classes, const ConfusionOptions& o) {
  if (classes < 1) throw_usage(op, std::to_string(classes) + " classes of " + predicted.str());
  const std::int64_t cells = size_times(op, classes, classes);
  const Cases c(op, truth, truth.shape(), o.case_axes);
  if (c.cases.rank() + 2 > kMaxRank) throw_usage(op, std::to_string(c.cases.rank()) + " case axes of " + truth.str(), "at most " + std::to_string(kMaxRank - 2));
  size_times(op, c.cut.rows, cells);
  Shape shape = c.cases;
  shape.push_back(classes);
  shape.push_back(classes);
  check_result(op, shape, DType::i64);
  const Tensor counts = Tensor::empty(shape, DType::i64, truth.device());
  const ConfusionCount p{op, predicted.dtype(), truth.dtype(), scored, c.cut, {classes, o.ignored.value_or(0), o.ignored.has_value()}};
  if (c.cut.rows > 0) launch(op, {predicted.detach().contiguous(), truth.contiguous()}, {counts}, confusion_kernel(truth.device(), p));
  return counts;
}

// ---- numbers -------------------------------------------------------------------------------------------------------

/// What a row, or each element, has of its own.
Given given(const char* op, const char* what, const Tensor& t, const Tensor& x, const Cases& c) {
  if (!t.defined()) return Given::none;
  check_floating(op, t, what);
  check_same_device(op, x, t);
  if (t.shape() == x.shape()) return Given::each;
  if (t.shape() == c.one) return Given::a_row;
  throw_usage(op, std::string(what) + " " + t.str() + " for " + x.str(), "expected shape " + x.shape().str() + ", or " + c.one.str() + " for all cases");
}

/// f64 [kErrorSums, rows]. `means`: f64 [2, rows], in place of a climatology.
Tensor sum_errors(const char* op, const Tensor& x, const Tensor& truth, const Tensor& weights, const Tensor& climatology, const Tensor& means, const Cases& c) {
  ErrorSumming p{op, x.dtype(), truth.dtype(), DType::f64, DType::f64, given(op, "weights", weights, x, c), given(op, "climatology", climatology, x, c), means.defined(), c.cut};
  std::vector<Tensor> reads{x.detach().contiguous(), truth.detach().contiguous()};
  if (weights.defined()) {
    p.weight = weights.dtype();
    reads.push_back(weights.detach().contiguous());
  }
  if (climatology.defined()) {
    p.centre = climatology.dtype();
    reads.push_back(climatology.detach().contiguous());
  }
  if (means.defined()) reads.push_back(means);
  const std::int64_t left = c.cut.parts() > 1 ? c.cut.rows * kErrorSums * c.cut.parts() : 0;
  const Tensor writes[] = {Tensor::empty({left}, DType::f64, x.device()), Tensor::empty({kErrorSums, c.cut.rows}, DType::f64, x.device())};
  if (c.cut.rows > 0) launch(op, std::span<const Tensor>(reads), std::span<const Tensor>(writes), error_sums_kernel(x.device(), p));
  return writes[1];
}

Cases number_cases(const char* op, const Tensor& x, const Tensor& truth, int case_axes) {
  check_floating(op, x);
  check_floating(op, truth, "truth");
  check_pair(op, x, truth, x.shape());
  return Cases(op, x, x.shape(), case_axes);
}

ErrorSums named(const Tensor& sums, const Shape& cases) {
  const auto take = [&](int m) { return sums.select(0, m).reshape(cases); };
  return {take(0), take(1), take(2), take(3), take(4), take(5), take(6), take(7), take(8)};
}

ErrorSums errors(const char* op, const Tensor& x, const Tensor& truth, const Tensor& weights, int case_axes) {
  const Cases c = number_cases(op, x, truth, case_axes);
  return named(sum_errors(op, x, truth, weights, {}, {}, c), c.cases);
}

Tensor correlation(const ErrorSums& s) {
  return s.product / (sqrt(s.x_square) * sqrt(s.truth_square));  // 0 / 0 where either is 0 throughout
}

// ---- scores of a yes or no -------------------------------------------------------------------------------------------

/// u8 [rows, n].
Tensor checked_truth(const char* op, const Tensor& scores, const Tensor& truth, bool probabilities, const Cases& c) {
  const Tensor yes = Tensor::empty(c.rows(), DType::u8, scores.device());
  if (c.cut.rows > 0)
    launch(op, {scores, truth.contiguous()}, {yes}, binary_check_kernel(scores.device(), BinaryCheck{op, scores.dtype(), truth.dtype(), yes.numel(), probabilities}));
  return yes;
}

Cases binary_cases(const char* op, const Tensor& scores, const Tensor& truth, int case_axes) {
  check_floating(op, scores, "scores");
  check_integer(op, truth, "truth");
  check_pair(op, scores, truth, scores.shape());
  return Cases(op, scores, scores.shape(), case_axes);
}

Tensor ranked(const char* op, const Tensor& scores, const Tensor& truth, int case_axes, bool area) {
  const Cases c = binary_cases(op, scores, truth, case_axes);
  if (c.cut.n >= std::int64_t(1) << 32) throw_usage(op, std::to_string(c.cut.n) + " elements of " + scores.str(), "at most 2^32 - 1 a case");
  const Tensor dense = scores.detach().reshape(c.rows()).contiguous();
  const Tensor yes = checked_truth(op, dense, truth, false, c);
  const Ordered falling = sort(dense, 1, true);
  const Tensor hits = cumsum(gather(yes, 1, falling.indices).to(DType::i64), 1);
  const Tensor left = Tensor::empty({c.cut.parts() > 1 ? c.cut.rows * c.cut.parts() : 0}, DType::f64, scores.device());
  const Tensor out = Tensor::empty(c.cases, DType::f64, scores.device());
  if (c.cut.rows > 0) launch(op, {falling.values, hits}, {left, out}, ranked_scores_kernel(scores.device(), RankedScores{scores.dtype(), area, c.cut}));
  return out;
}

}  // namespace

Tensor confusion(const Tensor& predicted, const Tensor& truth, std::int64_t classes, const ConfusionOptions& options) {
  constexpr const char* op = "confusion";
  check_integer(op, predicted, "predicted");
  check_integer(op, truth, "truth");
  check_pair(op, predicted, truth, predicted.shape());
  return count(op, predicted, truth, false, classes, options);
}

Tensor confusion_of_scores(const Tensor& scores, const Tensor& truth, const ConfusionOptions& options) {
  constexpr const char* op = "confusion_of_scores";
  check_floating(op, scores, "scores");
  check_integer(op, truth, "truth");
  if (scores.rank() < 1) throw_usage(op, "scores " + scores.str() + " have no class axis");
  Shape wanted = scores.shape();
  wanted.erase(wanted.rank() - 1);
  check_pair(op, scores, truth, wanted);
  return count(op, scores, truth, true, scores.size(-1), options);
}

ErrorSums error_sums(const Tensor& x, const Tensor& truth, const Tensor& weights, int case_axes) { return errors("error_sums", x, truth, weights, case_axes); }

Tensor rmse(const ErrorSums& s) { return sqrt(s.square / s.weight); }
Tensor mae(const ErrorSums& s) { return s.absolute / s.weight; }
Tensor bias(const ErrorSums& s) { return s.error / s.weight; }
Tensor relative_l2(const ErrorSums& s) {
  return where(greater(s.truth_square, Tensor::zeros({}, DType::f64, s.truth_square.device())), sqrt(s.square / s.truth_square),
               Tensor::full({}, std::numeric_limits<double>::quiet_NaN(), DType::f64, s.truth_square.device()));
}

Tensor rmse(const Tensor& x, const Tensor& truth, const Tensor& weights, int case_axes) { return rmse(errors("rmse", x, truth, weights, case_axes)); }
Tensor mae(const Tensor& x, const Tensor& truth, const Tensor& weights, int case_axes) { return mae(errors("mae", x, truth, weights, case_axes)); }
Tensor bias(const Tensor& x, const Tensor& truth, const Tensor& weights, int case_axes) { return bias(errors("bias", x, truth, weights, case_axes)); }
Tensor relative_l2(const Tensor& x, const Tensor& truth, const Tensor& weights, int case_axes) {
  return relative_l2(errors("relative_l2", x, truth, weights, case_axes));
}

Tensor anomaly_correlation(const Tensor& x, const Tensor& truth, const Tensor& climatology, const Tensor& weights, int case_axes) {
  constexpr const char* op = "anomaly_correlation";
  const Cases c = number_cases(op, x, truth, case_axes);
  check_defined(op, climatology, "climatology");
  return correlation(named(sum_errors(op, x, truth, weights, climatology, {}, c), c.cases));
}

Tensor pearson(const Tensor& x, const Tensor& y, int case_axes) {
  constexpr const char* op = "pearson";
  const Cases c = number_cases(op, x, y, case_axes);
  const Tensor means = sum_errors(op, x, y, {}, {}, {}, c).narrow(0, 4, 2) * (1 / double(c.cut.n));
  const Tensor r = correlation(named(sum_errors(op, x, y, {}, {}, means.contiguous(), c), c.cases));
  if (c.cut.rows == 0) return r;
  const auto varies = [&](const Tensor& t) {  // a mean may be off by a rounding
    const Tensor rows = t.detach().reshape(c.rows());
    return greater(max(rows, 1), min(rows, 1)).reshape(c.cases);
  };
  const Tensor none = Tensor::full(c.cases, std::numeric_limits<double>::quiet_NaN(), DType::f64, r.device());
  return where(varies(x), where(varies(y), r, none), none);
}

Tensor auroc(const Tensor& scores, const Tensor& truth, int case_axes) { return ranked("auroc", scores, truth, case_axes, true); }
Tensor average_precision(const Tensor& scores, const Tensor& truth, int case_axes) { return ranked("average_precision", scores, truth, case_axes, false); }

Tensor calibration_error(const Tensor& probabilities, const Tensor& truth, int bins, int case_axes) {
  constexpr const char* op = "calibration_error";
  const Cases c = binary_cases(op, probabilities, truth, case_axes);
  if (bins < 1) throw_usage(op, std::to_string(bins) + " bins");
  const std::int64_t all = size_times(op, c.cut.rows, bins);
  const Tensor dense = probabilities.detach().reshape(c.rows()).contiguous(), p = dense.to(DType::f64);
  const Tensor above = p - checked_truth(op, dense, truth, true, c).to(DType::f64);
  if (all == 0) return Tensor::empty(c.cases, DType::f64, p.device());
  Tensor bin = clamp(floor(p * double(bins)), 0, bins - 1).to(DType::i64);
  if (c.cut.rows > 1) {  // each case has bins of its own
    const DeviceScope there(p.device());
    bin = bin + Tensor::arange(all).reshape({c.cut.rows, bins}).narrow(1, 0, 1);
  }
  return sum(abs(bincount(bin, all, above).reshape({c.cut.rows, bins})), {1}).reshape(c.cases) * (1 / double(c.cut.n));
}

Tensor brier_score(const Tensor& probabilities, const Tensor& truth, int case_axes) {
  constexpr const char* op = "brier_score";
  const Cases c = binary_cases(op, probabilities, truth, case_axes);
  const Tensor dense = probabilities.detach().reshape(c.rows()).contiguous(), yes = checked_truth(op, dense, truth, false, c).to(dense.dtype());
  const ErrorSums s = named(sum_errors(op, dense, yes, {}, {}, {}, c), c.cases);
  return s.square / s.weight;
}

}  // namespace tenon
