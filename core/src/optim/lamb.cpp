#include <algorithm>
#include <cmath>

#include "kernels/optim.hpp"
#include "optim/flat_optimiser.hpp"
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
    std::int64_t elements = 0;
    for (const Place& place : places_) elements = std::max(elements, place.begin + place.count);
    std::vector<Tensor> written = writes();
    written.push_back(Tensor::empty({std::max<std::int64_t>(elements, 1)}));                       // directions
    written.push_back(Tensor::empty({2 * std::int64_t(runs_.size())}, DType::f64));                // squares of weights and directions, a run
    launch("optimiser.lamb", reads(gradients), written,
           [runs = runs_, factors = factors_, n = leaves_.size(), maths = maths_, decay = decay_, clipping = clipping_](void* const* p) {
             const UpdateOperands o{p, n};
             const float factor = clipping.factor(o.norm());
             const BiasCorrection c(maths.beta1, maths.beta2, o.step());
             auto* direction = static_cast<float*>(o.extra(2, 0));
             auto* squares = static_cast<double*>(o.extra(2, 1));
             parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
               const OptimiserRun& run = runs[std::size_t(r)];
               const std::int64_t at = run.base + run.begin;
               const float *w = o.weight(run.leaf) + run.begin, *g = o.gradient(run.leaf) + run.begin;
               float *m = o.slot(0) + at, *v = o.slot(1) + at, *d = direction + at;
               double of_weights = 0, of_directions = 0;
               for (std::int64_t i = 0; i < run.count(); ++i) {
                 d[i] = maths(w[i], m[i], v[i], clipping(g[i]) * factor, decay * factors[run.leaf].decay, c.c1, c.c2);
                 of_weights += double(w[i]) * double(w[i]);
                 of_directions += double(d[i]) * double(d[i]);
               }
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
               const float rate = o.learning_rate() * factors[run.leaf].rate * trust;
               float* w = o.weight(run.leaf) + run.begin;
               const float* d = direction + run.base + run.begin;
               for (std::int64_t i = 0; i < run.count(); ++i) w[i] -= rate * d[i];
             });
           });
  }

 private:
  kernels::Lamb maths_;
  float decay_;
};

}  // namespace

std::unique_ptr<Optimiser> make_lamb(nn::Module& module, const LambOptions& options) { return std::make_unique<LambOptimiser>(module, options); }

}  // namespace tenon
