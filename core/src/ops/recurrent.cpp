#include "tenon/recurrent.hpp"

#include "autograd/backward_scope.hpp"
#include "kernels/types.hpp"
#include "ops/check.hpp"
#include "ops/recurrent_kernels.hpp"
#include "ops/recurrent_layer.hpp"
#include "ops/recurrent_steps.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using List = std::vector<Tensor>;

/// The arguments of a recurrence, in the type they are computed in.
struct Given {
  Tensor x, w_ih, w_hh, b_ih, b_hh, lengths;
  Recurrence p;

  Given(const LayerOperands& o, const Tensor& lengths_given) {
    const DType type = acc_dtype(o.x.dtype());
    p = {type, o.x.size(1), o.x.size(0), o.w_hh.size(1), o.reverse, lengths_given.defined()};
    auto typed = [&](const Tensor& t) { return t.defined() ? t.to(type) : t; };
    x = typed(o.x), w_ih = typed(o.w_ih), w_hh = typed(o.w_hh).contiguous(), b_ih = typed(o.b_ih), b_hh = typed(o.b_hh);
    if (p.lengths) lengths = lengths_given.contiguous();
  }

  Tensor state(const Tensor& s) const {
    return s.defined() ? s.to(p.dtype).contiguous() : Tensor::zeros({p.batch, p.hidden}, p.dtype, x.device());
  }
  /// x's share of the gates' sums, time first: [T, N, G H].
  Tensor input_share(const Tensor& bias) const { return linear(x.transpose(0, 1), w_ih, bias).contiguous(); }
  /// [N, T, H] from outputs with time first, 0 past the ends.
  Tensor output(const Tensor& y) const {
    if (!p.lengths) return y.transpose(0, 1);
    Tensor mask = Tensor::empty({p.steps, p.batch, 1}, DType::boolean, y.device());
    launch("sequence_mask", {lengths}, {mask}, sequence_mask_kernel(y.device(), p));
    return where(mask, y, Tensor::zeros(Shape{}, y.dtype(), y.device())).transpose(0, 1);
  }
};

void check_weights(const char* op, std::int64_t gates, const Tensor& x, const List& w) {
  const std::string given =
      "x " + x.str() + ", w_ih " + (w[0].defined() ? w[0].str() : "undefined") + ", w_hh " + (w[1].defined() ? w[1].str() : "undefined");
  const std::string wanted =
      "w_ih is [" + std::to_string(gates) + " H, F], w_hh [" + std::to_string(gates) + " H, H], biases [" + std::to_string(gates) + " H]";
  for (int i = 0; i < 4; ++i) {
    if (i > 1 && !w[std::size_t(i)].defined()) continue;
    check_floating(op, w[std::size_t(i)], i == 0 ? "w_ih" : i == 1 ? "w_hh" : i == 2 ? "b_ih" : "b_hh");
    check_same_device(op, x, w[std::size_t(i)]);
  }
  if (w[0].rank() != 2 || w[1].rank() != 2 || w[0].size(1) != x.size(-1) || w[1].size(0) != gates * w[1].size(1) ||
      w[0].size(0) != w[1].size(0) || w[1].size(1) < 1)
    throw_usage(op, given, wanted);
  for (const Tensor& b : {w[2], w[3]})
    if (b.defined() && b.shape() != Shape{w[0].size(0)}) throw_usage(op, given + ", bias " + b.str(), wanted);
}

void check_layer(const char* op, std::int64_t gates, const LayerOperands& o, const Tensor& lengths) {
  check_floating(op, o.x);
  if (o.x.rank() != 3) throw_usage(op, "x " + o.x.str() + " is not [N, T, F]");
  check_weights(op, gates, o.x, {o.w_ih, o.w_hh, o.b_ih, o.b_hh});
  const std::int64_t batch = o.x.size(0), hidden = o.w_hh.size(1);
  if (o.x.size(1) < 1 || batch < 1) throw_usage(op, "x " + o.x.str() + " has no steps or no samples");
  for (const Tensor& s : o.states)
    if (s.defined()) check_same_device(op, o.x, s);
  for (const Tensor& s : o.states)
    if (s.defined() && s.shape() != Shape{batch, hidden})
      throw_usage(op, "a first state " + s.str() + " for x " + o.x.str() + " and " + std::to_string(hidden) + " hidden units",
                  "first states are [N, H] (undefined: 0)");
  if (!lengths.defined()) return;
  if (lengths.dtype() != DType::i64 || lengths.shape() != Shape{batch})
    throw_usage(op, "lengths " + lengths.str() + " for " + std::to_string(batch) + " samples", "lengths are i64 [N]");
  check_same_device(op, o.x, lengths);
}

