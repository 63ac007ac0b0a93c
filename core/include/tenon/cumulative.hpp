/// Running sums, products and extremes along an axis.
///
/// Each result has the shape of its input: y_i is made of x_0 to x_i, itself included. Differentiable, twice too. Integers and bool are
/// summed and multiplied in i64; f32 and 16-bit types in f64, rounded where they are stored. The order of additions follows from the shape
/// alone, so the bits depend on neither threads nor device load. Cost: one pass (two along a long line that is alone).
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

/// y_i = x_0 + .. + x_i; reversed, y_i = x_i + .. + x_n-1.
TENON_API Tensor cumsum(const Tensor& x, int axis, bool reverse = false);
/// y_i = x_0 .. x_i. The gradient divides by nothing, so zeros in x are no special case.
TENON_API Tensor cumprod(const Tensor& x, int axis);
/// y_i = log(exp x_0 + .. + exp x_i), without overflow; -inf stands for a term that is not there.
TENON_API Tensor logcumsumexp(const Tensor& x, int axis);

/// Extremes so far, and where along the axis they stand (i64). The first of equals counts and gets the gradient; from a NaN on, all are
/// NaN.
struct RunningExtreme {
  Tensor values, indices;
};
TENON_API RunningExtreme cummax(const Tensor& x, int axis);
TENON_API RunningExtreme cummin(const Tensor& x, int axis);

/// h_i = a_i h_i-1 + b_i with h_-1 = 0 (reversed, from the end): the linear recurrence of state-space layers and filters. Floating; same
/// shapes.
TENON_API Tensor linear_recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse = false);

}  // namespace tenon
