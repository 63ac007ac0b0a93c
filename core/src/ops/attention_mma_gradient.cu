/// Attention on tensor cores, backward: a pass over queries for d_q, one over keys for d_k and d_v. Probabilities are made anew from the
/// log-sum-exp of their rows.
#include <limits>

#include "ops/attention_mma.cuh"

namespace tenon::cuda::mma {
namespace {

template <class T>
struct Operands {
  const T *q, *k, *v;
  const float* mask;
  const T* d_y;
  const float *log_sum, *delta;
};

/// The operands of one head.
template <class T>
struct Head {
  const T *q, *k, *v, *d_y;
  const float *mask, *log_sum, *delta;
  __device__ Head(const AttentionProblem& p, const Operands<T>& o, const Place& at)
      : q(o.q + head_offset(p.q, at.sample, at.head)),
        k(o.k + head_offset(p.k, at.sample, at.head)),
        v(o.v + head_offset(p.v, at.sample, at.head)),
        d_y(o.d_y + head_offset(p.out, at.sample, at.head)),
        mask(o.mask ? o.mask + at.sample * p.mask[0] + at.head * p.mask[1] : nullptr),
        log_sum(o.log_sum + (at.sample * p.heads + at.head) * p.queries),
        delta(o.delta + (at.sample * p.heads + at.head) * p.queries) {}
};

/// Gradients of scores are rounded to T before they meet keys and queries. In f16 the scale comes before that, for its range is narrow; in bf16 after it.
template <class T>
inline constexpr bool kScaledEarly = std::is_same_v<T, f16>;

/// A probability from a product.
template <bool Masked, class T>
__device__ float share_of(const AttentionProblem& p, const Head<T>& h, std::int64_t query, std::int64_t key, float product, float log_sum) {
  float x = product * float(p.scale);
  if constexpr (Masked) x += h.mask[query * p.mask[2] + key * p.mask[3]];
  return exp2f((x - log_sum) * kLog2E);
}

/// What a row of scores needs of the forward pass; rows that are not there have no probabilities.
template <class T>
__device__ void row_statistics(const AttentionProblem& p, const Head<T>& h, std::int64_t query, float& log_sum, float& delta) {
  const bool there = query < p.queries;
  log_sum = there ? h.log_sum[query] : std::numeric_limits<float>::infinity();
  delta = there ? h.delta[query] : 0.0f;
}

template <int D>
struct OverQueries {
  static constexpr int kM = D > 64 ? 1 : 2, kN = 4;
  static constexpr int kQueries = 16 * kM * kWarps, kKeys = 8 * kN;
  static constexpr int kStage = 2 * kKeys * kLine<D>;
  static constexpr std::size_t kSharedBytes = std::size_t(2 * kQueries * kLine<D> + 2 * kStage) * 2;
};

template <class T, int D, bool Masked>
__global__ void __launch_bounds__(kThreads, 2) attention_mma_d_queries(AttentionProblem p, Operands<T> o, T* d_q, std::int64_t tiles) {
  using S = OverQueries<D>;
  constexpr int M = S::kM, N = S::kN;
  T *const q_tile = dynamic_shared<T>(), *const d_tile = q_tile + S::kQueries * kLine<D>,
              *const stages = d_tile + S::kQueries * kLine<D>;
  const Place at(p.heads, tiles, S::kQueries);
  const Head<T> head(p, o, at);
  const int width = int(p.depth), lane = int(threadIdx.x) % 32, warp_row = int(threadIdx.x) / 32 * 16 * M;
  const std::int64_t end = p.causal && at.row + S::kQueries < p.keys ? at.row + S::kQueries : p.keys;
  const std::int64_t steps = (end + S::kKeys - 1) / S::kKeys;
  auto fetch = [&](std::int64_t step) {
    T* to = stages + step % 2 * S::kStage;
    const std::int64_t j = step * S::kKeys;
    fetch_rows<D, S::kKeys>(to, head.k + j * p.k.row, p.k.row, p.keys - j, width);
    fetch_rows<D, S::kKeys>(to + S::kKeys * kLine<D>, head.v + j * p.v.row, p.v.row, p.keys - j, width);
  };
  fetch_rows<D, S::kQueries>(q_tile, head.q + at.row * p.q.row, p.q.row, p.queries - at.row, width);
  fetch_rows<D, S::kQueries>(d_tile, head.d_y + at.row * p.out.row, p.out.row, p.queries - at.row, width);
  fetch(0);
  close_fetch();
  float sum[M][D / 8][4] = {}, s[M][N][4], ds[M][N][4], log_sum[M][2], delta[M][2], factor[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      row_statistics(p, head, at.row + warp_row + 16 * m + lane / 4 + 8 * h, log_sum[m][h], delta[m][h]);
      factor[m][h] = kScaledEarly<T> ? 1.0f : float(p.scale);
    }
  for (std::int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) fetch(step + 1);
    close_fetch();
    await_fetches<1>();
    __syncthreads();
    const T *keys = stages + step % 2 * S::kStage, *values = keys + S::kKeys * kLine<D>;
    dot_rows<D, M, N>(s, q_tile + warp_row * kLine<D>, keys);
    dot_rows<D, M, N>(ds, d_tile + warp_row * kLine<D>, values);
    const std::int64_t first = step * S::kKeys;
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const std::int64_t query = at.row + warp_row + 16 * m + lane / 4 + 8 * h;
        const int visible = query < p.queries ? visible_keys(p, query, first, S::kKeys) : 0;
#pragma unroll
        for (int n = 0; n < N; ++n)
#pragma unroll
          for (int c = 0; c < 2; ++c) {
            const int column = 8 * n + 2 * (lane % 4) + c;
            float& d = ds[m][n][2 * h + c];
            const float share =
                column < visible ? share_of<Masked>(p, head, query, first + column, s[m][n][2 * h + c], log_sum[m][h]) : 0.0f;
            d = share * (d - delta[m][h]) * (kScaledEarly<T> ? float(p.scale) : 1.0f);
          }
      }
    add_rows<D, M, N>(sum, ds, keys);
    __syncthreads();
  }
  write_rows<D, M>(d_q + head_offset(p.q, at.sample, at.head), p.q.row, at.row + warp_row, p.queries, width, sum, factor);
}

