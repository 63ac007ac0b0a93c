#include "optim/flat_optimiser.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"

namespace tenon {
namespace {

LeafFactors factors_of(const std::string& name, const Tensor& leaf, const std::vector<ParameterGroup>& groups) {
  for (const ParameterGroup& g : groups)
    if (g.match == "vectors" ? leaf.rank() <= 1 : fnmatch(g.match.c_str(), name.c_str(), 0) == 0) return {float(g.rate), float(g.decay)};
  return {};
}

}  // namespace

FlatOptimiser::FlatOptimiser(nn::Module& module, double clip, double clip_value, const std::vector<ParameterGroup>& groups, std::vector<std::string> slots)
    : Optimiser(module), slot_names_(std::move(slots)) {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    const auto& [name, t] = leaves_[i];
    places_.push_back({total, t.numel()});
    factors_.push_back(factors_of(name, t, groups));
    for (std::int64_t b = 0; b < t.numel(); b += kOptimiserRun) runs_.push_back({i, b, std::min(t.numel(), b + kOptimiserRun), total});
    total += (t.numel() + 15) / 16 * 16;  // each leaf on its own cache line
  }
  for (std::size_t k = 0; k < slot_names_.size(); ++k) slots_.push_back(Tensor::zeros({total}));
  clipping_.norm = float(clip);
  if (clip_value > 0) clipping_.limit = float(clip_value);
}

nn::NamedTensors FlatOptimiser::state() const {
  nn::NamedTensors all;
  for (std::size_t k = 0; k < slots_.size(); ++k)
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      all.emplace_back(slot_names_[k] + "." + leaves_[i].first, slots_[k].narrow(0, places_[i].begin, places_[i].count).reshape(leaves_[i].second.shape()));
  for (auto& steps : Optimiser::state()) all.push_back(std::move(steps));
  return all;
}

std::vector<Tensor> FlatOptimiser::take_gradients() {
  if (steps_ == 0 && !is_recording()) throw_usage("Optimiser::step", "no step has begun", "call begin_step(learning_rate) first");
  for (const auto& [name, p] : leaves_)
    if (!p.grad().defined()) throw_usage("Optimiser::step", "'" + name + "' has no gradient", "call backward() on a loss that uses every parameter");
  std::vector<Tensor> gradients;
  for (const auto& [name, p] : leaves_) {
    gradients.push_back(p.grad().contiguous().to(DType::f32));
    p.set_grad({});
  }
  const std::size_t n = leaves_.size();
  // one partial sum a run, added in order of runs
  Tensor partial = Tensor::empty({std::int64_t(runs_.size())}, DType::f64);
  launch("optimiser.norm", gradients, std::vector<Tensor>{partial, norm_}, [runs = runs_, n, clipping = clipping_](void* const* p) {
    auto* sums = static_cast<double*>(p[n]);
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      const float* g = static_cast<const float*>(p[run.leaf]);
      double lanes[8] = {};
      std::int64_t i = run.begin;
      for (; i + 8 <= run.end; i += 8)
        for (int k = 0; k < 8; ++k) {
          const auto v = double(clipping(g[i + k]));
          lanes[k] += v * v;
        }
      for (; i < run.end; ++i) lanes[0] += double(clipping(g[i])) * double(clipping(g[i]));
      sums[r] = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    });
    double total = 0;
    for (std::size_t r = 0; r < runs.size(); ++r) total += sums[r];
    *static_cast<float*>(p[n + 1]) = float(std::sqrt(total));
  });
  return gradients;
}

std::vector<Tensor> FlatOptimiser::reads(const std::vector<Tensor>& gradients) const {
  std::vector<Tensor> all = gradients;
  all.push_back(scalars_);
  all.push_back(norm_);
  return all;
}

std::vector<Tensor> FlatOptimiser::writes() const {
  std::vector<Tensor> all;
  for (const auto& [name, p] : leaves_) all.push_back(p);
  all.insert(all.end(), slots_.begin(), slots_.end());
  return all;
}

}  // namespace tenon
