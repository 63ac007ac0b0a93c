/// What the CUDA kernels of attention share (private).
#pragma once

#include "ops/attention_kernels.hpp"

namespace tenon::cuda {

/// The plain kernels, for any sizes and types: sums by fused multiply-adds.
Kernel make_plain_attention(const Attention& p);
Kernel make_plain_attention_gradient(const Attention& p);
/// Of the gradients here and on tensor cores: one value a row.
std::size_t own_attention_workspace(const Attention& p, AttentionPass pass);
/// y . d_y of each row, in p's type, to delta [N, heads, L].
void run_attention_delta(const Attention& p, const void* y, const void* d_y, void* delta);

/// Attention as a kernel argument: std::array members are not callable on the device.
struct AttentionProblem {
  std::int64_t samples, heads, queries, keys, depth, features;
  double scale;
  bool causal;
  AttentionStrides q, k, v, out;  ///< out: of y and its gradient, dense
  std::int64_t mask[4];

  explicit AttentionProblem(const Attention& p)
      : samples(p.samples),
        heads(p.heads),
        queries(p.queries),
        keys(p.keys),
        depth(p.depth),
        features(p.features),
        scale(p.scale),
        causal(p.causal),
        q(p.q),
        k(p.k),
        v(p.v),
        out(p.out()) {
    for (int i = 0; i < 4; ++i) mask[i] = p.mask_strides[std::size_t(i)];
  }
};

/// Row 0 of a head of a sample.
TENON_HD inline std::int64_t head_offset(const AttentionStrides& s, std::int64_t sample, std::int64_t head) {
  return s.offset + sample * s.sample + head * s.head;
}

}  // namespace tenon::cuda
