/// A dense tensor seen from one of its axes: [outer, n, inner] (private).
#pragma once

#include <cstdint>

#include "tenon/shape.hpp"

namespace tenon {

struct AxisSplit {
  std::int64_t outer = 1, n = 1, inner = 1;
  AxisSplit() = default;
  AxisSplit(const Shape& shape, int axis) : n(shape[axis]) {
    for (int a = 0; a < axis; ++a) outer *= shape[a];
    for (int a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  }
};

}  // namespace tenon
