/// The parameters of a module as one run of elements, and what the optimisers that work over it share (private; CPU and CUDA).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tenon/nn/module.hpp"

namespace tenon {

inline constexpr std::int64_t kOptimiserRun = 16384;  ///< elements of a run on the CPU
inline constexpr std::int64_t kShortRun = 2048;       ///< of a run on a device; there are at most this many times more of them

/// A cut of a leaf, elements [begin, end); its state starts at `base` of the flat buffers. Cuts do not depend on threads,
/// and so neither does the order of a sum over them.
struct OptimiserRun {
  std::size_t leaf;
  std::int64_t begin, end, base;
  std::int64_t count() const { return end - begin; }
};

/// How a leaf's gradient becomes its step.
struct LeafFactors {
  float rate = 1, decay = 1;
};

/// Gradients are clamped to [-limit, limit], then scaled by `factor`.
struct Clipping {
  float limit = std::numeric_limits<float>::infinity(), norm = 0;  ///< norm 0: no clipping by norm
  TENON_HD float factor(float gradient_norm) const { return norm > 0 && gradient_norm > norm ? norm / gradient_norm : 1.0f; }
  TENON_HD float operator()(float g) const { return g < -limit ? -limit : g > limit ? limit : g; }  ///< a NaN stays one
};

/// 1 - beta^t of both moments at step t. Before the first begin_step the learning rate is 0, and 1 does no harm.
struct BiasCorrection {
  float c1 = 1, c2 = 1;
  TENON_HD BiasCorrection(float beta1, float beta2, float step) {
    if (step < 1) return;
    c1 = float(1 - std::pow(double(beta1), double(step)));
    c2 = float(1 - std::pow(double(beta2), double(step)));
  }
};

/// Elements of each leaf, where its state begins in the flat buffers, and how it learns.
struct FlatLeaves {
  std::vector<std::int64_t> sizes, bases;
  std::vector<LeafFactors> factors;
  Clipping clipping;
  std::int64_t elements = 0;  ///< of a flat buffer

  FlatLeaves() = default;
  explicit FlatLeaves(const std::vector<Tensor>& leaves) {
    for (const Tensor& t : leaves) {
      sizes.push_back(t.numel());
      bases.push_back(elements);
      factors.emplace_back();
      elements += (t.numel() + 15) / 16 * 16;  // each leaf on its own cache line
    }
  }
  std::size_t count() const { return sizes.size(); }
  /// In order of leaves, and within a leaf of elements.
  std::vector<OptimiserRun> runs(std::int64_t length) const {
    std::vector<OptimiserRun> all;
    for (std::size_t i = 0; i < sizes.size(); ++i)
      for (std::int64_t b = 0; b < sizes[i]; b += length) all.push_back({i, b, std::min(sizes[i], b + length), bases[i]});
    return all;
  }
  /// Room for one partial sum a run, on any device.
  std::int64_t partials() const {
    std::int64_t n = 1;
    for (std::int64_t size : sizes) n += (size + kShortRun - 1) / kShortRun;
    return n;
  }
};

}  // namespace tenon
