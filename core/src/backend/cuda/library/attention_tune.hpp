/// Which kernel makes attention, chosen by measurement at its first use (private).
#pragma once

#include "backend/cuda/library/plan_choice.hpp"

namespace tenon::cuda {

/// cuDNN's deterministic gradient keeps the scores' gradients in its workspace, two bytes each. A run of the plan takes as many samples, or
/// heads of one sample, as keep them within this; the runs follow each other and share the workspace.
inline constexpr std::int64_t kMostScoreBytes = std::int64_t(512) << 20;

/// What one run takes. Runs are equal, and those of the forward pass take all.
CudnnAttention attention_part(const Attention& p, AttentionPass pass);

struct AttentionChoice : PlanChoice {
  std::int64_t samples = 0, heads = 0;  ///< of one run
};

/// The choice for a pass; as choice_for.
AttentionChoice attention_choice(const Attention& p, AttentionPass pass);

/// Runs the plan of a choice that has one on the operands of the slot, the workspace apart.
void run_attention_choice(const AttentionChoice& c, const Attention& p, AttentionPass pass, void* const* operands, void* workspace);

}  // namespace tenon::cuda
