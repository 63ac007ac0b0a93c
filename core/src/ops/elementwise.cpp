#include "ops/elementwise.hpp"

#include <limits>

#include "ops/check.hpp"
#include "ops/element_op.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

namespace tenon {
namespace {

using kernels::Binary;
using kernels::Unary;

/// Layout of `x` broadcast to `shape`.
Layout broadcast_layout(const Tensor& x, const Shape& shape) {
  NoGrad no_grad;
  return Layout(x.expand(shape));
}

void check_pair(const char* op, const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) throw_usage(op, "an operand is undefined");
  if (a.dtype() != b.dtype()) throw_usage(op, "element types differ: " + a.str() + " and " + b.str(), "convert one with .to(dtype)");
  if (!(a.device() == b.device())) throw_usage(op, "devices differ: " + a.str() + " and " + b.str(), "move one with .to(device)");
}

Tensor run_binary(const char* op, Binary kind, const Tensor& a, const Tensor& b, bool compare = false) {
  check_pair(op, a, b);
  if (is_complex(a.dtype()) && !kernels::has_complex(kind)) throw_usage(op, a.str() + " is complex", "complex numbers have no order: compare abs, real or imag");
  Shape shape = Shape::broadcast(a.shape(), b.shape(), op);
  Tensor out = Tensor::empty(shape, compare ? DType::boolean : a.dtype(), a.device());
  const Layout of_a = broadcast_layout(a, shape), of_b = broadcast_layout(b, shape);
  launch_elementwise(op, {a, b}, out, binary_kernel(a.device(), kind, of_a, of_b, Layout(out)),
                     {.kind = ElementOp::Kind::binary, .code = int(kind), .strides = {of_a.strides, of_b.strides}});
  return out;
}

Tensor run_unary(const char* op, Unary kind, const Tensor& x, kernels::UnaryArgs args = {}) {
  if (!x.defined()) throw_usage(op, "the operand is undefined");
  if (is_complex(x.dtype()) && !kernels::has_complex(kind)) throw_usage(op, x.str() + " is complex", "take real(z), imag(z) or abs(z)");
  if (!has_gradient(x.dtype())) throw_usage(op, x.str() + " is not floating point", "convert with .to(DType::f32)");
  Tensor out = Tensor::empty(x.shape(), x.dtype(), x.device());
  launch_elementwise(op, {x}, out, unary_kernel(x.device(), kind, args, Layout(x), Layout(out)),
                     {.kind = ElementOp::Kind::unary, .code = int(kind), .args = args, .strides = {x.strides()}});
  return out;
}

using List = std::vector<Tensor>;

/// Fewer elements stay in the caches between ops, and a plan takes as long as one of them.
constexpr std::int64_t kLong = 1 << 16;

/// The gradients that `make` gives from `d`. Of long ones on a CPU the ops are recorded and joined to chains, which have their bits, unless
/// somebody records them already or differentiates them again (`history`: what they read). Not of 16 bits, which a chain would round and widen after each op.
List in_one_pass(const Tensor& d, std::initializer_list<Tensor> history, const std::function<List()>& make) {
  if (d.device().type != DeviceType::cpu || size_of(d.dtype()) < 4 || d.numel() < kLong || is_recording() || wants_grad({d}) || wants_grad(history)) return make();
  List made;
  StepPlan::record([&] { made = make(); }).run();
  return made;
}

using Derivative = std::function<Tensor(const Tensor&)>;

/// y = f(x) whose gradient is d * conj(derivative(x)); the saved tensors carry history, so derivatives nest.
Tensor unary_op(const char* op, Unary kind, const Tensor& x, Derivative derivative, kernels::UnaryArgs args = {}) {
  Tensor y = run_unary(op, kind, x, args);
  return differentiable(op, y, {x}, [x, derivative = std::move(derivative)](const List& d) {
    return in_one_pass(d[0], {x}, [&] { return List{mul(d[0], conj(derivative(x)))}; });
  });
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  Shape sa = a.shape(), sb = b.shape();
  return differentiable("add", run_binary("add", Binary::add, a, b), {a, b}, [=](const List& d) { return List{sum_to(d[0], sa), sum_to(d[0], sb)}; });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Shape sa = a.shape(), sb = b.shape();
  return differentiable("sub", run_binary("sub", Binary::sub, a, b), {a, b}, [=](const List& d) { return List{sum_to(d[0], sa), neg(sum_to(d[0], sb))}; });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return differentiable("mul", run_binary("mul", Binary::mul, a, b), {a, b}, [a, b](const List& d) {
    return List{a.requires_grad() ? sum_to(mul(d[0], conj(b)), a.shape()) : Tensor(), b.requires_grad() ? sum_to(mul(d[0], conj(a)), b.shape()) : Tensor()};
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return differentiable("div", run_binary("div", Binary::div, a, b), {a, b}, [a, b](const List& d) {
    return in_one_pass(d[0], {a, b}, [&] {
      Tensor below = conj(b), da = div(d[0], below);
      return List{sum_to(da, a.shape()), b.requires_grad() ? neg(sum_to(div(mul(da, conj(a)), below), b.shape())) : Tensor()};
    });
  });
}

namespace {

/// The operand that was taken has the gradient; where the two are equal, each has half. `a_lost` and `b_lost`: the other one was taken.
List extreme_gradients(const Tensor& d, const Tensor& a, const Tensor& b, Tensor (*a_lost)(const Tensor&, const Tensor&),
                       Tensor (*b_lost)(const Tensor&, const Tensor&)) {
  const Tensor zero = Tensor::zeros(Shape{}, d.dtype(), d.device()), share = where(equal(a, b), mul(d, 0.5), d);
  return {a.requires_grad() ? sum_to(where(a_lost(a, b), zero, share), a.shape()) : Tensor(),
          b.requires_grad() ? sum_to(where(b_lost(a, b), zero, share), b.shape()) : Tensor()};
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) {
  return differentiable("maximum", run_binary("maximum", Binary::maximum, a, b), {a, b},
                        [a, b](const List& d) { return extreme_gradients(d[0], a, b, less, greater); });
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return differentiable("minimum", run_binary("minimum", Binary::minimum, a, b), {a, b},
                        [a, b](const List& d) { return extreme_gradients(d[0], a, b, greater, less); });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  Tensor y = run_binary("pow", Binary::pow, a, b);
  return differentiable("pow", y, {a, b}, [a, b](const List& d) {
    return in_one_pass(d[0], {a, b}, [&] {
      // 0^b: the factor that vanishes wins over the infinite one
      Tensor zero = Tensor::zeros(Shape{}, d[0].dtype(), d[0].device()), one = Tensor::full(Shape{}, 1, d[0].dtype(), d[0].device()), da,
             db;
      if (a.requires_grad()) da = sum_to(mul(d[0], mul(b, pow(a, where(equal(b, zero), one, add(b, -1.0))))), a.shape());
      if (b.requires_grad()) db = sum_to(mul(d[0], mul(pow(a, b), log(where(equal(a, zero), one, a)))), b.shape());
      return List{da, db};
    });
  });
}

Tensor atan2(const Tensor& y, const Tensor& x) {
  if (y.defined() && !is_floating(y.dtype())) throw_usage("atan2", y.str() + " is not floating point", "convert with .to(DType::f32)");
  return differentiable("atan2", run_binary("atan2", Binary::atan2, y, x), {y, x}, [y, x](const List& d) {
    return in_one_pass(d[0], {y, x}, [&] {
      // at the origin, where there is no angle, 0
      Tensor zero = Tensor::zeros(Shape{}, d[0].dtype(), d[0].device()), one = Tensor::full(Shape{}, 1, d[0].dtype(), d[0].device());
      Tensor size = add(square(y), square(x)), share = div(d[0], where(equal(size, zero), one, size));
      return List{sum_to(mul(share, x), y.shape()), sum_to(neg(mul(share, y)), x.shape())};
    });
  });
}

Tensor add(const Tensor& a, double b) {
  return differentiable("add", run_unary("add", Unary::shift, a, {b}), {a}, [](const List& d) { return d; });
}

Tensor mul(const Tensor& a, double b) {
  return differentiable("mul", run_unary("mul", Unary::scale, a, {b}), {a}, [b](const List& d) { return List{mul(d[0], b)}; });
}

Tensor pow(const Tensor& a, double b) {
  return unary_op("pow", Unary::power, a, [b](const Tensor& x) { return b == 0 ? Tensor::zeros(x.shape(), x.dtype(), x.device()) : mul(pow(x, b - 1), b); }, {b});
}

Tensor neg(const Tensor& x) { return differentiable("neg", run_unary("neg", Unary::neg, x), {x}, [](const List& d) { return List{neg(d[0])}; }); }
Tensor conj(const Tensor& z) {
  if (!z.defined()) throw_usage("conj", "the operand is undefined");
  if (!is_complex(z.dtype())) return z;
  return differentiable("conj", run_unary("conj", Unary::conj, z), {z}, [](const List& d) { return List{conj(d[0])}; });
}

Tensor hypot(const Tensor& x, const Tensor& y) {
  if (x.defined() && !is_floating(x.dtype())) throw_usage("hypot", x.str() + " is not floating point", "convert with .to(DType::f32)");
  return differentiable("hypot", run_binary("hypot", Binary::hypot, x, y), {x, y}, [x, y](const List& d) {
    return in_one_pass(d[0], {x, y}, [&] {
      Tensor zero = Tensor::zeros(Shape{}, d[0].dtype(), d[0].device()), one = Tensor::full(Shape{}, 1, d[0].dtype(), d[0].device());
      Tensor size = hypot(x, y), share = div(d[0], where(equal(size, zero), one, size));
      return List{sum_to(mul(share, x), x.shape()), sum_to(mul(share, y), y.shape())};
    });
  });
}

Tensor abs(const Tensor& x) {
  if (x.defined() && is_complex(x.dtype())) return hypot(real(x), imag(x));
  return unary_op("abs", Unary::abs, x, [](const Tensor& t) { return run_unary("abs", Unary::sign, t); });
}
Tensor exp(const Tensor& x) { return unary_op("exp", Unary::exp, x, [](const Tensor& t) { return exp(t); }); }
Tensor expm1(const Tensor& x) { return unary_op("expm1", Unary::expm1, x, [](const Tensor& t) { return exp(t); }); }
Tensor log1p(const Tensor& x) { return unary_op("log1p", Unary::log1p, x, [](const Tensor& t) { return pow(add(t, 1.0), -1.0); }); }
Tensor log(const Tensor& x) { return unary_op("log", Unary::log, x, [](const Tensor& t) { return pow(t, -1.0); }); }
Tensor sqrt(const Tensor& x) { return unary_op("sqrt", Unary::sqrt, x, [](const Tensor& t) { return mul(rsqrt(t), 0.5); }); }
Tensor rsqrt(const Tensor& x) { return unary_op("rsqrt", Unary::rsqrt, x, [](const Tensor& t) { return mul(pow(t, -1.5), -0.5); }); }
Tensor square(const Tensor& x) { return unary_op("square", Unary::square, x, [](const Tensor& t) { return mul(t, 2.0); }); }
Tensor sin(const Tensor& x) { return unary_op("sin", Unary::sin, x, [](const Tensor& t) { return cos(t); }); }
Tensor cos(const Tensor& x) { return unary_op("cos", Unary::cos, x, [](const Tensor& t) { return neg(sin(t)); }); }
Tensor tan(const Tensor& x) { return unary_op("tan", Unary::tan, x, [](const Tensor& t) { return add(square(tan(t)), 1.0); }); }
Tensor asin(const Tensor& x) { return unary_op("asin", Unary::asin, x, [](const Tensor& t) { return rsqrt(add(neg(square(t)), 1.0)); }); }
Tensor acos(const Tensor& x) { return unary_op("acos", Unary::acos, x, [](const Tensor& t) { return neg(rsqrt(add(neg(square(t)), 1.0))); }); }
Tensor atan(const Tensor& x) { return unary_op("atan", Unary::atan, x, [](const Tensor& t) { return pow(add(square(t), 1.0), -1.0); }); }
Tensor sinh(const Tensor& x) { return unary_op("sinh", Unary::sinh, x, [](const Tensor& t) { return cosh(t); }); }
Tensor cosh(const Tensor& x) { return unary_op("cosh", Unary::cosh, x, [](const Tensor& t) { return sinh(t); }); }
Tensor erf(const Tensor& x) { return unary_op("erf", Unary::erf, x, [](const Tensor& t) { return mul(exp(neg(square(t))), 1.12837916709551257390); }); }
Tensor lgamma(const Tensor& x) { return unary_op("lgamma", Unary::lgamma, x, [](const Tensor& t) { return digamma(t); }); }

namespace {

Tensor trigamma(const Tensor& x) {
  return differentiable("trigamma", run_unary("trigamma", Unary::trigamma, x), {x},
                        [x](const List& d) { return List{mul(d[0], run_unary("trigamma", Unary::tetragamma, x))}; }, true);
}

}  // namespace

Tensor digamma(const Tensor& x) { return unary_op("digamma", Unary::digamma, x, [](const Tensor& t) { return trigamma(t); }); }

Tensor tanh(const Tensor& x) { return unary_op("tanh", Unary::tanh, x, [](const Tensor& t) { return add(neg(square(tanh(t))), 1.0); }); }

Tensor sigmoid(const Tensor& x) {
  return unary_op("sigmoid", Unary::sigmoid, x, [](const Tensor& t) {
    Tensor s = sigmoid(t);
    return sub(s, square(s));
  });
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return unary_op("leaky_relu", Unary::leaky, x, [slope](const Tensor& t) { return run_unary("leaky_relu", Unary::leaky_step, t, {slope}); }, {slope});
}

Tensor run_activation_gradient(const char* op, Binary gradient, const Tensor& x, const Tensor& d) {
  return run_binary(op, gradient, x, d);
}

/// An activation whose gradient is one pass over x and d_y, and a composition where that is to be differentiated again.
Tensor activation(const char* op, Unary kind, Binary gradient, const Tensor& x, const Derivative& derivative) {
  return differentiable(op, run_unary(op, kind, x), {x}, [=](const List& d) {
    if (wants_grad({d[0], x})) return List{mul(d[0], derivative(x))};
    return List{run_binary(op, gradient, x, d[0])};
  });
}

Tensor relu(const Tensor& x) {
  return activation("relu", Unary::relu, Binary::relu_gradient, x, [](const Tensor& t) { return run_unary("relu", Unary::leaky_step, t, {0.0}); });
}

Tensor elu(const Tensor& x, double alpha) {
  return unary_op("elu", Unary::elu, x, [alpha](const Tensor& t) {
    // the derivative's own derivative is alpha exp(x) left of zero and nothing right of it
    return unary_op("elu", Unary::elu_d1, t, [alpha](const Tensor& u) { return mul(exp(minimum(u, Tensor::zeros(Shape{}, u.dtype(), u.device()))), run_unary("elu", Unary::leaky_step, neg(u), {0.0})) * alpha; }, {alpha});
  }, {alpha});
}

Tensor gelu(const Tensor& x) {
  return activation("gelu", Unary::gelu, Binary::gelu_gradient, x, [](const Tensor& t) {
    return unary_op("gelu", Unary::gelu_d1, t, [](const Tensor& u) { return mul(mul(exp(mul(square(u), -0.5)), 0.39894228040143267794), add(neg(square(u)), 2.0)); });
  });
}

Tensor gelu_tanh(const Tensor& x) {
  return activation("gelu_tanh", Unary::gelu_tanh, Binary::gelu_tanh_gradient, x, [](const Tensor& t) {
    return unary_op("gelu_tanh", Unary::gelu_tanh_d1, t, [](const Tensor& u) {
      // with z = a u + b u^3 and s = sigmoid(z): s' (2 z' + u z'' + u z'^2 (1 - 2 s))
      constexpr double a = 1.59576912160573071176, b = 0.044715 * a;
      const Tensor u2 = square(u), s = sigmoid(mul(u, add(mul(u2, b), a))), z1 = add(mul(u2, 3 * b), a);
      const Tensor inner = add(mul(z1, 2.0), add(mul(u2, 6 * b), mul(mul(u, square(z1)), add(mul(s, -2.0), 1.0))));
      return mul(sub(s, square(s)), inner);
    });
  });
}

Tensor silu(const Tensor& x) {
  return unary_op("silu", Unary::silu, x, [](const Tensor& t) {
    Tensor s = sigmoid(t);
    return add(s, mul(t, sub(s, square(s))));
  });
}

Tensor softplus(const Tensor& x) { return unary_op("softplus", Unary::softplus, x, [](const Tensor& t) { return sigmoid(t); }); }

Tensor clamp(const Tensor& x, double low, double high) {
  if (low > high) throw_usage("clamp", "low " + std::to_string(low) + " is over high " + std::to_string(high));
  return unary_op("clamp", Unary::clamp, x, [=](const Tensor& t) { return run_unary("clamp", Unary::clamp_step, t, {low, high}); }, {low, high});
}

Tensor equal(const Tensor& a, const Tensor& b) { return run_binary("equal", Binary::equal, a, b, true); }
Tensor less(const Tensor& a, const Tensor& b) { return run_binary("less", Binary::less, a, b, true); }
Tensor greater(const Tensor& a, const Tensor& b) { return run_binary("greater", Binary::greater, a, b, true); }

Tensor not_equal(const Tensor& a, const Tensor& b) { return run_binary("not_equal", Binary::not_equal, a, b, true); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return run_binary("less_equal", Binary::less_equal, a, b, true); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return run_binary("greater_equal", Binary::greater_equal, a, b, true); }
Tensor is_nan(const Tensor& x) { return run_binary("is_nan", Binary::not_equal, x, x, true); }
Tensor is_finite(const Tensor& x) {
  if (!x.defined() || !is_floating(x.dtype())) throw_usage("is_finite", (x.defined() ? x.str() : std::string("the operand")) + " is not floating point");
  const Tensor infinity = Tensor::full(Shape{}, std::numeric_limits<double>::infinity(), x.dtype(), x.device());
  return run_binary("is_finite", Binary::less, run_unary("is_finite", Unary::abs, x), infinity, true);
}

Tensor sign(const Tensor& x) { return run_unary("sign", Unary::sign, x); }
Tensor floor(const Tensor& x) { return run_unary("floor", Unary::floor, x); }
Tensor ceil(const Tensor& x) { return run_unary("ceil", Unary::ceil, x); }
Tensor round(const Tensor& x) { return run_unary("round", Unary::round, x); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_pair("where", a, b);
  if (!condition.defined()) throw_usage("where", "the condition is undefined");
  check_same_device("where", a, condition);
  if (condition.dtype() != DType::boolean) throw_usage("where", "the condition " + condition.str() + " is not bool");
  Shape shape = Shape::broadcast(Shape::broadcast(a.shape(), b.shape(), "where"), condition.shape(), "where");
  Tensor out = Tensor::empty(shape, a.dtype(), a.device());
  const Layout of_c = broadcast_layout(condition, shape), of_a = broadcast_layout(a, shape), of_b = broadcast_layout(b, shape);
  launch_elementwise("where", {condition, a, b}, out, where_kernel(a.device(), of_c, of_a, of_b, Layout(out)),
                     {.kind = ElementOp::Kind::choose, .strides = {of_c.strides, of_a.strides, of_b.strides}});
  Shape sa = a.shape(), sb = b.shape();
  return differentiable("where", out, {a, b}, [=](const List& d) {
    Tensor zero = Tensor::zeros(Shape{}, d[0].dtype(), d[0].device());
    return List{sum_to(where(condition, d[0], zero), sa), sum_to(where(condition, zero, d[0]), sb)};
  });
}

}  // namespace tenon
