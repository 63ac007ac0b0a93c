#include "ops/recurrent_layer.hpp"

#include <array>

#include "autograd/backward_scope.hpp"
#include "ops/recurrent_steps.hpp"
#include "tenon/autograd.hpp"
#include "tenon/indexing.hpp"
#include "tenon/memory.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

using List = std::vector<Tensor>;

std::array<ChooseLibraryLayer, kDeviceTypes>& choices() {
  static std::array<ChooseLibraryLayer, kDeviceTypes> all;
  return all;
}

/// Dense, and where libraries want it.
Tensor placed(const Tensor& t) {
  constexpr std::int64_t kAlignment = 16;
  const Tensor dense = t.contiguous();
  return dense.offset() * std::int64_t(size_of(dense.dtype())) % kAlignment == 0 ? dense : dense.clone();
}

/// What a library's layer reads, all of it defined: x [T, N, F], w_ih, w_hh, b_ih, b_hh, first states.
List inputs_of(const RecurrentLayer& q, const LayerOperands& o) {
  const Device device = o.x.device();
  Tensor x = o.x.transpose(0, 1);
  if (o.reverse) x = flip(x, {0});
  const auto bias = [&](const Tensor& b) { return b.defined() ? placed(b.to(DType::f32)) : Tensor::zeros({q.gates * q.hidden}, DType::f32, device); };
  List in{placed(x), placed(o.w_ih.to(DType::f32)), placed(o.w_hh.to(DType::f32)), bias(o.b_ih), bias(o.b_hh)};
  for (const Tensor& s : o.states) in.push_back(s.defined() ? placed(s.to(q.dtype)) : Tensor::zeros({q.batch, q.hidden}, q.dtype, device));
  return in;
}

/// The layer of such inputs in plain ops, for second derivatives: computed in f32, y [T, N, H] and last states in their type.
List of_ops(const RecurrentLayer& q, const List& in) {
  const Recurrence p{DType::f32, q.steps, q.batch, q.hidden};
  const bool cells = in.size() == 7;
  const Tensor share = linear(in[0].to(DType::f32), in[1], cells ? in[3] + in[4] : in[3]);
  List states;
  for (std::size_t i = 5; i < in.size(); ++i) states.push_back(in[i].to(DType::f32));
  List out = recurrence_of_ops(p, {}, std::move(states), [&](std::int64_t t, const List& s) {
    if (!cells) return List{gru_step(share.select(0, t), s[0], in[2], in[4])};
    auto [h, c] = lstm_step(share.select(0, t), s[0], s[1], in[2], {});
    return List{h, c};
  });
  for (Tensor& t : out) t = t.to(q.dtype);
  return out;
}

Tensor space_of(std::size_t bytes, Device device) { return Tensor::empty({std::int64_t(bytes)}, DType::u8, device); }
/// A space that is of any size.
void add_space(List& to, const Tensor& space) {
  if (space.numel() > 0) to.push_back(space);
}
void add_workspace(List& to, const LibraryLayer& layer, Device device) {
  const MemoryScope tag(MemoryTag::workspace);
  add_space(to, space_of(layer.workspace, device));
}

List gradients_of(const LibraryLayer& layer, const List& in, const Tensor& y, const Tensor& weights, const Tensor& kept, const List& d_out) {
  const Device device = y.device();
  List reads{in[0], y};
  reads.insert(reads.end(), in.begin() + 5, in.end());
  reads.push_back(weights);
  for (const Tensor& d : d_out) reads.push_back(placed(d));
  List d_in;
  for (const Tensor& t : in) d_in.push_back(Tensor::empty(t.shape(), t.dtype(), device));
  List writes = d_in;
  writes.push_back(space_of(layer.weights, device));
  add_workspace(writes, layer, device);
  add_space(writes, kept);
  launch("recurrent_layer.gradient", reads, writes, layer.gradient);
  return d_in;
}

}  // namespace

void set_library_layer(DeviceType type, ChooseLibraryLayer choose) { choices()[std::size_t(type)] = std::move(choose); }

List run_library_layer(const char* op, const LibraryLayer& layer, const RecurrentLayer& q, const LayerOperands& operands) {
  const Device device = operands.x.device();
  const List in = inputs_of(q, operands);
  List out{Tensor::empty({q.steps, q.batch, q.hidden}, q.dtype, device)};
  for (std::size_t i = 0; i < operands.states.size(); ++i) out.push_back(Tensor::empty({q.batch, q.hidden}, q.dtype, device));
  List writes = out;
  const Tensor weights = space_of(layer.weights, device), kept = space_of(layer.kept, device);
  writes.push_back(weights);
  add_workspace(writes, layer, device);
  add_space(writes, kept);
  launch("recurrent_layer", in, writes, layer.forward);
  if (q.training)
    differentiable(op, out, in, [layer, q, in, y = out[0].detach(), weights, kept](const List& d_out) {
      List d, all = in;
      for (const Tensor& t : d_out) d.push_back(t.to(q.dtype));  // an op may give f32 for 16 bits
      all.insert(all.end(), d.begin(), d.end());
      if (wants_grad(all)) return gradients_of_ops([&](const List& given) { return of_ops(q, given); }, in, d);
      return gradients_of(layer, in, y, weights, kept, d);
    });
  out[0] = (operands.reverse ? flip(out[0], {0}) : out[0]).transpose(0, 1);
  return out;
}

List layer_by_library(const char* op, const LayerOperands& o) {
  const ChooseLibraryLayer& choose = choices()[std::size_t(o.x.device().type)];
  if (!choose || o.x.dtype() == DType::f64) return {};
  List all{o.x, o.w_ih, o.w_hh, o.b_ih, o.b_hh};
  all.insert(all.end(), o.states.begin(), o.states.end());
  RecurrentLayer q{o.x.dtype(), o.x.size(1), o.x.size(0), o.x.size(2), o.w_hh.size(1), o.states.size() == 2 ? 4 : 3, wants_grad(all) || will_be_recomputed() || is_recomputing()};
  const std::optional<LibraryLayer> layer = choose(q);
  return layer ? run_library_layer(op, *layer, q, o) : List{};
}

}  // namespace tenon
