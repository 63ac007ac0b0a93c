/// Kernel slots of resizing (private): sparse linear maps along axes, three spatial ones at once or any one alone.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "tenon/kernel.hpp"

namespace tenon {

/// Output position o of an axis is the sum over t in [first[o], first[o + 1]) of weight[t] * input[source[t]].
struct AxisMap {
  std::int64_t in = 1, out = 1;
  std::vector<std::int32_t> first, source;
  std::vector<double> weight;
};

/// An AxisMap as the loops see it.
struct MapView {
  std::int64_t in, out;
  const std::int32_t *first, *source;
  const double* weight;
};

struct Resizing {
  DType dtype;
  std::int64_t samples, channels;
  std::shared_ptr<const std::array<AxisMap, 3>> axes;  ///< immutable; forward and its transpose are both such maps
};
/// x -> y
extern TENON_API KernelSlot<const Resizing&> resize_kernel;

/// x [outer, in, inner] -> y [outer, out, inner], f32 or f64.
struct AxisMapping {
  DType dtype;
  std::int64_t outer, inner;
  std::shared_ptr<const AxisMap> map;
};
/// x -> y
extern TENON_API KernelSlot<const AxisMapping&> axis_map_kernel;

}  // namespace tenon
