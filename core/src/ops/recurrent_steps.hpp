/// Recurrences in plain ops, a step at a time: what lstm_cell and gru_cell do, and what second derivatives go through (private).
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "ops/recurrent_kernels.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// x's share of the gates' sums [N, 4H], h, c [N, H] -> h', c'.
std::pair<Tensor, Tensor> lstm_step(const Tensor& share, const Tensor& h, const Tensor& c, const Tensor& w_hh, const Tensor& b_hh);
/// x's share of the gates' sums [N, 3H], h [N, H] -> h'.
Tensor gru_step(const Tensor& share, const Tensor& h, const Tensor& w_hh, const Tensor& b_hh);

/// All steps: states [N, H] through `step`, which is given a time. `lengths`: i64 [N], or undefined. Gives the first state's values [T, N, H] and the
/// last states.
std::vector<Tensor> recurrence_of_ops(const Recurrence& p, const Tensor& lengths, std::vector<Tensor> states,
                                      const std::function<std::vector<Tensor>(std::int64_t time, const std::vector<Tensor>& states)>& step);

}  // namespace tenon
