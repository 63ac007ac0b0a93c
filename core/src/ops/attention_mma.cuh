/// Tiles and fragments of the tensor-core kernels of attention (private): operands of T, bf16 or f16, f32 sums. A head of `width` features, a
/// multiple of 8, is computed as one of D, the rest zeros.
#pragma once

#include <type_traits>

#include "backend/cuda/tensor_core.cuh"
#include "ops/attention_tiles.hpp"

namespace tenon::cuda::mma {

inline constexpr int kWarps = 4, kThreads = 32 * kWarps;
inline constexpr float kLog2E = 1.4426950408889634f;

/// Elements between rows in shared memory: 16 bytes more than a row, so that eight rows lie on different banks.
template <int D>
inline constexpr int kLine = D + 8;

/// ROWS rows of D elements, 16 bytes at a time, in the background; rows past `count` and elements past `width` become 0.
template <int D, int ROWS, class T>
__device__ void fetch_rows(T* to, const T* from, std::int64_t stride, std::int64_t count, int width) {
  constexpr int kPieces = D / 8;
#pragma unroll
  for (int e = int(threadIdx.x); e < ROWS * kPieces; e += kThreads) {
    const int r = e / kPieces, c = e % kPieces * 8;
    const bool there = r < count && c < width;
    const T* source = from + (there ? r * stride + c : 0);
    fetch_16(to + r * kLine<D> + c, source, there);
  }
}
/// s = x y^T: 16 M rows of x (this warp's) times 8 N rows of y, both [rows][D] in shared memory.
template <int D, int M, int N, class T>
__device__ void dot_rows(float (&s)[M][N][4], const T* x, const T* y) {
  const int lane = int(threadIdx.x) % 32;
  const T* x_lane = x + (lane % 16) * kLine<D> + lane / 16 * 8;
  const T* y_lane = y + (lane % 8 + lane / 16 * 8) * kLine<D> + lane / 8 % 2 * 8;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) s[m][n][e] = 0;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    std::uint32_t a[M][4], b[4];
#pragma unroll
    for (int m = 0; m < M; ++m) load_four(a[m], x_lane + m * 16 * kLine<D> + k);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      load_four(b, y_lane + n * 8 * kLine<D> + k);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply<T>(s[m][n], a[m], b[0], b[1]);
        multiply<T>(s[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

/// sum += s v, s rounded to T: 16 M rows times the 8 N rows of v, [rows][D] in shared memory.
template <int D, int M, int N, class T>
__device__ void add_rows(float (&sum)[M][D / 8][4], const float (&s)[M][N][4], const T* v) {
  const int lane = int(threadIdx.x) % 32;
  const T* v_lane = v + (lane % 16) * kLine<D> + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < N; k += 2) {
    std::uint32_t a[M][4], b[4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      a[m][0] = pair<T>(s[m][k][0], s[m][k][1]);
      a[m][1] = pair<T>(s[m][k][2], s[m][k][3]);
      a[m][2] = pair<T>(s[m][k + 1][0], s[m][k + 1][1]);
      a[m][3] = pair<T>(s[m][k + 1][2], s[m][k + 1][3]);
    }
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      load_four_turned(b, v_lane + k * 8 * kLine<D> + n * 8);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply<T>(sum[m][n], a[m], b[0], b[1]);
        multiply<T>(sum[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

/// Rows of this warp, times `factor` each, to memory; `first`: the warp's first row of `rows`.
template <int D, int M, class T>
__device__ void write_rows(T* head, std::int64_t stride, std::int64_t first, std::int64_t rows, int width, const float (&sum)[M][D / 8][4],
                           const float (&factor)[M][2]) {
  const int lane = int(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const std::int64_t row = first + 16 * m + lane / 4 + 8 * h;
      if (row >= rows) continue;
      T* to = head + row * stride + 2 * (lane % 4);
#pragma unroll
      for (int n = 0; n < D / 8; ++n)
        if (8 * n < width)
          *reinterpret_cast<std::uint32_t*>(to + 8 * n) = pair<T>(sum[m][n][2 * h] * factor[m][h], sum[m][n][2 * h + 1] * factor[m][h]);
    }
}

/// What a block works at: one tile of rows of a head. Causal tiles at the end of the queries take longest: they begin first.
struct Place {
  std::int64_t sample, head, row;
  __device__ Place(std::int64_t heads, std::int64_t tiles, int rows_a_tile) {
    std::int64_t b = blockIdx.x;
    row = (tiles - 1 - b % tiles) * rows_a_tile, b /= tiles;
    head = b % heads, sample = b / heads;
  }
};

/// How many columns of a tile that begins at `key` a query sees, of `width`.
__device__ inline int visible_keys(const AttentionProblem& p, std::int64_t query, std::int64_t key, int width) {
  std::int64_t n = p.keys - key;
  if (p.causal && query + 1 - key < n) n = query + 1 - key;
  return n < 0 ? 0 : n < width ? int(n) : width;
}

inline dim3 grid(const Attention& p, std::int64_t tiles) {
  return dim3(unsigned(tiles * p.heads * p.samples));
}
inline std::int64_t tiles_of(std::int64_t rows, std::int64_t rows_a_tile) {
  return (rows + rows_a_tile - 1) / rows_a_tile;
}

/// f(T(), D) with the type of the operands, and D, the features as an integral constant that a head of p's is computed with.
template <class F>
Kernel by_head(const Attention& p, const F& f) {
  const auto of_width = [&](auto type) -> Kernel {
    if (p.depth <= 32) return f(type, std::integral_constant<int, 32>());
    if (p.depth <= 64) return f(type, std::integral_constant<int, 64>());
    if (p.depth <= 96) return f(type, std::integral_constant<int, 96>());
    return f(type, std::integral_constant<int, 128>());
  };
  return p.dtype == DType::f16 ? of_width(f16()) : of_width(bf16());
}

/// Tensor cores' backward pass of these sizes; called where `tensor_cores_fit`.
Kernel make_gradient(const Attention& p);

}  // namespace tenon::cuda::mma

namespace tenon::cuda {

/// On tensor cores where the sizes and addresses suit them, else the plain kernels.
Kernel make_own_attention(const Attention& p);
Kernel make_own_attention_gradient(const Attention& p);

}  // namespace tenon::cuda
