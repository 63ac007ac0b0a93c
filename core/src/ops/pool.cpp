/// Pooling over windows of 1 to 3 spatial axes. An average divides by the whole kernel, padding included.
#include <limits>

#include "ops/pool_shapes.hpp"
#include "ops/spatial.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"
#include "tenon/pooling.hpp"

namespace tenon {
namespace {

void check_index(const char* op, const Tensor& x, const Pooling& p) {
  if (p.in_voxels() > std::numeric_limits<std::int32_t>::max())
    throw_usage(op, "x " + x.str() + " has more voxels a sample than fit 32 bits");
}

}  // namespace

PoolShapes pool_shapes(const char* op, const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                       const std::vector<std::int64_t>& padding) {
  const int axes = check_spatial(op, x);
  auto fits = [&](const std::vector<std::int64_t>& v, bool optional) { return int(v.size()) == axes || (optional && v.empty()); };
  if (!fits(kernel, false) || !fits(stride, true) || !fits(padding, true))
    throw_usage(op, "kernel " + list_str(kernel) + ", stride " + list_str(stride) + ", padding " + list_str(padding) +
                        " must have one value for each of the " + std::to_string(axes) + " spatial axes of x " + x.str());
  PoolShapes s{{x.dtype(), x.size(0), x.size(-1), {}}, x.shape(), x.shape()};
  for (int i = 0; i < axes; ++i) {
    const std::size_t at = std::size_t(i);
    PoolAxis a{x.size(1 + i), 1, kernel[at], stride.empty() ? kernel[at] : stride[at], padding.empty() ? 0 : padding[at]};
    const std::string values =
        "kernel " + list_str(kernel) + ", stride " + list_str(stride) + ", padding " + list_str(padding) + " on x " + x.str();
    if (a.kernel < 1 || a.stride < 1 || a.padding < 0)
      throw_usage(op, values + ": kernel and stride must be at least 1, padding at least 0");
    check_31_bits(op, "kernel", a.kernel);
    check_31_bits(op, "stride", a.stride);
    if (a.padding > a.kernel / 2) throw_usage(op, values + ": padding must not pass half the kernel, or a window would hold nothing");
    const std::int64_t rows = size_plus(op, a.in, 2 * a.padding);
    if (rows < a.kernel) throw_usage(op, values + ": the kernel is larger than spatial axis " + std::to_string(i));
    a.out = (rows - a.kernel) / a.stride + 1;
    s.out[1 + i] = a.out;
    s.pooling.axes[std::size_t(3 - axes) + at] = a;
  }
  check_index(op, x, s.pooling);
  return s;
}

PoolShapes adaptive_pool_shapes(const char* op, const Tensor& x, const std::vector<std::int64_t>& size) {
  const int axes = check_spatial(op, x);
  check_sizes(op, x, size, "size");
  PoolShapes s{{x.dtype(), x.size(0), x.size(-1), {}}, x.shape(), x.shape()};
  for (int i = 0; i < axes; ++i) {
    if (x.size(1 + i) < 1) throw_usage(op, "x " + x.str() + " has an empty spatial axis");
    s.out[1 + i] = size[std::size_t(i)];
    s.pooling.axes[std::size_t(3 - axes + i)] = PoolAxis::adaptive(x.size(1 + i), s.out[1 + i]);
  }
  check_result(op, s.out, x.dtype());
  check_index(op, x, s.pooling);
  return s;
}

namespace {

Tensor max_take(const char* op, const Tensor& x, const Tensor& index, const PoolShapes& s);

/// Each window's value at the voxel of its maximum; linear, its transpose is max_take.
Tensor max_put(const char* op, const Tensor& d_given, const Tensor& index, const PoolShapes& s) {
  Tensor d = d_given.contiguous(), to = Tensor::empty(s.in, d.dtype(), d.device());
  if (to.numel() > 0) launch("max_pool.put", {d, index}, {to}, max_pool_put_kernel(d.device(), s.pooling));
  return differentiable(op, to, {d},
                        [op, index, s](const std::vector<Tensor>& g) { return std::vector<Tensor>{max_take(op, g[0], index, s)}; });
}

Tensor max_take(const char* op, const Tensor& x_given, const Tensor& index, const PoolShapes& s) {
  Tensor x = x_given.contiguous(), to = Tensor::empty(s.out, x.dtype(), x.device());
  if (to.numel() > 0) launch("max_pool.take", {x, index}, {to}, max_pool_take_kernel(x.device(), s.pooling));
  return differentiable(op, to, {x},
                        [op, index, s](const std::vector<Tensor>& g) { return std::vector<Tensor>{max_put(op, g[0], index, s)}; });
}

Tensor avg_put(const Tensor& d, const PoolShapes& s);

Tensor avg_forward(const Tensor& x_given, const PoolShapes& s) {
  Tensor x = x_given.contiguous(), y = Tensor::empty(s.out, x.dtype(), x.device());
  if (y.numel() > 0) launch("avg_pool", {x}, {y}, avg_pool_kernel(x.device(), s.pooling));
  return differentiable("avg_pool", y, {x}, [s](const std::vector<Tensor>& d) { return std::vector<Tensor>{avg_put(d[0], s)}; });
}

Tensor avg_put(const Tensor& d_given, const PoolShapes& s) {
  Tensor d = d_given.contiguous(), to = Tensor::empty(s.in, d.dtype(), d.device());
  if (to.numel() > 0) launch("avg_pool.put", {d}, {to}, avg_pool_put_kernel(d.device(), s.pooling));
  return differentiable("avg_pool", to, {d}, [s](const std::vector<Tensor>& g) { return std::vector<Tensor>{avg_forward(g[0], s)}; });
}

Tensor max_forward(const char* op, const Tensor& x_given, const PoolShapes& s) {
  if (x_given.device().type == DeviceType::cpu && !wants_grad({x_given})) return max_pool_values("max_pool", x_given, s);
  Tensor x = x_given.contiguous(), y = Tensor::empty(s.out, x.dtype(), x.device()), index = Tensor::empty(s.out, DType::i32, x.device());
  if (y.numel() > 0) launch("max_pool", {x}, {y, index}, max_pool_kernel(x.device(), s.pooling));
  return differentiable(op, y, {x}, [op, index, s](const std::vector<Tensor>& d) { return std::vector<Tensor>{max_put(op, d[0], index, s)}; });
}

}  // namespace

Tensor max_pool_values(const char* op, const Tensor& x_given, const PoolShapes& s) {
  Tensor x = x_given.contiguous(), y = Tensor::empty(s.out, x.dtype(), x.device());
  if (y.numel() > 0) launch(op, {x}, {y}, max_pool_values_kernel(x.device(), s.pooling));
  return y;
}

Tensor max_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                const std::vector<std::int64_t>& padding) {
  return max_forward("max_pool", x, pool_shapes("max_pool", x, kernel, stride, padding));
}

Tensor adaptive_max_pool(const Tensor& x, const std::vector<std::int64_t>& size) {
  return max_forward("adaptive_max_pool", x, adaptive_pool_shapes("adaptive_max_pool", x, size));
}

Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                const std::vector<std::int64_t>& padding) {
  return avg_forward(x, pool_shapes("avg_pool", x, kernel, stride, padding));
}

}  // namespace tenon
