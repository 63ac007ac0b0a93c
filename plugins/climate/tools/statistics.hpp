/// Smallest, largest and mean of values with what is missing left out, and values that look like undeclared fill.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon::climate {

struct Statistics {
  std::int64_t values = 0, missing = 0, infinite = 0;  ///< of all, and NaN or infinite among them
  double minimum = 0, maximum = 0, mean = 0;           ///< of finite values; NaN where there is none
  std::vector<std::pair<double, std::int64_t>> suspects;  ///< values such as -999 or 1e34 far from all others, with their counts
};

/// Sums in double in a fixed order; the same for any number of threads.
Statistics statistics_of(const Tensor& values);

}  // namespace tenon::climate
