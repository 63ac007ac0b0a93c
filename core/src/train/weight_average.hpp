/// Exponential average of a module's weights, evaluated instead of the weights themselves.
///
/// The decay follows the run: at step t of T with share a it averages over about a * t steps, so early weights are
/// forgotten. Two passes over the parameters a step; no effect on training itself.
#pragma once

#include <algorithm>

#include "tenon/autograd.hpp"
#include "tenon/kernel.hpp"
#include "tenon/nn/module.hpp"

namespace tenon {

class WeightAverage {
 public:
  WeightAverage(const nn::Module& model, double share) : share_(share) {
    for (const auto& [name, t] : model.parameters()) {
      source_.push_back(t);
      average_.emplace_back(name, t.detach().clone());
    }
    buffers_ = model.buffers();
  }

  void update(std::int64_t step) {
    const float keep = float(1.0 - 1.0 / std::max(1.0, share_ * double(step)));
    for (std::size_t i = 0; i < source_.size(); ++i) {
      const float* w = source_[i].data<float>();
      float* a = average_[i].second.data<float>();
      parallel_blocks(source_[i].numel(), 65536, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) a[k] = w[k] + keep * (a[k] - w[k]);
      });
    }
  }

  nn::NamedTensors weights() const {
    nn::NamedTensors all = average_;
    all.insert(all.end(), buffers_.begin(), buffers_.end());
    return all;
  }
  void load(const nn::NamedTensors& saved) {
    for (auto& [name, t] : average_)
      for (const auto& [n, s] : saved)
        if (n == name) t.assign(s);
  }

  /// Swaps average and weights while alive.
  class Scope {
   public:
    explicit Scope(WeightAverage* a) : a_(a) { swap(); }
    ~Scope() { swap(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    void swap() {
      if (!a_) return;
      for (std::size_t i = 0; i < a_->source_.size(); ++i) {
        float *w = a_->source_[i].data<float>(), *v = a_->average_[i].second.data<float>();
        std::swap_ranges(w, w + a_->source_[i].numel(), v);
      }
    }
    WeightAverage* a_;
  };

 private:
  double share_;
  std::vector<Tensor> source_;
  nn::NamedTensors average_, buffers_;
};

}  // namespace tenon
