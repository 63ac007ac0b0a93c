/// Padding by a rule for each side of each axis: zeros or another constant, reflection, the edge's value, or the other end of a
/// periodic axis (longitude). Any element type; differentiable for the floating ones, any number of times. Stateless.
///
/// One pass over the result: padded axes are read through tables of positions, runs between them are copied whole. The gradient
/// folds what was padded back, one pass an axis.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

/// What lies beyond the end of an axis a b c d:
enum class PaddingMode {
  constant,  ///< v v | a b c d | v v
  reflect,   ///< c b | a b c d | c b: without the edge itself
  edge,      ///< a a | a b c d | d d
  circular,  ///< c d | a b c d | a b
};

/// "constant" ("zero"), "reflect", "edge" ("replicate") or "circular"; throws a usage error that names those nearest.
TENON_API PaddingMode padding_mode(std::string_view name);

struct PaddingSide {
  std::int64_t size = 0;
  PaddingMode mode = PaddingMode::constant;
};
struct AxisPadding {
  int axis;  ///< may count from the end
  PaddingSide before, after;
};

/// x with each of `axes` (given once each) padded; `value` is the constant, for integers converted as by Tensor::fill. An element beyond a
/// constant side of any axis is `value`. A reflection must be shorter than the axis, a circular side no longer than it: other sizes are
/// usage errors.
///
///     pad_axes(x, {{1, {2, PaddingMode::reflect}, {2, PaddingMode::reflect}},       // latitude
///                  {2, {2, PaddingMode::circular}, {2, PaddingMode::circular}}});   // longitude
TENON_API Tensor pad_axes(const Tensor& x, const std::vector<AxisPadding>& axes, double value = 0);

}  // namespace tenon