/// Slots from `first` on, as `shape`.
Tensor slot(const Tensor& states, std::int64_t first, const Shape& shape) {
  return states.alias(shape, shape.contiguous_strides(), states.offset() + first * states.strides()[0]);
}

/// The slots that steps read from, wrote to, and the last state's.
struct Slots {
  std::int64_t before, after, last;
  explicit Slots(const Recurrence& p) : before(p.reverse ? 1 : 0), after(p.reverse ? 0 : 1), last(p.reverse ? 0 : p.steps) {}
};

List with_lengths(List reads, const Tensor& lengths) {
  if (lengths.defined()) reads.push_back(lengths);
  return reads;
}

/// a^T b, summed over time and samples: [A, B] from [T, N, A] and [T, N, B].
Tensor over_time(const Tensor& a, const Tensor& b) {
  const std::int64_t rows = a.size(0) * a.size(1);
  return matmul(a.reshape({rows, a.size(2)}).transpose(0, 1), b.reshape({rows, b.size(2)}));
}

/// y [T, N, H], h_T, c_T.
List lstm_core(const Given& g, const Tensor& bias, const Tensor& h0, const Tensor& c0) {
  const Recurrence p = g.p;
  const Tensor gates = g.input_share(bias);  // its memory becomes the activations, and in the backward pass their gradient
  const Device device = gates.device();
  const Shape all{p.steps + 1, p.batch, p.hidden}, steps{p.steps, p.batch, p.hidden}, one{p.batch, p.hidden};
  Tensor states = Tensor::empty(all, p.dtype, device), cells = Tensor::empty(all, p.dtype, device);
  auto scratch = [=] { return Tensor::empty({recurrent_scratch(p, 4)}, p.dtype, device); };
  launch("lstm", with_lengths({g.w_hh, gates, h0, c0}, g.lengths), List{gates, states, cells, scratch()}, lstm_kernel(device, p));
  const Slots at(p);
  List out{slot(states, at.after, steps), slot(states, at.last, one), slot(cells, at.last, one)};
  differentiable(
      "lstm", out, List{gates, g.w_hh, h0, c0},
      [p, g, bias, h0, c0, at, scratch, states, cells, steps, one, memory = gates.detach()](const List& d) {
        if (wants_grad(List{d[0], d[1], d[2], g.x, g.w_ih, bias, g.w_hh, h0, c0}))
          return gradients_of_ops(
              [&](const List& in) {
                return recurrence_of_ops(p, g.lengths, {in[2], in[3]}, [&](std::int64_t t, const List& s) {
                  auto [h, c] = lstm_step(in[0].select(0, t), s[0], s[1], in[1], {});
                  return List{h, c};
                });
              },
              {g.input_share(bias), g.w_hh, h0, c0}, d);
        Tensor d_h = Tensor::empty(one, p.dtype, memory.device()), d_c = Tensor::empty(one, p.dtype, memory.device());
        launch("lstm.gradient", with_lengths({g.w_hh, memory, cells, d[0].contiguous(), d[1].contiguous(), d[2].contiguous()}, g.lengths),
               List{memory, d_h, d_c, scratch()}, lstm_gradient_kernel(memory.device(), p));
        return List{memory, over_time(memory, slot(states, at.before, steps)), d_h, d_c};
      });
  return out;
}

/// y [T, N, H], h_T; see lstm_core.
List gru_core(const Given& g, const Tensor& b_hh, const Tensor& h0) {
  const Recurrence p = g.p;
  const Tensor gates = g.input_share(g.b_ih);
  const Device device = gates.device();
  const Shape steps{p.steps, p.batch, p.hidden}, one{p.batch, p.hidden};
  Tensor states = Tensor::empty({p.steps + 1, p.batch, p.hidden}, p.dtype, device), kept = Tensor::empty(steps, p.dtype, device);
  auto scratch = [=] { return Tensor::empty({recurrent_scratch(p, 3)}, p.dtype, device); };
  launch("gru", with_lengths({g.w_hh, b_hh, gates, h0}, g.lengths), List{gates, kept, states, scratch()}, gru_kernel(device, p));
  const Slots at(p);
  List out{slot(states, at.after, steps), slot(states, at.last, one)};
  differentiable(
      "gru", out, List{gates, g.w_hh, b_hh, h0},
      [p, g, b_hh, h0, at, scratch, states, kept, steps, one, memory = gates.detach()](const List& d) {
        if (wants_grad(List{d[0], d[1], g.x, g.w_ih, g.b_ih, g.w_hh, b_hh, h0}))
          return gradients_of_ops(
              [&](const List& in) {
                return recurrence_of_ops(p, g.lengths, {in[3]},
                                         [&](std::int64_t t, const List& s) { return List{gru_step(in[0].select(0, t), s[0], in[1], in[2])}; });
              },
              {g.input_share(g.b_ih), g.w_hh, b_hh, h0}, d);
        Tensor d_h = Tensor::empty(one, p.dtype, memory.device());
        launch("gru.gradient", with_lengths({g.w_hh, memory, kept, states, d[0].contiguous(), d[1].contiguous()}, g.lengths),
               List{memory, kept, d_h, scratch()}, gru_gradient_kernel(memory.device(), p));
        // the state's share of reset and update has the gradient of the whole; that of the new gate went through the reset gate
        Tensor before = slot(states, at.before, steps), both = memory.narrow(2, 0, 2 * p.hidden).contiguous();
        return List{memory, concat({over_time(both, before), over_time(kept, before)}, 0),
                    concat({sum(both, {0, 1}), sum(kept, {0, 1})}, 0), d_h};
      });
  return out;
}

