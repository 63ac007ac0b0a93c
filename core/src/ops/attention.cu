/// Attention on CUDA by plain arithmetic, for any type and size. A block makes tiles of products, uses and forgets them; the matrix of
/// scores is never stored. Two passes backward, over keys and over queries, so that no two blocks add to one place.
#include <limits>

#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "kernels/softmax.hpp"
#include "ops/attention_tiles.hpp"

namespace tenon::cuda {
namespace {

/// A tile has as many queries as keys; a thread makes 4 x 4 of its products.
template <class A>
struct Tile {
  static constexpr int kRows = sizeof(A) == 8 ? 32 : 64;
  static constexpr int kSide = kRows / 4;  ///< threads along each
  static constexpr int kThreads = kSide * kSide;
  static constexpr int kBlocks = 2;        ///< of a multiprocessor, at least, where a thread's sums are few
  static constexpr int kLine = kRows + 4;  ///< keeps four elements on 16 bytes, and lines off each other's banks
  static constexpr int kDepth = 32;        ///< of the operands in shared memory at a time
};

template <class A>
struct alignas(16) Four {
  A v[4];
};

/// Elements of shared memory, for N tiles of columns that a block sums.
template <class A, int N>
constexpr int shared_elements() {
  using S = Tile<A>;
  return 2 * S::kDepth * S::kLine + S::kRows * S::kLine + S::kRows * (N * S::kRows + 4);
}

template <class A, int N>
struct Shared {
  using S = Tile<A>;
  static constexpr int kWide = N * S::kRows + 4;
  A* x;      ///< [depth][rows]
  A* y;      ///< [depth][rows]
  A* share;  ///< [inner][rows]: probabilities, or gradients of scores
  A* wide;   ///< [inner][columns]
  __device__ Shared()
      : x(dynamic_shared<A>()), y(x + S::kDepth * S::kLine), share(y + S::kDepth * S::kLine), wide(share + S::kRows * S::kLine) {}
};

/// Rows of a tile in memory: `count` of them are there.
template <class T>
struct Rows {
  const T* data;
  std::int64_t stride, count;
};
template <class T>
__device__ Rows<T> rows_at(const T* head, std::int64_t stride, std::int64_t first, std::int64_t all) {
  return {head + first * stride, stride, all - first};
}

template <class A, class T>
__device__ A widened(T v) {
  if constexpr (std::is_same_v<A, double>)
    return v;
  else
    return float(v);
}

/// s[i][j] = x's row (4 ty + i) times y's row (4 tx + j). Begins with a barrier.
template <class A, int N, class T>
__device__ void dot_tile(const Shared<A, N>& m, const Rows<T>& x, const Rows<T>& y, std::int64_t depth, A (&s)[4][4]) {
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) s[i][j] = A(0);
  for (std::int64_t d0 = 0; d0 < depth; d0 += S::kDepth) {
    __syncthreads();
    for (int e = int(threadIdx.x); e < S::kRows * S::kDepth; e += S::kThreads) {
      const int r = e / S::kDepth, d = e % S::kDepth;
      const bool inside = d0 + d < depth;
      m.x[d * S::kLine + r] = inside && r < x.count ? widened<A>(x.data[r * x.stride + d0 + d]) : A(0);
      m.y[d * S::kLine + r] = inside && r < y.count ? widened<A>(y.data[r * y.stride + d0 + d]) : A(0);
    }
    __syncthreads();
#pragma unroll 8
    for (int d = 0; d < S::kDepth; ++d) {
      const Four<A> a = *reinterpret_cast<const Four<A>*>(m.x + d * S::kLine + 4 * ty);
      const Four<A> b = *reinterpret_cast<const Four<A>*>(m.y + d * S::kLine + 4 * tx);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) s[i][j] += a.v[i] * b.v[j];
    }
  }
}

/// share[inner = 4 tx + j][row = 4 ty + i] = s[i][j]; whoever reads it first passes a barrier.
template <class A, int N>
__device__ void keep_share(const Shared<A, N>& m, const A (&s)[4][4]) {
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  for (int j = 0; j < 4; ++j)
    *reinterpret_cast<Four<A>*>(m.share + (4 * tx + j) * S::kLine + 4 * ty) = Four<A>{{s[0][j], s[1][j], s[2][j], s[3][j]}};
}

