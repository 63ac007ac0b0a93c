/// Sorting, selecting, counting and order statistics.
///
/// The order is total: -0 equals 0, and NaN stands behind every number, ascending and descending alike, as a missing value is neither the
/// smallest nor the largest. Equal elements keep their order. Indices are i64. Gradients reach the values of sort, topk, quantile and
/// median (twice too), and the weights of bincount. unique, and bincount without a number of bins, have shapes that depend on values: they
/// are refused while a step is being recorded. The result is the same for any number of threads.
#pragma once

#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

struct Ordered {
  Tensor values;   ///< of x's type
  Tensor indices;  ///< where along the axis each stood
};
/// Along `axis`. Radix sort: time grows with the number of elements alone.
TENON_API Ordered sort(const Tensor& x, int axis = -1, bool descending = false);
TENON_API Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
/// The k largest (or smallest) along `axis`, in order; the first of equals. NaN only where fewer than k numbers are left.
TENON_API Ordered topk(const Tensor& x, std::int64_t k, int axis = -1, bool largest = true);

struct Unique {
  Tensor values;   ///< [m], ascending; all NaN are one
  Tensor inverse;  ///< x's shape: values[inverse] is x
  Tensor counts;   ///< [m]
};
/// The different elements of x, whatever its shape. Not differentiable.
TENON_API Unique unique(const Tensor& x);

/// sorted [.., n] ascending along its last axis, values [.., m] with the same leading axes (or sorted [n] and values of any shape) -> i64
/// of values' shape: how many elements are less than the value (`right`: less or equal). Throws searchsorted.not_sorted.
TENON_API Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false);

/// x integer, any shape, 0 <= x < bins -> i64 [bins]: how often each number stands in x, or the sum of the weights (x's shape) there.
/// bins = 0: as many as the largest number asks for. A number outside throws index.out_of_range.
TENON_API Tensor bincount(const Tensor& x, std::int64_t bins = 0, const Tensor& weights = {});

/// The q-th quantile along `axis`, 0 <= q <= 1, by linear interpolation between the neighbours of position q (n - 1). Floating x;
/// interpolated in f32 or f64. A NaN anywhere along the axis gives NaN.
TENON_API Tensor quantile(const Tensor& x, double q, int axis, bool keep = false);
/// Several at the price of one: [q.., x's other axes].
TENON_API Tensor quantile(const Tensor& x, const std::vector<double>& q, int axis, bool keep = false);
/// The 0.5-quantile: of an even number of elements the mean of the two in the middle.
TENON_API Tensor median(const Tensor& x, int axis, bool keep = false);

}  // namespace tenon
