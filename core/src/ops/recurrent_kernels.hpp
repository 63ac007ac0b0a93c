/// Kernel slots of the recurrences (private).
///
/// Time is the first axis: gates [T, N, G H], states [T + 1, N, H] with slot 0 the first state (or slot T, when time runs backwards).
/// G is 4 (LSTM: input, forget, cell, output) or 3 (GRU: reset, update, new).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

struct Recurrence {
  DType dtype;  ///< f32 or f64
  std::int64_t steps, batch, hidden;
  bool reverse = false;
  bool lengths = false;  ///< a last operand read: i64 [N]; from its length on, a sample keeps its state
  /// Samples that one task takes through all of time: a function of nothing but the shape.
  std::int64_t block() const { return 16; }
};

/// w_hh, gates (with the input's share), h_0, c_0, [lengths] -> gates (their activations), states, cells, scratch
extern TENON_API KernelSlot<const Recurrence&> lstm_kernel;
/// w_hh, gates, cells, d_y [T, N, H], d_h, d_c (of the last state), [lengths] -> gates (their gradient), d_h, d_c (of the first), scratch
extern TENON_API KernelSlot<const Recurrence&> lstm_gradient_kernel;
/// w_hh, b_hh, gates, h_0, [lengths] -> gates, hidden share of the new gate [T, N, H], states, scratch
extern TENON_API KernelSlot<const Recurrence&> gru_kernel;
/// w_hh, gates, hidden share, states, d_y, d_h, [lengths] -> gates (gradient), hidden share (its gradient), d_h, scratch
extern TENON_API KernelSlot<const Recurrence&> gru_gradient_kernel;
/// lengths -> bool [T, N]: whether the step lies before the sample's end
extern TENON_API KernelSlot<const Recurrence&> sequence_mask_kernel;

/// Elements of scratch that each of them writes: weights and a block's sums, as its own CPU wants them.
std::int64_t recurrent_scratch(const Recurrence& p, std::int64_t gates);

}  // namespace tenon
