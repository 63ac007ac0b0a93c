/// Tensor ops as free functions. Channels last: [N, spatial..., C].
///
/// All are differentiable in their floating-point arguments unless said otherwise. A wrong shape, type or axis
/// throws a usage error that begins with the op's name and shows the actual shapes. Floating ops keep the type
/// of their input; sums and statistics are carried in f32 (f64 for f64). Mixed types must be cast by hand.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

// ---- elementwise, with broadcasting (ops/elementwise.cpp) ------------------------------------------------
TENON_API Tensor add(const Tensor& a, const Tensor& b);
TENON_API Tensor sub(const Tensor& a, const Tensor& b);
TENON_API Tensor mul(const Tensor& a, const Tensor& b);
TENON_API Tensor div(const Tensor& a, const Tensor& b);
TENON_API Tensor maximum(const Tensor& a, const Tensor& b);
TENON_API Tensor minimum(const Tensor& a, const Tensor& b);
TENON_API Tensor pow(const Tensor& a, const Tensor& b);
TENON_API Tensor add(const Tensor& a, double b);
TENON_API Tensor mul(const Tensor& a, double b);
TENON_API Tensor pow(const Tensor& a, double b);
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, double b) { return add(a, -b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, double b) { return mul(a, 1.0 / b); }

TENON_API Tensor neg(const Tensor& x);
TENON_API Tensor abs(const Tensor& x);
TENON_API Tensor exp(const Tensor& x);
TENON_API Tensor expm1(const Tensor& x);
TENON_API Tensor log(const Tensor& x);
TENON_API Tensor log1p(const Tensor& x);
TENON_API Tensor sqrt(const Tensor& x);
TENON_API Tensor rsqrt(const Tensor& x);
TENON_API Tensor square(const Tensor& x);
TENON_API Tensor sin(const Tensor& x);
TENON_API Tensor cos(const Tensor& x);
TENON_API Tensor tan(const Tensor& x);
TENON_API Tensor asin(const Tensor& x);
TENON_API Tensor acos(const Tensor& x);
TENON_API Tensor atan(const Tensor& x);
TENON_API Tensor atan2(const Tensor& y, const Tensor& x);  ///< angle of (x, y), in (-pi, pi]
TENON_API Tensor sinh(const Tensor& x);
TENON_API Tensor cosh(const Tensor& x);
TENON_API Tensor tanh(const Tensor& x);
TENON_API Tensor erf(const Tensor& x);
TENON_API Tensor lgamma(const Tensor& x);   ///< log |gamma(x)|
TENON_API Tensor digamma(const Tensor& x);  ///< its derivative, twice differentiable
TENON_API Tensor sigmoid(const Tensor& x);
TENON_API Tensor relu(const Tensor& x);
TENON_API Tensor leaky_relu(const Tensor& x, double slope = 0.01);
TENON_API Tensor elu(const Tensor& x, double alpha = 1.0);
TENON_API Tensor gelu(const Tensor& x);       ///< exact, with erf
TENON_API Tensor gelu_tanh(const Tensor& x);  ///< its approximation by tanh (Hendrycks & Gimpel 2016)
TENON_API Tensor silu(const Tensor& x);
TENON_API Tensor softplus(const Tensor& x);
TENON_API Tensor clamp(const Tensor& x, double low, double high);

// comparisons give bool, and are not differentiable
TENON_API Tensor equal(const Tensor& a, const Tensor& b);
TENON_API Tensor less(const Tensor& a, const Tensor& b);
TENON_API Tensor greater(const Tensor& a, const Tensor& b);
TENON_API Tensor not_equal(const Tensor& a, const Tensor& b);
TENON_API Tensor less_equal(const Tensor& a, const Tensor& b);
TENON_API Tensor greater_equal(const Tensor& a, const Tensor& b);
TENON_API Tensor is_finite(const Tensor& x);
TENON_API Tensor is_nan(const Tensor& x);
// steps: their gradient is 0 wherever it exists, and is not kept
TENON_API Tensor sign(const Tensor& x);
TENON_API Tensor floor(const Tensor& x);
TENON_API Tensor ceil(const Tensor& x);
TENON_API Tensor round(const Tensor& x);  ///< to the nearest, halves to even
/// a where `condition` (bool), else b; all three broadcast.
TENON_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// ---- reductions (ops/reduce.cpp); empty `axes` means all; integers and bool sum to i64 ------------------------
TENON_API Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);
TENON_API Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);
TENON_API Tensor var(const Tensor& x, const std::vector<int>& axes = {}, bool keep = false);  ///< biased (divides by n)
TENON_API Tensor max(const Tensor& x, int axis, bool keep = false);                           ///< gradient to the first maximum
TENON_API Tensor min(const Tensor& x, int axis, bool keep = false);
TENON_API Tensor argmax(const Tensor& x, int axis);                    ///< i64, first maximum; not differentiable
TENON_API Tensor sum_to(const Tensor& x, const Shape& shape);         ///< undoes a broadcast