List rounded(List all, DType type) {
  for (Tensor& t : all) t = t.to(type);
  return all;
}

List layer(const char* op, std::int64_t gates, const LayerOperands& o, const Tensor& lengths) {
  check_layer(op, gates, o, lengths);
  if (!lengths.defined())
    if (List made = layer_by_library(op, o); !made.empty()) return made;
  return layer_by_own_kernels(o, lengths);
}

/// What a single step checks: x [N, F], states [N, H], weights of `gates` H rows.
void check_cell(const char* op, std::int64_t gates, const Tensor& x, const List& states, const List& w) {
  check_floating(op, x);
  for (const Tensor& s : states) check_floating(op, s, "a state");
  check_floating(op, w[0], "w_ih");
  check_floating(op, w[1], "w_hh");
  for (const Tensor* t : {&states.front(), &states.back(), &w[0], &w[1], &w[2], &w[3]})
    if (t->defined()) check_same_device(op, x, *t);
  const Shape& s = states[0].shape();
  bool fits = x.rank() == 2 && s.rank() == 2 && s[0] == x.size(0) && states.back().shape() == s;
  const Shape rows{fits ? gates * s[1] : 0};
  fits = fits && w[0].shape() == Shape{rows[0], x.size(1)} && w[1].shape() == Shape{rows[0], s[1]};
  for (const Tensor& b : {w[2], w[3]}) fits = fits && (!b.defined() || b.shape() == rows);
  const std::string given = "x " + x.str() + ", state " + states[0].str() + ", w_ih " + w[0].str() + ", w_hh " + w[1].str();
  const std::string n = std::to_string(gates);
  if (!fits) throw_usage(op, given, "x is [N, F], states [N, H], w_ih [" + n + " H, F], w_hh [" + n + " H, H], biases [" + n + " H]");
  for (const Tensor& t : states)
    if (t.dtype() != x.dtype()) throw_usage(op, given + ": state and x differ in type", "convert one with .to(dtype)");
}

}  // namespace

List layer_by_own_kernels(const LayerOperands& o, const Tensor& lengths) {
  const Given g(o, lengths);
  if (o.states.size() == 2) {
    const Tensor bias = g.b_ih.defined() && g.b_hh.defined() ? g.b_ih + g.b_hh : g.b_ih.defined() ? g.b_ih : g.b_hh;
    const List out = lstm_core(g, bias, g.state(o.states[0]), g.state(o.states[1]));
    return rounded({g.output(out[0]), out[1], out[2]}, o.x.dtype());
  }
  const Tensor bias = g.b_hh.defined() ? g.b_hh.contiguous() : Tensor::zeros({3 * g.p.hidden}, g.p.dtype, o.x.device());
  const List out = gru_core(g, bias, g.state(o.states[0]));
  return rounded({g.output(out[0]), out[1]}, o.x.dtype());
}

List lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
          const Tensor& b_hh, const RecurrentOptions& options) {
  return layer("lstm", 4, {x, w_ih, w_hh, b_ih, b_hh, {h0, c0}, options.reverse}, options.lengths);
}

List gru(const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh,
         const RecurrentOptions& options) {
  return layer("gru", 3, {x, w_ih, w_hh, b_ih, b_hh, {h0}, options.reverse}, options.lengths);
}

List lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
               const Tensor& b_hh) {
  check_cell("lstm_cell", 4, x, {h, c}, {w_ih, w_hh, b_ih, b_hh});
  auto [next, cell] = lstm_step(linear(x, w_ih, b_ih), h, c, w_hh, b_hh);
  return {next, cell};
}

Tensor gru_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  check_cell("gru_cell", 3, x, {h}, {w_ih, w_hh, b_ih, b_hh});
  return gru_step(linear(x, w_ih, b_ih), h, w_hh, b_hh);
}

}  // namespace tenon
