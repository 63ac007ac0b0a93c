#include "tenon/optim.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/optim.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/plan.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kRun = 16384;  ///< elements a task; fixes the order of the norm's sum

/// A cut of the flat buffers: [begin, end) of leaf `leaf`, whose elements start at `base` of the flat buffer.
struct Run {
  std::size_t leaf;
  std::int64_t begin, end, base;
};

}  // namespace

Optimiser::~Optimiser() = default;

Optimiser::Optimiser(nn::Module& module, double clip, std::vector<std::string> slots) : leaves_(module.parameters()), slot_names_(std::move(slots)), clip_(clip) {
  std::int64_t total = 0;
  for (const auto& [name, t] : leaves_) {
    layout_.push_back({name, total, t.numel()});
    total += (t.numel() + 15) / 16 * 16;  // each leaf on its own cache line
  }
  if (leaves_.empty()) throw_usage("Optimiser", "the module has no parameters");
  for (std::size_t i = 0; i < slot_names_.size(); ++i) slots_.push_back(Tensor::zeros({total}));
  scalars_ = Tensor::zeros({4});
  norm_ = Tensor::zeros({1});
}

void Optimiser::begin_step(double learning_rate) {
  ++steps_;
  float s[4] = {float(learning_rate), float(steps_), 0, 0};
  scalars_.copy_from_host(s, sizeof s);
}

nn::NamedTensors Optimiser::state() const {
  nn::NamedTensors all;
  for (std::size_t k = 0; k < slots_.size(); ++k)
    for (std::size_t i = 0; i < layout_.size(); ++i)
      all.emplace_back(slot_names_[k] + "." + layout_[i].name, slots_[k].narrow(0, layout_[i].begin, layout_[i].count).reshape(leaves_[i].second.shape()));
  all.emplace_back("steps", Tensor::from(std::vector<std::int64_t>{steps_}, {1}));
  return all;
}

void Optimiser::load(const nn::NamedTensors& given) {
  nn::NamedTensors own = state();
  if (given.size() != own.size()) throw Error(ErrorKind::data, "optimiser.state", "the state has " + std::to_string(given.size()) + " tensors, this optimiser " + std::to_string(own.size()), "resume with the run's own recipe");
  std::vector<Tensor> found;
  for (const auto& [name, t] : own) {
    auto it = std::find_if(given.begin(), given.end(), [&, n = name](const auto& g) { return g.first == n; });
    if (it == given.end() || !(it->second.shape() == t.shape())) throw Error(ErrorKind::data, "optimiser.state", "the state lacks '" + name + "' " + t.shape().str(), "resume with the run's own recipe");
    found.push_back(it->second);
  }
  for (std::size_t i = 0; i + 1 < own.size(); ++i) own[i].second.assign(found[i]);
  steps_ = std::int64_t(found.back().item());
}

namespace {

std::vector<Run> cut(const nn::NamedTensors& leaves, const std::vector<std::int64_t>& bases) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < leaves.size(); ++i)
    for (std::int64_t n = leaves[i].second.numel(), b = 0; b < n; b += kRun) runs.push_back({i, b, std::min(n, b + kRun), bases[i]});
  return runs;
}

/// Shared by the optimisers here: one norm launch, one update launch over all leaves.
template <class Update> class FusedOptimiser final : public Optimiser {
 public:
  FusedOptimiser(nn::Module& module, double clip, std::vector<std::string> slots, Update update) : Optimiser(module, clip, std::move(slots)), update_(update) {
    std::vector<std::int64_t> bases;
    for (const Slot& s : layout_) bases.push_back(s.begin);
    runs_ = cut(leaves_, bases);
  }

  void step() override {
    NoGrad no_grad;
    if (steps_ == 0 && !is_recording()) throw_usage("Optimiser::step", "no step has begun", "call begin_step(learning_rate) first");
    for (const auto& [name, p] : leaves_)
      if (!p.grad().defined()) throw_usage("Optimiser::step", "'" + name + "' has no gradient", "call backward() on a loss that uses every parameter");
    std::vector<Tensor> gradients;
    for (const auto& [name, p] : leaves_) {
      gradients.push_back(p.grad().contiguous().to(DType::f32));
      p.set_grad({});
    }
    const std::size_t n = leaves_.size();
    // the norm: one partial sum a run, added in order of runs
    Tensor partial = Tensor::empty({std::int64_t(runs_.size())}, DType::f64);
    launch("optimiser.norm", gradients, std::vector<Tensor>{partial, norm_}, [runs = runs_, n](void* const* p) {
      auto* sums = static_cast<double*>(p[n]);
      parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
        const Run& run = runs[std::size_t(r)];
        const float* g = static_cast<const float*>(p[run.leaf]);
        double lanes[8] = {};
        std::int64_t i = run.begin;
        for (; i + 8 <= run.end; i += 8)
          for (int k = 0; k < 8; ++k) lanes[k] += double(g[i + k]) * double(g[i + k]);
        for (; i < run.end; ++i) lanes[0] += double(g[i]) * double(g[i]);
        sums[r] = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
      });
      double total = 0;
      for (std::size_t r = 0; r < runs.size(); ++r) total += sums[r];
      *static_cast<float*>(p[n + 1]) = float(std::sqrt(total));
    });
    std::vector<Tensor> reads = gradients, writes;
    reads.push_back(scalars_);
    reads.push_back(norm_);
    for (const auto& [name, p] : leaves_) writes.push_back(p);
    for (const Tensor& s : slots_) writes.push_back(s);
    launch(Update::kName, reads, writes, [runs = runs_, n, update = update_, clip = float(clip_)](void* const* p) {
      const float* scalars = static_cast<const float*>(p[n]);
      const float norm = *static_cast<const float*>(p[n + 1]);
      const float factor = clip > 0 && norm > clip ? clip / norm : 1.0f;
      auto prepared = update.prepare(scalars[0], scalars[1]);
      parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
        const Run& run = runs[std::size_t(r)];
        const float* g = static_cast<const float*>(p[run.leaf]) + run.begin;
        float* w = static_cast<float*>(p[n + 2 + run.leaf]) + run.begin;
        update.run(prepared, w, p + n + 2 + n, run.base + run.begin, g, factor, run.end - run.begin);
      });
    });
  }

 private:
  Update update_;
  std::vector<Run> runs_;
};

