/// Running sums, products and extremes. Their gradients are running sums and linear recurrences in the other direction, and so can be
/// differentiated again.
#include "tenon/cumulative.hpp"

#include <limits>

#include "ops/check.hpp"
#include "ops/cumulative_kernels.hpp"
#include "ops/indexing.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

/// The type that the kernels of x work in.
DType worked(const Tensor& x) {
  return !is_floating(x.dtype()) ? DType::i64 : x.dtype() == DType::f64 ? DType::f64 : DType::f32;
}

int running_axis(const char* op, const Tensor& x, int axis) {
  check_defined(op, x, "x");
  if (is_complex(x.dtype())) throw_usage(op, x.str() + " is complex", "take it of real(z) and imag(z), or abs(z)");
  return check_axis(op, x, axis);
}

/// Without history.
Tensor run(const char* op, Running which, const Tensor& x_given, int axis, bool reverse) {
  Tensor x = x_given.contiguous(), y = Tensor::empty(x.shape(), x.dtype(), x.device());
  if (x.numel()) launch(op, {x}, {y}, running_kernel(x.device(), which, RunningShape{AxisSplit(x.shape(), axis), x.dtype(), reverse}));
  return y;
}

/// x_i+1 (or x_i-1, reversed) at i, and `end` where there is none.
Tensor next(const Tensor& x, int axis, bool reverse, double end) {
  std::vector<std::int64_t> before(std::size_t(x.rank()), 0), after = before;
  (reverse ? before : after)[std::size_t(axis)] = 1;
  return pad(x.narrow(axis, reverse ? 0 : 1, x.size(axis) - 1), before, after, end);
}

Tensor recur(const Tensor& a_given, const Tensor& b_given, int axis, bool reverse) {
  const DType wide = worked(b_given);
  if (wide != b_given.dtype()) return recur(a_given.to(wide), b_given.to(wide), axis, reverse).to(b_given.dtype());
  Tensor a = a_given.contiguous(), b = b_given.contiguous(), h = Tensor::empty(b.shape(), wide, b.device());
  if (h.numel())
    launch("linear_recurrence", {a, b}, {h}, recurrence_kernel(h.device(), RunningShape{AxisSplit(b.shape(), axis), wide, reverse}));
  if (h.numel() == 0)
    return differentiable("linear_recurrence", h, {a, b}, [](const std::vector<Tensor>& d) { return std::vector<Tensor>{d[0], d[0]}; });
  return differentiable("linear_recurrence", h, {a, b}, [=, value = h.detach()](const std::vector<Tensor>& d) {
    // g_i = d_i + a_i+1 g_i+1; h again, where its own history is asked for, so that no cycle is kept
    Tensor g = recur(next(a, axis, reverse, 0), d[0], axis, !reverse);
    Tensor state = wants_grad({a, b}) ? recur(a, b, axis, reverse) : value;
    return std::vector<Tensor>{mul(g, next(state, axis, !reverse, 0)), g};
  });
}

Tensor log_sums(const Tensor& x, int axis) {
  Tensor y = run("logcumsumexp", Running::log_sum_exp, x, axis, false);
  if (x.numel() == 0) return differentiable("logcumsumexp", y, {x}, [](const std::vector<Tensor>& d) { return d; });
  return differentiable("logcumsumexp", y, {x}, [=, value = y.detach()](const std::vector<Tensor>& d) {
    // d_x_i = exp(x_i - y_i) r_i with r_i = d_i + exp(y_i - y_i+1) r_i+1: no exponent is positive. Where y is still -inf the differences
    // are kept finite and the first factor is 0.
    Tensor sums = wants_grad({x}) ? log_sums(x, axis) : value, zero = Tensor::zeros({}, x.dtype(), x.device());
    Tensor nothing = equal(sums, Tensor::full({}, -std::numeric_limits<double>::infinity(), x.dtype(), x.device()));
    Tensor finite = where(nothing, zero, sums);
    // the last element meets no successor: what stands there must only be finite
    const std::int64_t n = x.size(axis);
    Tensor following = concat({finite.narrow(axis, 1, n - 1), finite.narrow(axis, n - 1, 1)}, axis);
    Tensor carried = exp(sub(where(nothing, following, finite), following));
    Tensor weight = where(nothing, zero, exp(sub(where(nothing, zero, x), finite)));
    return std::vector<Tensor>{mul(weight, recur(carried, d[0], axis, true))};
  });
}