/// sum[i][4 g + j] += over inner rows: share[inner][4 ty + i] v[inner][first + g kRows + 4 tx + j]. Begins with a barrier.
template <class A, int N, class T>
__device__ void add_product(const Shared<A, N>& m, const Rows<T>& v, std::int64_t first, std::int64_t width, A (&sum)[4][4 * N]) {
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  constexpr int kColumns = N * S::kRows, kWide = Shared<A, N>::kWide;
  __syncthreads();
  for (int e = int(threadIdx.x); e < S::kRows * kColumns; e += S::kThreads) {
    const int r = e / kColumns, c = e % kColumns;
    m.wide[r * kWide + c] = r < v.count && first + c < width ? widened<A>(v.data[r * v.stride + first + c]) : A(0);
  }
  __syncthreads();
#pragma unroll 4
  for (int r = 0; r < S::kRows; ++r) {
    const Four<A> p = *reinterpret_cast<const Four<A>*>(m.share + r * S::kLine + 4 * ty);
#pragma unroll
    for (int g = 0; g < N; ++g) {
      const Four<A> x = *reinterpret_cast<const Four<A>*>(m.wide + r * kWide + g * S::kRows + 4 * tx);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][4 * g + j] += p.v[i] * x.v[j];
    }
  }
}

/// Writes this thread's part of rows [first row, ...) and columns [first, first + N kRows).
template <class A, int N, class T>
__device__ void write_rows(T* head, std::int64_t stride, std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t width,
                           const A (&sum)[4][4 * N], const A (&factor)[4]) {
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::int64_t r = row + 4 * ty + i;
#pragma unroll
    for (int c = 0; c < 4 * N; ++c) {
      const std::int64_t column = first + (c / 4) * S::kRows + 4 * tx + c % 4;
      if (r < rows && column < width) head[r * stride + column] = T(sum[i][c] * factor[i]);
    }
  }
}

/// A score from a product: scaled, masked; -inf past the last key or the causal edge.
template <class A>
__device__ A score_of(const AttentionProblem& p, const A* mask, std::int64_t query, std::int64_t key, A product) {
  if (query >= p.queries || key >= p.keys) return -std::numeric_limits<A>::infinity();
  A s = product * A(p.scale);
  if (mask) s += mask[query * p.mask[2] + key * p.mask[3]];
  return p.causal && key > query ? -std::numeric_limits<A>::infinity() : s;
}

/// Largest, or sum, over the threads that share rows of a tile.
template <class A>
__device__ A row_max(A v) {
  for (int o = Tile<A>::kSide / 2; o > 0; o /= 2) v = max_nan(v, __shfl_xor_sync(0xffffffffu, v, o));
  return v;
}
template <class A>
__device__ A row_sum(A v) {
  for (int o = Tile<A>::kSide / 2; o > 0; o /= 2) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}

/// What a block works at: one tile of rows of a head, one group of columns.
struct Place {
  std::int64_t sample, head, row, chunk;
  __device__ Place(std::int64_t heads, std::int64_t tiles, std::int64_t chunks, int rows_a_tile) {
    std::int64_t b = blockIdx.x;
    chunk = b % chunks, b /= chunks;
    row = (tiles - 1 - b % tiles) * rows_a_tile, b /= tiles;  // causal tiles at the end take longest: they begin first
    head = b % heads, sample = b / heads;
  }
};

template <class A>
__device__ const A* mask_of(const AttentionProblem& p, const Place& at, const A* mask) {
  return mask ? mask + at.sample * p.mask[0] + at.head * p.mask[1] : nullptr;
}

template <class T, int N>
__global__ void __launch_bounds__(Tile<Acc<T>>::kThreads, Tile<Acc<T>>::kBlocks / N)
    attention_forward(AttentionProblem p, const T* q_all, const T* k_all, const T* v_all, const Acc<T>* mask_all, T* y, Acc<T>* log_sum,
                      std::int64_t tiles, std::int64_t chunks) {
  using A = Acc<T>;
  using S = Tile<A>;
  const int tx = int(threadIdx.x) % S::kSide, ty = int(threadIdx.x) / S::kSide;
  const Shared<A, N> m;
  const Place at(p.heads, tiles, chunks, S::kRows);
  const T *q = q_all + head_offset(p.q, at.sample, at.head), *k = k_all + head_offset(p.k, at.sample, at.head),
          *v = v_all + head_offset(p.v, at.sample, at.head);
  const A* mask = mask_of(p, at, mask_all);
  const std::int64_t column = at.chunk * N * S::kRows, end = at.row + S::kRows < p.queries ? at.row + S::kRows : p.queries;
  A sum[4][4 * N] = {}, top[4], total[4] = {}, s[4][4];
  for (int i = 0; i < 4; ++i) top[i] = -std::numeric_limits<A>::infinity();
  for (std::int64_t j = 0; j < p.keys && (!p.causal || j < end); j += S::kRows) {
    dot_tile<A, N, T>(m, rows_at(q, p.q.row, at.row, p.queries), rows_at(k, p.k.row, j, p.keys), p.depth, s);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      A most = -std::numeric_limits<A>::infinity(), added = 0;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        s[i][c] = score_of<A>(p, mask, at.row + 4 * ty + i, j + 4 * tx + c, s[i][c]);
        most = max_nan(s[i][c], most);
      }
      const A now = max_nan(row_max<A>(most), top[i]), base = now == -std::numeric_limits<A>::infinity() ? A(0) : now;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        s[i][c] = exp_fast(s[i][c] - base);
        added += s[i][c];
      }
      const A carry = exp_fast(top[i] - base);
      top[i] = now;
      total[i] = total[i] * carry + row_sum<A>(added);
