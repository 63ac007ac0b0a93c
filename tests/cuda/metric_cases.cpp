// Metrics where the tensors lie: the device's counts are the CPU's, its sums to rounding, and both refuse the same elements in the same words.
#include <catch2/catch.hpp>
#include <functional>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "cuda/cases.hpp"
#include "cuda/device.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/tensor_metrics.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;

namespace {

Tensor labels(const Shape& shape, std::int64_t classes, std::int64_t k, DType type = DType::i64) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back((i / (3 + k) * 7 + i / 50 + k) % classes);
  return Tensor::from(v, shape).to(type);
}
/// One element after an aligned place.
Tensor moved(const Tensor& x) {
  const Tensor line = x.reshape({x.numel()});
  return concat({line.narrow(0, 0, 1), line}, 0).narrow(0, 1, x.numel()).reshape(x.shape());
}
Tensor with_ties(const Shape& shape, double steps) {
  return (round(made(2, shape, DType::f64) * steps) * (1 / steps)).to(check::number_type());
}

using Sizes = std::vector<std::int64_t>;
using Shapes = std::vector<Shape>;

// Each of sizes that a block takes at once, for the fast tests, and of those that many blocks share.
void counts(const Sizes& sizes) {
  for (const std::int64_t classes : {1, 2, 9, 111})
    for (const std::int64_t n : sizes) {
      const Tensor a = labels({n}, classes, 1), b = labels({n}, classes, 2);
      note("i64", confusion(a, b, classes));
      note("bytes", confusion(a.to(DType::u8), b.to(DType::u8), classes));
      note("moved bytes", confusion(moved(a.to(DType::u8)), b.to(DType::u8), classes));
      note("mixed", confusion(a.to(DType::i32), moved(b.to(DType::i16)), classes));
    }
  for (const Shape& shape : {Shape{3, sizes.back()}, Shape{40, 16}, Shape{40, 5}, Shape{0, 4}}) {
    const Tensor a = labels(shape, 5, 1, DType::u8), b = labels(shape, 6, 2, DType::u8);
    note("cases", confusion(a, b, 5, {.case_axes = 1, .ignored = 5}));
    note("each", confusion(a, b, 6, {.case_axes = 2}));
  }
  note("a view", confusion(labels({40, 30}, 4, 1).transpose(0, 1), labels({30, 40}, 4, 2), 4));
}

/// So many that a block's part is worth 2500 counts of its own.
void counts_of_many() {
  const std::int64_t n = 2700007;
  note("many", confusion(labels({n}, 50, 1, DType::u8), labels({n}, 50, 2, DType::u8), 50));
}

void counts_of_scores(const Sizes& sizes) {
  for (const std::int64_t classes : {1, 2, 5, 16, 17, 40, 130})
    for (const std::int64_t n : sizes) {
      if (n * classes > 90000) continue;
      note("scores", confusion_of_scores(with_ties({n, classes}, 2), labels({n}, classes, 1)));
      note("moved", confusion_of_scores(moved(spread({n, classes})), labels({n}, classes, 1, DType::u8)));
    }
  note("cases", confusion_of_scores(with_ties({3, 7, 50, 4}, 2), labels({3, 7, 50}, 4, 1), {.case_axes = 2, .ignored = 2}));
  note("parts of 240", confusion_of_scores(with_ties({530, 17}, 2), labels({530}, 17, 1)));  // their last rows are fewer than the warps of a block
  note("many cases", confusion_of_scores(with_ties({3, 50, 20}, 2), labels({3, 50}, 20, 1), {.case_axes = 1}));
}

const Shapes kFew{{1, 1}, {1, 7}, {40, 6}, {5, 60}, {0, 4}}, kMany{{5, 300}, {1, 20003}, {3, 9000}, {1030, 3}};

void sums(const Shapes& shapes) {
  for (const Shape& shape : shapes) {
    const Tensor x = made(1, shape), t = made(2, shape), w = abs(made(3, shape)), row = abs(made(4, {shape[1]})), c = made(5, {shape[1]});
    for (const ErrorSums& s : {error_sums(x, t, {}, 1), error_sums(x, moved(t), w, 1), error_sums(x.to(DType::f32), t, row, 1)})
      for (const Tensor& part : {s.weight, s.error, s.absolute, s.square, s.x, s.truth, s.x_square, s.truth_square, s.product}) note("sum", part);
    note("to a row", anomaly_correlation(x, t, c, row, 1));
    note("to each", anomaly_correlation(x, t, made(6, shape), w.to(DType::f64), 1));
    note("pearson", pearson(x, t, 1));
    note("a view", rmse(x.transpose(0, 1), t.transpose(0, 1), {}, shape.numel() ? 0 : 2));
  }
}

