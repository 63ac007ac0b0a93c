/// Attention on CUDA by plain arithmetic, backward: a pass over keys and one over queries, so that no two blocks add to one place.
/// Probabilities are made anew from the log-sum-exp of their rows.
#include "ops/attention_tiles.cuh"

namespace tenon::cuda {
namespace tiles {
namespace {

/// delta = y . d_y of each row; a warp a row, rows as they lie: [N, L, heads].
template <class T>
__global__ void attention_delta(AttentionProblem p, const T* y, const T* d_y, Acc<T>* delta, std::int64_t rows) {
  using A = Acc<T>;
  const int lane = int(threadIdx.x) % 32;
  const std::int64_t warps = std::int64_t(gridDim.x) * (blockDim.x / 32);
  for (std::int64_t r = std::int64_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32; r < rows; r += warps) {
    const T *a = y + r * p.features, *b = d_y + r * p.features;
    A sum = 0;
    for (std::int64_t c = lane; c < p.features; c += 32) sum += widened<A>(a[c]) * widened<A>(b[c]);
    for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    const std::int64_t head = r % p.heads, row = r / p.heads % p.queries, sample = r / p.heads / p.queries;
    if (lane == 0) delta[(sample * p.heads + head) * p.queries + row] = sum;
  }
}

/// Operands of a backward pass.
template <class T>
struct Backward {
  const T *q, *k, *v;
  const Acc<T>* mask;
  const T* d_y;
  const Acc<T>*log_sum, *delta;
};

template <class T, int N>
__global__ void __launch_bounds__(Tile<Acc<T>>::kThreads, Tile<Acc<T>>::kBlocks / N)
    attention_d_queries(AttentionProblem p, Backward<T> o, T* d_q, std::int64_t tiles, std::int64_t chunks) {
  using A = Acc<T>;
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  const Shared<A, N> m;
  const Place at(p.heads, tiles, chunks, S::kRows);
  const T *q = o.q + head_offset(p.q, at.sample, at.head), *k = o.k + head_offset(p.k, at.sample, at.head),
          *v = o.v + head_offset(p.v, at.sample, at.head), *d_y = o.d_y + head_offset(p.out, at.sample, at.head);
  const A* mask = mask_of(p, at, o.mask);
  const std::int64_t column = at.chunk * N * S::kRows, end = at.row + S::kRows < p.queries ? at.row + S::kRows : p.queries;
  const std::int64_t statistics = (at.sample * p.heads + at.head) * p.queries;
  A sum[4][4 * N] = {}, s[4][4], ds[4][4], log_sum[4], delta[4], factor[4];
  for (int i = 0; i < 4; ++i) {
    const std::int64_t row = at.row + 4 * ty + i;
    log_sum[i] = row < p.queries ? o.log_sum[statistics + row] : std::numeric_limits<A>::infinity();
    delta[i] = row < p.queries ? o.delta[statistics + row] : A(0);
    factor[i] = A(p.scale);
  }
  for (std::int64_t j = 0; j < p.keys && (!p.causal || j < end); j += S::kRows) {
    dot_tile<A, N, T>(m, rows_at(q, p.q.row, at.row, p.queries), rows_at(k, p.k.row, j, p.keys), p.depth, s);
    dot_tile<A, N, T>(m, rows_at(d_y, p.out.row, at.row, p.queries), rows_at(v, p.v.row, j, p.keys), p.features, ds);
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c)
        ds[i][c] = exp_fast(score_of<A>(p, mask, at.row + 4 * ty + i, j + 4 * tx + c, s[i][c]) - log_sum[i]) * (ds[i][c] - delta[i]);
    keep_share<A, N>(m, ds);
    add_product<A, N, T>(m, rows_at(k, p.k.row, j, p.keys), column, p.depth, sum);
  }
  write_rows<A, N, T>(d_q + head_offset(p.q, at.sample, at.head), p.q.row, at.row, p.queries, column, p.depth, sum, factor);
}

/// Rows of a tile are keys here, its columns queries.
template <class T, int N>
__global__ void __launch_bounds__(Tile<Acc<T>>::kThreads, Tile<Acc<T>>::kBlocks / N)
    attention_d_keys(AttentionProblem p, Backward<T> o, T* d_k, T* d_v, std::int64_t tiles, std::int64_t chunks) {
  using A = Acc<T>;
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  const Shared<A, N> m;
  const Place at(p.heads, tiles, chunks, S::kRows);
  const T *q = o.q + head_offset(p.q, at.sample, at.head), *k = o.k + head_offset(p.k, at.sample, at.head),
          *v = o.v + head_offset(p.v, at.sample, at.head), *d_y = o.d_y + head_offset(p.out, at.sample, at.head);
  const A* mask = mask_of(p, at, o.mask);
  const std::int64_t column = at.chunk * N * S::kRows, statistics = (at.sample * p.heads + at.head) * p.queries;
  A d_keys[4][4 * N] = {}, d_values[4][4 * N] = {}, s[4][4], ds[4][4];
  // tiles begin at multiples of the same size: the first that sees a causal key is the one of its own number
  for (std::int64_t i = p.causal ? at.row : 0; i < p.queries; i += S::kRows) {
    dot_tile<A, N, T>(m, rows_at(k, p.k.row, at.row, p.keys), rows_at(q, p.q.row, i, p.queries), p.depth, s);
    dot_tile<A, N, T>(m, rows_at(v, p.v.row, at.row, p.keys), rows_at(d_y, p.out.row, i, p.queries), p.features, ds);
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const std::int64_t query = i + 4 * tx + c;
      const A log_sum = query < p.queries ? o.log_sum[statistics + query] : std::numeric_limits<A>::infinity();
      const A delta = query < p.queries ? o.delta[statistics + query] : A(0);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        s[r][c] = exp_fast(score_of<A>(p, mask, query, at.row + 4 * ty + r, s[r][c]) - log_sum);
        ds[r][c] = s[r][c] * (ds[r][c] - delta);
      }
    }
    keep_share<A, N>(m, s);
    add_product<A, N, T>(m, rows_at(d_y, p.out.row, i, p.queries), column, p.features, d_values);
    __syncthreads();
    keep_share<A, N>(m, ds);
    add_product<A, N, T>(m, rows_at(q, p.q.row, i, p.queries), column, p.depth, d_keys);
  }
  const A scale[4] = {A(p.scale), A(p.scale), A(p.scale), A(p.scale)}, one[4] = {A(1), A(1), A(1), A(1)};
  write_rows<A, N, T>(d_k + head_offset(p.k, at.sample, at.head), p.k.row, at.row, p.keys, column, p.depth, d_keys, scale);
  write_rows<A, N, T>(d_v + head_offset(p.v, at.sample, at.head), p.v.row, at.row, p.keys, column, p.features, d_values, one);
}