/// Rows are keys here: a warp keeps 16 of them, and the sums of their gradients.
template <int D>
struct OverKeys {
  static constexpr int kN = D > 64 ? 4 : 8;
  static constexpr int kKeys = 16 * kWarps, kQueries = 8 * kN;
  static constexpr int kStage = 2 * kQueries * kLine<D>;
  static constexpr std::size_t kSharedBytes = std::size_t(2 * kKeys * kLine<D> + 2 * kStage) * 2;
};

template <class T, int D, bool Masked>
__global__ void __launch_bounds__(kThreads, 2)
    attention_mma_d_keys(AttentionProblem p, Operands<T> o, T* d_k, T* d_v, std::int64_t tiles) {
  using S = OverKeys<D>;
  constexpr int N = S::kN;
  T *const k_tile = dynamic_shared<T>(), *const v_tile = k_tile + S::kKeys * kLine<D>, *const stages = v_tile + S::kKeys * kLine<D>;
  const Place at(p.heads, tiles, S::kKeys);
  const Head<T> head(p, o, at);
  const int width = int(p.depth), lane = int(threadIdx.x) % 32, warp_row = int(threadIdx.x) / 32 * 16;
  // tiles of queries begin at multiples of their size, which divides that of keys: from the first that sees a key of this block
  const std::int64_t first = p.causal ? at.row : 0, steps = first < p.queries ? (p.queries - first + S::kQueries - 1) / S::kQueries : 0;
  auto fetch = [&](std::int64_t step) {
    T* to = stages + step % 2 * S::kStage;
    const std::int64_t i = first + step * S::kQueries;
    fetch_rows<D, S::kQueries>(to, head.q + i * p.q.row, p.q.row, p.queries - i, width);
    fetch_rows<D, S::kQueries>(to + S::kQueries * kLine<D>, head.d_y + i * p.out.row, p.out.row, p.queries - i, width);
  };
  fetch_rows<D, S::kKeys>(k_tile, head.k + at.row * p.k.row, p.k.row, p.keys - at.row, width);
  fetch_rows<D, S::kKeys>(v_tile, head.v + at.row * p.v.row, p.v.row, p.keys - at.row, width);
  if (steps > 0) fetch(0);
  close_fetch();
  float d_keys[1][D / 8][4] = {}, d_values[1][D / 8][4] = {}, s[1][N][4], ds[1][N][4];
  for (std::int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) fetch(step + 1);
    close_fetch();
    await_fetches<1>();
    __syncthreads();
    const T *queries = stages + step % 2 * S::kStage, *d_outputs = queries + S::kQueries * kLine<D>;
    dot_rows<D, 1, N>(s, k_tile + warp_row * kLine<D>, queries);
    dot_rows<D, 1, N>(ds, v_tile + warp_row * kLine<D>, d_outputs);
    const std::int64_t begin = first + step * S::kQueries;
    const int there = p.queries - begin < S::kQueries ? int(p.queries - begin) : S::kQueries;
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int column = 8 * n + 2 * (lane % 4) + c;
        float log_sum, delta;
        row_statistics(p, head, begin + column, log_sum, delta);
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const std::int64_t key = at.row + warp_row + lane / 4 + 8 * h;
          const bool seen = column < there && key < p.keys && (!p.causal || key <= begin + column);
          float &share = s[0][n][2 * h + c], &d = ds[0][n][2 * h + c];
          share = seen ? share_of<Masked>(p, head, begin + column, key, share, log_sum) : 0.0f;
          d = share * (d - delta) * (kScaledEarly<T> ? float(p.scale) : 1.0f);
        }
      }
    add_rows<D, 1, N>(d_values, s, d_outputs);
    add_rows<D, 1, N>(d_keys, ds, queries);
    __syncthreads();
  }
  await_fetches<0>();  // a block without queries leaves none behind
  const float late = kScaledEarly<T> ? 1.0f : float(p.scale), scale[1][2] = {{late, late}}, one[1][2] = {{1, 1}};
  write_rows<D, 1>(d_k + head_offset(p.k, at.sample, at.head), p.k.row, at.row + warp_row, p.keys, width, d_keys, scale);
  write_rows<D, 1>(d_v + head_offset(p.v, at.sample, at.head), p.v.row, at.row + warp_row, p.keys, width, d_values, one);
}

