/// Loops over strided operands on the CPU (private).
///
/// `StridedLoop` merges axes that are contiguous in every operand, then cuts the elements into runs of at most
/// kRun along the innermost axis. Runs are independent, so any thread may take any of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "tenon/kernel.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kRun = 8192;

template <int N> class StridedLoop {
 public:
  /// `strides[k]`: of operand k, in elements, for every axis of `shape` (0 where it is broadcast).
  StridedLoop(const Shape& shape, const std::array<Shape, N>& strides) {
    count_ = shape.numel();
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      bool merge = rank_ > 0;
      for (int k = 0; k < N && merge; ++k) merge = strides_[std::size_t(rank_ - 1)][std::size_t(k)] == strides[std::size_t(k)][axis] * shape[axis];
      if (merge) {
        sizes_[std::size_t(rank_ - 1)] *= shape[axis];
      } else {
        sizes_[std::size_t(rank_++)] = shape[axis];
      }
      for (int k = 0; k < N; ++k) strides_[std::size_t(rank_ - 1)][std::size_t(k)] = strides[std::size_t(k)][axis];
    }
    if (rank_ == 0) {
      rank_ = 1;
      sizes_[0] = 1;
      strides_[0].fill(0);
    }
    inner_ = sizes_[std::size_t(rank_ - 1)];
    runs_per_row_ = (inner_ + kRun - 1) / kRun;
  }

  /// body(offsets of the operands, strides of the operands, length), in parallel.
  template <class F> void run(F&& body) const {
    if (count_ == 0) return;
    const std::int64_t rows = count_ / inner_, runs = rows * runs_per_row_;
    const std::int64_t grain = std::max<std::int64_t>(1, kRun * runs_per_row_ / std::max<std::int64_t>(inner_, 1));
    auto block = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        std::array<std::int64_t, N> offsets{};
        std::int64_t row = r / runs_per_row_, start = (r % runs_per_row_) * kRun;
        for (int axis = rank_ - 2; axis >= 0; --axis) {
          std::int64_t i = row % sizes_[std::size_t(axis)];
          row /= sizes_[std::size_t(axis)];
          for (int k = 0; k < N; ++k) offsets[std::size_t(k)] += i * strides_[std::size_t(axis)][std::size_t(k)];
        }
        const auto& step = strides_[std::size_t(rank_ - 1)];
        for (int k = 0; k < N; ++k) offsets[std::size_t(k)] += start * step[std::size_t(k)];
        body(offsets, step, std::min(kRun, inner_ - start));
      }
    };
    if (count_ <= kRun) {
      block(0, runs);
    } else {
      parallel_blocks(runs, grain, block);
    }
  }

 private:
  std::int64_t count_ = 0, inner_ = 1, runs_per_row_ = 1;
  int rank_ = 0;
  std::array<std::int64_t, kMaxRank> sizes_{};
  std::array<std::array<std::int64_t, N>, kMaxRank> strides_{};
};

}  // namespace tenon::cpu
