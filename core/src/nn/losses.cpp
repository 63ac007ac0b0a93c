#include "tenon/losses.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <optional>

#include "autograd/backward_scope.hpp"
#include "ops/check.hpp"
#include "ops/loss_kernels.hpp"
#include "ops/pointwise_loss_kernels.hpp"
#include "ops/weighted_label_loss_kernels.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

constexpr double kPi = std::numbers::pi;

DType computed(const Tensor& t) { return t.dtype() == DType::f64 ? DType::f64 : DType::f32; }

/// `t` in the type that the loss of x is computed in, beside x.
Tensor operand(const char* op, const Tensor& t, const char* what, const Tensor& x) {
  check_floating(op, t, what);
  check_same_device(op, x, t);
  return t.to(computed(x));
}

/// Of `t` and x: what they broadcast to.
Shape joined(const char* op, const Shape& shape, const Tensor& t) { return Shape::broadcast(shape, t.shape(), op); }

void check_same_shape(const char* op, const Tensor& x, const Tensor& target) {
  if (!(x.shape() == target.shape())) throw_usage(op, "x " + x.str() + " and target " + target.str() + " differ in shape");
}

Tensor reduced(const char* op, const Tensor& each, Reduction reduction) {
  if (reduction == Reduction::none) return each;
  if (reduction == Reduction::sum) return sum(each);
  if (each.numel() == 0) throw_usage(op, each.str() + " has no elements to average over");
  return mean(each);
}

Tensor constant(double value, const Tensor& like) { return Tensor::full(Shape{}, value, like.dtype(), like.device()); }

using List = std::vector<Tensor>;

/// A loss that is a function of each element alone: where operands are of one shape, on the CPU, a kernel, and `plain`, which gives a value
/// an element, for what it does not do: devices and second derivatives. Means are sums divided by `groups` (0: the elements).
Tensor pointwise(const char* op, PointwiseLossKind kind, const List& given, const std::function<Tensor(const List&)>& plain,
                 Reduction reduction, double a = 0, double b = 0, std::int64_t groups = 0) {
  const auto composed = [=](const List& in) {
    if (groups == 0 || reduction != Reduction::mean) return reduced(op, plain(in), reduction);
    return sum(plain(in)) * (1.0 / double(groups));
  };
  const Shape& shape = given[0].shape();
  bool fused = given[0].device().type == DeviceType::cpu && given[0].numel() > 0;
  for (const Tensor& t : given) fused = fused && t.shape() == shape;
  if (!fused) return composed(given);
  List in;
  for (const Tensor& t : given) in.push_back(t.contiguous());
  PointwiseLoss p{in[0].dtype(), kind, in[0].numel(), a, b, reduction == Reduction::none};
  if (reduction == Reduction::mean) p.factor = 1.0 / double(groups ? groups : p.count);
  const Tensor y = Tensor::empty(p.each ? shape : Shape{}, p.dtype);
  launch(op, in, p.each ? List{y} : List{Tensor::empty({p.chunks()}, DType::f64), y}, pointwise_loss_kernel(kCpu, p));
  return differentiable(op, y, in, [=](const List& d) -> List {
    List asked = in;
    asked.push_back(d[0]);
    if (wants_grad(asked)) return gradients_of_ops([&](const List& again) { return List{composed(again)}; }, in, d);
    PointwiseLoss q = p;
    List d_in(in.size()), made;
    for (std::size_t k = 0; k < in.size(); ++k)
      if (in[k].requires_grad()) {
        q.wanted |= 1U << k;
        made.push_back(d_in[k] = Tensor::empty(shape, p.dtype));
      }
    asked.back() = d[0].contiguous();
    launch("pointwise_loss.gradient", asked, made, pointwise_loss_gradient_kernel(kCpu, q));
    return d_in;
  });
}

struct Pair {
  Tensor x, target;
};
Pair regression(const char* op, const Tensor& x, const Tensor& target) {
  check_floating(op, x);
  Pair p{x.to(computed(x)), operand(op, target, "target", x)};
  check_same_shape(op, p.x, p.target);
  return p;
}

struct Labelled {
  Tensor logits, labels;  ///< labels: i64, -1 where ignored
  std::int64_t classes;

