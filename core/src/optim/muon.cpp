#include <cmath>

#include "optim/flat_optimiser.hpp"
#include "optim/optim_kernels.hpp"
#include "optim/options.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

/// Coefficients of the quintic iteration whose slope at 0 is largest (Jordan et al. 2024).
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;

/// U V' of x = U S V', roughly: singular values end between 0.7 and 1.2.
Tensor orthogonal(const Tensor& x, int iterations, double eps) {
  const bool tall = x.size(0) > x.size(1);
  Tensor y = tall ? x.transpose(0, 1).contiguous() : x;
  const Tensor norm = sqrt(sum(square(y)));
  y = div(y, maximum(norm, Tensor::full(norm.shape(), eps, norm.dtype(), norm.device())));
  for (int i = 0; i < iterations; ++i) {
    const Tensor gram = matmul(y, y.transpose(0, 1));
    const Tensor polynomial = add(mul(gram, kB), mul(matmul(gram, gram), kC));
    y = add(mul(y, kA), matmul(polynomial, y));
  }
  return tall ? y.transpose(0, 1).contiguous() : y;
}

/// Matrices by orthogonal momentum, vectors by AdamW: first moments and momenta share a slot.
class MuonOptimiser final : public FlatOptimiser {
 public:
  MuonOptimiser(nn::Module& module, const MuonOptions& o) : FlatOptimiser(module, o.clip, o.clip_value, o.groups, {"momentum"}), options_(o) {
    for (const auto& [name, leaf] : leaves_) second_.push_back(leaf.rank() < 2 ? Tensor::zeros(leaf.shape(), DType::f32, leaf.device()) : Tensor());
  }

  void step() override {
    NoGrad no_grad;
    const std::vector<Tensor> gradients = take_gradients();
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
      if (leaves_[i].second.numel() == 0) continue;
      if (leaves_[i].second.rank() < 2)
        step_vector(i, gradients[i]);
      else
        step_matrix(i, gradients[i]);
    }
  }

  nn::NamedTensors state() const override {
    nn::NamedTensors all;
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      if (second_[i].defined()) all.emplace_back("second_moment." + leaves_[i].first, second_[i]);
    for (auto& kept : FlatOptimiser::state()) all.push_back(std::move(kept));
    return all;
  }

 private:
  void step_matrix(std::size_t i, const Tensor& gradient) {
    const Tensor& leaf = leaves_[i].second;
    const std::int64_t n = leaf.numel(), rows = leaf.size(0);
    Tensor direction = Tensor::empty({rows, n / rows}, DType::f32, leaf.device());
    launch("optimiser.muon.momentum", {gradient, norm_}, {part(slots_[0], i), direction},
           muon_momentum_kernel(norm_.device(), MuonMomentum{n, flat_.clipping, float(options_.momentum), options_.nesterov}));
    const Tensor update = orthogonal(direction, options_.iterations, options_.eps);
    const double shape = std::sqrt(std::max(1.0, double(rows) * double(rows) / double(n)));
    launch("optimiser.muon.update", {update, scalars_}, {leaf},
           muon_update_kernel(norm_.device(), MuonStep{n, float(shape), float(options_.weight_decay) * flat_.factors[i].decay, flat_.factors[i].rate}));
  }

  void step_vector(std::size_t i, const Tensor& gradient) {
    const kernels::AdamW maths{float(options_.beta1), float(options_.beta2), float(options_.adam_eps)};
    launch("optimiser.muon.adamw", {gradient, scalars_, norm_}, {leaves_[i].second, part(slots_[0], i), second_[i]},
           muon_vector_kernel(norm_.device(), MuonVector{flat_.sizes[i], maths, flat_.clipping, float(options_.weight_decay) * flat_.factors[i].decay,
                                                         flat_.factors[i].rate * float(options_.adam_rate)}));
  }

  MuonOptions options_;
  std::vector<Tensor> second_;  ///< of vectors
};

}  // namespace

KernelSlot<const MuonMomentum&> muon_momentum_kernel("optimiser.muon.momentum", [](const MuonMomentum& m) -> Kernel {
  return [m](void* const* p) {
    const float *g = static_cast<const float*>(p[0]), factor = m.clipping.factor(*static_cast<const float*>(p[1]));
    float *v = static_cast<float*>(p[2]), *d = static_cast<float*>(p[3]);
    parallel_blocks(m.count, kOptimiserRun, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const float here = m.clipping(g[k]) * factor;
        v[k] += (here - v[k]) * (1 - m.keep);
        d[k] = m.nesterov ? here + (v[k] - here) * m.keep : v[k];
      }
    });
  };
});

KernelSlot<const MuonStep&> muon_update_kernel("optimiser.muon.update", [](const MuonStep& s) -> Kernel {
  return [s](void* const* p) {
    const float *u = static_cast<const float*>(p[0]), lr = static_cast<const float*>(p[1])[0] * s.rate;
    float* w = static_cast<float*>(p[2]);
    parallel_blocks(s.count, kOptimiserRun, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) w[k] = w[k] * (1 - lr * s.decay) - lr * s.shape * u[k];
    });
  };
});

KernelSlot<const MuonVector&> muon_vector_kernel("optimiser.muon.adamw", [](const MuonVector& s) -> Kernel {
  return [s](void* const* p) {
    const float *g = static_cast<const float*>(p[0]), *scalars = static_cast<const float*>(p[1]);
    const float factor = s.clipping.factor(*static_cast<const float*>(p[2]));
    const BiasCorrection c(s.maths.beta1, s.maths.beta2, scalars[1]);
    float *w = static_cast<float*>(p[3]), *m = static_cast<float*>(p[4]), *v = static_cast<float*>(p[5]);
    for (std::int64_t k = 0; k < s.count; ++k) s.maths(w[k], m[k], v[k], s.clipping(g[k]) * factor, scalars[0] * s.rate, s.decay, c.c1, c.c2);
  };
});

std::unique_ptr<Optimiser> make_muon(nn::Module& module, const MuonOptions& options) {
  checked_options("make_muon", options);
  check_least("make_muon", "iterations", options.iterations);
  check_least("make_muon", "adam_eps", options.adam_eps);
  check_least("make_muon", "adam_rate", options.adam_rate);
  return std::make_unique<MuonOptimiser>(module, options);
}

}  // namespace tenon
