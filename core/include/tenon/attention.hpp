/// Attention without its matrix: softmax(q k^T scale + mask) v by tiles that stay in the cache (Dao et al. 2022, Milakov & Gimelshein
/// 2018).
///
/// Nothing of size L x L is kept; the backward pass recomputes each tile from the log-sum-exp of its rows. Computed in f32 (f64 for f64;
/// 16-bit inputs are widened and the result rounded). Second derivatives, and the gradients where the mask requires one, come from a
/// backward pass in plain ops, which does make the matrix.
#pragma once

#include <cstdint>

#include "tenon/tensor.hpp"

namespace tenon {

struct AttentionOptions {
  /// [N, heads, L, S], axes of size 1 broadcast, fewer axes as if led by 1. bool: true where a query may see a key; floating: added to the
  /// scaled products. A query that may see nothing gives 0.
  Tensor mask = {};
  bool causal = false;  ///< query i sees keys 0 to i
  double scale = 0;     ///< 0: 1 / sqrt(d)
};

/// q [N, L, heads, d], k [N, S, heads, d], v [N, S, heads, e] -> [N, L, heads, e]. Vaswani et al. 2017.
TENON_API Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {});
/// The same of one tensor, qkv [N, L, 3, heads, d] -> [N, L, heads, d]: queries, keys and values as one projection makes them.
TENON_API Tensor self_attention(const Tensor& qkv, const AttentionOptions& options = {});

}  // namespace tenon
