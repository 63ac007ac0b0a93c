/// Resizing by nearest neighbour or (multi)linear interpolation; the gradient is the exact transpose.
#include <array>
#include <memory>
#include <utility>

#include "kernels/resize.hpp"
#include "ops/axis_map.hpp"
#include "ops/spatial.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using Maps = std::shared_ptr<const std::array<AxisMap, 3>>;

AxisMap axis_map(std::int64_t in, std::int64_t out, bool linear) {
  return make_axis_map("resize", in, out, [&](std::int64_t o) {
    ResizeTaps t = resize_taps(o, in, out, linear);
    return std::array<std::pair<std::int64_t, double>, 2>{{{t.low, 1 - t.high_weight}, {t.high, t.high_weight}}};
  });
}

Tensor apply_maps(const Tensor& x_given, const Maps& maps, const Maps& back, const Shape& from, const Shape& to) {
  Tensor x = x_given.contiguous(), y = Tensor::empty(to, x.dtype(), x.device());
  if (y.numel() > 0) launch("resize", {x}, {y}, resize_kernel(x.device(), Resizing{x.dtype(), x.size(0), x.size(-1), maps}));
  return differentiable("resize", y, {x},
                        [=](const std::vector<Tensor>& d) { return std::vector<Tensor>{apply_maps(d[0], back, maps, to, from)}; });
}

}  // namespace

Tensor resize(const Tensor& x, const std::vector<std::int64_t>& size, Interpolation mode) {
  const int axes = check_spatial("resize", x);
  check_sizes("resize", x, size, "size");
  Shape to = x.shape();
  for (int a = 0; a < axes; ++a) {
    if (x.size(1 + a) < 1) throw_usage("resize", "x " + x.str() + " has an empty spatial axis");
    to[1 + a] = size[std::size_t(a)];
  }
  check_result("resize", to, x.dtype());
  std::array<AxisMap, 3> forward, backward;
  within_memory("resize", [&] {
    for (int i = 0; i < 3; ++i) {
      const int spatial = i - (3 - axes);
      forward[std::size_t(i)] = spatial < 0 ? axis_map(1, 1, false) : axis_map(x.size(1 + spatial), to[1 + spatial], mode == Interpolation::linear);
      if (wants_grad({x})) backward[std::size_t(i)] = transposed(forward[std::size_t(i)]);
    }
  });
  return apply_maps(x, std::make_shared<const std::array<AxisMap, 3>>(std::move(forward)),
                    std::make_shared<const std::array<AxisMap, 3>>(std::move(backward)), x.shape(), to);
}

}  // namespace tenon
