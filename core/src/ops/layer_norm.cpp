/// Normalisation of each row over the last axis (Ba, Kiros & Hinton 2016).
#include "kernels/types.hpp"
#include "ops/check.hpp"
#include "ops/norm_kernels.hpp"
#include "ops/norm_shared.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {

Tensor layer_norm(const Tensor& x_given, const Tensor& scale_given, const Tensor& shift_given, double eps) {
  check_norm_parameters("layer_norm", x_given, scale_given, shift_given);
  if (x_given.numel() == 0) throw_usage("layer_norm", "x " + x_given.str() + " has no elements to take statistics of");
  const DType type = acc_dtype(x_given.dtype());
  const Device device = x_given.device();
  Tensor x = x_given.contiguous(), scale = scale_given.to(type).contiguous(), shift = shift_given.to(type).contiguous();
  RowNorm p{x.dtype(), x.numel() / x.size(-1), x.size(-1), eps};
  Tensor y = Tensor::empty(x.shape(), x.dtype(), device), mean = Tensor::empty({p.rows}, type, device),
         rstd = Tensor::empty({p.rows}, type, device);
  launch("layer_norm", {x, scale, shift}, {y, mean, rstd}, row_norm_kernel(device, p));

  auto backward = [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    Tensor d_y = d[0].contiguous();
    if (wants_grad({d_y, x, scale})) return norm_gradient_of_ops(d_y, x, scale, {p.rows, 1, 1, p.channels}, p.eps);
    Tensor d_x = Tensor::empty(x.shape(), x.dtype(), device), partial = Tensor::empty({p.blocks(), 2, p.channels}, DType::f64, device);
    Tensor d_scale = Tensor::empty({p.channels}, type, device), d_shift = Tensor::empty({p.channels}, type, device);
    launch("layer_norm.gradient", {x, d_y, mean, rstd, scale}, {d_x, partial, d_scale, d_shift}, row_norm_gradient_kernel(device, p));
    return {d_x, d_scale, d_shift};
  };
  return differentiable("layer_norm", y, {x, scale, shift}, backward);
}

}  // namespace tenon
