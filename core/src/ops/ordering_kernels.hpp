/// Kernel slots of the ordering ops (private).
#pragma once

#include <algorithm>

#include "tenon/kernel.hpp"

namespace tenon {

/// The order of each row of a dense [rows, n], n at least 1.
struct RowOrder {
  DType dtype;
  std::int64_t rows, n;
  bool descending;
  std::int64_t k;  ///< elements wanted, in order; n: all
  /// Rows are taken by at most so many tasks, each with its share of the workspace.
  static constexpr std::int64_t kTasks = 64;
  std::int64_t tasks() const { return std::min(rows, kTasks); }
  /// A device sorts as many rows at once, each launch having enough records to pay for itself.
  std::int64_t device_records = std::int64_t(1) << 22;
  std::int64_t device_rows() const { return std::min(rows, std::max(kTasks, device_records / n)); }
  /// Of the workspace.
  TENON_API std::size_t sort_bytes(std::int64_t rows_at_once) const;
  std::size_t topk_bytes() const;
};
/// x -> values [rows, n], indices i64 [rows, n], workspace u8
TENON_API extern KernelSlot<const RowOrder&> sort_kernel;
/// x -> values [rows, k], indices i64 [rows, k], workspace u8
TENON_API extern KernelSlot<const RowOrder&> topk_kernel;

/// x, one sorted row -> bool [n]: true where an element differs from the one before it.
TENON_API extern KernelSlot<const RowOrder&> run_starts_kernel;

/// x i64 [n], bins -> i64 [bins]. Throws index.out_of_range.
TENON_API extern KernelSlot<std::int64_t, std::int64_t> bincount_kernel;

/// Dense rows of sorted elements (one row, or as many as there are of values) and of values, in f32, f64 or i64.
struct SortedSearch {
  DType dtype;
  std::int64_t rows, n, m;
  bool one_row, right;
};
/// sorted, values -> i64 [rows, m]
TENON_API extern KernelSlot<const SortedSearch&> searchsorted_kernel;

}  // namespace tenon
