#include "kernels/types.hpp"
#include "ops/check.hpp"
#include "ops/norm_shared.hpp"
#include "ops/rms_norm_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/norms.hpp"
#include "tenon/ops.hpp"

namespace tenon {

Tensor rms_norm(const Tensor& x_given, const Tensor& scale_given, double eps) {
  check_norm_parameters("rms_norm", x_given, scale_given, scale_given);
  if (x_given.numel() == 0) throw_usage("rms_norm", "x " + x_given.str() + " has no elements to take the mean of");
  const DType type = acc_dtype(x_given.dtype());
  const Device device = x_given.device();
  if (type != x_given.dtype() && device.type == DeviceType::cpu)  // there are no kernels for 16 bits
    return rms_norm(x_given.to(type), scale_given.to(type), eps).to(x_given.dtype());
  Tensor x = x_given.contiguous(), scale = scale_given.to(type).contiguous();
  RowNorm p{x.dtype(), x.numel() / x.size(-1), x.size(-1), eps};
  Tensor y = Tensor::empty(x.shape(), x.dtype(), device), rstd = Tensor::empty({p.rows}, type, device);
  launch("rms_norm", {x, scale}, {y, rstd}, rms_norm_kernel(device, p));
  return differentiable("rms_norm", y, {x, scale}, [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    Tensor d_y = d[0].contiguous();
    if (wants_grad({d_y, x, scale})) {
      Tensor wide = x.to(type), slope = d_y.to(type), r = rsqrt(mean(square(wide), {-1}, true) + p.eps), unit = wide * r, g = slope * scale;
      return {(r * (g - unit * mean(g * unit, {-1}, true))).to(x.dtype()), sum_to(slope * unit, scale.shape())};
    }
    Tensor d_x = Tensor::empty(x.shape(), x.dtype(), device), partial = Tensor::empty({p.blocks(), p.channels}, type, device),
           d_scale = Tensor::empty({p.channels}, type, device);
    launch("rms_norm.gradient", {x, d_y, rstd, scale}, {d_x, partial, d_scale}, rms_norm_gradient_kernel(device, p));
    return {d_x, d_scale};
  });
}

}  // namespace tenon