  Tensor ignored() const { return less(labels, Tensor::full(Shape{}, 0, DType::i64, labels.device())); }
  /// The labels, class 0 where ignored. One that is no class has been refused; where that is told later, on a device, it names a class all the same.
  Tensor places() const {
    const auto number = [&](std::int64_t n) { return Tensor::full(Shape{}, double(n), DType::i64, labels.device()); };
    return minimum(maximum(labels, number(0)), number(classes - 1));
  }
};
Labelled classification(const char* op, const Tensor& logits, const Tensor& labels, std::optional<std::int64_t> ignored = {}) {
  check_floating(op, logits, "logits");
  check_integer(op, labels, "labels");
  check_same_device(op, logits, labels);
  Shape wanted = logits.shape();
  if (wanted.rank() < 1) throw_usage(op, "logits " + logits.str() + " have no class axis");
  wanted.erase(wanted.rank() - 1);
  if (!(labels.shape() == wanted)) throw_usage(op, "labels " + labels.str() + " do not fit logits " + logits.str(), "expected labels of shape " + wanted.str());
  const DType type = computed(logits);
  const std::int64_t classes = logits.size(-1);
  if (classes < 1) throw_usage(op, "logits " + logits.str() + " have no classes");
  const Tensor dense = labels.contiguous(), checked = Tensor::empty(wanted, DType::i64, labels.device());
  if (checked.numel()) launch("checked_labels", {dense}, {checked}, checked_labels_kernel(dense.device(), LabelCheck{op, dense.dtype(), dense.numel(), classes, ignored}));
  return {logits.to(type), checked, classes};
}

Tensor class_weights(const char* op, const Tensor& given, const Labelled& l) {
  if (!given.defined()) return {};
  if (!(given.shape() == Shape{l.classes})) throw_usage(op, "class weights " + given.str() + " for " + std::to_string(l.classes) + " classes");
  return operand(op, given, "class weights", l.logits);
}

/// log_p of each label, 0 where ignored; a class that is ruled out (log 0) does no harm where it is not the label.
Tensor of_label(const Labelled& l, const Tensor& log_p) {
  return where(l.ignored(), constant(0, log_p), gather(log_p, -1, l.places().unsqueeze(-1)).squeeze(-1));
}
/// The weight of each label's class, 1 without weights; 0 where ignored.
Tensor weight_of_label(const Labelled& l, const Tensor& weights) {
  const Tensor one = Tensor::full(Shape{}, 1, l.logits.dtype(), l.logits.device());
  return where(l.ignored(), constant(0, one), weights.defined() ? index_select(weights, 0, l.places()) : one);
}

/// Sums over all axes but the first.
Tensor sample_sums(const Tensor& t) {
  std::vector<int> axes;
  for (int a = 1; a < t.rank(); ++a) axes.push_back(a);
  return axes.empty() ? t : sum(t, axes);
}

/// The root has no slope where a sample is met exactly; its gradient is 0 there, as that of a norm at 0.
Tensor relative(const char* op, const Tensor& error, const Tensor& size, Reduction reduction) {
  const Tensor ratio = div(error, size), missed = greater(ratio, constant(0, ratio));
  return reduced(op, where(missed, sqrt(where(missed, ratio, constant(1, ratio))), ratio), reduction);
}

}  // namespace

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const Pair p = regression("l1_loss", x, target);
  return pointwise(
      "l1_loss", PointwiseLossKind::l1, {p.x, p.target}, [](const List& in) { return abs(in[0] - in[1]); }, reduction);
}

Tensor l2_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const Pair p = regression("l2_loss", x, target);
  return pointwise(
      "l2_loss", PointwiseLossKind::l2, {p.x, p.target}, [](const List& in) { return square(in[0] - in[1]); }, reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction) {
  if (!(delta > 0)) throw_usage("huber_loss", "delta is " + std::to_string(delta), "a number above 0");
  const Pair p = regression("huber_loss", x, target);
  const auto plain = [delta](const List& in) {
    const Tensor size = abs(in[0] - in[1]), inside = minimum(size, constant(delta, size));
    return inside * (size - inside * 0.5);  // both branches at once: inside is |e| or delta
  };
  return pointwise("huber_loss", PointwiseLossKind::huber, {p.x, p.target}, plain, reduction, delta);
}

