#include "optim/flat_optimiser.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>

#include "optim/optim_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/plan.hpp"

namespace tenon {
namespace {

/// Sum of squares of a run, in eight lanes.
double squares(const float* g, const Clipping& clipping, const OptimiserRun& run) {
  double lanes[8] = {};
  std::int64_t i = run.begin;
  for (; i + 8 <= run.end; i += 8)
    for (int k = 0; k < 8; ++k) {
      const auto v = double(clipping(g[i + k]));
      lanes[k] += v * v;
    }
  for (; i < run.end; ++i) lanes[0] += double(clipping(g[i])) * double(clipping(g[i]));
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

LeafFactors factors_of(const std::string& name, const Tensor& leaf, const std::vector<ParameterGroup>& groups) {
  for (const ParameterGroup& g : groups)
    if (g.match == "vectors" ? leaf.rank() <= 1 : fnmatch(g.match.c_str(), name.c_str(), 0) == 0) return {float(g.rate), float(g.decay)};
  return {};
}

}  // namespace

// one partial sum a run, added in order of runs
KernelSlot<const FlatLeaves&> gradient_norm_kernel("optimiser.norm", [](const FlatLeaves& leaves) -> Kernel {
  return [runs = leaves.runs(kOptimiserRun), n = leaves.count(), clipping = leaves.clipping](void* const* p) {
    auto* sums = static_cast<double*>(p[n]);
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      sums[r] = squares(static_cast<const float*>(p[run.leaf]), clipping, run);
    });
    double total = 0;
    for (std::size_t r = 0; r < runs.size(); ++r) total += sums[r];
    *static_cast<float*>(p[n + 1]) = float(std::sqrt(total));
  };
});

FlatOptimiser::FlatOptimiser(nn::Module& module, double clip, double clip_value, const std::vector<ParameterGroup>& groups, std::vector<std::string> slots)
    : Optimiser(module), slot_names_(std::move(slots)) {
  std::vector<Tensor> tensors;
  for (const auto& [name, t] : leaves_) tensors.push_back(t);
  flat_ = FlatLeaves(tensors);
  for (const ParameterGroup& g : groups)
    if (g.match != "vectors" && std::none_of(leaves_.begin(), leaves_.end(), [&](const auto& leaf) { return fnmatch(g.match.c_str(), leaf.first.c_str(), 0) == 0; }))
      throw_usage("ParameterGroup", "no parameter matches '" + g.match + "'", "patterns are of names as 'encoder.*', or 'vectors'");
  for (std::size_t i = 0; i < leaves_.size(); ++i) flat_.factors[i] = factors_of(leaves_[i].first, tensors[i], groups);
  flat_.clipping.norm = float(clip);
  if (clip_value > 0) flat_.clipping.limit = float(clip_value);
  for (std::size_t k = 0; k < slot_names_.size(); ++k) slots_.push_back(Tensor::zeros({flat_.elements}, DType::f32, scalars_.device()));
}

nn::NamedTensors FlatOptimiser::state() const {
  nn::NamedTensors all;
  for (std::size_t k = 0; k < slots_.size(); ++k)
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      all.emplace_back(slot_names_[k] + "." + leaves_[i].first, part(slots_[k], i).reshape(leaves_[i].second.shape()));
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
  Tensor partial = Tensor::empty({flat_.partials()}, DType::f64, norm_.device());
  launch("optimiser.norm", gradients, std::vector<Tensor>{partial, norm_}, gradient_norm_kernel(norm_.device(), flat_));
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
