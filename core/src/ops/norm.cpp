/// Normalisation over the voxels of a sample and channel (instance), of a group of channels (group) and of the batch.
///
/// The backward pass keeps x and the statistics only; the activation's argument is computed again from them.
#include <cmath>

#include "autograd/backward_scope.hpp"
#include "autograd/saved.hpp"
#include "kernels/types.hpp"
#include "ops/check.hpp"
#include "ops/norm_kernels.hpp"
#include "ops/norm_shared.hpp"
#include "tenon/autograd.hpp"
#include "tenon/normalisation.hpp"
#include "tenon/ops.hpp"

namespace tenon {

void check_norm_parameters(const char* op, const Tensor& x, const Tensor& scale, const Tensor& shift) {
  check_floating(op, x);
  if (x.rank() < 1) throw_usage(op, "x " + x.str() + " has no channel axis");
  Shape wanted{x.size(-1)};
  for (auto [t, name] : {std::pair{&scale, "scale"}, std::pair{&shift, "shift"}}) {
    check_floating(op, *t, name);
    if (t->shape() != wanted)
      throw_usage(op, std::string(name) + " is " + t->str() + ", expected shape " + wanted.str() + " for x " + x.str());
    if (t->dtype() != DType::f32 && t->dtype() != x.dtype())
      throw_usage(op, std::string(name) + " is " + t->str() + ", expected f32 or the type of x " + x.str());
    check_same_device(op, x, *t);
  }
}

std::vector<Tensor> norm_gradient_of_ops(const Tensor& d_y, const Tensor& x, const Tensor& scale, const Shape& grouped, double eps) {
  const DType type = scale.dtype();
  const std::int64_t channels = scale.numel();
  const Shape by_channel{1, 1, grouped[2], grouped[3]};
  const std::vector<int> shared{1, 3};
  Tensor wide = x.to(type).reshape(grouped), g = d_y.to(type).reshape(grouped);
  Tensor centred = wide - mean(wide, shared, true);
  Tensor inverse = rsqrt(mean(square(centred), shared, true) + eps);
  Tensor normal = centred * inverse;
  Tensor scaled = g * scale.reshape(by_channel);
  Tensor d_x = inverse * (scaled - mean(scaled, shared, true) - normal * mean(scaled * normal, shared, true));
  return {d_x.reshape(x.shape()).to(x.dtype()), sum(g * normal, {0, 1}).reshape({channels}), sum(g, {0, 1}).reshape({channels})};
}

namespace {

struct Statistics {
  Tensor mean, var, rstd, y;  ///< y where it came along
};

Tensor empty_partial(const ChannelNorm& p, const Tensor& x) {
  return Tensor::empty({p.samples, p.chunks(), 2, p.channels}, DType::f64, x.device());
}

Statistics empty_statistics(const ChannelNorm& p, const Tensor& x) {
  const auto values = [&] { return Tensor::empty({p.samples, p.groups}, acc_dtype(p.dtype), x.device()); };
  return {values(), values(), values(), {}};
}

Statistics statistics(const ChannelNorm& p, const Tensor& x) {
  Statistics s = empty_statistics(p, x);
  launch("normalisation.statistics", {x}, {empty_partial(p, x), s.mean, s.var, s.rstd}, channel_norm_stats_kernel(x.device(), p));
  return s;
}

/// Statistics of samples and, where these are small and on a CPU, what is made of them.
Statistics sample_statistics(const ChannelNorm& p, const Tensor& x, const Tensor& scale, const Tensor& shift) {
  if (x.device().type != DeviceType::cpu || p.chunks() != 1) return statistics(p, x);
  Statistics s = empty_statistics(p, x);
  s.y = Tensor::empty(x.shape(), x.dtype(), x.device());
  launch("normalisation", {x, scale, shift}, {empty_partial(p, x), s.mean, s.var, s.rstd, s.y}, channel_norm_samples_kernel(x.device(), p));
  return s;
}

std::vector<Tensor> fused_gradient(const ChannelNorm& p, const Tensor& x, const Tensor& d_y, const Tensor& mean, const Tensor& rstd,
                                   const Tensor& scale, const Tensor& shift) {
  const DType type = acc_dtype(p.dtype);
  const Device device = x.device();
  Tensor d_scale = Tensor::empty({p.channels}, type, device), d_shift = Tensor::empty({p.channels}, type, device);
  Tensor pull = Tensor::empty({p.samples, 2, p.channels}, type, device);
  launch("normalisation.sums", {x, d_y, mean, rstd, scale, shift}, {empty_partial(p, x), d_scale, d_shift, pull},
         channel_norm_sums_kernel(device, p));
  Tensor d_x = Tensor::empty(x.shape(), x.dtype(), device);
  launch("normalisation.gradient", {x, d_y, mean, rstd, scale, shift, pull}, {d_x}, channel_norm_gradient_kernel(device, p));
  return {d_x, d_scale, d_shift};
}

/// 1 where the activation's argument is positive, its slope elsewhere. A step: it has no gradient of its own.
Tensor activation_gate(ChannelNorm p, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& scale, const Tensor& shift) {
  NoGrad off;
  const auto constant = [&](double v) { return Tensor::full({}, v, x.dtype(), x.device()); };
  Tensor argument = Tensor::empty(x.shape(), x.dtype(), x.device());
  const double slope = p.slope;
  p.slope = 1;
  launch("normalisation.apply", {x, mean, rstd, scale, shift}, {argument}, channel_norm_apply_kernel(x.device(), p));
  return where(greater(argument, constant(0)), constant(1), constant(slope));
}

/// y and its history; `x` dense, `scale` and `shift` in the accumulation type.
Tensor normalise(const char* op, const ChannelNorm& p, const Tensor& x, const Statistics& s, const Tensor& scale, const Tensor& shift) {
  Tensor y = s.y;
  if (!y.defined()) {
    y = Tensor::empty(x.shape(), x.dtype(), x.device());
    launch("normalisation.apply", {x, s.mean, s.rstd, scale, shift}, {y}, channel_norm_apply_kernel(x.device(), p));
  }
  auto backward = [=, mean = s.mean, rstd = s.rstd](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    Tensor d_y = d[0].contiguous();
    if (wants_grad({d_y, x, scale})) {
      if (p.slope != 1) d_y = mul(d_y, activation_gate(p, x, mean, rstd, scale, shift));
      const Shape grouped{p.samples, p.voxels, p.groups, p.channels / p.groups};
      if (!p.frozen) return norm_gradient_of_ops(d_y, x, scale, grouped, p.eps);
      Tensor wide = d_y.to(scale.dtype()).reshape(grouped), m = mean.reshape({1, 1, p.channels, 1}),
             r = rstd.reshape({1, 1, p.channels, 1});
      Tensor normal = (x.to(scale.dtype()).reshape(grouped) - m) * r, d_x = wide * r * scale.reshape({1, 1, p.channels, 1});
      return {d_x.reshape(x.shape()).to(x.dtype()), sum(wide * normal, {0, 1, 3}), sum(wide, {0, 1, 3})};
    }
    return fused_gradient(p, x, d_y, mean, rstd, scale, shift);
  };
  y = differentiable(op, y, {x, scale, shift}, backward);
  computed_again(y, [p, x = x.detach(), mean = s.mean, rstd = s.rstd, scale = scale.detach(), shift = shift.detach()] {
    Tensor again = Tensor::empty(x.shape(), x.dtype(), x.device());
    launch("normalisation.apply", {x, mean, rstd, scale, shift}, {again}, channel_norm_apply_kernel(x.device(), p));
    return again;
  });
  return y;
}

Tensor sample_norm(const char* op, const Tensor& x_given, std::int64_t groups, const Tensor& scale, const Tensor& shift, double eps,
                   double slope) {
  Tensor x = x_given.contiguous();
  const DType type = acc_dtype(x.dtype());
  ChannelNorm p{x.dtype(), x.size(0), 1, x.size(-1), groups, eps, slope, false};
  for (int axis = 1; axis + 1 < x.rank(); ++axis) p.voxels *= x.size(axis);
  if (x.numel() == 0) throw_usage(op, "x " + x.str() + " has no elements to take statistics of");
  const Tensor scales = scale.to(type).contiguous(), shifts = shift.to(type).contiguous();
  Statistics s;
  {
    NoGrad off;
    s = sample_statistics(p, x, scales, shifts);
  }
  return normalise(op, p, x, s, scales, shifts);
}

}  // namespace

Tensor instance_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps, double slope) {
  check_norm_parameters("instance_norm", x, scale, shift);
  if (x.rank() < 3) throw_usage("instance_norm", "x " + x.str() + " has no spatial axis", "give it as [N, spatial..., C]");
  return sample_norm("instance_norm", x, x.size(-1), scale, shift, eps, slope);
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& scale, const Tensor& shift, double eps) {
  return group_norm(x, groups, scale, shift, eps, 1.0);
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& scale, const Tensor& shift, double eps, double slope) {
  check_norm_parameters("group_norm", x, scale, shift);
  if (x.rank() < 2) throw_usage("group_norm", "x " + x.str() + " has no sample axis", "give it as [N, spatial..., C]");
  if (groups < 1 || x.size(-1) % groups != 0)
    throw_usage("group_norm",
                std::to_string(x.size(-1)) + " channels of x " + x.str() + " do not divide into " + std::to_string(groups) + " groups");
  return sample_norm("group_norm", x, groups, scale, shift, eps, slope);
}

Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& running_mean, const Tensor& running_var,
                  bool training, double momentum, double eps) {
  return batch_norm(x, scale, shift, running_mean, running_var, training, momentum, eps, 1.0);
}

