/// Resizing by nearest neighbour or (multi)linear interpolation; the gradient is the exact transpose.
#include <limits>

#include "kernels/resize.hpp"
#include "ops/check.hpp"
#include "ops/resize_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using Maps = std::shared_ptr<const std::array<AxisMap, 3>>;

AxisMap axis_map(std::int64_t in, std::int64_t out, bool linear) {
  AxisMap m{in, out, {0}, {}, {}};
  auto add = [&](std::int64_t source, double weight) {
    if (weight == 0) return;
    m.source.push_back(std::int32_t(source));
    m.weight.push_back(weight);
  };
  for (std::int64_t o = 0; o < out; ++o) {
    ResizeTaps t = resize_taps(o, in, out, linear);
    add(t.low, 1 - t.high_weight);
    add(t.high, t.high_weight);
    m.first.push_back(std::int32_t(m.source.size()));
  }
  return m;
}

AxisMap transposed(const AxisMap& m) {
  AxisMap t{m.out, m.in, std::vector<std::int32_t>(std::size_t(m.in) + 1, 0), {}, {}};
  std::vector<std::vector<std::pair<std::int32_t, double>>> taps(std::size_t(m.in));
  for (std::int64_t o = 0; o < m.out; ++o)
    for (std::int32_t k = m.first[std::size_t(o)]; k < m.first[std::size_t(o) + 1]; ++k)
      taps[std::size_t(m.source[std::size_t(k)])].emplace_back(std::int32_t(o), m.weight[std::size_t(k)]);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    for (auto [source, weight] : taps[i]) {
      t.source.push_back(source);
      t.weight.push_back(weight);
    }
    t.first[i + 1] = std::int32_t(t.source.size());
  }
  return t;
}

Tensor apply_maps(const Tensor& x_given, const Maps& maps, const Maps& back, const Shape& from, const Shape& to) {
  Tensor x = x_given.contiguous(), y = Tensor::empty(to, x.dtype(), x.device());
  if (y.numel() > 0) launch("resize", {x}, {y}, resize_kernel(x.device(), Resizing{x.dtype(), x.size(0), x.size(-1), maps}));
  return differentiable("resize", y, {x},
                        [=](const std::vector<Tensor>& d) { return std::vector<Tensor>{apply_maps(d[0], back, maps, to, from)}; });
}

}  // namespace

Tensor resize(const Tensor& x, const std::vector<std::int64_t>& size, Interpolation mode) {
  check_floating("resize", x);
  const int axes = x.rank() - 2;
  if (axes < 1 || axes > 3) throw_usage("resize", "x " + x.str() + " has no 1 to 3 spatial axes", "give it as [N, spatial..., C]");
  if (int(size.size()) != axes)
    throw_usage("resize", "size " + list_str(size) + " must have one value for each of the " + std::to_string(axes) +
                              " spatial axes of x " + x.str());
  constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max() / 2;
  Shape to = x.shape();
  std::array<AxisMap, 3> forward, backward;
  for (int i = 0; i < 3; ++i) {
    const int spatial = i - (3 - axes);
    std::int64_t in = 1, out = 1;
    if (spatial >= 0) {
      in = x.size(1 + spatial);
      out = size[std::size_t(spatial)];
      if (in < 1 || out < 1 || in > kLimit || out > kLimit)
        throw_usage("resize", "size " + list_str(size) + " for x " + x.str() + ": sizes must be at least 1 and fit 30 bits");
      to[1 + spatial] = out;
    }
    forward[std::size_t(i)] = axis_map(in, out, mode == Interpolation::linear);
    backward[std::size_t(i)] = transposed(forward[std::size_t(i)]);
  }
  return apply_maps(x, std::make_shared<const std::array<AxisMap, 3>>(std::move(forward)),
                    std::make_shared<const std::array<AxisMap, 3>>(std::move(backward)), x.shape(), to);
}

}  // namespace tenon
