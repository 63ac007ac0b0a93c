/// Kernel slots of attention (private).
#pragma once

#include <array>
#include <compare>
#include <cstddef>

#include "tenon/kernel.hpp"

namespace tenon {

/// Strides of [N, L, heads, features], in elements; features lie together.
struct AttentionStrides {
  std::int64_t sample, row, head, offset;

  auto operator<=>(const AttentionStrides&) const = default;
};

struct Attention {
  DType dtype;  ///< f32 or f64; on CUDA bf16 and f16 too, then the mask and the log-sum-exp are f32
  std::int64_t samples, heads, queries, keys, depth, features;  ///< features: of v
  double scale;
  bool causal = false, masked = false;
  AttentionStrides q, k, v;                    ///< of the operands read, and of their gradients written
  std::array<std::int64_t, 4> mask_strides{};  ///< of [N, heads, L, S], 0 where it broadcasts

  auto operator<=>(const Attention&) const = default;

  /// Of y and its gradient, which are dense.
  AttentionStrides out() const { return {queries * heads * features, heads * features, features, 0}; }
  /// Of the forward pass without causality.
  double flops() const { return 2.0 * double(samples * heads) * double(queries) * double(keys) * double(depth + features); }
};

enum class AttentionPass { forward, gradient };

/// q, k, v, [mask] -> y [N, L, heads, features], log-sum-exp [N, heads, L], and the workspace, if any
extern TENON_API KernelSlot<const Attention&> attention_kernel;
/// q, k, v, [mask], y, log-sum-exp, d_y -> d_q, d_k, d_v, and the workspace, if any
extern TENON_API KernelSlot<const Attention&> attention_gradient_kernel;

using AttentionWorkspaceFn = std::function<std::size_t(const Attention&, AttentionPass)>;
/// Bytes of the u8 operand that a device's kernels want beside the others, so that a recorded step plans it too; 0: no such operand. Set along
/// with the kernels.
TENON_API void set_attention_workspace(DeviceType type, AttentionWorkspaceFn bytes);
TENON_API const AttentionWorkspaceFn& attention_workspace(DeviceType type);

}  // namespace tenon
