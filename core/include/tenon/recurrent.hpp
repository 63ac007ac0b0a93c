/// Recurrences through time, fused: [N, T, F] -> [N, T, H]. Equations and weights are PyTorch's (gates in its order).
///
/// The input's share of all steps is one product; each step is one product and one pass over its gates, forward and backward; the weights'
/// gradients are one product each at the end. Computed in f32 (f64 for f64; 16-bit inputs are widened and the results rounded).
/// On a GPU a layer whose samples are all of one length may be cuDNN's, where that is measured to be faster and to give the same; in bf16
/// weights, their gradients and the states after each step are then rounded to bf16, which our kernels keep in f32. Asked for only where CUBLAS_WORKSPACE_CONFIG names workspaces of one size (":4096:2", which the command sets for itself):
/// NVIDIA promises the same bits each run only so.
/// Under create_graph the gradient is that of the same steps in plain ops, so that it can be differentiated again, at their speed.
#pragma once

#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

struct RecurrentOptions {
  bool reverse = false;  ///< from the last step to the first
  /// i64 [N], 0 to T: from its length on a sample keeps its state and its outputs are 0. Undefined: all steps count.
  Tensor lengths = {};
};

/// i, f, g, o = x W_ih^T + b_ih + h W_hh^T + b_hh; c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(c').
/// x [N, T, F], h0 and c0 [N, H] (undefined: 0), w_ih [4H, F], w_hh [4H, H], biases [4H] or undefined.
/// Gives y [N, T, H], h_T and c_T [N, H]. Hochreiter & Schmidhuber 1997.
TENON_API std::vector<Tensor> lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh,
                                   const Tensor& b_ih, const Tensor& b_hh, const RecurrentOptions& options = {});
/// r, z = sigmoid(x W_i^T + b_i + h W_h^T + b_h); n = tanh(x W_in^T + b_in + r (h W_hn^T + b_hn)); h' = (1 - z) n + z h.
/// x [N, T, F], h0 [N, H] (undefined: 0), w_ih [3H, F], w_hh [3H, H], biases [3H] or undefined. Gives y [N, T, H], h_T [N, H]. Cho et al.
/// 2014.
TENON_API std::vector<Tensor> gru(const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                                  const Tensor& b_hh, const RecurrentOptions& options = {});

/// One step: x [N, F], h and c [N, H] -> h', c'.
TENON_API std::vector<Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih, const Tensor& w_hh,
                                        const Tensor& b_ih, const Tensor& b_hh);
/// One step: x [N, F], h [N, H] -> h'.
TENON_API Tensor gru_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh);

}  // namespace tenon
