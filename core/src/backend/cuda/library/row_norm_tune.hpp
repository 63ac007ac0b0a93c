/// Which kernel makes layer norm or RMS norm, chosen by measurement at its first use (private).
#pragma once

#include "backend/cuda/library/plan_choice.hpp"

namespace tenon::cuda {

/// The choice for a pass; as choice_for.
PlanChoice row_norm_choice(const CudnnRowNorm& q);

/// Operands of the slot, and which of them are the partial sums: none for cuDNN, which has a workspace of its own. `partial` is -1 forward.
struct RowNormOperands {
  int count, partial;
};
constexpr RowNormOperands row_norm_operands(RowNormPass pass) {
  return pass == RowNormPass::layer            ? RowNormOperands{6, -1}
         : pass == RowNormPass::layer_gradient ? RowNormOperands{9, 6}
         : pass == RowNormPass::rms            ? RowNormOperands{4, -1}
                                               : RowNormOperands{7, 5};
}

/// Runs the plan of a choice that has one on the operands of the slot.
void run_row_norm_choice(const PlanChoice& c, RowNormPass pass, void* const* operands, void* workspace);

}  // namespace tenon::cuda
