#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "kernels/types.hpp"
#include "ops/check.hpp"
#include "ops/extreme_kernels.hpp"
#include "ops/indexing.hpp"
#include "ops/reduce_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

std::array<SumRunFn, kDeviceTypes>& sum_runs() {
  static std::array<SumRunFn, kDeviceTypes> table;
  return table;
}

std::array<bool, kMaxRank> reduced_axes(const char* op, const Tensor& x, const std::vector<int>& axes) {
  std::array<bool, kMaxRank> marked{};
  if (axes.empty()) marked.fill(true);
  for (int axis : axes) {
    int a = axis < 0 ? axis + x.rank() : axis;
    if (a < 0 || a >= x.rank()) throw_usage(op, "axis " + std::to_string(axis) + " is not within the axes of " + x.str());
    if (marked[std::size_t(a)]) throw_usage(op, "axis " + std::to_string(axis) + " of " + x.str() + " is given twice");
    marked[std::size_t(a)] = true;
  }
  return marked;
}

/// Runs the sum over one block of neighbouring axes [first, last); the result, of the given type (sum_kernel), keeps them as size 1.
Tensor sum_block(const Tensor& x, int first, int last, DType type) {
  Tensor dense = x.contiguous();
  ReduceShape s{1, 1, 1};
  Shape shape = x.shape();
  for (int i = 0; i < x.rank(); ++i) (i < first ? s.outer : i < last ? s.reduced : s.inner) *= x.size(i);
  for (int i = first; i < last; ++i) shape[i] = 1;
  if (const SumRunFn& run = sum_runs()[std::size_t(x.device().type)]) s.run = run(s, x.dtype());
  Tensor out = Tensor::empty(shape, type, x.device());
  const bool direct = x.device().type == DeviceType::cpu && s.runs() <= 1;  // the CPU's kernel has no use for what is one run
  Tensor partial = Tensor::empty(direct ? Shape{1} : Shape{s.outer, s.runs(), s.inner}, DType::f64, x.device());
  launch("sum", {dense}, {partial, out}, sum_kernel(x.device(), s, x.dtype(), type));
  return out;
}

using Order = std::array<int, kMaxRank>;

/// The axes of x from the slowest in memory to the fastest; as they come where elements are shared, and on devices whose kernels gain nothing.
Order memory_order(const Tensor& x) {
  Order order{};
  std::iota(order.begin(), order.end(), 0);
  const Shape& strides = x.strides();
  if (x.device().type != DeviceType::cpu || std::any_of(strides.begin(), strides.end(), [](std::int64_t s) { return s <= 0; })) return order;
  std::stable_sort(order.begin(), order.begin() + x.rank(), [&](int a, int b) { return strides[a] > strides[b]; });
  return order;
}

Tensor permuted(const Tensor& x, const Order& order) {
  Shape shape = x.shape(), strides = x.strides();
  for (int i = 0; i < x.rank(); ++i) shape[i] = x.size(order[std::size_t(i)]), strides[i] = x.strides()[order[std::size_t(i)]];
  return x.alias(shape, strides, x.offset());
}

Tensor sum_in_order(Tensor x, const std::array<bool, kMaxRank>& marked, DType type) {
  int blocks = 0;
  for (int i = 0; i < x.rank(); ++i) blocks += marked[std::size_t(i)] && (i == 0 || !marked[std::size_t(i - 1)]);
  // between blocks a sum must not be rounded to 16 bits
  const DType between = blocks > 1 && is_floating(type) && size_of(type) == 2 ? DType::f32 : type;
  for (int last = x.rank(); last > 0;) {  // innermost block first: it shrinks the rest
    if (!marked[std::size_t(last - 1)]) {
      --last;
      continue;
    }
    int first = last - 1;
    while (first > 0 && marked[std::size_t(first - 1)]) --first;
    x = sum_block(x, first, last, between);
    last = first;
  }
  return x.to(type).detach();
}