Tensor batch_norm(const Tensor& x_given, const Tensor& scale, const Tensor& shift, const Tensor& running_mean, const Tensor& running_var,
                  bool training, double momentum, double eps, double slope) {
  check_norm_parameters("batch_norm", x_given, scale, shift);
  const Shape wanted{x_given.size(-1)};
  for (auto [t, name] : {std::pair{&running_mean, "running_mean"}, std::pair{&running_var, "running_var"}}) {
    if (!t->defined() && training) continue;
    check_defined("batch_norm", *t, name);
    check_same_device("batch_norm", x_given, *t);
    if (t->shape() != wanted || !t->is_contiguous() || (t->dtype() != DType::f32 && t->dtype() != DType::f64))
      throw_usage("batch_norm", std::string(name) + " is " + t->str() + ", expected a dense f32 or f64 of shape " + wanted.str());
  }
  if (running_mean.defined() != running_var.defined()) throw_usage("batch_norm", "running_mean and running_var must be given together");
  if (running_mean.defined() && running_mean.dtype() != running_var.dtype())
    throw_usage("batch_norm", "running_mean " + running_mean.str() + " and running_var " + running_var.str() + " differ in type");
  if (x_given.numel() == 0) throw_usage("batch_norm", "x " + x_given.str() + " has no elements to take statistics of");

  Tensor x = x_given.contiguous();
  const DType type = acc_dtype(x.dtype());
  ChannelNorm p{x.dtype(), 1, x.numel() / x.size(-1), x.size(-1), x.size(-1), eps, slope, !training};
  if (training && p.voxels < 2) throw_usage("batch_norm", "x " + x.str() + " has one value a channel: no variance to train on");
  Statistics s;
  {
    NoGrad off;
    if (training) {
      s = statistics(p, x);
      if (running_mean.defined() && !is_recomputing())
        launch("batch_norm.running", {s.mean, s.var, running_mean, running_var}, {running_mean, running_var},
               running_stats_kernel(x.device(), type, running_mean.dtype(), p.channels, p.voxels, momentum));
    } else {
      s.mean = running_mean.to(type);
      s.rstd = rsqrt(running_var.to(type) + eps);
    }
  }
  return normalise("batch_norm", p, x, s, scale.to(type).contiguous(), shift.to(type).contiguous());
}

}  // namespace tenon