template <class T, int N>
void run_gradient(const Attention& p, void* const* o) {
  using A = Acc<T>;
  const int k = 3 + p.masked;
  A* delta = static_cast<A*>(o[k + 6]);
  const Backward<T> from{static_cast<const T*>(o[0]),
                         static_cast<const T*>(o[1]),
                         static_cast<const T*>(o[2]),
                         p.masked ? static_cast<const A*>(o[3]) : nullptr,
                         static_cast<const T*>(o[k + 2]),
                         static_cast<const A*>(o[k + 1]),
                         delta};
  run_attention_delta(p, o[k], o[k + 2], delta);
  const Cover<A, N> queries(p, p.queries, p.depth), keys(p, p.keys, p.depth > p.features ? p.depth : p.features);
  start("attention_d_queries", queries.blocks, queries.threads(), queries.shared_bytes(), attention_d_queries<T, N>, AttentionProblem(p),
        from, static_cast<T*>(o[k + 3]), queries.tiles, queries.chunks);
  start("attention_d_keys", keys.blocks, keys.threads(), keys.shared_bytes(), attention_d_keys<T, N>, AttentionProblem(p), from,
        static_cast<T*>(o[k + 4]), static_cast<T*>(o[k + 5]), keys.tiles, keys.chunks);
}

}  // namespace
}  // namespace tiles

std::size_t own_attention_workspace(const Attention& p, AttentionPass pass) {
  return pass == AttentionPass::forward ? 0 : std::size_t(p.samples * p.heads * p.queries) * (p.dtype == DType::f64 ? 8 : 4);
}

void run_attention_delta(const Attention& p, const void* y, const void* d_y, void* delta) {
  const std::int64_t rows = p.samples * p.heads * p.queries, blocks = tiles::pieces(rows, kBlock / 32);
  tiles::by_type(p, [&]<class T>(T) -> Kernel {
    start("attention_delta", dim3(unsigned(blocks < 65536 ? blocks : 65536)), dim3(kBlock), 0, tiles::attention_delta<T>,
          AttentionProblem(p), static_cast<const T*>(y), static_cast<const T*>(d_y), static_cast<Acc<T>*>(delta), rows);
    return {};
  });
}

Kernel make_plain_attention_gradient(const Attention& p) {
  return tiles::by_type(p, [&]<class T>(T) -> Kernel {
    const bool small = tiles::fits_one_tile<T>(p.features) && tiles::fits_one_tile<T>(p.depth);
    return [p, small](void* const* o) { small ? tiles::run_gradient<T, 1>(p, o) : tiles::run_gradient<T, 2>(p, o); };
  });
}

}  // namespace tenon::cuda