#pragma unroll
      for (int c = 0; c < 4 * N; ++c) sum[i][c] *= carry;
    }
    keep_share<A, N>(m, s);
    add_product<A, N, T>(m, rows_at(v, p.v.row, j, p.keys), column, p.features, sum);
  }
  A factor[4];
  for (int i = 0; i < 4; ++i) {
    const std::int64_t row = at.row + 4 * ty + i;
    factor[i] = total[i] > A(0) || total[i] != total[i] ? A(1) / total[i] : A(0);
    // a row that sees nothing: its probabilities, exp(-inf - inf), are 0 in the backward pass too
    if (at.chunk == 0 && tx == 0 && row < p.queries)
      log_sum[(at.sample * p.heads + at.head) * p.queries + row] =
          total[i] == A(0) ? std::numeric_limits<A>::infinity() : top[i] + std::log(total[i]);
  }
  write_rows<A, N, T>(y + head_offset(p.out, at.sample, at.head), p.out.row, at.row, p.queries, column, p.features, sum, factor);
}

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

// ---- starting them ---------------------------------------------------------------------------------------------------

std::int64_t pieces(std::int64_t size, std::int64_t of) {
  return (size + of - 1) / of;
}

/// Tiles of rows and groups of columns that cover an output, and the grid for them.
template <class A, int N>
struct Cover {
  std::int64_t tiles, chunks;
  dim3 blocks;
  Cover(const Attention& p, std::int64_t rows, std::int64_t columns)
      : tiles(pieces(rows, Tile<A>::kRows)),
        chunks(pieces(columns, N * Tile<A>::kRows)),
        blocks(unsigned(tiles * chunks * p.heads * p.samples)) {}
  static dim3 threads() { return dim3(Tile<A>::kThreads); }
  static std::size_t shared_bytes() { return std::size_t(shared_elements<A, N>()) * sizeof(A); }
};

template <class T, int N>
void run_forward(const Attention& p, void* const* o) {
  using A = Acc<T>;
  const int k = 3 + p.masked;
  const Cover<A, N> c(p, p.queries, p.features);
  start("attention_forward", c.blocks, c.threads(), c.shared_bytes(), attention_forward<T, N>, AttentionProblem(p),
        static_cast<const T*>(o[0]), static_cast<const T*>(o[1]), static_cast<const T*>(o[2]),
        p.masked ? static_cast<const A*>(o[3]) : nullptr, static_cast<T*>(o[k]), static_cast<A*>(o[k + 1]), c.tiles, c.chunks);
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

template <class F>
Kernel of_type(const Attention& p, const F& f) {
  switch (p.dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
      return f(bf16{});
    default:
      throw Error(ErrorKind::internal, "attention.dtype", "attention in " + std::string(name_of(p.dtype)));
  }
}

template <class T>
bool fits_one_tile(std::int64_t columns) {
  return columns <= Tile<Acc<T>>::kRows;
}

}  // namespace

void run_attention_delta(const Attention& p, const void* y, const void* d_y, void* delta) {
  const std::int64_t rows = p.samples * p.heads * p.queries, blocks = pieces(rows, kBlock / 32);
  of_type(p, [&]<class T>(T) -> Kernel {
    start("attention_delta", dim3(unsigned(blocks < 65536 ? blocks : 65536)), dim3(kBlock), 0, attention_delta<T>, AttentionProblem(p),
          static_cast<const T*>(y), static_cast<const T*>(d_y), static_cast<Acc<T>*>(delta), rows);
    return {};
  });
}

Kernel make_plain_attention(const Attention& p) {
  return of_type(p, [&]<class T>(T) -> Kernel {
    const bool small = fits_one_tile<T>(p.features);
    return [p, small](void* const* o) { small ? run_forward<T, 1>(p, o) : run_forward<T, 2>(p, o); };
  });
}

Kernel make_plain_attention_gradient(const Attention& p) {
  return of_type(p, [&]<class T>(T) -> Kernel {
    const bool small = fits_one_tile<T>(p.features) && fits_one_tile<T>(p.depth);
    return [p, small](void* const* o) { small ? run_gradient<T, 1>(p, o) : run_gradient<T, 2>(p, o); };
  });
}

void install_attention() {
  attention_kernel.set(DeviceType::cuda, make_plain_attention);
  attention_gradient_kernel.set(DeviceType::cuda, make_plain_attention_gradient);
}

}  // namespace tenon::cuda
