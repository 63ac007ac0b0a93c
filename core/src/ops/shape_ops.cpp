/// Ops that rearrange values: any element type, differentiable for the floating ones.
#include <algorithm>
#include <cstring>

#include "ops/check.hpp"
#include "ops/dispatch.hpp"
#include "ops/scalar_bytes.hpp"
#include "ops/shape_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {

std::uint64_t bytes_of(double value, DType t) {
  std::uint64_t bits = 0;
  if (is_complex(t)) return bits;  // callers ask for 0 alone
  dispatch_all(t, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T v;
    if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>)
      v = T(float(value));
    else
      v = T(value);
    std::memcpy(&bits, &v, sizeof v);
  });
  return bits;
}

namespace {

std::int64_t bytes_after(const Shape& shape, int axis, DType t) {
  std::int64_t n = std::int64_t(size_of(t));
  for (int a = axis; a < shape.rank(); ++a) n *= shape[a];
  return n;
}

Pieces pieces_along(const Shape& whole, int axis, DType t, const std::vector<std::int64_t>& sizes) {
  Pieces p{1, {}};
  for (int a = 0; a < axis; ++a) p.rows *= whole[a];
  const std::int64_t inner = bytes_after(whole, axis + 1, t);
  for (std::int64_t s : sizes) p.bytes.push_back(s * inner);
  return p;
}

/// Dense pieces of a dense tensor, in one pass. Not differentiable by itself.
std::vector<Tensor> split_dense(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis) {
  std::vector<Tensor> out;
  for (std::int64_t s : sizes) {
    Shape shape = x.shape();
    shape[axis] = s;
    out.push_back(Tensor::empty(shape, x.dtype(), x.device()));
  }
  const Tensor whole[] = {x};
  launch("split", std::span<const Tensor>(whole), std::span<const Tensor>(out),
         split_kernel(x.device(), pieces_along(x.shape(), axis, x.dtype(), sizes)));
  return out;
}

}  // namespace

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw_usage("concat", "no tensors given");
  for (const Tensor& t : parts) check_defined("concat", t, "a part");
  const Tensor& first = parts[0];
  axis = check_axis("concat", first, axis);
  Shape shape = first.shape();
  shape[axis] = 0;
  std::vector<std::int64_t> sizes;
  std::vector<Tensor> dense;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Tensor& t = parts[i];
    Shape same = t.rank() == first.rank() ? t.shape() : Shape{};
    if (same.rank() == first.rank()) same[axis] = first.size(axis);
    if (same != first.shape() || t.dtype() != first.dtype())
      throw_usage("concat", "part " + std::to_string(i) + " is " + t.str() + ", part 0 is " + first.str(),
                  "sizes may differ along axis " + std::to_string(axis) + " only");
    check_same_device("concat", first, t);
    sizes.push_back(t.size(axis));
    shape[axis] = size_plus("concat", shape[axis], t.size(axis));
  }
  check_result("concat", shape, first.dtype());
  for (const Tensor& t : parts) dense.push_back(t.contiguous());
  Tensor whole = Tensor::empty(shape, first.dtype(), first.device());
  const Tensor written[] = {whole};
  if (whole.numel() > 0)
    launch("concat", std::span<const Tensor>(dense), std::span<const Tensor>(written),
           concat_kernel(first.device(), pieces_along(shape, axis, first.dtype(), sizes)));
  auto backward = [sizes, axis](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    if (wants_grad({d[0]}) || d[0].numel() == 0) return split(d[0], sizes, axis);
    return split_dense(d[0].contiguous(), sizes, axis);
  };
  return differentiable("concat", whole, dense, backward);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis) {
  check_defined("split", x, "x");
  axis = check_axis("split", x, axis);
  std::int64_t total = 0;
  bool bad = sizes.empty();
  for (std::int64_t s : sizes) bad = bad || s < 0 || __builtin_add_overflow(total, s, &total);
  if (bad || total != x.size(axis))
    throw_usage("split", "sizes " + list_str(sizes) + " do not add up to axis " + std::to_string(axis) + " of " + x.str());
  std::vector<Tensor> out;
  {
    NoGrad off;  // views; their common gradient is one concat, not a sum of padded pieces
    std::int64_t start = 0;
    for (std::int64_t s : sizes) {
      out.push_back(x.narrow(axis, start, s));
      start += s;
    }
  }
  const Tensor inputs[] = {x};
  differentiable("split", std::span<Tensor>(out), std::span<const Tensor>(inputs),
                 [axis](const std::vector<Tensor>& d) { return std::vector<Tensor>{concat(d, axis)}; });
  return out;
}

