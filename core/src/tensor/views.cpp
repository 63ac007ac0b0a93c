#include "tensor/permuted.hpp"

#include <algorithm>
#include <limits>

#include "ops/copy.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/tensor.hpp"

namespace tenon {
namespace {

int axis_of(const char* op, const Tensor& x, int axis) {
  int a = axis < 0 ? axis + x.rank() : axis;
  if (a < 0 || a >= x.rank()) throw_usage(op, "axis " + std::to_string(axis) + " is not within the " + std::to_string(x.rank()) + " axes of " + x.str());
  return a;
}

/// Strides that give `to` over the same memory, when there are some. Axes of size 1 play no part; the others are
/// matched group by group, and within a group the old axes must lie one inside the other without gaps.
bool view_strides(const Tensor& x, const Shape& to, Shape& strides) {
  strides = to.contiguous_strides();
  if (x.is_contiguous()) return true;
  Shape sizes, steps;
  for (int i = 0; i < x.rank(); ++i)
    if (x.size(i) != 1) {
      sizes.push_back(x.size(i));
      steps.push_back(x.strides()[i]);
    }
  int j = 0;
  for (int i = 0; i < sizes.rank();) {
    while (to[j] == 1) ++j;
    const int i0 = i, j0 = j;
    std::int64_t a = sizes[i++], b = to[j++];
    while (a != b) (a < b ? a : b) *= a < b ? sizes[i++] : to[j++];
    for (int k = i0; k + 1 < i; ++k)
      if (steps[k] != steps[k + 1] * sizes[k + 1]) return false;
    std::int64_t step = steps[i - 1];
    for (int k = j - 1; k >= j0; --k) {
      strides[k] = step;
      step *= to[k];
    }
  }
  return true;
}

/// Every step-th of `length` places along an axis, from `start` on; all of them must be there.
Tensor strided_places(const Tensor& x, int axis, std::int64_t start, std::int64_t length, std::int64_t step);

/// Zeros of `shape` with x at those places: the gradient of strided_places, as that is its.
Tensor spread_places(const Tensor& x, const Shape& shape, int axis, std::int64_t start, std::int64_t step) {
  Tensor out = Tensor::zeros(shape, x.dtype(), x.device());
  Shape strides = out.strides();
  const std::int64_t offset = start * strides[axis];
  strides[axis] *= step;
  if (x.numel()) copy_strided(x, out.alias(x.shape(), strides, offset));
  return differentiable("slice", out, {x}, [axis, start, step, length = x.size(axis)](const std::vector<Tensor>& d) {
    return std::vector{strided_places(d[0], axis, start, length, step)};
  });
}

Tensor strided_places(const Tensor& x, int axis, std::int64_t start, std::int64_t length, std::int64_t step) {
  Shape to = x.shape(), strides = x.strides();
  to[axis] = length;
  strides[axis] *= length > 1 ? step : 1;  // no overflow by a step that is never taken
  return differentiable("slice", x.alias(to, strides, x.offset() + (length ? start * x.strides()[axis] : 0)), {x},
                        [axis, start, step = length > 1 ? step : 1, from = x.shape()](const std::vector<Tensor>& d) {
                          return std::vector{spread_places(d[0], from, axis, start, step)};
                        });
}

}  // namespace

Tensor permuted(const Tensor& x, const AxisOrder& order) {
  Shape to = x.shape(), strides = x.strides();
  AxisOrder inverse{};
  for (int i = 0; i < x.rank(); ++i) {
    int a = order[std::size_t(i)];
    to[i] = x.size(a);
    strides[i] = x.strides()[a];
    inverse[std::size_t(a)] = i;
  }
  return differentiable("permute", x.alias(to, strides, x.offset()), {x}, [inverse](const std::vector<Tensor>& d) { return std::vector{permuted(d[0], inverse)}; });
}

Tensor Tensor::reshape(const Shape& wanted) const {
  if (!defined()) throw_usage("reshape", "the tensor is undefined");
  Shape to = wanted;
  int open = -1;
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] >= 0) continue;
    if (to[i] != -1 || open >= 0) throw_usage("reshape", "sizes " + wanted.str() + " of " + str(), "one size may be -1, the others must not be negative");
    open = i;
  }
  if (open >= 0) {
    to[open] = 1;
    std::int64_t known = to.numel();
    to[open] = known > 0 ? numel() / known : 0;
  }
  if (to.numel() != numel()) throw_usage("reshape", str() + " has " + std::to_string(numel()) + " elements, " + wanted.str() + " asks for another number");
  Shape strides;
  if (!view_strides(*this, to, strides)) return contiguous().reshape(to);
  Shape from = shape_;
  return differentiable("reshape", alias(to, strides, offset_), {*this}, [from](const std::vector<Tensor>& d) { return std::vector{d[0].reshape(from)}; });
}

Tensor Tensor::permute(std::initializer_list<int> order) const {
  if (int(order.size()) != rank()) throw_usage("permute", "an order of " + std::to_string(order.size()) + " axes for " + str());
  AxisOrder axes{};
  unsigned seen = 0;
  int i = 0;
  for (int axis : order) {
    int a = axis_of("permute", *this, axis);
    if (seen & (1u << a)) throw_usage("permute", "axis " + std::to_string(axis) + " is named twice");
    seen |= 1u << a;
    axes[std::size_t(i++)] = a;
  }
  return permuted(*this, axes);
}

