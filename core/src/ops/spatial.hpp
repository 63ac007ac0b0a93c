/// Checks that the ops on [N, spatial..., C] share (private).
#pragma once

#include "ops/check.hpp"

namespace tenon {

/// The number of spatial axes, 1 to 3.
inline int check_spatial(const char* op, const Tensor& x) {
  check_floating(op, x);
  const int axes = x.rank() - 2;
  if (axes < 1 || axes > 3) throw_usage(op, "x " + x.str() + " has no 1 to 3 spatial axes", "give it as [N, spatial..., C]");
  return axes;
}

/// `values` (named `what`) hold one value of at least 1 for each spatial axis of x.
inline void check_sizes(const char* op, const Tensor& x, const std::vector<std::int64_t>& values, const char* what) {
  const int axes = x.rank() - 2;
  if (int(values.size()) != axes)
    throw_usage(op, std::string(what) + " " + list_str(values) + " must have one value for each of the " + std::to_string(axes) +
                        " spatial axes of x " + x.str());
  for (std::int64_t v : values)
    if (v < 1 || v > (std::int64_t(1) << 30))
      throw_usage(op, std::string(what) + " " + list_str(values) + " for x " + x.str() + ": values must be at least 1 and fit 30 bits");
}

}  // namespace tenon
