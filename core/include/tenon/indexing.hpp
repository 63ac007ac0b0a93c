/// Picking, placing and rearranging elements by index, by mask and by pattern.
///
/// Any element type unless said otherwise (values are moved by their size); differentiable for the floating ones, twice too. Indices are
/// i64 or i32 and count from 0. A negative index is refused like one past the end, for -1 is as often a failed search as it is the last
/// element: both throw `index.out_of_range` with the value and its place when the kernel runs, in a replayed step as well. Where several
/// sources meet in one place they are taken in the order of the index tensor, whatever the number of threads. Results whose shape depends
/// on values (nonzero, masked_select) are refused while a step is being recorded. Cost: one pass over what is read and written.
#pragma once

#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

// ---- by index (ops/indexing.cpp) -------------------------------------------------------------------------------
/// x [A.., n, B..], indices [I..] -> [A.., I.., B..]: y[a, i, b] = x[a, indices[i], b].
TENON_API Tensor index_select(const Tensor& x, int axis, const Tensor& indices);
/// x [A.., n, B..], indices [I..], source [A.., I.., B..] -> x with every source added to its place. No bool. Sums of 16-bit types are
/// carried in f32.
TENON_API Tensor index_add(const Tensor& x, int axis, const Tensor& indices, const Tensor& source);
/// index has x's shape but for `axis` -> y of index's shape: y[a, i, b] = x[a, index[a, i, b], b].
TENON_API Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// x with y[a, index[a, i, b], b] = source[a, i, b]; index and source have x's shape but for `axis`. The last source of a place stays, and
/// alone gets a gradient.
TENON_API Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source);
/// The same with += in place of =. No bool. Sums of 16-bit types are carried in f32.
TENON_API Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source);
/// x as if it were flat, row major: y[i] = x[index[i]], of index's shape.
TENON_API Tensor take(const Tensor& x, const Tensor& index);

// ---- by mask (ops/masking.cpp) -----------------------------------------------------------------------------------
/// x with `value` where the mask (bool, broadcast to x) is true. A value that an integer type cannot hold is refused.
TENON_API Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);
/// [count]: the elements where the mask (bool, broadcast to x) is true, row major.
TENON_API Tensor masked_select(const Tensor& x, const Tensor& mask);
/// i64 [count, rank]: where x is not zero (NaN is not), row major. Not differentiable.
TENON_API Tensor nonzero(const Tensor& x);

// ---- by pattern (ops/arranging.cpp) --------------------------------------------------------------------------------
/// Element i of an axis goes to i + shift, past the end to the beginning; one shift an axis.
TENON_API Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const std::vector<int>& axes);
/// x laid side by side `counts` times along the axes, aligned at the last; more counts than axes put new axes in front.
TENON_API Tensor tile(const Tensor& x, const std::vector<std::int64_t>& counts);
/// Each position of an axis `count` times in succession: 1 2 3 -> 1 1 2 2 3 3.
TENON_API Tensor repeat(const Tensor& x, std::int64_t count, int axis);
/// n tensors of one shape -> one with an axis of n put in at `axis`.
TENON_API Tensor stack(const std::vector<Tensor>& parts, int axis);
/// x [.., m, n] with zeros above (tril) or below (triu) the given diagonal: 0 the main one, 1 the next to the right.
TENON_API Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
TENON_API Tensor triu(const Tensor& x, std::int64_t diagonal = 0);
/// A view of the elements x[.., i, i + offset]: both axes go, their diagonal becomes the last axis.
TENON_API Tensor diagonal(const Tensor& x, std::int64_t offset = 0, int axis1 = -2, int axis2 = -1);
/// x [.., n] -> [.., n + |offset|, n + |offset|] with x on a diagonal, zeros beside it.
TENON_API Tensor diag_embed(const Tensor& x, std::int64_t offset = 0);
/// n lines [s_i] -> n views [s_0, .., s_n-1]; the i-th varies along axis i.
TENON_API std::vector<Tensor> meshgrid(const std::vector<Tensor>& lines);

}  // namespace tenon