Tensor pad(const Tensor& x_given, const std::vector<std::int64_t>& before, const std::vector<std::int64_t>& after, double value) {
  check_defined("pad", x_given, "x");
  if (is_complex(x_given.dtype()) && value != 0) throw_usage("pad", x_given.str() + " is complex: it is padded with 0 only");
  const int rank = x_given.rank();
  auto bad = [&](const std::vector<std::int64_t>& v) {
    return int(v.size()) != rank || std::any_of(v.begin(), v.end(), [](std::int64_t n) { return n < 0; });
  };
  if (bad(before) || bad(after))
    throw_usage("pad", "before " + list_str(before) + " and after " + list_str(after) + " must hold one value of 0 or more an axis of " +
                           x_given.str());
  Tensor x = x_given.contiguous();
  Shape shape = x.shape();
  int kept = rank;  // axes from here on are not padded: together they are one element
  for (int a = 0; a < rank; ++a) shape[a] = size_plus("pad", size_plus("pad", shape[a], before[std::size_t(a)]), after[std::size_t(a)]);
  check_result("pad", shape, x.dtype());
  while (kept > 0 && shape[kept - 1] == x.size(kept - 1)) --kept;
  if (kept == 0) return x;
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  Padding p{{}, {}, {}, bytes_after(shape, kept, x.dtype()), std::int64_t(size_of(x.dtype())), bytes_of(value, x.dtype())};
  for (int a = 0; a < kept; ++a) {
    p.from.push_back(x.size(a));
    p.before.push_back(before[std::size_t(a)]);
    p.to.push_back(shape[a]);
  }
  if (y.numel() > 0) launch("pad", {x}, {y}, pad_kernel(x.device(), p));
  return differentiable("pad", y, {x}, [before, from = x.shape()](const std::vector<Tensor>& d) {
    Tensor inner = d[0];
    for (int a = 0; a < from.rank(); ++a) inner = inner.narrow(a, before[std::size_t(a)], from[a]);
    return std::vector<Tensor>{inner};
  });
}

Tensor flip(const Tensor& x_given, const std::vector<int>& axes) {
  check_defined("flip", x_given, "x");
  const int rank = x_given.rank();
  std::vector<bool> flipped(std::size_t(rank), false);
  for (int axis : axes) {
    int a = check_axis("flip", x_given, axis);
    if (flipped[std::size_t(a)]) throw_usage("flip", "axis " + std::to_string(axis) + " of " + x_given.str() + " is given twice");
    flipped[std::size_t(a)] = true;
  }
  Tensor x = x_given.contiguous();
  int kept = rank;
  while (kept > 0 && !flipped[std::size_t(kept - 1)]) --kept;
  if (kept == 0) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  Reversal p{{}, {flipped.begin(), flipped.begin() + kept}, bytes_after(x.shape(), kept, x.dtype())};
  for (int a = 0; a < kept; ++a) p.shape.push_back(x.size(a));
  if (x.numel() > 0) launch("flip", {x}, {y}, flip_kernel(x.device(), p));
  return differentiable("flip", y, {x}, [axes](const std::vector<Tensor>& d) { return std::vector<Tensor>{flip(d[0], axes)}; });
}

Tensor one_hot(const Tensor& labels_given, std::int64_t classes, DType dtype) {
  check_integer("one_hot", labels_given, "labels");
  if (classes < 1) throw_usage("one_hot", std::to_string(classes) + " classes for labels " + labels_given.str(), "give 1 or more");
  if (is_complex(dtype)) throw_usage("one_hot", "a complex result is not known", "convert with .to(DType::c64)");
  Tensor labels = labels_given.contiguous();
  Shape shape = labels.shape();
  if (shape.rank() == kMaxRank) throw_usage("one_hot", "labels " + labels.str() + " have no room for another axis");
  shape.push_back(classes);
  check_result("one_hot", shape, dtype);
  Tensor y = Tensor::empty(shape, dtype, labels.device());
  if (y.numel() > 0)
    launch(
        "one_hot", {labels}, {y},
        one_hot_kernel(labels.device(), OneHot{labels.dtype(), labels.numel(), classes, std::int64_t(size_of(dtype)), bytes_of(1, dtype)}));
  return y;
}

}  // namespace tenon