RunningExtreme extreme(const char* op, Running which, const Tensor& x_given, int axis) {
  axis = running_axis(op, x_given, axis);
  const DType wide = worked(x_given);
  if (wide != x_given.dtype()) {  // no value changes on the way there and back
    RunningExtreme r = extreme(op, which, x_given.to(wide), axis);
    return {r.values.to(x_given.dtype()), r.indices};
  }
  Tensor x = x_given.contiguous(), y = Tensor::empty(x.shape(), wide, x.device()),
         positions = Tensor::empty(x.shape(), DType::i64, x.device());
  if (x.numel()) launch(op, {x}, {y, positions}, running_kernel(x.device(), which, RunningShape{AxisSplit(x.shape(), axis), wide, false}));
  y = differentiable(op, y, {x}, [=, n = x.size(axis)](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{scatter_sum(op, axis, n, positions, d[0])};
  });
  return {y, positions};
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis, bool reverse) {
  axis = running_axis("cumsum", x, axis);
  const DType wide = worked(x);
  if (wide != x.dtype()) return is_floating(wide) ? cumsum(x.to(wide), axis, reverse).to(x.dtype()) : cumsum(x.to(wide), axis, reverse);
  return differentiable("cumsum", run("cumsum", Running::sum, x, axis, reverse), {x},
                        [=](const std::vector<Tensor>& d) { return std::vector<Tensor>{cumsum(d[0], axis, !reverse)}; });
}

Tensor cumprod(const Tensor& x, int axis) {
  axis = running_axis("cumprod", x, axis);
  const DType wide = worked(x);
  if (wide != x.dtype()) return is_floating(wide) ? cumprod(x.to(wide), axis).to(x.dtype()) : cumprod(x.to(wide), axis);
  Tensor y = run("cumprod", Running::product, x, axis, false);
  if (x.numel() == 0) return differentiable("cumprod", y, {x}, [](const std::vector<Tensor>& d) { return d; });
  return differentiable("cumprod", y, {x}, [=, value = y.detach()](const std::vector<Tensor>& d) {
    // d_x_i = y_i-1 r_i with r_i = d_i + x_i+1 r_i+1
    Tensor product = wants_grad({x}) ? cumprod(x, axis) : value;
    return std::vector<Tensor>{mul(next(product, axis, true, 1), recur(next(x, axis, false, 0), d[0], axis, true))};
  });
}

Tensor logcumsumexp(const Tensor& x, int axis) {
  check_floating("logcumsumexp", x);
  axis = check_axis("logcumsumexp", x, axis);
  return log_sums(x.to(worked(x)), axis).to(x.dtype());
}

RunningExtreme cummax(const Tensor& x, int axis) {
  return extreme("cummax", Running::maximum, x, axis);
}
RunningExtreme cummin(const Tensor& x, int axis) {
  return extreme("cummin", Running::minimum, x, axis);
}

Tensor linear_recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse) {
  check_floating("linear_recurrence", a, "a");
  check_floating("linear_recurrence", b, "b");
  check_same_device("linear_recurrence", a, b);
  if (a.shape() != b.shape() || a.dtype() != b.dtype())
    throw_usage("linear_recurrence", "a " + a.str() + " beside b " + b.str(), "shapes and types must be equal");
  return recur(a, b, check_axis("linear_recurrence", b, axis), reverse);
}

}  // namespace tenon
