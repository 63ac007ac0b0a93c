/// Averages over windows that need not be alike, as separable maps.
#include "ops/average.hpp"
#include "kernels/pool.hpp"
#include "ops/pool_shapes.hpp"
#include "ops/spatial.hpp"
#include "tenon/autograd.hpp"
#include "tenon/device.hpp"
#include "tenon/ops.hpp"
#include "tenon/pooling.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kSerialElements = 1 << 18;

/// The mean over [begin(o), end(o)) of an axis.
AxisMap mean_map(const char* op, const PoolAxis& axis) {
  return make_axis_map(op, axis.in, axis.out, [&](std::int64_t o) {
    Taps taps;
    for (std::int64_t i = axis.begin(o); i < axis.end(o); ++i) taps.emplace_back(i, 1.0 / double(axis.end(o) - axis.begin(o)));
    return taps;
  });
}

}  // namespace

Tensor area_average(const char* op, const Tensor& x, const std::vector<std::int64_t>& size) {
  check_spatial(op, x);
  check_sizes(op, x, size, "size");
  std::vector<AxisStep> steps;
  for (int a = 0; a < x.rank() - 2; ++a) {
    const PoolAxis axis = PoolAxis::adaptive(x.size(1 + a), size[std::size_t(a)]);
    if (axis.in < 1) throw_usage(op, "x " + x.str() + " has an empty spatial axis");
    if (axis.in != axis.out) within_memory(op, [&] { steps.emplace_back(1 + a, mean_map(op, axis)); });
  }
  return apply_axis_steps(op, x, std::move(steps));
}

Tensor adaptive_avg_pool(const Tensor& x, const std::vector<std::int64_t>& size) {
  return area_average("adaptive_avg_pool", x, size);
}

Tensor global_avg_pool(const Tensor& x) {
  const int axes = check_spatial("global_avg_pool", x);
  if (x.numel() == 0) throw_usage("global_avg_pool", "x " + x.str() + " has no elements to average over");
  std::vector<int> spatial;
  for (int a = 0; a < axes; ++a) spatial.push_back(1 + a);
  return mean(x, spatial);
}

Tensor global_max_pool(const Tensor& x) {
  check_spatial("global_max_pool", x);
  if (x.numel() == 0) throw_usage("global_max_pool", "x " + x.str() + " has no elements to take a maximum of");
  // a sample a task: enough of them, or too little work to share
  const bool shares = x.size(0) >= thread_count() || x.numel() <= kSerialElements;
  if (x.device().type == DeviceType::cpu && is_floating(x.dtype()) && !wants_grad({x}) && shares)
    return max_pool_values("global_max_pool", x,
                           adaptive_pool_shapes("global_max_pool", x, std::vector<std::int64_t>(std::size_t(x.rank() - 2), 1)))
        .reshape({x.size(0), x.size(-1)});
  return max(x.reshape({x.size(0), -1, x.size(-1)}), 1);
}

Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride,
                const std::vector<std::int64_t>& padding, bool count_padding) {
  if (count_padding) return avg_pool(x, kernel, stride, padding);
  const PoolShapes s = pool_shapes("avg_pool", x, kernel, stride, padding);
  std::vector<AxisStep> steps;
  for (int a = 0; a < x.rank() - 2; ++a) steps.emplace_back(1 + a, mean_map("avg_pool", s.pooling.axes[std::size_t(3 - (x.rank() - 2) + a)]));
  return apply_axis_steps("avg_pool", x, std::move(steps));
}

}  // namespace tenon