void areas(const Shapes& shapes) {
  for (const Shape& shape : shapes)
    for (const double steps : {0.4, 4.0, 1e6}) {
      const Tensor scores = with_ties(shape, steps), truth = labels(shape, 2, 1, DType::u8);
      note("area", auroc(scores, truth, 1));
      note("precision", average_precision(moved(scores), truth, 1));
    }
  note("all equal", auroc(Tensor::zeros({500}, check::number_type()), labels({500}, 2, 1)));
  note("-0 and 0", auroc(Tensor::zeros({64}, check::number_type()) * spread({64}), labels({64}, 2, 1)));
  note("one class", auroc(spread({50}), Tensor::zeros({50}, DType::boolean)));
  note("one class", average_precision(spread({50}), Tensor::zeros({50}, DType::boolean)));
}

void probabilities(const Shapes& shapes) {
  for (const Shape& shape : shapes) {
    const Tensor p = spread(shape, 0, 1), truth = labels(shape, 2, 1, DType::i32);
    note("calibration", calibration_error(p, truth, 7, 1));
    note("brier", brier_score(p, truth, 1));
  }
}

const Register values(std::map<std::string, Case>{
    {"tensor_metrics.hpp: confusion(Tensor,Tensor,int64_t,ConfusionOptions)", [] { counts({1, 19, 300}); }},
    {"tensor_metrics.hpp: confusion_of_scores(Tensor,Tensor,ConfusionOptions)", [] { counts_of_scores({1, 9, 70}); }},
    {"tensor_metrics.hpp: error_sums(Tensor,Tensor,Tensor,int)", [] { sums(kFew); }},
    {"tensor_metrics.hpp: rmse(ErrorSums)", [] { note("rmse", rmse(error_sums(made(1, {4, 9}), made(2, {4, 9})))); }},
    {"tensor_metrics.hpp: mae(ErrorSums)", [] { note("mae", mae(error_sums(made(1, {4, 9}), made(2, {4, 9})))); }},
    {"tensor_metrics.hpp: bias(ErrorSums)", [] { note("bias", bias(error_sums(made(1, {4, 9}), made(2, {4, 9})))); }},
    {"tensor_metrics.hpp: relative_l2(ErrorSums)", [] { note("relative", relative_l2(error_sums(made(1, {4, 9}), made(2, {4, 9})))); }},
    {"tensor_metrics.hpp: rmse(Tensor,Tensor,Tensor,int)", [] { note("rmse", rmse(made(1, {4, 9}), made(2, {4, 9}), {}, 1)); }},
    {"tensor_metrics.hpp: mae(Tensor,Tensor,Tensor,int)", [] { note("mae", mae(made(1, {4, 9}), made(2, {4, 9}), {}, 1)); }},
    {"tensor_metrics.hpp: bias(Tensor,Tensor,Tensor,int)", [] { note("bias", bias(made(1, {4, 9}), made(2, {4, 9}), {}, 1)); }},
    {"tensor_metrics.hpp: relative_l2(Tensor,Tensor,Tensor,int)",
     [] {
       note("relative", relative_l2(made(1, {4, 9}), made(2, {4, 9}), {}, 1));
       note("to nothing", relative_l2(made(1, {9}), Tensor::zeros({9}, check::number_type())));
     }},
    {"tensor_metrics.hpp: anomaly_correlation(Tensor,Tensor,Tensor,Tensor,int)",
     [] { note("correlation", anomaly_correlation(made(1, {4, 9}), made(2, {4, 9}), made(3, {9}), {}, 1)); }},
    {"tensor_metrics.hpp: pearson(Tensor,Tensor,int)",
     [] {
       note("pearson", pearson(made(1, {4, 9}), made(2, {4, 9}), 1));
       note("of what does not vary", pearson(Tensor::full({9}, 2, check::number_type()), made(2, {9})));
     }},
    {"tensor_metrics.hpp: auroc(Tensor,Tensor,int)", [] { areas(kFew); }},
    {"tensor_metrics.hpp: average_precision(Tensor,Tensor,int)", [] { note("precision", average_precision(with_ties({4, 300}, 3), labels({4, 300}, 2, 1))); }},
    {"tensor_metrics.hpp: calibration_error(Tensor,Tensor,int,int)", [] { probabilities(kFew); }},
    {"tensor_metrics.hpp: brier_score(Tensor,Tensor,int)", [] { note("brier", brier_score(spread({300}, 0, 1), labels({300}, 2, 1))); }},
});

const Register cases(std::vector<Extra>{
    {"counts of labels in parts", [] { counts({4096, 13003}); }, {DType::f32}},
    {"counts of scores in parts", [] { counts_of_scores({513, 5001}); }, {DType::f32, DType::bf16}},
    {"counts of many labels", counts_of_many, {DType::f32}},
    {"sums of errors in parts", [] { sums(kMany); }, {DType::f64, DType::f32, DType::bf16}},
    {"areas under curves in parts", [] { areas(kMany); }, {DType::f64, DType::f32, DType::bf16}},
    {"errors of probabilities in parts", [] { probabilities(kMany); }, {DType::f32}},
});