Tensor quantile_loss(const Tensor& x, const Tensor& target, const std::vector<double>& quantiles, Reduction reduction) {
  const char* op = "quantile_loss";
  check_floating(op, x);
  const DType type = computed(x);
  const auto count = std::int64_t(quantiles.size());
  for (double q : quantiles)
    if (!(q > 0 && q < 1)) throw_usage(op, "quantile " + std::to_string(q), "each lies between 0 and 1");
  const Tensor y = operand(op, target, "target", x);
  Shape wanted = target.shape();
  if (wanted.rank() == kMaxRank) throw_usage(op, "target " + target.str() + " has no room for another axis");
  wanted.push_back(count);
  if (!(x.shape() == wanted)) throw_usage(op, "x is " + x.str() + ", expected " + wanted.str() + " for target " + target.str() + " and " + std::to_string(count) + " quantiles");
  const Tensor q = Tensor::from(quantiles, {count}).to(type).to(x.device());
  const Tensor e = y.unsqueeze(-1) - x.to(type);
  return reduced(op, maximum(q * e, (q - 1.0) * e), reduction);
}

Tensor relative_l2_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const Pair p = regression("relative_l2_loss", x, target);
  if (p.x.rank() < 1) throw_usage("relative_l2_loss", "x " + x.str() + " has no sample axis");
  return relative("relative_l2_loss", sample_sums(square(p.x - p.target)), sample_sums(square(p.target)), reduction);
}

namespace {

/// First derivative along `axis`.
Tensor derivative(const Tensor& t, int axis, double spacing, bool periodic) {
  const std::int64_t n = t.size(axis);
  if (periodic) {
    const Tensor ahead = concat({t.narrow(axis, 1, n - 1), t.narrow(axis, 0, 1)}, axis), behind = concat({t.narrow(axis, n - 1, 1), t.narrow(axis, 0, n - 1)}, axis);
    return (ahead - behind) * (0.5 / spacing);
  }
  const Tensor first = (t.narrow(axis, 1, 1) - t.narrow(axis, 0, 1)) * (1 / spacing), last = (t.narrow(axis, n - 1, 1) - t.narrow(axis, n - 2, 1)) * (1 / spacing);
  if (n == 2) return concat({first, last}, axis);
  return concat({first, (t.narrow(axis, 2, n - 2) - t.narrow(axis, 0, n - 2)) * (0.5 / spacing), last}, axis);
}

Tensor sobolev_square(const Tensor& t, const std::vector<double>& spacing, bool periodic) {
  Tensor total = sample_sums(square(t));
  for (int a = 1; a + 1 < t.rank(); ++a) total = total + sample_sums(square(derivative(t, a, spacing.empty() ? 1 : spacing[std::size_t(a - 1)], periodic)));
  return total;
}

}  // namespace

Tensor relative_h1_loss(const Tensor& x, const Tensor& target, const std::vector<double>& spacing, bool periodic, Reduction reduction) {
  const char* op = "relative_h1_loss";
  const Pair p = regression(op, x, target);
  const int spatial = p.x.rank() - 2;
  if (spatial < 1) throw_usage(op, "x " + x.str() + " has no spatial axis", "give it as [N, spatial..., C]");
  if (!spacing.empty() && int(spacing.size()) != spatial) throw_usage(op, std::to_string(spacing.size()) + " spacings for " + std::to_string(spatial) + " spatial axes");
  for (double s : spacing)
    if (!(s > 0)) throw_usage(op, "spacing " + std::to_string(s), "a number above 0");
  for (int a = 1; a <= spatial; ++a)
    if (p.x.size(a) < 2) throw_usage(op, "size 1 along a spatial axis of " + x.str() + " has no derivative");
  return relative(op, sobolev_square(p.x - p.target, spacing, periodic), sobolev_square(p.target, spacing, periodic), reduction);
}

