/// The position-wise feed-forward block (Vaswani et al. 2017, section 3.3) as one op.
///
/// On a GPU the activation, its gradient and the first bias' gradient are computed by the matrix products on the way, where NVIDIA's library has
/// that for the sizes and types at hand; elsewhere, and for the exact GELU, the block is its three ops.
#pragma once

#include "tenon/tensor.hpp"

namespace tenon {

enum class FeedForwardActivation { relu, gelu, gelu_tanh };

/// linear(activation(linear(x, weight1, bias1)), weight2, bias2): x [..., in], weight1 [hidden, in], bias1 [hidden] or undefined, weight2
/// [out, hidden], bias2 [out] or undefined -> [..., out]. Types as for linear: weights and biases are f32, or of x's type. Throws a usage error for others,
/// and for shapes that do not fit. Twice differentiable. In 16 bits what the products do on the way is rounded once, where the ops round each result.
TENON_API Tensor feed_forward(const Tensor& x, const Tensor& weight1, const Tensor& bias1, const Tensor& weight2, const Tensor& bias2,
                              FeedForwardActivation activation);

}  // namespace tenon
