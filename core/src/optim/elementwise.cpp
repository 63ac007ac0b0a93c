/// Optimisers whose update of an element needs nothing but the element's own state: one launch over all parameters.
#include "kernels/optim.hpp"
#include "optim/flat_optimiser.hpp"
#include "tenon/autograd.hpp"

namespace tenon {
namespace {

/// A run of elements: weights, their state, and what this step brings.
struct Elements {
  float* w;
  float* slot[3];
  const float* g;
  std::int64_t count;
  float lr, decay, factor;
  Clipping clipping;
  float gradient(std::int64_t i) const { return clipping(g[i]) * factor; }
};

template <class Update>
class Elementwise final : public FlatOptimiser {
 public:
  template <class Options>
  Elementwise(nn::Module& module, const Options& o, std::vector<std::string> slots, Update update)
      : FlatOptimiser(module, o.clip, o.clip_value, o.groups, std::move(slots)), update_(update), decay_(float(o.weight_decay)) {}

  void step() override {
    NoGrad no_grad;
    const std::vector<Tensor> gradients = take_gradients();
    launch(Update::kName, reads(gradients), writes(),
           [runs = runs_, factors = factors_, n = leaves_.size(), slots = slots_.size(), update = update_, decay = decay_, clipping = clipping_](void* const* p) {
             const UpdateOperands o{p, n};
             const float factor = clipping.factor(o.norm());
             const auto step = update.begin(o.step());
             parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
               const OptimiserRun& run = runs[std::size_t(r)];
               Elements e{o.weight(run.leaf) + run.begin, {}, o.gradient(run.leaf) + run.begin, run.count(), o.learning_rate() * factors[run.leaf].rate,
                          decay * factors[run.leaf].decay, factor, clipping};
               for (std::size_t k = 0; k < slots; ++k) e.slot[k] = o.slot(k) + run.base + run.begin;
               update.run(step, e);
             });
           });
  }

 private:
  Update update_;
  float decay_;
};

struct NoCorrection {};

struct SgdUpdate {
  static constexpr const char* kName = "optimiser.sgd";
  kernels::Sgd maths;
  NoCorrection begin(float) const { return {}; }
  void run(NoCorrection, const Elements& e) const {
    float *w = e.w, *v = e.slot[0];
    for (std::int64_t i = 0; i < e.count; ++i) maths(w[i], v[i], e.gradient(i), e.lr, e.decay);
  }
};

template <class Maths>
struct MomentsUpdate {
  static constexpr const char* kName = std::is_same_v<Maths, kernels::AdamW> ? "optimiser.adamw" : "optimiser.adam";
  Maths maths;
  BiasCorrection begin(float step) const { return {maths.beta1, maths.beta2, step}; }
  void run(const BiasCorrection& c, const Elements& e) const {
    float *w = e.w, *m = e.slot[0], *v = e.slot[1];
    for (std::int64_t i = 0; i < e.count; ++i) maths(w[i], m[i], v[i], e.gradient(i), e.lr, e.decay, c.c1, c.c2);
  }
};

struct RmsPropUpdate {
  static constexpr const char* kName = "optimiser.rmsprop";
  kernels::RmsProp maths;
  NoCorrection begin(float) const { return {}; }
  void run(NoCorrection, const Elements& e) const {
    float *w = e.w, *v = e.slot[0], *b = e.slot[1], *a = e.slot[maths.centred ? 2 : 1];
    for (std::int64_t i = 0; i < e.count; ++i) maths(w[i], v[i], a[i], b[i], e.gradient(i), e.lr, e.decay);
  }
};

}  // namespace

std::unique_ptr<Optimiser> make_sgd(nn::Module& module, const SgdOptions& o) {
  return std::make_unique<Elementwise<SgdUpdate>>(module, o, std::vector<std::string>{"momentum"}, SgdUpdate{{float(o.momentum), o.nesterov}});
}

std::unique_ptr<Optimiser> make_adam(nn::Module& module, const AdamOptions& o) {
  using Update = MomentsUpdate<kernels::Adam>;
  return std::make_unique<Elementwise<Update>>(module, o, std::vector<std::string>{"first_moment", "second_moment"},
                                               Update{{float(o.beta1), float(o.beta2), float(o.eps)}});
}

std::unique_ptr<Optimiser> make_adamw(nn::Module& module, const AdamWOptions& o) {
  using Update = MomentsUpdate<kernels::AdamW>;
  return std::make_unique<Elementwise<Update>>(module, o, std::vector<std::string>{"first_moment", "second_moment"},
                                               Update{{float(o.beta1), float(o.beta2), float(o.eps)}});
}

std::unique_ptr<Optimiser> make_rmsprop(nn::Module& module, const RmsPropOptions& o) {
  std::vector<std::string> slots{"second_moment", "momentum"};
  if (o.centred) slots.emplace_back("first_moment");
  return std::make_unique<Elementwise<RmsPropUpdate>>(module, o, slots, RmsPropUpdate{{float(o.alpha), float(o.eps), float(o.momentum), o.centred}});
}

}  // namespace tenon