template <class T, int D>
void run_gradient(const Attention& p, void* const* o) {
  const int k = 3 + p.masked;
  auto* delta = static_cast<float*>(o[k + 6]);
  const Operands<T> from{static_cast<const T*>(o[0]),
                      static_cast<const T*>(o[1]),
                      static_cast<const T*>(o[2]),
                      p.masked ? static_cast<const float*>(o[3]) : nullptr,
                      static_cast<const T*>(o[k + 2]),
                      static_cast<const float*>(o[k + 1]),
                      delta};
  run_attention_delta(p, o[k], o[k + 2], delta);
  const std::int64_t queries = tiles_of(p.queries, OverQueries<D>::kQueries), keys = tiles_of(p.keys, OverKeys<D>::kKeys);
  start("attention_mma_d_queries", grid(p, queries), dim3(kThreads), OverQueries<D>::kSharedBytes,
        p.masked ? attention_mma_d_queries<T, D, true> : attention_mma_d_queries<T, D, false>, AttentionProblem(p), from,
        static_cast<T*>(o[k + 3]), queries);
  start("attention_mma_d_keys", grid(p, keys), dim3(kThreads), OverKeys<D>::kSharedBytes,
        p.masked ? attention_mma_d_keys<T, D, true> : attention_mma_d_keys<T, D, false>, AttentionProblem(p), from, static_cast<T*>(o[k + 4]),
        static_cast<T*>(o[k + 5]), keys);
}

}  // namespace

Kernel make_gradient(const Attention& p) {
  return by_head(p, [&](auto type, auto features) -> Kernel {
    return [p](void* const* o) { run_gradient<decltype(type), decltype(features)::value>(p, o); };
  });
}

}  // namespace tenon::cuda::mma
