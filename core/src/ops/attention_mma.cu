/// Attention on tensor cores: bf16 and f16, heads of up to 128 features in multiples of 8. Forward; and the choice between these kernels and the plain ones.
#include "ops/attention_mma.cuh"

#include <limits>

#include "backend/cuda/install.hpp"

namespace tenon::cuda::mma {
namespace {

/// A warp keeps 32 queries; keys come in tiles, the next one fetched while one is used.
template <int D>
struct Forward {
  static constexpr int kM = 2, kN = D > 64 ? 4 : 8;
  static constexpr int kQueries = 16 * kM * kWarps, kKeys = 8 * kN;
  static constexpr int kStage = 2 * kKeys * kLine<D>;  ///< keys and values
  static constexpr std::size_t kSharedBytes = std::size_t(kQueries * kLine<D> + 2 * kStage) * 2;
};

/// Largest, or sum, over the four lanes that share a row.
__device__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
  return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}
__device__ float quad_sum(float v) {
  v += __shfl_xor_sync(0xffffffffu, v, 1);
  return v + __shfl_xor_sync(0xffffffffu, v, 2);
}

template <class T, int D, bool Masked>
__global__ void __launch_bounds__(kThreads, 2)
    attention_mma_forward(AttentionProblem p, const T* q_all, const T* k_all, const T* v_all, const float* mask_all, T* y,
                          float* log_sum, std::int64_t tiles) {
  using F = Forward<D>;
  constexpr int M = F::kM, N = F::kN;
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  T *const q_tile = dynamic_shared<T>(), *const stages = q_tile + F::kQueries * kLine<D>;
  const Place at(p.heads, tiles, F::kQueries);
  const int width = int(p.depth), lane = int(threadIdx.x) % 32, warp_row = int(threadIdx.x) / 32 * 16 * M;
  const T* q = q_all + head_offset(p.q, at.sample, at.head);
  const T* k = k_all + head_offset(p.k, at.sample, at.head);
  const T* v = v_all + head_offset(p.v, at.sample, at.head);
  const float* mask = Masked ? mask_all + at.sample * p.mask[0] + at.head * p.mask[1] : nullptr;
  const std::int64_t end = p.causal && at.row + F::kQueries < p.keys ? at.row + F::kQueries : p.keys;  // of the keys seen
  const std::int64_t steps = (end + F::kKeys - 1) / F::kKeys;
  auto fetch = [&](std::int64_t step) {
    T* to = stages + step % 2 * F::kStage;
    const std::int64_t j = step * F::kKeys;
    fetch_rows<D, F::kKeys>(to, k + j * p.k.row, p.k.row, p.keys - j, width);
    fetch_rows<D, F::kKeys>(to + F::kKeys * kLine<D>, v + j * p.v.row, p.v.row, p.keys - j, width);
  };
  fetch_rows<D, F::kQueries>(q_tile, q + at.row * p.q.row, p.q.row, p.queries - at.row, width);
  fetch(0);
  close_fetch();
  float sum[M][D / 8][4] = {}, top[M][2], total[M][2] = {}, s[M][N][4];
#pragma unroll
  for (int m = 0; m < M; ++m) top[m][0] = top[m][1] = kNone;
  const float scale = float(p.scale) * kLog2E;  // scores are powers of 2 here
  for (std::int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) fetch(step + 1);
    close_fetch();
    await_fetches<1>();
    __syncthreads();
    const T *keys = stages + step % 2 * F::kStage, *values = keys + F::kKeys * kLine<D>;
    const std::int64_t j = step * F::kKeys;
    dot_rows<D, M, N>(s, q_tile + warp_row * kLine<D>, keys);
    const bool edge = j + F::kKeys > p.keys || (p.causal && j + F::kKeys > at.row + warp_row);
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const std::int64_t query = at.row + warp_row + 16 * m + lane / 4 + 8 * h;
        const int visible = edge ? visible_keys(p, query, j, F::kKeys) : F::kKeys;
        float most = kNone, added = 0;
#pragma unroll
        for (int n = 0; n < N; ++n)
#pragma unroll
          for (int c = 0; c < 2; ++c) {
            const int column = 8 * n + 2 * (lane % 4) + c;
            float& x = s[m][n][2 * h + c];
            x *= scale;
            if constexpr (Masked)
              if (query < p.queries && column < visible) x += mask[query * p.mask[2] + (j + column) * p.mask[3]] * kLog2E;
            if (edge && column >= visible) x = kNone;
            most = fmaxf(most, x);
          }
        const float now = fmaxf(top[m][h], quad_max(most)), base = now == kNone ? 0.0f : now;
        const float carry = exp2f(top[m][h] - base);
        top[m][h] = now;
#pragma unroll
        for (int n = 0; n < N; ++n)
#pragma unroll
          for (int c = 0; c < 2; ++c) {
            float& x = s[m][n][2 * h + c];
            x = exp2f(x - base);
            added += x;
          }
        total[m][h] = total[m][h] * carry + quad_sum(added);
#pragma unroll
        for (int n = 0; n < D / 8; ++n) {
          sum[m][n][2 * h] *= carry;
          sum[m][n][2 * h + 1] *= carry;
        }
      }
    add_rows<D, M, N>(sum, s, values);
    __syncthreads();  // the stage is free
  }
  float factor[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const float t = total[m][h];
      const std::int64_t query = at.row + warp_row + 16 * m + lane / 4 + 8 * h;
      factor[m][h] = t > 0 || t != t ? 1.0f / t : 0.0f;
      // a row that sees nothing: its probabilities, exp(-inf - inf), are 0 in the backward pass too
      if (lane % 4 == 0 && query < p.queries)
        log_sum[(at.sample * p.heads + at.head) * p.queries + query] =
            t == 0 ? std::numeric_limits<float>::infinity() : top[m][h] / kLog2E + logf(t);
    }
  write_rows<D, M>(y + head_offset(p.out, at.sample, at.head), p.out.row, at.row + warp_row, p.queries, width, sum, factor);
}

