/// Kernel slots of attention (private).
#pragma once

#include <array>

#include "tenon/kernel.hpp"

namespace tenon {

/// Strides of [N, L, heads, features], in elements; features lie together.
struct AttentionStrides {
  std::int64_t sample, row, head, offset;
};

struct Attention {
  DType dtype;                                                  ///< f32 or f64; on CUDA bf16 too, then the mask and the log-sum-exp are f32
  std::int64_t samples, heads, queries, keys, depth, features;  ///< features: of v
  double scale;
  bool causal = false, masked = false;
  AttentionStrides q, k, v;                    ///< of the operands read, and of their gradients written
  std::array<std::int64_t, 4> mask_strides{};  ///< of [N, heads, L, S], 0 where it broadcasts
};

/// q, k, v, [mask] -> y [N, L, heads, features], log-sum-exp [N, heads, L]
extern TENON_API KernelSlot<const Attention&> attention_kernel;
/// q, k, v, [mask], y, log-sum-exp, d_y -> d_q, d_k, d_v, and for the device's use one value a row [N, heads, L], of the log-sum-exp's type
extern TENON_API KernelSlot<const Attention&> attention_gradient_kernel;

}  // namespace tenon
