/// Pooling over windows of 1 to 3 spatial axes. An average divides by the whole kernel, padding included.
#include <limits>

#include "ops/check.hpp"
#include "ops/pool_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

struct Shapes {
  Pooling pooling;
  Shape in, out;
};

Shapes pooling_of(const char* op, const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                  const std::vector<std::int64_t>& padding) {
  check_floating(op, x);
  const int axes = x.rank() - 2;
  if (axes < 1 || axes > 3) throw_usage(op, "x " + x.str() + " has no 1 to 3 spatial axes", "give it as [N, spatial..., C]");
  auto fits = [&](const std::vector<std::int64_t>& v, bool optional) { return int(v.size()) == axes || (optional && v.empty()); };
  if (!fits(kernel, false) || !fits(stride, true) || !fits(padding, true))
    throw_usage(op, "kernel " + list_str(kernel) + ", stride " + list_str(stride) + ", padding " + list_str(padding) +
                        " must have one value for each of the " + std::to_string(axes) + " spatial axes of x " + x.str());
  Shapes s{{x.dtype(), x.size(0), x.size(-1), {}}, x.shape(), x.shape()};
  for (int i = 0; i < axes; ++i) {
    const std::size_t at = std::size_t(i);
    PoolAxis a{x.size(1 + i), 1, kernel[at], stride.empty() ? kernel[at] : stride[at], padding.empty() ? 0 : padding[at]};
    const std::string values =
        "kernel " + list_str(kernel) + ", stride " + list_str(stride) + ", padding " + list_str(padding) + " on x " + x.str();
    if (a.kernel < 1 || a.stride < 1 || a.padding < 0)
      throw_usage(op, values + ": kernel and stride must be at least 1, padding at least 0");
    if (2 * a.padding > a.kernel) throw_usage(op, values + ": padding must not pass half the kernel, or a window would hold nothing");
    if (a.in + 2 * a.padding < a.kernel) throw_usage(op, values + ": the kernel is larger than spatial axis " + std::to_string(i));
    a.out = (a.in + 2 * a.padding - a.kernel) / a.stride + 1;
    s.out[1 + i] = a.out;
    s.pooling.axes[std::size_t(3 - axes) + at] = a;
  }
  if (s.pooling.in_voxels() > std::numeric_limits<std::int32_t>::max())
    throw_usage(op, "x " + x.str() + " has more voxels a sample than fit 32 bits");
  return s;
}

Tensor max_take(const Tensor& x, const Tensor& index, const Shapes& s);

/// Each window's value at the voxel of its maximum; linear, its transpose is max_take.
Tensor max_put(const Tensor& d_given, const Tensor& index, const Shapes& s) {
  Tensor d = d_given.contiguous(), to = Tensor::empty(s.in, d.dtype(), d.device());
  if (to.numel() > 0) launch("max_pool.put", {d, index}, {to}, max_pool_put_kernel(d.device(), s.pooling));
  return differentiable("max_pool", to, {d},
                        [index, s](const std::vector<Tensor>& g) { return std::vector<Tensor>{max_take(g[0], index, s)}; });
}

Tensor max_take(const Tensor& x_given, const Tensor& index, const Shapes& s) {
  Tensor x = x_given.contiguous(), to = Tensor::empty(s.out, x.dtype(), x.device());
  if (to.numel() > 0) launch("max_pool.take", {x, index}, {to}, max_pool_take_kernel(x.device(), s.pooling));
  return differentiable("max_pool", to, {x},
                        [index, s](const std::vector<Tensor>& g) { return std::vector<Tensor>{max_put(g[0], index, s)}; });
}

Tensor avg_put(const Tensor& d, const Shapes& s);

Tensor avg_forward(const Tensor& x_given, const Shapes& s) {
  Tensor x = x_given.contiguous(), y = Tensor::empty(s.out, x.dtype(), x.device());
  if (y.numel() > 0) launch("avg_pool", {x}, {y}, avg_pool_kernel(x.device(), s.pooling));
  return differentiable("avg_pool", y, {x}, [s](const std::vector<Tensor>& d) { return std::vector<Tensor>{avg_put(d[0], s)}; });
}

Tensor avg_put(const Tensor& d_given, const Shapes& s) {
  Tensor d = d_given.contiguous(), to = Tensor::empty(s.in, d.dtype(), d.device());
  if (to.numel() > 0) launch("avg_pool.put", {d}, {to}, avg_pool_put_kernel(d.device(), s.pooling));
  return differentiable("avg_pool", to, {d}, [s](const std::vector<Tensor>& g) { return std::vector<Tensor>{avg_forward(g[0], s)}; });
}

}  // namespace

Tensor max_pool(const Tensor& x_given, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                const std::vector<std::int64_t>& padding) {
  Shapes s = pooling_of("max_pool", x_given, kernel, stride, padding);
  Tensor x = x_given.contiguous(), y = Tensor::empty(s.out, x.dtype(), x.device()), index = Tensor::empty(s.out, DType::i32, x.device());
  if (y.numel() > 0) launch("max_pool", {x}, {y, index}, max_pool_kernel(x.device(), s.pooling));
  return differentiable("max_pool", y, {x},
                        [index, s](const std::vector<Tensor>& d) { return std::vector<Tensor>{max_put(d[0], index, s)}; });
}

Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                const std::vector<std::int64_t>& padding) {
  return avg_forward(x, pooling_of("avg_pool", x, kernel, stride, padding));
}

}  // namespace tenon