Tensor Tensor::transpose(int a, int b) const {
  int i = axis_of("transpose", *this, a), j = axis_of("transpose", *this, b);
  Shape to = shape_, strides = strides_;
  std::swap(to[i], to[j]);
  std::swap(strides[i], strides[j]);
  return differentiable("transpose", alias(to, strides, offset_), {*this}, [i, j](const std::vector<Tensor>& d) { return std::vector{d[0].transpose(i, j)}; });
}

Tensor Tensor::narrow(int axis, std::int64_t start, std::int64_t length) const {
  int a = axis_of("narrow", *this, axis);
  std::int64_t end = 0;
  if (__builtin_add_overflow(start, length, &end)) end = std::numeric_limits<std::int64_t>::max();
  if (start < 0 || length < 0 || end > shape_[a])
    throw_usage("narrow", "positions " + std::to_string(start) + " to " + std::to_string(end) + " are not within axis " + std::to_string(axis) + " of " + str());
  Shape to = shape_, from = shape_;
  to[a] = length;
  return differentiable("narrow", alias(to, strides_, offset_ + start * strides_[a]), {*this}, [=](const std::vector<Tensor>& d) {
    std::vector<std::int64_t> before(std::size_t(from.rank()), 0), after(std::size_t(from.rank()), 0);
    before[std::size_t(a)] = start;
    after[std::size_t(a)] = from[a] - start - length;
    return std::vector{pad(d[0], before, after)};
  });
}

Tensor Tensor::slice(int axis, std::int64_t start, std::int64_t stop, std::int64_t step) const {
  const int a = axis_of("slice", *this, axis);
  if (step < 1) throw_usage("slice", "step " + std::to_string(step) + " along axis " + std::to_string(axis) + " of " + str(), "steps are 1 or more; flip() turns an axis round");
  const std::int64_t n = shape_[a];
  auto place = [n](std::int64_t i) { return std::clamp(i < 0 ? i + n : i, std::int64_t(0), n); };
  const std::int64_t first = place(start), past = place(stop);
  const std::int64_t length = past > first ? (past - first - 1) / step + 1 : 0;
  if (step == 1 || length == 0) return narrow(a, first, length);
  return strided_places(*this, a, first, length, step);
}

Tensor Tensor::select(int axis, std::int64_t index) const {
  int a = axis_of("select", *this, axis);
  if (index < 0 || index >= shape_[a]) throw_usage("select", "index " + std::to_string(index) + " is not within axis " + std::to_string(axis) + " of " + str());
  return narrow(a, index, 1).squeeze(a);
}

Tensor Tensor::expand(const Shape& to) const {
  Shape strides = to;
  if (to.rank() < rank()) throw_usage("expand", str() + " has more axes than " + to.str());
  for (int i = 1; i <= to.rank(); ++i) {
    if (to[-i] < 0) throw_usage("expand", "negative size in " + to.str());
    if (i > rank() || (size(-i) == 1 && to[-i] != 1)) {
      strides[-i] = 0;
    } else if (size(-i) == to[-i]) {
      strides[-i] = strides_[-i];
    } else {
      throw_usage("expand", str() + " does not broadcast to " + to.str());
    }
  }
  Shape from = shape_;
  return differentiable("expand", alias(to, strides, offset_), {*this}, [from](const std::vector<Tensor>& d) { return std::vector{sum_to(d[0], from)}; });
}

Tensor Tensor::unsqueeze(int axis) const {
  int a = axis < 0 ? axis + rank() + 1 : axis;
  if (a < 0 || a > rank()) throw_usage("unsqueeze", "axis " + std::to_string(axis) + " for " + str());
  if (rank() == kMaxRank) throw_usage("unsqueeze", str() + " has " + std::to_string(kMaxRank) + " axes, the most there can be");
  Shape to = shape_, strides = strides_;
  to.insert(a, 1);
  strides.insert(a, 1);
  return differentiable("unsqueeze", alias(to, strides, offset_), {*this}, [a](const std::vector<Tensor>& d) { return std::vector{d[0].squeeze(a)}; });
}

Tensor Tensor::squeeze(int axis) const {
  int a = axis_of("squeeze", *this, axis);
  if (shape_[a] != 1) throw_usage("squeeze", "axis " + std::to_string(axis) + " of " + str() + " is not 1");
  Shape to = shape_, strides = strides_;
  to.erase(a);
  strides.erase(a);
  return differentiable("squeeze", alias(to, strides, offset_), {*this}, [a](const std::vector<Tensor>& d) { return std::vector{d[0].unsqueeze(a)}; });
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  return clone();
}

Tensor Tensor::clone() const {
  if (!defined()) throw_usage("clone", "the tensor is undefined");
  Tensor out = empty(shape_, dtype_, device());
  copy_strided(*this, out);
  return differentiable("clone", out, {*this}, [](const std::vector<Tensor>& d) { return d; });
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  if (!defined()) throw_usage("to", "the tensor is undefined");
  if (is_complex(dtype_) && !is_complex(dtype)) throw_usage("to", str() + " does not become " + std::string(name_of(dtype)), "take real(z), imag(z) or abs(z)");
  Tensor out = empty(shape_, dtype, device());
  copy_strided(*this, out);
  if (!has_gradient(dtype) || !has_gradient(dtype_)) return out;
  DType from = dtype_;
  return differentiable("to", out, {*this}, [from](const std::vector<Tensor>& d) {
    return std::vector{is_complex(d[0].dtype()) && !is_complex(from) ? real(d[0]).to(from) : d[0].to(from)};
  });
}

}  // namespace tenon
