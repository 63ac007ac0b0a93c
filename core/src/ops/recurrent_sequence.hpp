/// Recurrences whose weights fit on a multiprocessor: one kernel for all steps (private). Each returns none where they do not fit.
#pragma once

#include "ops/recurrent_kernels.hpp"

namespace tenon::cuda {

Kernel lstm_sequence(const Recurrence& p);
Kernel lstm_sequence_gradient(const Recurrence& p);
Kernel gru_sequence(const Recurrence& p);
Kernel gru_sequence_gradient(const Recurrence& p);

}  // namespace tenon::cuda
