#include "backend/cuda/library/row_norm_tune.hpp"

#include <cmath>

#include "backend/cuda/library/row_norm_trial.cuh"

namespace tenon::cuda {
namespace {

constexpr double kWorthAsking = 1 << 20;  // bytes of x: below, a launch is all there is to it

/// A norm of which one asks what makes it (choice_for).
struct RowNormQuestion {
  CudnnRowNorm q;

  auto operator<=>(const RowNormQuestion&) const = default;

  std::string what() const { return std::string(is_rms(q.pass) ? "RMS norm" : "layer norm") + (is_gradient(q.pass) ? " gradient " : " "); }

  /// Without eps, on which no time depends.
  std::string key() const {
    return what() + std::string(name_of(q.all.dtype)) + " " + std::to_string(q.all.rows) + " " + std::to_string(q.all.channels);
  }

  std::string written(const PlanChoice& c) const { return c.graph ? "cudnn " + c.plan.engine : "own"; }

  bool recall(const std::string& text, PlanChoice& choice) const {
    if (text == "own") return true;
    if (!text.starts_with("cudnn ")) return false;
    choice = plan_named(CudnnGraph::make(q), text.substr(6));
    return choice.graph != nullptr;
  }

  PlanChoice measure(double& own) const {
    RowNormTrial trial(q);
    own = trial.own_microseconds();
    const PlanChoice found =
        fastest_plan([&] { return CudnnGraph::make(q); }, [&](const PlanChoice& plan) { return trial.microseconds(plan); });
    return found.graph && found.microseconds < own ? found : PlanChoice{};
  }

  std::string explain(const PlanChoice& c, double own) const {
    return what() + std::string(name_of(q.all.dtype)) + " " + std::to_string(q.all.rows) + " rows of " + std::to_string(q.all.channels) +
           " channels: " + told(c, c.plan.workspace, own);
  }
};

}  // namespace

PlanChoice row_norm_choice(const CudnnRowNorm& q) {
  const RowNorm& p = q.all;
  const double bytes = double(p.rows) * double(p.channels) * double(size_of(p.dtype));
  if (!cudnn_here() || p.dtype == DType::f64 || bytes < kWorthAsking || !std::isfinite(p.eps)) return {};
  return choice_for<PlanChoice>(RowNormQuestion{q});
}

}  // namespace tenon::cuda
