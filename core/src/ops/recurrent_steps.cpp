#include "ops/recurrent_steps.hpp"

#include "tenon/indexing.hpp"
#include "tenon/ops.hpp"

namespace tenon {

using List = std::vector<Tensor>;

std::pair<Tensor, Tensor> lstm_step(const Tensor& share, const Tensor& h, const Tensor& c, const Tensor& w_hh, const Tensor& b_hh) {
  const std::int64_t H = h.size(-1);
  List g = split(share + linear(h, w_hh, b_hh), {H, H, H, H}, -1);
  Tensor cell = sigmoid(g[1]) * c + sigmoid(g[0]) * tanh(g[2]);
  return {sigmoid(g[3]) * tanh(cell), cell};
}

Tensor gru_step(const Tensor& share, const Tensor& h, const Tensor& w_hh, const Tensor& b_hh) {
  const std::int64_t H = h.size(-1);
  List from_x = split(share, {H, H, H}, -1), from_h = split(linear(h, w_hh, b_hh), {H, H, H}, -1);
  Tensor z = sigmoid(from_x[1] + from_h[1]), n = tanh(from_x[2] + sigmoid(from_x[0] + from_h[0]) * from_h[2]);
  return n + z * (h - n);
}

List recurrence_of_ops(const Recurrence& p, const Tensor& lengths, List states,
                       const std::function<List(std::int64_t, const List&)>& step) {
  List values(std::size_t(p.steps));
  for (std::int64_t i = 0; i < p.steps; ++i) {
    const std::int64_t t = p.reverse ? p.steps - 1 - i : i;
    List next = step(t, states);
    if (lengths.defined()) {  // from its length on a sample keeps its state
      const Tensor on = greater(lengths, Tensor::full(Shape{}, double(t), lengths.dtype(), lengths.device())).reshape({p.batch, 1});
      for (std::size_t k = 0; k < next.size(); ++k) next[k] = where(on, next[k], states[k]);
    }
    states = std::move(next);
    values[std::size_t(t)] = states[0];
  }
  List out{stack(values, 0)};
  out.insert(out.end(), states.begin(), states.end());
  return out;
}

}  // namespace tenon
