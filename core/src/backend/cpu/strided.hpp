/// Loops over strided operands on the CPU (private).
///
/// The elements are cut into runs of at most kRun along the innermost merged axis; where that is short, into blocks of several of its rows, and where an
/// operand lies along the axis before it, into squares, of which each of its cache lines is read once. They are independent, so any thread may take any of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "ops/strided_axes.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kRun = 8192;
inline constexpr std::int64_t kShortRow = 256;  ///< shorter rows come several at a time
inline constexpr std::int64_t kSquare = 32;

inline constexpr std::int64_t kTasks = 128;  ///< where there are more of them, tasks are larger

/// One operand over a block of `rows` rows of `n` elements.
struct Lines {
  std::int64_t step, row_step, rows, n;
  bool dense() const { return step == 1 && (rows == 1 || row_step == n); }
  bool constant() const { return step == 0 && (rows == 1 || row_step == 0); }
  bool repeated() const { return rows > 1 && row_step == 0; }  ///< each row is the same
  /// The longest cut of at most `most` >= kShortRow elements, whole rows where there are several.
  std::int64_t cut(std::int64_t most) const { return rows == 1 ? most : most / n * n; }
};

/// A block of all operands.
template <int N>
struct Block {
  std::array<std::int64_t, N> at, step, row_step;  ///< offset of the first element, and strides
  std::int64_t rows, n;
  Lines lines(std::size_t k) const { return {step[k], row_step[k], rows, n}; }
  std::int64_t count() const { return rows * n; }
};

template <int N> class StridedLoop {
 public:
  /// Rows shorter than `short_row` <= kRun come several at a time.
  StridedLoop(const Shape& shape, const std::array<Shape, N>& strides, std::int64_t short_row = kShortRow)
      : axes_(shape, strides), lead_(axes_.rank - 1) {
    inner_ = axes_.sizes[std::size_t(lead_)];
    const bool square = turned();
    if (square) run_ = kSquare;
    runs_per_row_ = (inner_ + run_ - 1) / run_;
    if (lead_ == 0 || axes_.count == 0 || (inner_ >= short_row && !square)) return;
    --lead_;
    rows_ = axes_.sizes[std::size_t(lead_)];
    at_once_ = std::min(rows_, square ? kSquare : kRun / inner_);
  }

  const std::array<std::int64_t, N>& steps() const { return axes_.strides[std::size_t(axes_.rank - 1)]; }  ///< along the innermost axis
  std::int64_t row_length() const { return inner_; }
  bool has_rows() const { return at_once_ > 1; }  ///< in a block

  /// body(block), in parallel.
  template <class F> void run_blocks(F&& body) const {
    if (axes_.count == 0) return;
    const std::int64_t cuts = (rows_ + at_once_ - 1) / at_once_ * runs_per_row_, blocks = axes_.count / (rows_ * inner_) * cuts;
    const std::int64_t grain = std::max({std::int64_t(1), kRun * cuts / (rows_ * inner_), std::min<std::int64_t>(4, blocks / kTasks)});
    auto some = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) body(block(i / cuts, i % cuts));
    };
    if (axes_.count <= kRun) {
      some(0, blocks);
    } else {
      parallel_blocks(blocks, grain, some);
    }
  }

  /// body(offsets of the operands, strides of the operands, length), in parallel: row by row.
  template <class F> void run(F&& body) const {
    run_blocks([&](const Block<N>& block) {
      std::array<std::int64_t, N> at = block.at;
      for (std::int64_t row = 0; row < block.rows; ++row) {
        body(at, block.step, block.n);
        for (std::size_t k = 0; k < N; ++k) at[k] += block.row_step[k];
      }
    });
  }

 private:
  /// Cut `cut` of what lies at place `outer` of the leading axes.
  Block<N> block(std::int64_t outer, std::int64_t cut) const {
    Block<N> b{{}, axes_.strides[std::size_t(axes_.rank - 1)], {}, 1, inner_};
    for (int axis = lead_ - 1; axis >= 0; --axis) {
      const std::int64_t i = outer % axes_.sizes[std::size_t(axis)];
      outer /= axes_.sizes[std::size_t(axis)];
      for (std::size_t k = 0; k < N; ++k) b.at[k] += i * axes_.strides[std::size_t(axis)][k];
    }
    const std::int64_t row = cut / runs_per_row_ * at_once_, start = cut % runs_per_row_ * run_;
    if (at_once_ > 1) b.row_step = axes_.strides[std::size_t(lead_)];
    b.rows = std::min(at_once_, rows_ - row);
    b.n = std::min(run_, inner_ - start);
    for (std::size_t k = 0; k < N; ++k) b.at[k] += row * b.row_step[k] + start * b.step[k];
    return b;
  }

  /// Whether an operand's neighbours in memory are those along the axis before the innermost one.
  bool turned() const {
    if (lead_ == 0 || inner_ < kSquare || axes_.sizes[std::size_t(lead_ - 1)] < kSquare) return false;
    const auto &step = axes_.strides[std::size_t(lead_)], &before = axes_.strides[std::size_t(lead_ - 1)];
    for (std::size_t k = 0; k < N; ++k)
      if (before[k] == 1 && step[k] >= kSquare) return true;
    return false;
  }

  StridedAxes<N> axes_;
  int lead_;  ///< axes before those of a block
  std::int64_t inner_ = 1, run_ = kRun, runs_per_row_ = 1;
  std::int64_t rows_ = 1, at_once_ = 1;  ///< of the axis before the innermost one, where blocks have several of its rows
};

}  // namespace tenon::cpu
