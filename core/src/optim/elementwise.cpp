/// Optimisers whose update of an element needs nothing but the element's own state: one launch over all parameters.
#include "kernels/optim.hpp"
#include "optim/flat_optimiser.hpp"
#include "optim/optim_kernels.hpp"
#include "optim/options.hpp"
#include "tenon/autograd.hpp"

namespace tenon {
namespace {

/// A run of elements: weights, their state, and what this step brings. The four lie apart; loops take them as __restrict, or they
/// would not vectorise.
struct Elements {
  float* w;
  float* slot[3];
  const float* g;
  std::int64_t count;
  float lr, decay, factor;
  Clipping clipping;
  float gradient(float raw) const { return clipping(raw) * factor; }
};

struct NoCorrection {};

struct SgdUpdate {
  kernels::Sgd maths;
  NoCorrection begin(float) const { return {}; }
  void run(NoCorrection, const Elements& e) const {
    float *__restrict w = e.w, *__restrict v = e.slot[0];
    const float* __restrict g = e.g;
    for (std::int64_t i = 0; i < e.count; ++i) maths(w[i], v[i], e.gradient(g[i]), e.lr, e.decay);
  }
};

template <class Maths>
struct MomentsUpdate {
  Maths maths;
  BiasCorrection begin(float step) const { return {maths.beta1, maths.beta2, step}; }
  void run(const BiasCorrection& c, const Elements& e) const {
    float *__restrict w = e.w, *__restrict m = e.slot[0], *__restrict v = e.slot[1];
    const float* __restrict g = e.g;
    const float c1 = c.c1, c2 = c.c2;
    for (std::int64_t i = 0; i < e.count; ++i) maths(w[i], m[i], v[i], e.gradient(g[i]), e.lr, e.decay, c1, c2);
  }
};

struct RmsPropUpdate {
  kernels::RmsProp maths;
  NoCorrection begin(float) const { return {}; }
  void run(NoCorrection, const Elements& e) const {
    float *w = e.w, *v = e.slot[0], *b = e.slot[1], *a = e.slot[maths.centred ? 2 : 1];  // a may be b: it is unused then
    for (std::int64_t i = 0; i < e.count; ++i) maths(w[i], v[i], a[i], b[i], e.gradient(e.g[i]), e.lr, e.decay);
  }
};

SgdUpdate update_of(const kernels::Sgd& maths) { return {maths}; }
MomentsUpdate<kernels::Adam> update_of(const kernels::Adam& maths) { return {maths}; }
MomentsUpdate<kernels::AdamW> update_of(const kernels::AdamW& maths) { return {maths}; }
RmsPropUpdate update_of(const kernels::RmsProp& maths) { return {maths}; }

template <class Update>
Kernel update_kernel(const FlatUpdate& f, const Update& update) {
  return [f, runs = f.leaves.runs(kOptimiserRun), update](void* const* p) {
    const UpdateOperands o{p, f.leaves.count()};
    const float factor = f.leaves.clipping.factor(o.norm());
    const auto step = update.begin(o.step());
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      const LeafFactors& own = f.leaves.factors[run.leaf];
      Elements e{o.weight(run.leaf) + run.begin, {}, o.gradient(run.leaf) + run.begin, run.count(), o.learning_rate() * own.rate,
                 f.decay * own.decay, factor, f.leaves.clipping};
      for (std::size_t k = 0; k < f.slots; ++k) e.slot[k] = o.slot(k) + run.base + run.begin;
      update.run(step, e);
    });
  };
}

class Elementwise final : public FlatOptimiser {
 public:
  template <class Options>
  Elementwise(const char* name, nn::Module& module, const Options& o, std::vector<std::string> slots, ElementMaths maths)
      : FlatOptimiser(module, o.clip, o.clip_value, o.groups, std::move(slots)), name_(name), maths_(maths), decay_(float(o.weight_decay)) {}

  void step() override {
    NoGrad no_grad;
    const std::vector<Tensor> gradients = take_gradients();
    launch(name_, reads(gradients), writes(), element_update_kernel(norm_.device(), FlatUpdate{flat_, slots_.size(), decay_}, maths_));
  }

 private:
  const char* name_;
  ElementMaths maths_;
  float decay_;
};

}  // namespace

KernelSlot<const FlatUpdate&, const ElementMaths&> element_update_kernel("optimiser.update", [](const FlatUpdate& f, const ElementMaths& maths) -> Kernel {
  return std::visit([&](const auto& m) { return update_kernel(f, update_of(m)); }, maths);
});

std::unique_ptr<Optimiser> make_sgd(nn::Module& module, const SgdOptions& o) {
  checked_options("make_sgd", o);
  return std::make_unique<Elementwise>("optimiser.sgd", module, o, std::vector<std::string>{"momentum"}, kernels::Sgd{float(o.momentum), o.nesterov});
}

std::unique_ptr<Optimiser> make_adam(nn::Module& module, const AdamOptions& o) {
  checked_options("make_adam", o);
  return std::make_unique<Elementwise>("optimiser.adam", module, o, std::vector<std::string>{"first_moment", "second_moment"},
                                       kernels::Adam{float(o.beta1), float(o.beta2), float(o.eps)});
}

std::unique_ptr<Optimiser> make_adamw(nn::Module& module, const AdamWOptions& o) {
  checked_options("make_adamw", o);
  return std::make_unique<Elementwise>("optimiser.adamw", module, o, std::vector<std::string>{"first_moment", "second_moment"},
                                       kernels::AdamW{float(o.beta1), float(o.beta2), float(o.eps)});
}

std::unique_ptr<Optimiser> make_rmsprop(nn::Module& module, const RmsPropOptions& o) {
  checked_options("make_rmsprop", o);
  check_share("make_rmsprop", "alpha", o.alpha);
  std::vector<std::string> slots{"second_moment", "momentum"};
  if (o.centred) slots.emplace_back("first_moment");
  return std::make_unique<Elementwise>("optimiser.rmsprop", module, o, slots, kernels::RmsProp{float(o.alpha), float(o.eps), float(o.momentum), o.centred});
}

}  // namespace tenon
