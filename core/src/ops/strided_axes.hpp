/// Axes of several strided operands, merged where they are contiguous in all of them (private; CPU and CUDA).
#pragma once

#include <array>
#include <cstdint>

#include "tenon/shape.hpp"

namespace tenon {

/// A plain value: kernels may take it as an argument. After merging the last axis is the innermost one; rank >= 1.
template <int N> struct StridedAxes {
  std::int64_t count = 0;
  int rank = 0;
  std::array<std::int64_t, kMaxRank> sizes{};
  std::array<std::array<std::int64_t, N>, kMaxRank> strides{};

  StridedAxes() = default;
  /// `of[k]`: strides of operand k, in elements, for every axis of `shape` (0 where it is broadcast).
  StridedAxes(const Shape& shape, const std::array<Shape, N>& of) : count(shape.numel()) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      bool merge = rank > 0;
      for (std::size_t k = 0; k < N && merge; ++k) merge = strides[std::size_t(rank - 1)][k] == of[k][axis] * shape[axis];
      if (merge) {
        sizes[std::size_t(rank - 1)] *= shape[axis];
      } else {
        sizes[std::size_t(rank++)] = shape[axis];
      }
      for (std::size_t k = 0; k < N; ++k) strides[std::size_t(rank - 1)][k] = of[k][axis];
    }
    if (rank == 0) {
      rank = 1;
      sizes[0] = 1;
      strides[0].fill(0);
    }
  }
};

}  // namespace tenon
