/// Tiles of the plain kernels of attention (private): products of 64 x 64 (f64: 32 x 32) scores through shared memory.
#pragma once

#include <limits>
#include <string>

#include "backend/cuda/launch.cuh"
#include "kernels/softmax.hpp"
#include "ops/attention_tiles.hpp"

namespace tenon::cuda::tiles {

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
// ---- starting kernels ------------------------------------------------------------------------------------------------

inline std::int64_t pieces(std::int64_t size, std::int64_t of) {
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

/// f(a value of p's type)
template <class F>
Kernel by_type(const Attention& p, const F& f) {
  switch (p.dtype) {
    case DType::f32:
      return f(float{});
    case DType::f64:
      return f(double{});
    case DType::bf16:
      return f(bf16{});
    case DType::f16:
      return f(f16{});
    default:
      throw Error(ErrorKind::internal, "attention.dtype", "attention in " + std::string(name_of(p.dtype)));
  }
}

template <class T>
bool fits_one_tile(std::int64_t columns) {
  return columns <= Tile<Acc<T>>::kRows;
}

}  // namespace tenon::cuda::tiles
