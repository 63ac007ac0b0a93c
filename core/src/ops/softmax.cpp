/// Softmax and its logarithm along one axis.
#include "ops/softmax_kernels.hpp"

#include "ops/check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

Tensor softmax_last(const char* op, const Tensor& x_given, bool log) {
  Tensor x = x_given.contiguous();
  SoftmaxRows p{x.dtype(), x.numel() / std::max<std::int64_t>(x.size(-1), 1), x.size(-1), log};
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  if (x.numel() > 0) launch(op, {x}, {y}, softmax_kernel(x.device(), p));
  auto backward = [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    const Tensor& d_y = d[0];
    if (wants_grad({d_y, x})) {  // the result again, with its history, so that no cycle is kept
      Tensor again = softmax_last(op, x, log);
      return {log ? d_y - exp(again) * sum(d_y, {-1}, true) : again * (d_y - sum(again * d_y, {-1}, true))};
    }
    Tensor d_x = Tensor::empty(x.shape(), x.dtype(), x.device());
    if (x.numel() > 0)
      launch(log ? "log_softmax.gradient" : "softmax.gradient", {y, d_y.contiguous()}, {d_x}, softmax_gradient_kernel(x.device(), p));
    return {d_x};
  };
  return differentiable(op, y, {x}, backward);
}

Tensor softmax_along(const char* op, const Tensor& x, int axis, bool log) {
  check_floating(op, x);
  axis = check_axis(op, x, axis);
  if (axis + 1 == x.rank()) return softmax_last(op, x, log);
  return softmax_last(op, x.transpose(axis, -1), log).transpose(axis, -1);
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  return softmax_along("softmax", x, axis, false);
}
Tensor log_softmax(const Tensor& x, int axis) {
  return softmax_along("log_softmax", x, axis, true);
}

}  // namespace tenon