namespace {

struct EachLabel {
  Tensor loss, weight;
};
EachLabel label_losses_of_ops(const Labelled& l, const Tensor& weights, double smoothing) {
  const Tensor log_p = log_softmax(l.logits, -1), counts = weight_of_label(l, {}), weight = weight_of_label(l, weights);
  Tensor each = neg(of_label(l, log_p)) * weight;
  if (smoothing > 0) {
    const Tensor all = neg(sum(weights.defined() ? log_p * weights : log_p, {-1}));
    each = each * (1 - smoothing) + all * counts * (smoothing / double(l.classes));
  }
  return {each, weight};
}

/// Loss and weight of each label: on the CPU in one pass.
EachLabel label_losses(const char* op, const Labelled& l, const Tensor& weights_given, double smoothing) {
  const bool fused = l.logits.device().type == DeviceType::cpu && l.logits.numel() > 0;
  if (!fused || (weights_given.defined() && wants_grad({weights_given}))) return label_losses_of_ops(l, weights_given, smoothing);
  const Tensor logits = l.logits.contiguous(), weights = weights_given.defined() ? weights_given.contiguous() : Tensor();
  const WeightedLabelLoss p{logits.dtype(), l.labels.numel(), l.classes, smoothing, weights.defined()};
  List reads{logits, l.labels};
  if (p.weighted) reads.push_back(weights);
  const EachLabel each{Tensor::empty(l.labels.shape(), p.dtype), Tensor::empty(l.labels.shape(), p.dtype)};
  launch(op, reads, List{each.loss, each.weight}, weighted_label_loss_kernel(kCpu, p));
  const auto backward = [=](const List& d) -> List {
    if (wants_grad({d[0], logits})) {
      const auto again = [&](const List& in) { return List{label_losses_of_ops({in[0], l.labels, l.classes}, weights, smoothing).loss}; };
      return gradients_of_ops(again, {logits}, d);
    }
    List given = reads;
    given.push_back(d[0].contiguous());
    const Tensor d_logits = Tensor::empty(logits.shape(), p.dtype);
    launch("cross_entropy.gradient", given, List{d_logits}, weighted_label_loss_gradient_kernel(kCpu, p));
    return {d_logits};
  };
  return {differentiable(op, each.loss, {logits}, backward), each.weight};
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& o) {
  const char* op = "cross_entropy";
  if (!(o.label_smoothing >= 0 && o.label_smoothing < 1)) throw_usage(op, "label smoothing " + std::to_string(o.label_smoothing), "0 or more, below 1");
  const Labelled l = classification(op, logits, labels, o.ignore_index);
  const EachLabel each = label_losses(op, l, class_weights(op, o.class_weights, l), o.label_smoothing);
  if (o.reduction == Reduction::none) return each.loss;
  if (o.reduction == Reduction::sum) return sum(each.loss);
  if (each.loss.numel() == 0) throw_usage(op, "logits " + logits.str() + " have no elements to average over");
  return sum(each.loss) / sum(each.weight);
}

Tensor focal_loss(const Tensor& logits, const Tensor& labels, double gamma, const Tensor& alpha, Reduction reduction) {
  const char* op = "focal_loss";
  if (!(gamma >= 0)) throw_usage(op, "gamma is " + std::to_string(gamma), "0 or more");
  const Labelled l = classification(op, logits, labels);
  const Tensor weights = class_weights(op, alpha, l), log_p = log_softmax(l.logits, -1);
  const Tensor picked = of_label(l, log_p);
  Tensor each = neg(picked);
  // 1 - p without cancellation near p = 1; the bound keeps the power's derivative finite there
  if (gamma > 0) each = each * pow(maximum(neg(expm1(picked)), constant(1e-12, picked)), gamma);
  if (weights.defined()) each = each * weight_of_label(l, weights);
  return reduced(op, each, reduction);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& target, const Tensor& positive_weight, Reduction reduction) {
  const char* op = "bce_with_logits";
  const Pair p = regression(op, logits, target);
  const auto plain = [](const List& in) { return (neg(in[1]) + 1.0) * in[0] + softplus(neg(in[0])); };
  if (!positive_weight.defined()) return pointwise(op, PointwiseLossKind::bce, {p.x, p.target}, plain, reduction);
  const Tensor negative = (neg(p.target) + 1.0) * p.x, positive = softplus(neg(p.x));
  const Tensor w = operand(op, positive_weight, "positive weight", p.x);
  if (!(joined(op, p.x.shape(), w) == p.x.shape())) throw_usage(op, "positive weight " + positive_weight.str() + " has more elements than logits " + logits.str());
  return reduced(op, negative + ((w - 1.0) * p.target + 1.0) * positive, reduction);
}

namespace {

Tensor overlap_loss(const char* op, const Tensor& logits, const Tensor& labels, const OverlapOptions& o) {
  Labelled l = classification(op, logits, labels);
  if (logits.rank() < 2) throw_usage(op, "logits " + logits.str() + " have no sample axis", "give them as [N, spatial..., K]");
  if (!(o.alpha >= 0 && o.beta >= 0 && o.smooth >= 0)) throw_usage(op, "alpha, beta and smooth are 0 or more");
  const std::int64_t first = o.background ? 0 : 1;
  if (l.classes <= first) throw_usage(op, "logits " + logits.str() + " have no class besides the background");
  const Tensor p = softmax(l.logits, -1).narrow(-1, first, l.classes - first), truth = one_hot(l.labels, l.classes, p.dtype()).narrow(-1, first, l.classes - first);
  std::vector<int> axes;
  for (int a = 1; a + 1 < logits.rank(); ++a) axes.push_back(a);
  const auto total = [&](const Tensor& t) { return axes.empty() ? t : sum(t, axes); };
  const Tensor both = total(p * truth), extra = total(p) - both, missed = total(truth) - both;
  return mean(neg((both + o.smooth) / (both + extra * o.alpha + missed * o.beta + o.smooth)) + 1.0);
}

}  // namespace

Tensor tversky_loss(const Tensor& logits, const Tensor& labels, const OverlapOptions& o) { return overlap_loss("tversky_loss", logits, labels, o); }

Tensor dice_loss(const Tensor& logits, const Tensor& labels, double smooth, bool background) {
  return overlap_loss("dice_loss", logits, labels, {0.5, 0.5, smooth / 2, background});  // (2 TP + s) / (2 TP + FP + FN + s)
}

Tensor poisson_nll(const Tensor& log_rate, const Tensor& target, bool full, Reduction reduction) {
  const Pair p = regression("poisson_nll", log_rate, target);
  const auto plain = [](const List& in) { return exp(in[0]) - in[1] * in[0]; };
  if (!full) return pointwise("poisson_nll", PointwiseLossKind::poisson, {p.x, p.target}, plain, reduction);
  return reduced("poisson_nll", plain({p.x, p.target}) + lgamma(p.target + 1.0), reduction);
}

Tensor gaussian_nll(const Tensor& mean_given, const Tensor& variance_given, const Tensor& target_given, bool full, double eps, Reduction reduction) {
  const char* op = "gaussian_nll";
  check_floating(op, mean_given, "mean");
  if (!(eps >= 0)) throw_usage(op, "eps is " + std::to_string(eps), "0 or more");
  const Tensor mu = mean_given.to(computed(mean_given)), target = operand(op, target_given, "target", mu), given = operand(op, variance_given, "variance", mu);
  joined(op, joined(op, mu.shape(), given), target);
  const double constant_part = full ? 0.5 * std::log(2 * kPi) : 0;
  const auto plain = [=](const List& in) {
    const Tensor& m = in[0];
    // a negative variance is none: NaN, as its logarithm is
    const Tensor variance =
        where(less(in[1], constant(0, m)), constant(std::numeric_limits<double>::quiet_NaN(), m), maximum(in[1], constant(eps, m)));
    const Tensor each = (log(variance) + square(in[2] - m) / variance) * 0.5;
    return full ? each + constant_part : each;
  };
  return pointwise(op, PointwiseLossKind::gaussian, {mu, given, target}, plain, reduction, eps, constant_part);
}

namespace {

/// log gamma((nu + 1) / 2) - log gamma(nu / 2). Where both are large their difference is taken from its series at x = nu / 2, 1/2 log x -
/// 1/(8 x) + 1/(192 x^3) - 1/(640 x^5) + 17/(14336 x^7) - ... (Abramowitz and Stegun 6.1.47): in f32 the functions themselves have no digit left to give it.
Tensor log_gamma_step(const Tensor& nu) {
  const double from = nu.dtype() == DType::f64 ? 128 : 16;
  const Tensor large = greater(nu, constant(from, nu));
  const Tensor x = where(large, nu, constant(from, nu)) * 0.5, small = where(large, constant(from, nu), nu), r = pow(x, -1.0), q = square(r);
  const Tensor series = log(x) * 0.5 - r * ((q * (q * (q * (17.0 / 14336) - 1.0 / 640) + 1.0 / 192) * -1.0) + 0.125);
  return where(large, series, lgamma((small + 1.0) * 0.5) - lgamma(small * 0.5));
}

}  // namespace

Tensor student_t_nll(const Tensor& degrees, const Tensor& location, const Tensor& scale, const Tensor& target, Reduction reduction) {
  const char* op = "student_t_nll";
  check_floating(op, location, "location");
  const Tensor nu = operand(op, degrees, "degrees", location), sigma = operand(op, scale, "scale", location), y = operand(op, target, "target", location);
  joined(op, joined(op, joined(op, location.shape(), nu), sigma), y);
  const Tensor z = (y - location.to(computed(location))) / sigma, half = (nu + 1.0) * 0.5;
  const Tensor each = log(nu * kPi) * 0.5 - log_gamma_step(nu) + log(sigma) + half * log1p(square(z) / nu);
  return reduced(op, each, reduction);
}

Tensor crps_gaussian(const Tensor& mean_given, const Tensor& deviation, const Tensor& target, Reduction reduction) {
  const char* op = "crps_gaussian";
  check_floating(op, mean_given, "mean");
  const Tensor sigma = operand(op, deviation, "deviation", mean_given), y = operand(op, target, "target", mean_given);
  joined(op, joined(op, mean_given.shape(), sigma), y);
  const auto plain = [](const List& in) {
    const Tensor off = in[2] - in[0], sure = equal(in[1], constant(0, in[1]));  // a certain forecast has its absolute error
    const Tensor z = off / where(sure, constant(1, in[1]), in[1]);
    const Tensor density = exp(square(z) * -0.5) * (1 / std::sqrt(2 * kPi));
    return where(sure, abs(off), in[1] * (z * erf(z * std::sqrt(0.5)) + density * 2.0 - 1 / std::sqrt(kPi)));
  };
  return pointwise(op, PointwiseLossKind::crps, {mean_given.to(computed(mean_given)), sigma, y}, plain, reduction);
}

Tensor crps_ensemble(const Tensor& members_given, const Tensor& target, bool fair, Reduction reduction) {
  const char* op = "crps_ensemble";
  check_floating(op, members_given, "members");
  const DType type = computed(members_given);
  const Tensor members = members_given.to(type), y = operand(op, target, "target", members);
  Shape wanted = y.shape();
  const bool one_more = members.rank() == y.rank() + 1;
  if (one_more) wanted.push_back(members.size(-1));
  if (!one_more || !(members.shape() == wanted)) throw_usage(op, "members " + members_given.str() + " do not fit target " + target.str(), "members are [target's shape..., M]");
  if (members.rank() == kMaxRank) throw_usage(op, "members " + members_given.str() + " have no room for the axis of their pairs");
  const auto m = double(members.size(-1));
  if (m < (fair ? 2 : 1)) throw_usage(op, "an ensemble of " + std::to_string(members.size(-1)) + (fair ? "; fair scores need two members" : ""));
  const Tensor spread = sum(abs(members.unsqueeze(-1) - members.unsqueeze(-2)), {-1, -2}) * (1 / (2 * m * (fair ? m - 1 : m)));
  return reduced(op, mean(abs(members - y.unsqueeze(-1)), {-1}) - spread, reduction);
}

Tensor kl_divergence(const Tensor& log_input, const Tensor& target, Reduction reduction) {
  const char* op = "kl_divergence";
  const Pair p = regression(op, log_input, target);
  if (p.x.rank() < 1) throw_usage(op, "log_input " + log_input.str() + " has no class axis");
  const auto plain = [](const List& in) {
    const Tensor zero = constant(0, in[0]), none = equal(in[1], zero);  // 0 log 0 is 0; a negative share has no logarithm
    return where(none, zero, in[1] * (log(where(none, constant(1, in[0]), in[1])) - in[0]));
  };
  if (reduction == Reduction::mean && p.x.numel() == 0) return reduced(op, sum(plain({p.x, p.target}), {-1}), reduction);
  return pointwise(op, PointwiseLossKind::kl, {p.x, p.target}, plain, reduction, 0, 0,
                   p.x.numel() / std::max<std::int64_t>(p.x.size(-1), 1));
}

}  // namespace tenon
