#include "backend/cuda/library/recurrent_tune.hpp"

#include <future>
#include <system_error>

#include "backend/cuda/library/plan_choice.hpp"
#include "backend/cuda/library/plan_trial.cuh"
#include "tenon/precision.hpp"

namespace tenon::cuda {
namespace {

/// A layer of which one asks what makes it (choice_for).
struct RecurrentQuestion {
  CudnnRecurrence q;

  auto operator<=>(const RecurrentQuestion&) const = default;

  std::string what() const {
    const RecurrentLayer& p = q.layer;
    return std::string(p.gates == 4 ? "LSTM " : "GRU ") + std::string(q.allow_tf32 ? "tf32" : name_of(p.dtype)) + " of " + std::to_string(p.batch) + " x " +
           std::to_string(p.steps) + " steps, " + std::to_string(p.features) + " to " + std::to_string(p.hidden) + (p.training ? " units, trained" : " units");
  }
  std::string key() const { return what(); }

  std::string written(const RecurrentChoice& c) const { return c.layer ? "cudnn " + CudnnRecurrentLayer::name(c.algorithm) : "own"; }

  bool recall(const std::string& text, RecurrentChoice& choice) const {
    if (text == "own") return true;
    for (int a = 0; a < CudnnRecurrentLayer::kAlgorithms; ++a)
      if (text == "cudnn " + CudnnRecurrentLayer::name(a)) choice = {CudnnRecurrentLayer::make(q, a, choice.why), a};
    return choice.layer != nullptr;
  }

  /// On a thread of its own, where no step is being recorded and no gradient computed. What runs there may not ask for a choice itself.
  RecurrentChoice measure(double& own) const {
    const TrialTime counted;
    try {
      return std::async(std::launch::async, [&] { return measured(own); }).get();
    } catch (const std::system_error& e) {
      throw Error(ErrorKind::device, "cuda.cudnn", std::string("no thread for a trial of recurrent layers: ") + e.what());
    }
  }

  std::string explain(const RecurrentChoice& c, double own) const {
    const std::string who = c.layer ? "cuDNN, " + CudnnRecurrentLayer::name(c.algorithm) : "own kernels";
    return with_times(what() + ": " + who, c.microseconds, c.layer ? own : 0, "own kernels") + c.why;
  }

 private:
  RecurrentChoice measured(double& own) const {
    RecurrentChoice best;
    std::string why;
    std::unique_ptr<RecurrentTrial> trial;
    Stopwatch watch;
    for (int a = 0; a < CudnnRecurrentLayer::kAlgorithms; ++a) {
      if (best.layer && TrialTime::is_up()) break;
      std::string refusal;
      const auto layer = CudnnRecurrentLayer::make(q, a, refusal);
      if (!layer) {
        why += "; cuDNN, " + CudnnRecurrentLayer::name(a) + ": " + refusal;
        continue;
      }
      if (!trial) {
        trial = make_recurrent_trial({DeviceType::cuda, 0}, q.layer, q.allow_tf32);
        own = watch.microseconds([&] { trial->run_own(); });
      }
      double time = 0;
      try {
        refusal = trial->refusal(library_layer(q.layer, layer));
        if (refusal.empty()) time = watch.microseconds([&] { trial->run_library(); });
      } catch (const Error& e) {
        pass_over(e);
        refusal = e.message();
      }
      if (!refusal.empty()) why += "; cuDNN, " + CudnnRecurrentLayer::name(a) + ": " + refusal;
      else if (!best.layer || time < best.microseconds) best = {layer, a, time};
    }
    if (!best.layer || best.microseconds >= own) best = {nullptr, 0, own};
    best.why = why;
    return best;
  }
};

}  // namespace

RecurrentChoice recurrent_choice(const RecurrentLayer& q) {
  const double products = double(q.steps) * double(q.batch) * double(q.hidden) * double(q.hidden) * q.gates;
  // gradients of weights would come out in f16, which has no room for what a scaled loss makes of them
  const bool narrow = q.dtype == DType::f16 && q.training;
  if (!cudnn_here() || narrow || products < plan_bounds().recurrent_products) return {};
  return choice_for<RecurrentChoice>(RecurrentQuestion{{q, q.dtype == DType::f32 && tf32_allowed()}});
}

}  // namespace tenon::cuda
