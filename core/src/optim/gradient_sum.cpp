#include "tenon/gradient_sum.hpp"

#include "optim/optim_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/memory.hpp"

namespace tenon {

KernelSlot<const FlatLeaves&> gradient_sum_kernel("gradient_sum.add", [](const FlatLeaves& leaves) -> Kernel {
  return [runs = leaves.runs(kOptimiserRun), n = leaves.count()](void* const* p) {
    auto* fresh = static_cast<float*>(p[2 * n]);
    const bool first = *fresh != 0;
    parallel_for(std::int64_t(runs.size()), [&](std::int64_t r) {
      const OptimiserRun& run = runs[std::size_t(r)];
      const float* g = static_cast<const float*>(p[run.leaf]);
      float* sum = static_cast<float*>(p[n + run.leaf]);
      if (first)
        for (std::int64_t i = run.begin; i < run.end; ++i) sum[i] = g[i];
      else
        for (std::int64_t i = run.begin; i < run.end; ++i) sum[i] += g[i];
    });
    *fresh = 0;
  };
});

GradientSum::GradientSum(const nn::Module& module) : leaves_(module.parameters()), fresh_(Tensor::full({1}, 1, DType::f32, leaves_.empty() ? default_device() : leaves_[0].second.device())) {
  MemoryScope tag(MemoryTag::gradients);
  for (const auto& [name, p] : leaves_) sums_.push_back(Tensor::zeros(p.shape(), DType::f32, p.device()));
}

void GradientSum::begin() { fresh_.fill(1); }

void GradientSum::add() {
  NoGrad no_grad;
  for (const auto& [name, p] : leaves_)
    if (!p.grad().defined()) throw_usage("GradientSum::add", "'" + name + "' has no gradient", "call backward() on a loss that uses every parameter");
  std::vector<Tensor> gradients, writes = sums_;
  for (const auto& [name, p] : leaves_) {
    gradients.push_back(p.grad().contiguous().to(DType::f32));
    p.set_grad({});
  }
  writes.push_back(fresh_);
  launch("gradient_sum.add", gradients, writes, gradient_sum_kernel(fresh_.device(), FlatLeaves(sums_)));
}

void GradientSum::give() const {
  for (std::size_t i = 0; i < leaves_.size(); ++i) leaves_[i].second.set_grad(sums_[i]);
}

}  // namespace tenon