struct SgdUpdate {
  static constexpr const char* kName = "optimiser.sgd";
  kernels::Sgd maths;
  float prepare(float lr, float) const { return lr; }
  void run(float lr, float* w, void* const* slots, std::int64_t at, const float* g, float factor, std::int64_t n) const {
    float* v = static_cast<float*>(slots[0]) + at;
    for (std::int64_t i = 0; i < n; ++i) maths(w[i], v[i], g[i] * factor, lr);
  }
};

struct AdamWUpdate {
  static constexpr const char* kName = "optimiser.adamw";
  kernels::AdamW maths;
  struct Prepared {
    float lr, c1, c2;
  };
  Prepared prepare(float lr, float step) const {
    if (step < 1) return {lr, 1, 1};  // before the first begin_step: the rate is 0
    return {lr, float(1 - std::pow(double(maths.beta1), double(step))), float(1 - std::pow(double(maths.beta2), double(step)))};
  }
  void run(const Prepared& s, float* w, void* const* slots, std::int64_t at, const float* g, float factor, std::int64_t n) const {
    float *m = static_cast<float*>(slots[0]) + at, *v = static_cast<float*>(slots[1]) + at;
    for (std::int64_t i = 0; i < n; ++i) maths(w[i], m[i], v[i], g[i] * factor, s.lr, s.c1, s.c2);
  }
};

}  // namespace

std::unique_ptr<Optimiser> make_sgd(nn::Module& module, const SgdOptions& o) {
  return std::make_unique<FusedOptimiser<SgdUpdate>>(module, o.clip, std::vector<std::string>{"momentum"}, SgdUpdate{{float(o.momentum), float(o.weight_decay), o.nesterov}});
}

std::unique_ptr<Optimiser> make_adamw(nn::Module& module, const AdamWOptions& o) {
  return std::make_unique<FusedOptimiser<AdamWUpdate>>(module, o.clip, std::vector<std::string>{"first_moment", "second_moment"},
                                                       AdamWUpdate{{float(o.beta1), float(o.beta2), float(o.eps), float(o.weight_decay)}});
}

const ParamSpec& optimiser_params() {
  static const ParamSpec spec{
      text_param("name", "sgd", "optimiser", {"sgd", "adamw"}),
      real_param("momentum", 0.99, "sgd: share of the last step's velocity that is kept", 0, 1),
      boolean_param("nesterov", true, "sgd: look ahead along the velocity"),
      real_param("beta1", 0.9, "adamw: decay of the first moment", 0, 1),
      real_param("beta2", 0.999, "adamw: decay of the second moment", 0, 1),
      real_param("eps", 1e-8, "adamw: added to the denominator", 0),
      real_param("weight_decay", 3e-5, "weight decay (sgd: added to the gradient; adamw: decoupled)", 0),
      real_param("clip", 12, "largest global norm of the gradient; 0 for no clipping", 0),
  };
  return spec;
}

std::unique_ptr<Optimiser> make_optimiser(nn::Module& module, const ParamValues& v) {
  if (v.text("name") == "adamw") return make_adamw(module, {v.real("beta1"), v.real("beta2"), v.real("eps"), v.real("weight_decay"), v.real("clip")});
  return make_sgd(module, {v.real("momentum"), v.real("weight_decay"), v.real("clip"), v.boolean("nesterov")});
}

const ParamSpec& schedule_params() {
  static const ParamSpec spec{
      text_param("name", "poly", "shape of the learning rate over the run", {"constant", "poly", "cosine", "one_cycle"}),
      real_param("learning_rate", 0.01, "largest learning rate", 0),
      real_param("power", 0.9, "poly: exponent of (1 - progress)", 0),
      real_param("warmup", 0, "share of the run with linearly rising rate", 0, 1),
      real_param("floor", 0, "smallest rate, as a share of the largest", 0, 1),
  };
  return spec;
}

Schedule make_schedule(const ParamValues& v) { return {v.text("name"), v.real("learning_rate"), v.real("power"), v.real("warmup"), v.real("floor")}; }

double Schedule::at(double progress) const {
  const std::vector<std::string>& known = schedule_params().find("name")->choices;
  if (std::find(known.begin(), known.end(), name) == known.end()) throw_usage("Schedule", "unknown schedule '" + name + "'", suggestion(name, known));
  double p = std::clamp(progress, 0.0, 1.0);
  if (warmup > 0 && p < warmup) return base * std::max(p / warmup, 1e-3);
  double q = warmup < 1 ? (p - warmup) / (1 - warmup) : 1.0, share = 1;
  if (name == "poly") share = std::pow(1 - q, power);
  if (name == "cosine") share = 0.5 * (1 + std::cos(q * 3.14159265358979323846));
  if (name == "one_cycle") share = q < 0.3 ? 0.04 + 0.96 * 0.5 * (1 - std::cos(q / 0.3 * 3.14159265358979323846)) : 0.5 * (1 + std::cos((q - 0.3) / 0.7 * 3.14159265358979323846));
  return base * (floor + (1 - floor) * share);
}

}  // namespace tenon
