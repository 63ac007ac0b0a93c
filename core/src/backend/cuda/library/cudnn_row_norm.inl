/// Layer norm and RMS norm as graphs of cuDNN's (private; a part of cudnn_graph.cpp).

namespace tenon::cuda {
namespace {

template <class Attributes>
Attributes with_epsilon(fe::graph::Graph& graph, const RowNorm& p) {
  auto epsilon = graph.tensor(float(p.eps));  // the graph keeps the value
  return Attributes().set_forward_phase(fe::NormFwdPhase_t::TRAINING).set_epsilon(epsilon).set_compute_data_type(DataType_t::FLOAT);
}

/// cuDNN takes the axes along which the scale lies for those of a row: channels, beside two of size 1.
void describe(fe::graph::Graph& graph, const CudnnRowNorm& q) {
  const RowNorm& p = q.all;
  const DataType_t io = type_of(p.dtype), wide = DataType_t::FLOAT;
  const Dims all{p.rows, p.channels, 1, 1}, a_channel{1, p.channels, 1, 1}, a_row{p.rows, 1, 1, 1};
  std::int64_t operands = 0;
  auto read = [&](DataType_t type, const Dims& d) { return input(graph, ++operands, type, d, channels_last(d)); };
  auto written = [&](const TensorPtr& made, DataType_t type, const Dims& d) { output(made, ++operands, type, d, channels_last(d)); };
  TensorPtr x = read(io, all);
  if (q.pass == RowNormPass::layer) {
    TensorPtr scale = read(wide, a_channel), shift = read(wide, a_channel);
    auto [y, mean, rstd] = graph.layernorm(x, scale, shift, with_epsilon<fe::graph::Layernorm_attributes>(graph, p));
    written(y, io, all), written(mean, wide, a_row), written(rstd, wide, a_row);
  } else if (q.pass == RowNormPass::rms) {
    TensorPtr scale = read(wide, a_channel);
    auto [y, rstd] = graph.rmsnorm(x, scale, with_epsilon<fe::graph::Rmsnorm_attributes>(graph, p));
    written(y, io, all), written(rstd, wide, a_row);
  } else if (q.pass == RowNormPass::layer_gradient) {
    TensorPtr d_y = read(io, all), mean = read(wide, a_row), rstd = read(wide, a_row), scale = read(wide, a_channel);
    auto [d_x, d_scale, d_shift] = graph.layernorm_backward(
        d_y, x, scale, fe::graph::Layernorm_backward_attributes().set_saved_mean_and_inv_variance(mean, rstd).set_compute_data_type(wide));
    written(d_x, io, all), written(d_scale, wide, a_channel), written(d_shift, wide, a_channel);
  } else {
    TensorPtr d_y = read(io, all), rstd = read(wide, a_row), scale = read(wide, a_channel);
    auto made =
        graph.rmsnorm_backward(d_y, x, scale, rstd, fe::graph::Rmsnorm_backward_attributes().has_dbias(false).set_compute_data_type(wide));
    written(made[0], io, all), written(made[1], wide, a_channel);
  }
}

std::vector<NumericalNote_t> unwanted(const CudnnRowNorm&) {
  return {NumericalNote_t::NONDETERMINISTIC, NumericalNote_t::DOWN_CONVERT_INPUTS, NumericalNote_t::REDUCED_PRECISION_REDUCTION};
}

std::int64_t most_workspace(const CudnnRowNorm&) {
  return std::int64_t(64) << 20;  // it takes some bytes a row
}

fe::HeurMode_t plans_of(const CudnnRowNorm&) {
  return fe::HeurMode_t::A;
}

}  // namespace
}  // namespace tenon::cuda
