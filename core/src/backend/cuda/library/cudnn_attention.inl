/// Attention as a graph of cuDNN's (private; a part of cudnn_graph.cpp).

namespace tenon::cuda {
namespace {

/// cuDNN counts [samples, heads, rows, features].
Dims strides(const AttentionStrides& s) {
  return {s.sample, s.head, s.row, 1};
}

/// "Query i sees keys 0 to i": the diagonal begins at the first query and the first key, whatever their numbers.
template <class Attributes>
Attributes scores(const Attention& p) {
  Attributes a;
  a.set_attn_scale(float(p.scale));
  if (p.causal) a.set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT).set_diagonal_band_right_bound(0);
  return a;
}

void describe(fe::graph::Graph& graph, const CudnnAttention& question) {
  const Attention& p = question.all;
  const DataType_t io = type_of(p.dtype);
  const std::int64_t n = question.samples, h = question.heads;
  const Dims q_dims{n, h, p.queries, p.depth}, k_dims{n, h, p.keys, p.depth}, v_dims{n, h, p.keys, p.features},
      y_dims{n, h, p.queries, p.features}, sum_dims{n, h, p.queries, 1}, sum_strides{h * p.queries, p.queries, 1, 1},
      y_strides = strides(p.out());
  TensorPtr q = input(graph, 1, io, q_dims, strides(p.q)), k = input(graph, 2, io, k_dims, strides(p.k)),
            v = input(graph, 3, io, v_dims, strides(p.v));
  if (!question.backward) {
    auto [y, log_sum] = graph.sdpa(q, k, v, scores<fe::graph::SDPA_attributes>(p).set_generate_stats(true));
    output(y, 4, io, y_dims, y_strides);
    output(log_sum, 5, DataType_t::FLOAT, sum_dims, sum_strides);
    return;
  }
  TensorPtr y = input(graph, 4, io, y_dims, y_strides), log_sum = input(graph, 5, DataType_t::FLOAT, sum_dims, sum_strides),
            d_y = input(graph, 6, io, y_dims, y_strides);
  auto [d_q, d_k, d_v] = graph.sdpa_backward(
      q, k, v, y, d_y, log_sum, scores<fe::graph::SDPA_backward_attributes>(p).set_deterministic_algorithm(true));
  output(d_q, 7, io, q_dims, strides(p.q));
  output(d_k, 8, io, k_dims, strides(p.k));
  output(d_v, 9, io, v_dims, strides(p.v));
}

std::vector<NumericalNote_t> unwanted(const CudnnAttention&) {
  return {NumericalNote_t::NONDETERMINISTIC, NumericalNote_t::DOWN_CONVERT_INPUTS, NumericalNote_t::REDUCED_PRECISION_REDUCTION};
}

std::int64_t most_workspace(const CudnnAttention&) {
  return std::int64_t(768) << 20;  // the gradient's scores (AttentionChoice), and what goes with them
}

fe::HeurMode_t plans_of(const CudnnAttention&) {
  return fe::HeurMode_t::A;
}

}  // namespace
}  // namespace tenon::cuda
