#include "ops/axis_map.hpp"

#include <algorithm>

#include "kernels/types.hpp"
#include "tenon/autograd.hpp"

namespace tenon {
namespace {

Tensor apply_one(const char* op, const Tensor& x_given, const AxisStep& step) {
  Tensor x = x_given.contiguous();
  Shape shape = x.shape();
  shape[step.axis] = step.map->out;
  check_result(op, shape, x.dtype());
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  AxisMapping p{x.dtype(), 1, 1, step.map};
  for (int a = 0; a < step.axis; ++a) p.outer *= x.size(a);
  for (int a = step.axis + 1; a < x.rank(); ++a) p.inner *= x.size(a);
  if (y.numel() > 0) launch(op, {x}, {y}, axis_map_kernel(x.device(), p));
  return differentiable(op, y, {x},
                        [=](const std::vector<Tensor>& d) { return std::vector<Tensor>{apply_one(op, d[0], step.reversed())}; });
}

}  // namespace

AxisMap transposed(const AxisMap& m) {
  std::vector<Taps> taps(std::size_t(m.in));
  for (std::int64_t o = 0; o < m.out; ++o)
    for (std::int32_t k = m.first[std::size_t(o)]; k < m.first[std::size_t(o) + 1]; ++k)
      taps[std::size_t(m.source[std::size_t(k)])].emplace_back(o, m.weight[std::size_t(k)]);
  return make_axis_map("axis_map", m.out, m.in, [&](std::int64_t i) -> const Taps& { return taps[std::size_t(i)]; });
}

Tensor apply_axis_steps(const char* op, const Tensor& x, std::vector<AxisStep> steps) {
  // Shrinking passes go from the outermost axis in (long rows), growing ones from the innermost out: the big tensors are few.
  std::stable_sort(steps.begin(), steps.end(), [](const AxisStep& a, const AxisStep& b) {
    const bool grows_a = a.map->out > a.map->in, grows_b = b.map->out > b.map->in;
    return grows_a != grows_b ? grows_b : grows_a ? a.axis > b.axis : a.axis < b.axis;
  });
  Tensor y = x.to(acc_dtype(x.dtype()));
  for (const AxisStep& step : steps) y = apply_one(op, y, step);
  return y.to(x.dtype());
}

}  // namespace tenon
