/// Kernel slot of padding by tables (private). It sees any element type as bytes.
#pragma once

#include <memory>
#include <vector>

#include "tenon/kernel.hpp"

namespace tenon {

/// Positions of an axis's source for each position of the result, -1 for the constant, cut into runs of successive positions.
struct PaddedAxis {
  struct Run {
    std::int64_t to, from, count;  ///< from < 0: `count` constants
  };
  std::int64_t from = 1, to = 1;
  std::vector<std::int64_t> source;
  std::vector<Run> runs;
};

/// A dense tensor of `element` bytes (trailing axes that are not padded make one element).
struct TablePadding {
  std::shared_ptr<const std::vector<PaddedAxis>> axes;
  std::int64_t element;
  std::int64_t fill_bytes;  ///< of the constant, which repeats over an element
  std::uint64_t fill;
};
/// x -> y
extern TENON_API KernelSlot<const TablePadding&> table_padding_kernel;

}  // namespace tenon