template <class T, int D>
void run_forward(const Attention& p, void* const* o) {
  const int k = 3 + p.masked;
  const std::int64_t tiles = tiles_of(p.queries, Forward<D>::kQueries);
  start("attention_mma_forward", grid(p, tiles), dim3(kThreads), Forward<D>::kSharedBytes,
        p.masked ? attention_mma_forward<T, D, true> : attention_mma_forward<T, D, false>, AttentionProblem(p), static_cast<const T*>(o[0]),
        static_cast<const T*>(o[1]), static_cast<const T*>(o[2]), p.masked ? static_cast<const float*>(o[3]) : nullptr,
        static_cast<T*>(o[k]), static_cast<float*>(o[k + 1]), tiles);
}

Kernel make_forward(const Attention& p) {
  return by_head(p, [&](auto type, auto features) -> Kernel {
    return [p](void* const* o) { run_forward<decltype(type), decltype(features)::value>(p, o); };
  });
}

/// Rows must lie on 16 bytes: their distances are known when the kernel is made, their addresses when it runs.
bool tensor_cores_fit(const Attention& p) {
  auto even = [](const AttentionStrides& s) { return s.sample % 8 == 0 && s.row % 8 == 0 && s.head % 8 == 0 && s.offset % 8 == 0; };
  return size_of(p.dtype) == 2 && p.depth == p.features && p.depth % 8 == 0 && p.depth <= 128 && even(p.q) && even(p.k) && even(p.v);
}

/// `fast` where the first `all` operands, but for the `skipped` one (the mask), lie on 16 bytes; else `plain`.
Kernel by_address(Kernel fast, Kernel plain, std::size_t skipped, std::size_t all) {
  return [fast = std::move(fast), plain = std::move(plain), skipped, all](void* const* o) {
    bool even = true;
    for (std::size_t i = 0; i < all; ++i) even = even && (i == skipped || reinterpret_cast<std::uintptr_t>(o[i]) % 16 == 0);
    (even ? fast : plain)(o);
  };
}

}  // namespace
}  // namespace tenon::cuda::mma

namespace tenon::cuda {

Kernel make_own_attention(const Attention& p) {
  Kernel plain = make_plain_attention(p);
  // q, k, v, [mask], y
  return mma::tensor_cores_fit(p) ? mma::by_address(mma::make_forward(p), std::move(plain), p.masked ? 3 : 99, std::size_t(4 + p.masked))
                                  : plain;
}

Kernel make_own_attention_gradient(const Attention& p) {
  Kernel plain = make_plain_attention_gradient(p);
  // q, k, v, [mask], y, log-sum-exp, d_y, d_q, d_k, d_v
  return mma::tensor_cores_fit(p) ? mma::by_address(mma::make_gradient(p), std::move(plain), p.masked ? 3 : 99, std::size_t(9 + p.masked))
                                  : plain;
}

void install_attention_mma() {
  attention_kernel.set(DeviceType::cuda, make_own_attention);
  attention_gradient_kernel.set(DeviceType::cuda, make_own_attention_gradient);
}

}  // namespace tenon::cuda
