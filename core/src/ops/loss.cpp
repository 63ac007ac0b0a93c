/// Losses: scalars in the accumulation type of their input (f32; f64 for f64).
#include "ops/loss_kernels.hpp"

#include "autograd/backward_scope.hpp"
#include "kernels/types.hpp"
#include "ops/check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kMaxDiceClasses = 256;

void check_labels(const char* op, const Tensor& logits, const Tensor& labels) {
  check_floating(op, logits, "logits");
  check_integer(op, labels, "labels");
  check_same_device(op, logits, labels);
  Shape wanted = logits.shape();
  if (wanted.rank() < 1) throw_usage(op, "logits " + logits.str() + " have no class axis");
  wanted.erase(wanted.rank() - 1);
  if (labels.shape() != wanted)
    throw_usage(op, "labels " + labels.str() + " do not fit logits " + logits.str(), "expected labels of shape " + wanted.str());
  if (logits.numel() == 0) throw_usage(op, "logits " + logits.str() + " have no elements to average over");
}

/// The loss and the totals that its gradient needs.
std::pair<Tensor, Tensor> label_loss(const char* op, const LabelLoss& p, const Tensor& logits, const Tensor& labels) {
  const Device device = logits.device();
  Tensor partial = Tensor::empty({p.samples, p.chunks(), p.sums()}, DType::f64, device);
  Tensor totals = Tensor::empty({p.dice ? p.samples * 3 * p.classes : 1}, DType::f64, device);
  Tensor loss = Tensor::empty({}, acc_dtype(p.dtype), device);
  launch(op, {logits, labels}, {partial, totals, loss}, label_loss_kernel(device, p));
  return {loss, totals};
}

Tensor label_loss_gradient(const char* name, const LabelLoss& p, const Tensor& logits, const Tensor& labels, const Tensor& totals,
                           const Tensor& d_loss) {
  Tensor d_logits = Tensor::empty(logits.shape(), logits.dtype(), logits.device());
  launch(name, {logits, labels, totals, d_loss}, {d_logits}, label_loss_gradient_kernel(logits.device(), p));
  return d_logits;
}

/// The same loss in plain ops, for second derivatives.
Tensor dice_cross_entropy_of_ops(const LabelLoss& p, const Tensor& logits, const Tensor& labels) {
  const DType type = acc_dtype(p.dtype);
  const Shape rows{p.samples, p.voxels, p.classes};
  const Tensor wide = logits.to(type).reshape(rows), truth = one_hot(labels, p.classes, type).reshape(rows), share = softmax(wide);
  const Tensor entropy = sum(truth * log_softmax(wide)) * (-1.0 / double(p.samples * p.voxels));
  const Tensor overlap = (sum(share * truth, {1}) * 2.0 + p.smooth) / (sum(share, {1}) + sum(truth, {1}) + p.smooth);
  return entropy + 1.0 - mean(overlap.narrow(1, 1, p.classes - 1));
}

}  // namespace

Tensor cross_entropy(const Tensor& logits_given, const Tensor& labels_given) {
  check_labels("cross_entropy", logits_given, labels_given);
  Tensor logits = logits_given.contiguous(), labels = labels_given.contiguous();
  LabelLoss p{logits.dtype(), labels.dtype(), 1, labels.numel(), logits.size(-1)};
  auto [loss, totals] = label_loss("cross_entropy", p, logits, labels);
  auto backward = [p, logits, labels, totals = totals](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    if (!wants_grad({d[0], logits})) return {label_loss_gradient("cross_entropy.gradient", p, logits, labels, totals, d[0].contiguous())};
    Tensor truth = one_hot(labels, p.classes, d[0].dtype());
    Tensor d_logits = (softmax(logits.to(d[0].dtype())) - truth) * (d[0] * (1.0 / double(p.voxels)));
    return {d_logits.to(logits.dtype())};
  };
  return differentiable("cross_entropy", loss, {logits}, backward);
}

Tensor dice_cross_entropy(const Tensor& logits_given, const Tensor& labels_given, double smooth) {
  const char* op = "dice_cross_entropy";
  check_labels(op, logits_given, labels_given);
  if (labels_given.dtype() != DType::u8)
    throw_usage(op, "labels are " + labels_given.str() + ", expected u8", "convert them with .to(DType::u8)");
  if (logits_given.rank() < 2) throw_usage(op, "logits " + logits_given.str() + " have no sample axis", "give them as [N, spatial..., K]");
  const std::int64_t classes = logits_given.size(-1);
  if (classes < 2 || classes > kMaxDiceClasses)
    throw_usage(op, "logits " + logits_given.str() + " have " + std::to_string(classes) + " classes, expected 2 to 256");
  if (!(smooth >= 0)) throw_usage(op, "smooth is " + std::to_string(smooth) + ", expected 0 or more");
  Tensor logits = logits_given.contiguous(), labels = labels_given.contiguous();
  LabelLoss p{logits.dtype(), labels.dtype(), logits.size(0), labels.numel() / logits.size(0), classes, smooth, true};
  auto [loss, totals] = label_loss(op, p, logits, labels);
  auto backward = [p, logits, labels, totals = totals](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    if (!wants_grad({d[0], logits})) return {label_loss_gradient("dice_cross_entropy.gradient", p, logits, labels, totals, d[0].contiguous())};
    return gradients_of_ops([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{dice_cross_entropy_of_ops(p, in[0], labels)}; }, {logits}, d);
  };
  return differentiable(op, loss, {logits}, backward);
}

Tensor mse_loss(const Tensor& x_given, const Tensor& target_given) {
  const char* op = "mse_loss";
  check_floating(op, x_given);
  check_floating(op, target_given, "target");
  check_same_device(op, x_given, target_given);
  if (x_given.shape() != target_given.shape() || x_given.dtype() != target_given.dtype())
    throw_usage(op, "x " + x_given.str() + " and target " + target_given.str() + " differ in shape or type");
  if (x_given.numel() == 0) throw_usage(op, "x " + x_given.str() + " has no elements to average over");
  Tensor x = x_given.contiguous(), target = target_given.contiguous();
  SquaredError p{x.dtype(), x.numel()};
  const DType type = acc_dtype(p.dtype);
  Tensor partial = Tensor::empty({p.chunks()}, DType::f64, x.device()), loss = Tensor::empty({}, type, x.device());
  launch(op, {x, target}, {partial, loss}, mse_kernel(x.device(), p));
  auto backward = [=](const std::vector<Tensor>& d) -> std::vector<Tensor> {
    Tensor d_x;
    if (wants_grad({d[0], x, target})) {
      d_x = ((x.to(type) - target.to(type)) * (d[0] * (2.0 / double(p.count)))).to(p.dtype);
    } else {
      d_x = Tensor::empty(x.shape(), p.dtype, x.device());
      launch("mse_loss.gradient", {x, target, d[0].contiguous()}, {d_x}, mse_gradient_kernel(x.device(), p));
    }
    return {d_x, target.requires_grad() ? neg(d_x) : Tensor()};
  };
  return differentiable(op, loss, {x, target}, backward);
}

}  // namespace tenon
