/// Sparse linear maps along single axes, as ops with history (private): resizing, adaptive averages, folded padding.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "ops/check.hpp"
#include "ops/resize_kernels.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// Taps of one output position: (input position, weight).
using Taps = std::vector<std::pair<std::int64_t, double>>;

/// The map whose output position o has taps(o), for o in [0, out). Weights of 0 are left out. Axes and taps are counted in 31 bits.
template <class F>
AxisMap make_axis_map(const char* op, std::int64_t in, std::int64_t out, const F& taps) {
  AxisMap m{in, out, {0}, {}, {}};
  check_31_bits(op, "an axis of", std::max(in, out));
  m.first.reserve(std::size_t(out) + 1);
  m.source.reserve(std::size_t(out));
  m.weight.reserve(std::size_t(out));
  for (std::int64_t o = 0; o < out; ++o) {
    for (const auto& [source, weight] : taps(o)) {
      if (weight == 0) continue;
      m.source.push_back(std::int32_t(source));
      m.weight.push_back(weight);
    }
    check_31_bits(op, "a number of weights of", std::int64_t(m.source.size()));
    m.first.push_back(std::int32_t(m.source.size()));
  }
  return m;
}

AxisMap transposed(const AxisMap& m);

/// A map along one axis of a tensor, with its transpose.
struct AxisStep {
  int axis;
  std::shared_ptr<const AxisMap> map, back;
  AxisStep(int at, AxisMap m)
      : axis(at), map(std::make_shared<const AxisMap>(std::move(m))), back(std::make_shared<const AxisMap>(transposed(*map))) {}
  AxisStep reversed() const { return {axis, back, map}; }

 private:
  AxisStep(int at, std::shared_ptr<const AxisMap> m, std::shared_ptr<const AxisMap> b) : axis(at), map(std::move(m)), back(std::move(b)) {}
};

/// The maps one after the other, those that shrink first. `op` names it in the history; differentiable any number of times. 16-bit types
/// are carried in f32 in between.
Tensor apply_axis_steps(const char* op, const Tensor& x, std::vector<AxisStep> steps);

}  // namespace tenon
