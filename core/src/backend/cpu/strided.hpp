/// Loops over strided operands on the CPU (private).
///
/// The elements are cut into runs of at most kRun along the innermost merged axis. Runs are independent, so any
/// thread may take any of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "ops/strided_axes.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kRun = 8192;

template <int N> class StridedLoop {
 public:
  StridedLoop(const Shape& shape, const std::array<Shape, N>& strides) : axes_(shape, strides) {
    inner_ = axes_.sizes[std::size_t(axes_.rank - 1)];
    runs_per_row_ = (inner_ + kRun - 1) / kRun;
  }

  /// body(offsets of the operands, strides of the operands, length), in parallel.
  template <class F> void run(F&& body) const {
    if (axes_.count == 0) return;
    const std::int64_t rows = axes_.count / inner_, runs = rows * runs_per_row_;
    const std::int64_t grain = std::max<std::int64_t>(1, kRun * runs_per_row_ / inner_);
    auto block = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        std::array<std::int64_t, N> offsets{};
        std::int64_t row = r / runs_per_row_, start = (r % runs_per_row_) * kRun;
        for (int axis = axes_.rank - 2; axis >= 0; --axis) {
          std::int64_t i = row % axes_.sizes[std::size_t(axis)];
          row /= axes_.sizes[std::size_t(axis)];
          for (std::size_t k = 0; k < N; ++k) offsets[k] += i * axes_.strides[std::size_t(axis)][k];
        }
        const auto& step = axes_.strides[std::size_t(axes_.rank - 1)];
        for (std::size_t k = 0; k < N; ++k) offsets[k] += start * step[k];
        body(offsets, step, std::min(kRun, inner_ - start));
      }
    };
    if (axes_.count <= kRun) {
      block(0, runs);
    } else {
      parallel_blocks(runs, grain, block);
    }
  }

 private:
  StridedAxes<N> axes_;
  std::int64_t inner_ = 1, runs_per_row_ = 1;
};

}  // namespace tenon::cpu
