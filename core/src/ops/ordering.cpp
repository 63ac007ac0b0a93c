#include "tenon/ordering.hpp"

#include <algorithm>
#include <cmath>

#include "ops/check.hpp"
#include "ops/indexing.hpp"
#include "ops/masking.hpp"
#include "ops/ordering_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/cumulative.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kMostInARow = (std::int64_t(1) << 32) - 1;
constexpr std::int64_t kMostSelected = 2048;  ///< elements that topk sorts by comparison

/// The k first along the last axis. All of them: a sort.
Ordered order_last(const char* op, const Tensor& x_given, std::int64_t k, bool descending) {
  Tensor x = x_given.contiguous();
  const std::int64_t n = x.size(-1);
  if (n > kMostInARow) throw_usage(op, std::to_string(n) + " elements in a row of " + x.str(), "at most 2^32 - 1");
  Shape shape = x.shape();
  shape[-1] = k;
  Tensor values = Tensor::empty(shape, x.dtype(), x.device()), indices = Tensor::empty(shape, DType::i64, x.device());
  if (values.numel()) {
    const RowOrder p{x.dtype(), x.numel() / n, n, descending, k};
    const std::int64_t at_once = x.device().type == DeviceType::cpu ? p.tasks() : p.device_rows();
    Tensor space = Tensor::empty({std::int64_t(k == n ? p.sort_bytes(at_once) : p.topk_bytes())}, DType::u8, x.device());
    launch(op, {x}, {values, indices, space}, k == n ? sort_kernel(x.device(), p) : topk_kernel(x.device(), p));
  }
  values = differentiable(op, values, {x}, [=](const std::vector<Tensor>& d) {
    return std::vector<Tensor>{scatter_distinct(op, indices.rank() - 1, n, indices, d[0])};
  });
  return {values, indices};
}

Ordered order(const char* op, const Tensor& x, int axis, std::int64_t k, bool descending) {
  if (axis + 1 == x.rank()) return order_last(op, x, k, descending);
  Ordered o = order_last(op, x.transpose(axis, -1), k, descending);
  return {o.values.transpose(axis, -1), o.indices.transpose(axis, -1)};
}

DType compared(DType t) {
  return !is_floating(t) ? DType::i64 : t == DType::f64 ? DType::f64 : DType::f32;
}

}  // namespace

Ordered sort(const Tensor& x, int axis, bool descending) {
  check_ordered("sort", x);
  axis = check_axis("sort", x, axis);
  return order("sort", x, axis, x.size(axis), descending);
}

Tensor argsort(const Tensor& x, int axis, bool descending) {
  check_ordered("argsort", x);
  axis = check_axis("argsort", x, axis);
  NoGrad off;
  return order("argsort", x, axis, x.size(axis), descending).indices;
}

Ordered topk(const Tensor& x, std::int64_t k, int axis, bool largest) {
  check_ordered("topk", x);
  axis = check_axis("topk", x, axis);
  if (k < 0 || k > x.size(axis))
    throw_usage("topk", "the first " + std::to_string(k) + " of " + std::to_string(x.size(axis)) + " along axis " + std::to_string(axis) +
                            " of " + x.str());
  // on a CPU one selection serves any k that is small beside the row
  const std::int64_t most = x.device().type == DeviceType::cpu ? std::max(kMostSelected, x.size(axis) / 64) : kMostSelected;
  if (k <= most && 4 * k < x.size(axis)) return order("topk", x, axis, k, largest);
  Ordered all =
      order("topk", x, axis, x.size(axis), largest);  // sorting everything by digits costs no more than sorting many by comparison
  return {all.values.narrow(axis, 0, k), all.indices.narrow(axis, 0, k)};
}

