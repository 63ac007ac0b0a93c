#include <algorithm>
#include <cmath>

#include "optim/flat_optimiser.hpp"
#include "optim/optim_kernels.hpp"
#include "optim/options.hpp"
#include "tenon/autograd.hpp"

namespace tenon {
namespace {

class LambOptimiser final : public FlatOptimiser {
 public:
  LambOptimiser(nn::Module& module, const LambOptions& o)
      : FlatOptimiser(module, o.clip, o.clip_value, o.groups, {"first_moment", "second_moment"}),
        maths_{float(o.beta1), float(o.beta2), float(o.eps)}, decay_(float(o.weight_decay)) {}

  void step() override {
    NoGrad no_grad;
    const std::vector<Tensor> gradients = take_gradients();
    std::vector<Tensor> written = writes();
    written.push_back(Tensor::empty({std::max<std::int64_t>(flat_.elements, 1)}, DType::f32, norm_.device()));  // directions
    written.push_back(Tensor::empty({2 * flat_.partials()}, DType::f64, norm_.device()));                       // squares of weights and directions, a run
    launch("optimiser.lamb", reads(gradients), written, lamb_update_kernel(norm_.device(), FlatUpdate{flat_, slots_.size(), decay_}, maths_));
  }

 private:
  kernels::Lamb maths_;
  float decay_;
};

/// In eight sums side by side, which is one vector order and always the same.
double sum_of_squares(const float* x, std::int64_t n) {
  constexpr int kSums = 8;
  double sums[kSums] = {};
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int k = 0; k < kSums; ++k) sums[k] += double(x[i + k]) * double(x[i + k]);
  for (int k = 0; i < n; ++i, ++k) sums[k] += double(x[i]) * double(x[i]);
  double all = 0;
  for (double sum : sums) all += sum;
  return all;
}

}  // namespace

KernelSlot<const FlatUpdate&, const kernels::Lamb&> lamb_update_kernel("optimiser.lamb", [](const FlatUpdate& f, const kernels::Lamb& maths) -> Kernel {
  return [f, runs = f.leaves.runs(kOptimiserRun), maths](void* const* p) {
    const UpdateOperands o{p, f.leaves.count()};
    const float factor = f.leaves.clipping.factor(o.norm());
    const BiasCorrection c(maths.beta1, maths.beta2, o.step());
    auto* direction = static_cast<float*>(o.extra(2, 0));
    auto* squares = static_cast<double*>(o.extra(2, 1));
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      const std::int64_t at = run.base + run.begin;
      const float* __restrict w = o.weight(run.leaf) + run.begin;
      const float* __restrict g = o.gradient(run.leaf) + run.begin;
      float* __restrict m = o.slot(0) + at;
      float* __restrict v = o.slot(1) + at;
      float* __restrict d = direction + at;
      const float decay = f.decay * f.leaves.factors[run.leaf].decay, c1 = c.c1, c2 = c.c2;
      const Clipping clipping = f.leaves.clipping;
      const std::int64_t n = run.count();
      for (std::int64_t i = 0; i < n; ++i) d[i] = maths(w[i], m[i], v[i], clipping(g[i]) * factor, decay, c1, c2);
      const double of_weights = sum_of_squares(w, n), of_directions = sum_of_squares(d, n);
      squares[2 * r] = of_weights;
      squares[2 * r + 1] = of_directions;
    });
    // the runs of a leaf follow each other; its sums are added up in their order and left at its first run
    for (std::size_t r = 0, first = 0; r < runs.size(); ++r) {
      if (runs[r].begin == 0) {
        first = r;
      } else {
        squares[2 * first] += squares[2 * r];
        squares[2 * first + 1] += squares[2 * r + 1];
      }
    }
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      const std::size_t first = std::size_t(r) - std::size_t(run.begin / kOptimiserRun);
      const double of_weights = std::sqrt(squares[2 * first]), of_direction = std::sqrt(squares[2 * first + 1]);
      const float trust = of_weights > 0 && of_direction > 0 ? float(of_weights / of_direction) : 1.0f;
      const float rate = o.learning_rate() * f.leaves.factors[run.leaf].rate * trust;
      float* __restrict w = o.weight(run.leaf) + run.begin;
      const float* __restrict d = direction + run.base + run.begin;
      for (std::int64_t i = 0; i < run.count(); ++i) w[i] -= rate * d[i];
    });
  };
});

std::unique_ptr<Optimiser> make_lamb(nn::Module& module, const LambOptions& options) { return std::make_unique<LambOptimiser>(module, checked_options("make_lamb", options)); }

}  // namespace tenon
