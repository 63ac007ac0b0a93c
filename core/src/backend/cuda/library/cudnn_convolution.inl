/// A convolution as a graph of cuDNN's (private; a part of cudnn_graph.cpp).

namespace tenon::cuda {
namespace {

/// Batch, channels, spatial sizes; one spatial axis is lifted to two, which is the least that cuDNN has.
Dims lifted(const ConvGeometry& g, const ConvGeometry::Sizes& sizes, std::int64_t one) {
  Dims d;
  if (g.spatial == 1) d.push_back(one);
  for (std::size_t a = 0; a < std::size_t(g.spatial); ++a) d.push_back(sizes[a]);
  return d;
}

Dims dims(const ConvGeometry& g, std::int64_t first, std::int64_t channels, const ConvGeometry::Sizes& sizes) {
  Dims d{first, channels};
  for (std::int64_t s : lifted(g, sizes, 1)) d.push_back(s);
  return d;
}

Dims channels_last(const Dims& d) {
  Dims strides(d.size(), 1);
  std::int64_t step = d[1];
  for (std::size_t a = d.size() - 1; a >= 2; --a) {
    strides[a] = step;
    step *= d[a];
  }
  strides[0] = step;
  return strides;
}

template <class Attributes>
Attributes product(const ConvGeometry& g) {
  return Attributes()
      .set_padding(lifted(g, g.pad, 0))
      .set_stride(lifted(g, g.stride, 1))
      .set_dilation(lifted(g, g.dilation, 1))
      .set_compute_data_type(DataType_t::FLOAT);
}

void describe(fe::graph::Graph& graph, const CudnnConvolution& q) {
  const ConvGeometry& g = q.geometry;
  const DataType_t io = type_of(g.dtype);
  const Dims x = dims(g, g.batch, g.in_channels, g.in), y = dims(g, g.batch, g.out_channels, g.out),
             w = dims(g, g.out_channels, g.in_channels / g.groups, g.kernel);
  auto operand = [&](std::int64_t uid, DataType_t type, const Dims& d) { return input(graph, uid, type, d, channels_last(d)); };
  TensorPtr made;
  Dims shape = w;
  DataType_t type = q.half_weights ? io : DataType_t::FLOAT;
  if (q.pass == ConvPass::weight_gradient) {
    TensorPtr from = operand(1, io, x), to = operand(2, io, y);
    made = graph.conv_wgrad(to, from, product<fe::graph::Conv_wgrad_attributes>(g));
  } else {
    const bool forward = q.pass == ConvPass::forward;
    TensorPtr source = operand(1, io, forward ? x : y), weights = operand(2, io, w);
    shape = forward ? y : x;
    type = io;
    made = forward ? graph.conv_fprop(source, weights, product<fe::graph::Conv_fprop_attributes>(g))
                   : graph.conv_dgrad(source, weights, product<fe::graph::Conv_dgrad_attributes>(g));
  }
  if (q.bias) {
    made->set_dim(shape).set_stride(channels_last(shape));
    made->set_data_type(DataType_t::FLOAT);
    Dims one(shape.size(), 1);
    one[1] = shape[1];
    made = graph.pointwise(made, operand(3, DataType_t::FLOAT, one),
                           fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD).set_compute_data_type(DataType_t::FLOAT));
  }
  output(made, q.bias ? 4 : 3, type, shape, channels_last(shape));
}

std::vector<NumericalNote_t> unwanted(const CudnnConvolution& q) {
  std::vector<NumericalNote_t> notes{NumericalNote_t::NONDETERMINISTIC, NumericalNote_t::DOWN_CONVERT_INPUTS,
                                     NumericalNote_t::REDUCED_PRECISION_REDUCTION, NumericalNote_t::WINOGRAD_TILE_6x6,
                                     NumericalNote_t::WINOGRAD_TILE_13x13};
  if (q.geometry.dtype != DType::f32) notes.push_back(NumericalNote_t::WINOGRAD);  // its transforms round to 16 bits
  if (q.geometry.dtype == DType::f32 && !q.allow_tf32) notes.push_back(NumericalNote_t::TENSOR_CORE);
  return notes;
}

std::int64_t most_workspace(const CudnnConvolution&) {
  return std::int64_t(256) << 20;
}

fe::HeurMode_t plans_of(const CudnnConvolution& q) {
  return q.fallback ? fe::HeurMode_t::FALLBACK : fe::HeurMode_t::A;
}

}  // namespace
}  // namespace tenon::cuda