Unique unique(const Tensor& x) {
  check_ordered("unique", x);
  NoGrad off;
  Tensor flat = x.detach().reshape({x.numel()});
  if (is_recording())
    throw_usage("unique", "the shape of its result depends on values, which are not known while a step is being recorded");
  const std::int64_t n = flat.numel();
  Ordered o = order_last("unique", flat, n, false);
  Tensor starts = Tensor::empty({n}, DType::boolean, x.device());
  if (n) launch("unique", {o.values}, {starts}, run_starts_kernel(x.device(), RowOrder{x.dtype(), 1, n, false, n}));
  Tensor first = true_positions("unique", starts, false);
  const std::int64_t m = first.size(0);
  Tensor ends = m ? concat({first.narrow(0, 1, m - 1), Tensor::full({1}, double(n), DType::i64, x.device())}, 0) : first;
  Tensor run = sub(cumsum(starts, 0), Tensor::full({}, 1, DType::i64, x.device()));
  return {index_select(o.values, 0, first), scatter(Tensor::zeros({n}, DType::i64, x.device()), 0, o.indices, run).reshape(x.shape()),
          sub(ends, first)};
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right) {
  check_ordered("searchsorted", sorted, "sorted");
  check_ordered("searchsorted", values, "values");
  check_same_device("searchsorted", sorted, values);
  if (sorted.rank() < 1 || sorted.dtype() != values.dtype())
    throw_usage("searchsorted", "sorted " + sorted.str() + " and values " + values.str(), "sorted is [.., n], and the types are equal");
  const bool one_row = sorted.rank() == 1;
  bool fits = one_row || sorted.rank() == values.rank();
  for (int a = 0; !one_row && fits && a + 1 < sorted.rank(); ++a) fits = sorted.size(a) == values.size(a);
  if (!fits)
    throw_usage("searchsorted", "sorted " + sorted.str() + " and values " + values.str(),
                "all axes but the last must be equal, or sorted be [n]");
  NoGrad off;
  const DType wide = compared(values.dtype());
  Tensor rows = sorted.to(wide).contiguous(), v = values.to(wide).contiguous(), out = Tensor::empty(v.shape(), DType::i64, v.device());
  const std::int64_t m = one_row || v.rank() == 0 ? v.numel() : v.size(-1);
  if (v.numel())
    launch("searchsorted", {rows, v}, {out},
           searchsorted_kernel(v.device(), SortedSearch{wide, v.numel() / m, rows.size(-1), m, one_row, right}));
  return out;
}

Tensor bincount(const Tensor& x, std::int64_t bins, const Tensor& weights) {
  check_integer("bincount", x, "x");
  if (x.dtype() == DType::boolean) throw_usage("bincount", "x is " + x.str() + ", not an integer type", "convert it with .to(DType::i64)");
  if (bins < 0) throw_usage("bincount", std::to_string(bins) + " bins", "give 1 or more, or 0 for as many as x needs");
  if (weights.defined()) {
    check_same_device("bincount", x, weights);
    if (weights.shape() != x.shape() || weights.dtype() == DType::boolean)
      throw_usage("bincount", "weights " + weights.str() + " for x " + x.str(), "the shapes must be equal, the weights no bool");
  }
  Tensor flat = x.to(DType::i64).reshape({x.numel()});
  if (bins == 0) {
    if (is_recording())
      throw_usage("bincount",
                  "without a number of bins the shape of its result depends on values, which are not known while a step is being recorded");
    bins = x.numel() ? std::max<std::int64_t>(1, std::int64_t(max(flat, 0).item()) + 1) : 0;
  }
  if (weights.defined()) return scatter_sum("bincount", 0, bins, flat, weights.reshape({x.numel()}));
  Tensor dense = flat.contiguous(), counts = Tensor::empty({bins}, DType::i64, x.device());
  launch("bincount", {dense}, {counts}, bincount_kernel(x.device(), dense.numel(), bins));
  return counts;
}

namespace {

Tensor quantiles(const char* op, const Tensor& x_given, const std::vector<double>& q, int axis, bool keep) {
  check_floating(op, x_given);
  axis = check_axis(op, x_given, axis);
  const std::int64_t n = x_given.size(axis);
  if (n == 0) throw_usage(op, "axis " + std::to_string(axis) + " of " + x_given.str() + " is empty");
  if (q.empty()) throw_usage(op, "no q given for " + x_given.str());
  for (double v : q)
    if (!(v >= 0 && v <= 1)) throw_usage(op, "q = " + std::to_string(v), "0 <= q <= 1");
  Tensor sorted = order(op, x_given, axis, n, false).values.to(compared(x_given.dtype()));
  Tensor zero = Tensor::zeros({}, sorted.dtype(), sorted.device()), last = sorted.narrow(axis, n - 1, 1), missing = is_nan(last);
  std::vector<Tensor> all;
  for (double v : q) {
    const double position = v * double(n - 1);
    const std::int64_t below = std::int64_t(position), above = std::min(below + 1, n - 1);
    const double t = position - double(below);
    Tensor low = sorted.narrow(axis, below, 1), high = sorted.narrow(axis, above, 1), gap = sub(high, low);
    gap = where(is_nan(gap), zero, gap);  // between two infinities
    // from the nearer end, so that equal neighbours give themselves and t = 1 gives `high`
    Tensor value = t < 0.5 ? add(low, mul(gap, t)) : sub(high, mul(gap, 1 - t));
    if (t == 0) value = low;
    value = where(missing, last, value).to(x_given.dtype());
    all.push_back(keep ? value : value.squeeze(axis));
  }
  return stack(all, 0);
}

}  // namespace

Tensor quantile(const Tensor& x, const std::vector<double>& q, int axis, bool keep) {
  return quantiles("quantile", x, q, axis, keep);
}
Tensor quantile(const Tensor& x, double q, int axis, bool keep) {
  return quantiles("quantile", x, {q}, axis, keep).select(0, 0);
}
Tensor median(const Tensor& x, int axis, bool keep) {
  return quantiles("median", x, {0.5}, axis, keep).select(0, 0);
}

}  // namespace tenon
