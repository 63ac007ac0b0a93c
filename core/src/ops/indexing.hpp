/// What other ops use of the indexing ops (private).
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

/// Sums of `source` by place along `axis`, which gets the size n; index has the shape of source. Differentiable in source.
Tensor scatter_sum(const char* op, int axis, std::int64_t n, const Tensor& index, const Tensor& source);

/// The same where no two of a line's indices are equal, as those of an order: nothing is added up, so nothing need be sorted by place.
Tensor scatter_distinct(const char* op, int axis, std::int64_t n, const Tensor& index, const Tensor& source);

}  // namespace tenon
