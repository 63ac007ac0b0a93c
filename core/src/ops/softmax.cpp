/// Softmax and its logarithm along one axis.
#include "ops/softmax_kernels.hpp"

#include "ops/check.hpp"
#include "ops/softmax_columns_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

/// Rows or columns: the last axis, or on the CPU another; `kernel` and `gradient` make their kernels.
template <class Make, class MakeGradient>
Tensor softmax_by(const char* op, const Tensor& x_given, int axis, bool log, const Make& kernel, const MakeGradient& gradient) {
  Tensor x = x_given.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  if (x.numel() > 0) launch(op, {x}, {y}, kernel());
  auto backward = [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    const Tensor& d_y = d[0];
    if (wants_grad({d_y, x})) {  // the result again, with its history, so that no cycle is kept
      Tensor again = softmax_by(op, x, axis, log, kernel, gradient);
      return {log ? d_y - exp(again) * sum(d_y, {axis}, true) : again * (d_y - sum(again * d_y, {axis}, true))};
    }
    Tensor d_x = Tensor::empty(x.shape(), x.dtype(), x.device());
    if (x.numel() > 0) launch(log ? "log_softmax.gradient" : "softmax.gradient", {y, d_y.contiguous()}, {d_x}, gradient());
    return {d_x};
  };
  return differentiable(op, y, {x}, backward);
}

Tensor softmax_last(const char* op, const Tensor& x, bool log) {
  const SoftmaxRows p{x.dtype(), x.numel() / std::max<std::int64_t>(x.size(-1), 1), x.size(-1), log};
  const Device device = x.device();
  return softmax_by(
      op, x, -1, log, [=] { return softmax_kernel(device, p); }, [=] { return softmax_gradient_kernel(device, p); });
}

Tensor softmax_inner(const char* op, const Tensor& x, int axis, std::int64_t stride, bool log) {
  const SoftmaxColumns p{x.dtype(), x.numel() / std::max<std::int64_t>(x.size(axis) * stride, 1), x.size(axis), stride, log};
  return softmax_by(
      op, x, axis, log, [=] { return softmax_columns_kernel(kCpu, p); }, [=] { return softmax_columns_gradient_kernel(kCpu, p); });
}

Tensor softmax_along(const char* op, const Tensor& x, int axis, bool log) {
  constexpr std::int64_t kNarrow = 8;  // columns: fewer are faster turned into rows
  check_floating(op, x);
  axis = check_axis(op, x, axis);
  if (axis + 1 == x.rank()) return softmax_last(op, x, log);
  std::int64_t stride = 1;
  for (int a = axis + 1; a < x.rank(); ++a) stride *= x.size(a);
  if (x.device().type == DeviceType::cpu && stride >= kNarrow) return softmax_inner(op, x, axis, stride, log);
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