Tensor sum_keeping(const Tensor& x, const std::array<bool, kMaxRank>& marked, DType type) {
  NoGrad no_grad;
  const Order order = memory_order(x);
  if (std::is_sorted(order.begin(), order.begin() + x.rank())) return sum_in_order(x, marked, type);
  Order back{};
  std::array<bool, kMaxRank> moved{};
  for (int i = 0; i < x.rank(); ++i) {
    moved[std::size_t(i)] = marked[std::size_t(order[std::size_t(i)])];
    back[std::size_t(order[std::size_t(i)])] = i;
  }
  return permuted(sum_in_order(permuted(x.detach(), order), moved, type), back).contiguous();
}

struct ExtremeResult {
  Tensor values, positions;  ///< axis dropped
};

ExtremeResult empty_result(const Tensor& x, int axis) {
  Shape shape = x.shape();
  shape.erase(axis);
  return {Tensor::empty(shape, x.dtype(), x.device()), Tensor::empty(shape, DType::i64, x.device())};
}

/// With the axis moved to the end.
ExtremeResult extreme_of_rows(const char* op, Extreme which, const Tensor& x, int axis) {
  Tensor moved = x.detach();
  for (int i = axis; i + 1 < x.rank(); ++i) moved = moved.transpose(i, i + 1);
  moved = moved.contiguous();
  ExtremeResult r = empty_result(x, axis);
  launch(op, {moved}, {r.values, r.positions}, extreme_kernel(x.device(), which, r.values.numel(), x.size(axis), x.dtype()));
  return r;
}

/// Along the axis as it lies in memory.
ExtremeResult extreme_in_order(const char* op, Extreme which, const Tensor& x, int axis) {
  const Order order = memory_order(x);
  const Tensor dense = permuted(x.detach(), order).contiguous();
  const int at = int(std::find(order.begin(), order.end(), axis) - order.begin());
  ExtremeResult r = empty_result(dense, at);
  launch(op, {dense}, {r.values, r.positions}, extreme_axis_kernel(x.device(), which, AxisSplit(dense.shape(), at), x.dtype()));
  if (std::is_sorted(order.begin(), order.begin() + x.rank())) return r;
  Order back{};  // the axes that stay, numbered without the one that goes
  for (int i = 0; i < x.rank(); ++i)
    if (const int from = order[std::size_t(i)]; i != at) back[std::size_t(from - (from > axis))] = i - (i > at);
  return {permuted(r.values, back).contiguous(), permuted(r.positions, back).contiguous()};
}

ExtremeResult extreme(const char* op, Extreme which, const Tensor& x, int axis) {
  int a = axis < 0 ? axis + x.rank() : axis;
  if (a < 0 || a >= x.rank()) throw_usage(op, "axis " + std::to_string(axis) + " is not within the axes of " + x.str());
  if (is_complex(x.dtype())) throw_usage(op, x.str() + " is complex", "complex numbers have no order: take abs, real or imag");
  if (x.size(a) == 0) throw_usage(op, "the axis " + std::to_string(axis) + " of " + x.str() + " is empty");
  NoGrad no_grad;
  return x.device().type == DeviceType::cpu ? extreme_in_order(op, which, x, a) : extreme_of_rows(op, which, x, a);
}

Tensor extreme_op(const char* op, Extreme which, const Tensor& x, int axis, bool keep) {
  ExtremeResult r = extreme(op, which, x, axis);
  int a = axis < 0 ? axis + x.rank() : axis;
  Tensor positions = r.positions;
  std::int64_t n = x.size(a);
  Tensor y = differentiable(op, r.values, {x}, [=](const std::vector<Tensor>& d) {
    if (d[0].device().type == DeviceType::cpu) return std::vector{scatter_distinct(op, a, n, positions.unsqueeze(a), d[0].unsqueeze(a))};
    Tensor mask = one_hot(positions, n, d[0].dtype());  // [..., n], the reduced axis last
    Tensor spread = mul(mask, d[0].unsqueeze(-1));
    for (int i = spread.rank() - 1; i > a; --i) spread = spread.transpose(i - 1, i);
    return std::vector{spread};
  });
  return keep ? y.unsqueeze(a) : y;
}

}  // namespace

void set_sum_run(DeviceType type, SumRunFn run) { sum_runs()[std::size_t(type)] = std::move(run); }


