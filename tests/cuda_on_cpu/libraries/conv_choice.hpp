/// What the tests of convolutions' choices share: questions, plans, layers.
#pragma once

#include <string>
#include <vector>

#include "backend/cuda/library/conv_tune.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/twin.hpp"
#include "cuda_on_cpu/libraries/cudnn_scope.hpp"
#include "tenon/ops.hpp"

namespace under_test::convolutions {

using tenon::ConvGeometry;
using tenon::ConvPass;
using tenon::DType;
using tenon::Shape;
using tenon::Tensor;
using tenon::cuda::ConvForm;
using tenon::cuda::CudnnConvolution;
using ConvPlans = tenon::cuda::on_cpu::Plans<CudnnConvolution>;
using In = std::vector<Tensor>;
using List = std::vector<StandInPlan>;

inline constexpr ConvPass kPasses[] = {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient};

inline ConvGeometry same(DType type, std::vector<std::int64_t> sizes, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t batch = 1) {
  ConvGeometry g;
  g.dtype = type;
  g.spatial = int(sizes.size());
  g.batch = batch, g.in_channels = in, g.out_channels = out;
  for (std::size_t a = 0; a < sizes.size(); ++a) g.in[a] = g.out[a] = sizes[a], g.kernel[a] = kernel, g.pad[a] = (kernel - 1) / 2;
  return g;
}

/// Just above the least for which cuDNN is asked, and soon done by our kernels; `more` makes another question.
inline ConvGeometry small(DType type, int more = 0) { return same(type, {240 + more}, 66, 64, 1); }
/// For our kernel on tensor cores.
inline ConvGeometry of_32(int more = 0) { return same(DType::bf16, {11, 11 + more}, 32, 32, 3); }
/// An input gradient of so many operations that our general kernels are not timed, though few of them meet the input.
inline ConvGeometry large(DType type) {
  ConvGeometry g = same(type, {9}, 64, 64, 3);
  g.pad[0] = 21000;
  g.out[0] = g.in[0] + 2 * g.pad[0] - 2;
  return g;
}

inline ConvPlans always(const List& plans) {
  return [=](const CudnnConvolution&) { return plans; };
}
/// Where the graph sees `g` in that form alone.
inline ConvPlans in_form(const ConvGeometry& g, const ConvForm& form) {
  return [p = tenon::cuda::presented(g, form)](const CudnnConvolution& q) { return q.geometry == p ? List{{}} : List{}; };
}

inline Tensor operand(int seed, const Shape& shape, DType type) { return check::made(seed, shape, type).to(kDevice); }

/// x, weights and bias of a convolution, whose options are `o`.
struct Layer {
  In inputs;
  tenon::ConvOptions o;
  bool transposed = false;

  Layer(DType type, const Shape& x, const Shape& w, const tenon::ConvOptions& options, bool transpose = false)
      : inputs{operand(1, x, type), operand(2, w, DType::f32), operand(3, {transpose ? w[w.rank() - 1] * options.groups : w[0]}, DType::f32)}, o(options), transposed(transpose) {}
  /// Gradients of x, weights and bias, and y.
  In run() const {
    return check::with_gradients([this](const In& v) { return transposed ? tenon::conv_transpose(v[0], v[1], v[2], o) : tenon::conv(v[0], v[1], v[2], o); }, inputs);
  }
};

inline void close(const In& x, const In& y) {
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    const DType narrowest = size_of(x.back().dtype()) == 2 ? x.back().dtype() : x[i].dtype();
    CHECK(nmse(x[i].detach().to(tenon::kCpu), y[i].detach().to(tenon::kCpu)) < tolerance_of(narrowest));
  }
}

}  // namespace under_test::convolutions