// ---- shape (ops/shape_ops.cpp) ------------------------------------------------------------------------------
TENON_API Tensor concat(const std::vector<Tensor>& parts, int axis);
TENON_API std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis);
/// Constant padding; `before` and `after` one value an axis.
TENON_API Tensor pad(const Tensor& x, const std::vector<std::int64_t>& before, const std::vector<std::int64_t>& after, double value = 0);
TENON_API Tensor flip(const Tensor& x, const std::vector<int>& axes);
/// [..., classes] in `dtype` from integer labels [...]; an out-of-range label gives all zeros.
TENON_API Tensor one_hot(const Tensor& labels, std::int64_t classes, DType dtype = DType::f32);

// ---- linear algebra (ops/matmul.cpp) -------------------------------------------------------------------------
/// [..., m, k] x [..., k, n] -> [..., m, n]; leading axes broadcast. As in numpy a vector is a row on the left, a column on the right.
TENON_API Tensor matmul(const Tensor& a, const Tensor& b);
/// x [..., in], weight [out, in], bias [out] or undefined -> [..., out].
TENON_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ---- convolution (ops/conv.cpp) ------------------------------------------------------------------------------
/// Sizes along the spatial axes (1 to 3 of them, in the order of the tensor's axes).
struct ConvOptions {
  std::vector<std::int64_t> stride;    ///< empty: 1
  std::vector<std::int64_t> padding;   ///< both sides; empty: 0
  std::vector<std::int64_t> dilation;  ///< empty: 1
  std::int64_t groups = 1;
};
/// x [N, spatial..., I], weight [O, kernel..., I/groups] (f32, or x's type), bias [O] or undefined -> [N, spatial'..., O].
/// spatial' = (spatial + 2 padding - dilation (kernel - 1) - 1) / stride + 1. Cross-correlation, as everywhere.
/// With x in bf16 the f32 weights are rounded to bf16 on the way and sums are kept in f32.
TENON_API Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options = {});
/// Gradient of conv with respect to its input, as a layer: x [N, spatial..., I], weight [I, kernel..., O/groups], bias [O]
/// -> spatial' = (spatial - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.
TENON_API Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options = {},
                                const std::vector<std::int64_t>& output_padding = {});

// ---- pooling and resizing (ops/pool.cpp, ops/resize.cpp) ------------------------------------------------------
TENON_API Tensor max_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride = {},
                          const std::vector<std::int64_t>& padding = {});
TENON_API Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& kernel, const std::vector<std::int64_t>& stride = {},
                          const std::vector<std::int64_t>& padding = {});
enum class Interpolation { nearest, linear };
/// x [N, spatial..., C] to `size` (one value a spatial axis), voxel centres mapped: src = (dst + 0.5) scale - 0.5.
TENON_API Tensor resize(const Tensor& x, const std::vector<std::int64_t>& size, Interpolation mode);

// ---- normalisation (ops/norm.cpp) ------------------------------------------------------------------------------
/// Statistics over the spatial axes of each sample and channel, then y = act((x - mean) / sqrt(var + eps) * scale + shift),
/// act(v) = v > 0 ? v : slope v in the same pass (slope 1: no activation). x [N, spatial..., C], scale and shift [C] f32.
/// First-order gradient only.
TENON_API Tensor instance_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps = 1e-5, double slope = 1.0);
/// The same over groups of C / groups channels.
TENON_API Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& scale, const Tensor& shift, double eps = 1e-5);
/// Over the last axis.
TENON_API Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps = 1e-5);
/// Statistics over all axes but the last; in training the running ones move by `momentum` towards the batch's.
TENON_API Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& running_mean,
                            const Tensor& running_var, bool training, double momentum = 0.1, double eps = 1e-5);

// ---- softmax and losses (ops/softmax.cpp, ops/loss.cpp) -------------------------------------------------------
TENON_API Tensor softmax(const Tensor& x, int axis = -1);
TENON_API Tensor log_softmax(const Tensor& x, int axis = -1);
TENON_API Tensor mse_loss(const Tensor& x, const Tensor& target);
/// Mean over all elements of -log softmax(logits)[label]; logits [..., K], labels [...] (any integer type). f32 scalar.
TENON_API Tensor cross_entropy(const Tensor& logits, const Tensor& labels);
/// Cross entropy + 1 - mean soft Dice over samples and the classes 1..K-1 (nnU-Net's), in one pass over the logits.
/// logits [N, spatial..., K] (f32 or bf16), labels [N, spatial...] u8. Dice = (2 I + smooth) / (P + T + smooth) a sample and class.
/// f32 scalar. First-order gradient only.
TENON_API Tensor dice_cross_entropy(const Tensor& logits, const Tensor& labels, double smooth = 1e-5);

// ---- random (ops/random_ops.cpp); element i depends on (seed, stream, i) alone ---------------------------------
TENON_API Tensor random_uniform(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double low = 0, double high = 1);
TENON_API Tensor random_normal(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double mean = 0, double stddev = 1);

}  // namespace tenon
