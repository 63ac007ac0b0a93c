/// How a convolution is cut into independent tasks. The cut depends on the sizes alone, never on the machine.
#pragma once

#include <vector>

#include "backend/conv_geometry.hpp"

namespace tenon::cpu {

/// One task: `samples` whole samples, or a slab (rows of the first spatial axis) of one sample.
struct ConvTask {
  ConvGeometry part;                             ///< the convolution on the task's rows; `pad` is what lies before them
  std::int64_t sample = 0;                       ///< the first
  std::int64_t in_row = 0;                       ///< first row of x that it touches
  std::int64_t out_row = 0;                      ///< first row of y
  std::int64_t own_in_row = 0, own_in_rows = 0;  ///< rows of x counted as its own: a partition over the tasks of a sample
};

/// Padding after the last row that makes the sizes of `g` consistent along an axis; never negative.
std::int64_t pad_after(const ConvGeometry& g, int axis);

/// Tasks whose outputs (rows of y, rows of x, or for weight_gradient partial sums) are disjoint. `most`: about how many.
std::vector<ConvTask> cut_convolution(const ConvGeometry& g, ConvPass pass, std::int64_t most);

/// About how many tasks are worth making: enough to balance many threads, few enough that each is worth starting and
/// that the partial sums of a weight gradient stay cheap beside the multiplications.
std::int64_t task_budget(const ConvGeometry& g, ConvPass pass);

}  // namespace tenon::cpu