namespace {

/// The sum in a wider type than that of x, which need not be widened itself.
Tensor sum_to_type(const Tensor& x, const std::array<bool, kMaxRank>& marked, bool keep, DType type) {
  Tensor kept = sum_keeping(x, marked, type);
  if (kept.storage() == x.storage()) kept = kept.clone();  // a scalar: nothing was summed
  Shape shape = x.shape(), with_ones = kept.shape(), result;
  for (int i = 0; i < x.rank(); ++i)
    if (keep || !marked[std::size_t(i)]) result.push_back(kept.size(i));
  Tensor out = kept.detach().alias(result, result.contiguous_strides(), kept.offset());
  if (!has_gradient(x.dtype())) return out;
  return differentiable("sum", out, {x}, [=, own = x.dtype()](const std::vector<Tensor>& d) {
    return std::vector{d[0].to(own).reshape(with_ones).expand(shape)};
  });
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep) {
  if (!x.defined()) throw_usage("sum", "the operand is undefined");
  auto marked = reduced_axes("sum", x, axes);
  if (is_complex(x.dtype())) {  // by parts
    std::vector<int> every;
    for (int i = 0; i < x.rank(); ++i)
      if (marked[std::size_t(i)]) every.push_back(i);
    return every.empty() ? x.clone() : view_as_complex(sum(view_as_real(x), every, keep));
  }
  return sum_to_type(x, marked, keep, is_floating(x.dtype()) ? x.dtype() : DType::i64);
}

namespace {

Tensor mean_of(const char* op, const Tensor& x, const std::vector<int>& axes, bool keep) {
  if (!x.defined()) throw_usage(op, "the operand is undefined");
  if (!has_gradient(x.dtype())) throw_usage(op, x.str() + " is not floating point", "convert with .to(DType::f32)");
  auto marked = reduced_axes(op, x, axes);
  std::int64_t n = 1;
  for (int i = 0; i < x.rank(); ++i)
    if (marked[std::size_t(i)]) n *= x.size(i);
  if (n == 0) throw_usage(op, "no elements along the axes of " + x.str());
  // halves are summed and divided in f32 and rounded once: their sum may be beyond them where the mean is not
  if (acc_dtype(x.dtype()) != x.dtype() && !is_complex(x.dtype()))
    return mul(sum_to_type(x, marked, keep, acc_dtype(x.dtype())), 1.0 / double(n)).to(x.dtype());
  return mul(sum(x, axes, keep), 1.0 / double(n));
}

}  // namespace

Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep) { return mean_of("mean", x, axes, keep); }

Tensor var(const Tensor& x, const std::vector<int>& axes, bool keep) {
  if (x.defined() && is_complex(x.dtype())) throw_usage("var", x.str() + " is complex", "take it of real(z) and imag(z)");
  if (x.defined() && is_floating(x.dtype()) && acc_dtype(x.dtype()) != x.dtype()) return var(x.to(acc_dtype(x.dtype())), axes, keep).to(x.dtype());
  return mean_of("var", square(sub(x, mean_of("var", x, axes, true))), axes, keep);
}

Tensor max(const Tensor& x, int axis, bool keep) { return extreme_op("max", Extreme::max, x, axis, keep); }
Tensor min(const Tensor& x, int axis, bool keep) { return extreme_op("min", Extreme::min, x, axis, keep); }
Tensor argmax(const Tensor& x, int axis) { return extreme("argmax", Extreme::max, x, axis).positions; }

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  std::vector<int> axes;
  int lead = x.rank() - shape.rank();
  if (lead < 0) throw_usage("sum_to", x.str() + " has fewer axes than " + shape.str());
  for (int i = lead; i < x.rank(); ++i)
    if (shape[i - lead] != 1 && shape[i - lead] != x.size(i)) throw_usage("sum_to", x.str() + " is no broadcast of " + shape.str());
  for (int i = 0; i < x.rank(); ++i)
    if (i < lead || (shape[i - lead] == 1 && x.size(i) != 1)) axes.push_back(i);
  return axes.empty() ? x.reshape(shape) : sum(x, axes, true).reshape(shape);
}

}  // namespace tenon