/// What is thrown until the result is on the host.
std::string refusal(const std::function<Tensor()>& metric) {
  try {
    metric().to_vector();
  } catch (const Error& e) {
    return std::string(e.what());
  }
  return "nothing";
}

}  // namespace

TEST_CASE("what metrics refuse is told on the device in the CPU's words", "[cuda][tensor_metrics]") {
  TENON_NEEDS_DEVICE();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const std::int64_t n = 20003;
  const auto with = [&](std::vector<std::int64_t> places, double bad, double other = 0.5) {
    std::vector<double> v(std::size_t(n), other);
    for (auto p : places) v[std::size_t(p)] = bad;
    return Tensor::from(v, {n}).to(DType::f32);
  };
  const auto label = [&](std::int64_t place, std::int64_t bad, DType type) {
    std::vector<std::int64_t> v(std::size_t(n), 1);
    v[std::size_t(place)] = bad;
    return Tensor::from(v, {n}).to(type);
  };
  const Tensor x = with({}, 0), t = with({}, 0, 1), yes = label(0, 0, DType::u8);
  using Operands = std::vector<Tensor>;
  const std::vector<std::pair<Operands, std::function<Tensor(const Operands&)>>> cases{
      {{with({15000, 9001, 20000}, kNaN), t}, [](const Operands& o) { return rmse(o[0], o[1]); }},
      {{x, with({2}, -std::numeric_limits<double>::infinity())}, [](const Operands& o) { return pearson(o[0], o[1]); }},
      {{x, t, with({20002}, -3)}, [](const Operands& o) { return mae(o[0], o[1], o[2]); }},
      {{x, t, with({}, 0, 0)}, [](const Operands& o) { return bias(o[0], o[1], o[2]); }},
      {{x, t, with({77}, kNaN)}, [](const Operands& o) { return anomaly_correlation(o[0], o[1], o[2]); }},
      {{label(12345, 3, DType::u8), yes}, [](const Operands& o) { return confusion(o[0], o[1], 3); }},
      {{yes, label(12345, 3, DType::u8)}, [](const Operands& o) { return confusion(o[0], o[1], 3); }},
      {{label(20002, -1, DType::i64), yes}, [](const Operands& o) { return confusion(o[0], o[1], 3); }},
      {{with({123}, kNaN).narrow(0, 0, 20000).reshape({10000, 2}), yes.narrow(0, 0, 10000)}, [](const Operands& o) { return confusion_of_scores(o[0], o[1]); }},
      {{with({123}, kNaN).narrow(0, 0, 20000).reshape({500, 40}), yes.narrow(0, 0, 500)}, [](const Operands& o) { return confusion_of_scores(o[0], o[1]); }},
      {{x, label(5, 2, DType::i32)}, [](const Operands& o) { return auroc(o[0], o[1]); }},
      {{with({19999, 5}, kNaN), yes}, [](const Operands& o) { return average_precision(o[0], o[1]); }},
      {{with({9}, 1.25), yes}, [](const Operands& o) { return calibration_error(o[0], o[1]); }},
      {{with({9}, kNaN), yes}, [](const Operands& o) { return brier_score(o[0], o[1]); }},
  };
  for (const auto& [operands, metric] : cases) {
    const std::string expected = refusal([&] { return metric(operands); });
    CHECK(expected != "nothing");
    Operands there;
    for (const Tensor& o : operands) there.push_back(o.to(kDevice));
    for (int run = 0; run < kRuns; ++run) {
      begin_run(run);
      CHECK(refusal([&] { return metric(there); }) == expected);
      end_run();
    }
  }
}

TEST_CASE("metrics recorded in a step on the device give what they give alone", "[cuda][tensor_metrics][slow]") {
  TENON_NEEDS_DEVICE();
  const DeviceScope scope(kDevice);
  begin_run(0);
  const Tensor x = made(1, {2, 4500}, DType::f32), t = made(2, {2, 4500}, DType::f32), yes = labels({2, 4500}, 2, 1, DType::u8);
  const auto all = [&] {
    return std::vector<Tensor>{rmse(x, t, {}, 1),          pearson(x, t, 1), auroc(x, yes, 1), average_precision(x, yes), confusion(greater(x, t), yes, 2),
                               calibration_error(sigmoid(x), yes)};
  };
  std::vector<Tensor> recorded;
  const StepPlan plan = StepPlan::record([&] { recorded = all(); });
  for (int run = 0; run < 3; ++run) {  // as launches, captured, as a graph
    const Tensor next = made(run, {2, 4500}, DType::f32).to(kCpu);
    x.copy_from_host(next.raw(), next.nbytes());
    plan.run();
    const std::vector<Tensor> alone = all();
    for (std::size_t k = 0; k < alone.size(); ++k) CHECK(recorded[k].to_vector() == alone[k].to_vector());
  }
  end_run();
}
