/// Trials of a library's recurrent layer against our own kernels.
#include <cmath>
#include <cstdio>
#include <utility>

#include "ops/recurrent_layer.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/precision.hpp"

namespace tenon {
namespace {

using List = std::vector<Tensor>;

/// NMSE that results may be apart.
double far(const RecurrentLayer& q, bool tf32) { return size_of(q.dtype) == 2 ? 1e-4 : tf32 ? 1e-5 : 1e-10; }

class Trial final : public RecurrentTrial {
 public:
  Trial(Device device, const RecurrentLayer& q, bool tf32) : q_(q), tf32_(tf32), device_(device) {
    const DeviceScope on(device_);
    const double width = 1 / std::sqrt(double(q.hidden));
    const std::int64_t rows = q.gates * q.hidden;
    const auto of = [&](DType type, Shape shape, double most) {
      Tensor t = random_uniform(shape, 1, seed_++, -most, most).to(type);
      return t.set_requires_grad(q.training);
    };
    given_ = {of(q.dtype, {q.batch, q.steps, q.features}, 1), of(DType::f32, {rows, q.features}, width), of(DType::f32, {rows, q.hidden}, width),
              of(DType::f32, {rows}, width), of(DType::f32, {rows}, width), {}};
    given_.b_ih = remembering(given_.b_ih.detach()).set_requires_grad(q.training);
    for (int i = 0; i < (q.gates == 4 ? 2 : 1); ++i) given_.states.push_back(of(q.dtype, {q.batch, q.hidden}, 1));
    d_out_ = {of(q.dtype, {q.batch, q.steps, q.hidden}, 1).detach()};
    for (std::size_t i = 0; i < given_.states.size(); ++i) d_out_.push_back(of(q.dtype, {q.batch, q.hidden}, 1).detach());
    own_ = recorded([&] { return layer_by_own_kernels(given_, {}); });
    for (int i = 0; i < kRuns; ++i) own_.plan.run();
  }

  void run_own() override { own_.plan.run(); }
  void run_library() override { library_.plan.run(); }

  std::string refusal(const LibraryLayer& layer) override {
    library_ = {};
    library_ = recorded([&] { return run_library_layer("recurrent_trial", layer, q_, given_); });
    List first;
    for (int i = 0; i < kRuns; ++i) {
      library_.plan.run();
      for (std::size_t k = 0; k < library_.results.size(); ++k) {
        if (i == 0) first.push_back(library_.results[k].clone());
        else if (!same(first[k], library_.results[k])) return "result " + std::to_string(k) + " has other bits in another run";
      }
    }
    if (captured(own_) && !captured(library_)) return "it cannot be captured: " + library_.plan.replay_note();
    for (std::size_t k = 0; k < first.size(); ++k) {
      const double apart = difference(first[k], own_.results[k]);
      if (!(apart <= far(q_, tf32_))) {
        char text[64];
        std::snprintf(text, sizeof text, "result %zu is another, NMSE %.1e", k, apart);
        return text;
      }
    }
    return {};
  }

 private:
  static constexpr int kRuns = 3;  ///< launch by launch, captured, as a graph again

  struct Recorded {
    StepPlan plan;
    List results;
  };

  template <class Layer>
  Recorded recorded(const Layer& layer) const {
    const Tf32Scope products(tf32_);
    const DeviceScope on(device_);
    Recorded r;
    r.plan = StepPlan::record([&] {
      const List out = layer();
      for (const Tensor& t : out) r.results.push_back(t.detach());
      if (!q_.training) return;
      List in{given_.x, given_.w_ih, given_.w_hh, given_.b_ih, given_.b_hh};
      in.insert(in.end(), given_.states.begin(), given_.states.end());
      for (const Tensor& d : gradients(out, in, d_out_)) r.results.push_back(d);
    });
    return r;
  }

  /// Half of the units keep their state through many steps, as trained ones may, so that what each step rounds can add up: 3 is added to their gate that
  /// keeps it, the forget or update gate, which is the second.
  Tensor remembering(const Tensor& bias) const {
    const std::int64_t half = (q_.hidden + 1) / 2;
    const Tensor before = Tensor::zeros({q_.hidden}, DType::f32), kept = Tensor::full({half}, 3, DType::f32), after = Tensor::zeros({q_.gates * q_.hidden - q_.hidden - half}, DType::f32);
    return bias + concat({before, kept, after}, 0);
  }
  static bool captured(const Recorded& r) { return !r.plan.replay_note().starts_with("launched"); }
  static double difference(const Tensor& a, const Tensor& b) {
    const Tensor wide = b.to(DType::f32);
    const double size = sum(square(wide)).to(DType::f64).item();
    const double error = sum(square(a.to(DType::f32) - wide)).to(DType::f64).item();
    return size > 0 ? error / size : error;
  }
  static bool same(const Tensor& a, const Tensor& b) { return sum(not_equal(a, b).to(DType::f32)).item() == 0; }

  RecurrentLayer q_;
  bool tf32_;
  Device device_;
  std::uint64_t seed_ = 0;
  LayerOperands given_;
  List d_out_;
  Recorded own_, library_;
};

}  // namespace

std::unique_ptr<RecurrentTrial> make_recurrent_trial(Device device, const RecurrentLayer& layer, bool tf32) {
  return std::make_unique<Trial>(device, layer, tf32);
}

}  // namespace tenon
