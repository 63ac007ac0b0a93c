/// Steps of linear algebra that all threads of a block take together on a matrix in shared or global memory (private).
///
/// Every function is called by all threads of the block, whose number is a multiple of 32 and at most kMostThreads, with the same
/// arguments. Each begins where all earlier writes are visible and ends so. Matrices are row major, rows `row` values apart.
#pragma once

#include <cmath>
#include <cstdint>

#include "backend/cuda/launch.cuh"

namespace tenon::cuda::block {

using Index = std::int64_t;
constexpr int kMostThreads = 256, kMostWarps = kMostThreads / 32;
constexpr unsigned kAll = 0xffffffffu;

__device__ inline int lane() {
  return int(threadIdx.x) % 32;
}
__device__ inline int warp() {
  return int(threadIdx.x) / 32;
}
__device__ inline int warps() {
  return int(blockDim.x) / 32;
}

__device__ inline double nan() {
  return double(NAN);
}

__device__ inline double warp_sum(double v) {
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(kAll, v, d);
  return v;
}

__device__ inline double sum(double v) {
  __shared__ double parts[kMostWarps];
  v = warp_sum(v);
  if (lane() == 0) parts[warp()] = v;
  __syncthreads();
  double total = 0;
  for (int w = 0; w < warps(); ++w) total += parts[w];
  __syncthreads();
  return total;
}

/// A value and its place; of equal values the first place wins.
struct Largest {
  double value = -1;
  Index place = 0;
  __device__ void offer(double v, Index p) {
    if (v > value || (v == value && p < place)) value = v, place = p;
  }
};

__device__ inline Largest warp_largest(Largest l) {
  for (int d = 16; d > 0; d /= 2) {
    const double v = __shfl_xor_sync(kAll, l.value, d);
    const auto p = Index(__shfl_xor_sync(kAll, static_cast<long long>(l.place), d));
    l.offer(v, p);
  }
  return l;
}

__device__ inline Largest largest(Largest l) {
  __shared__ double values[kMostWarps];
  __shared__ Index places[kMostWarps];
  l = warp_largest(l);
  if (lane() == 0) values[warp()] = l.value, places[warp()] = l.place;
  __syncthreads();
  for (int w = 0; w < warps(); ++w) l.offer(values[w], places[w]);
  __syncthreads();
  return l;
}

/// As cpu::linalg::magnitude, of [rows, columns].
__device__ inline double magnitude(Index count, const double* x) {
  Largest l;
  double spoiled = 0;
  for (Index i = threadIdx.x; i < count; i += blockDim.x) {
    l.offer(fabs(x[i]), 0);
    spoiled += x[i] * 0;
  }
  l = largest(l);
  if (sum(spoiled) != 0) return nan();
  return l.value <= 0 ? 1.0 : ldexp(1.0, ilogb(l.value));
}

/// How threads stand on a matrix: `across` side by side on a row, a power of two up to 32.
struct Stand {
  int across, column, first, rows;  ///< this thread's column within `across`, its first row, and the distance of its rows
  __device__ explicit Stand(Index columns) {
    across = 1;
    while (across < columns && across < 32) across *= 2;
    column = int(threadIdx.x) % across, first = int(threadIdx.x) / across, rows = int(blockDim.x) / across;
  }
};

/// w[c] = sum over i of v_i x[i, c], v_0 = 1 and v_i = v[i * step].
__device__ inline void column_products(Index rows, Index columns, const double* v, Index step, const double* x, Index row, double* w) {
  __shared__ double parts[kMostThreads];
  const Stand s(columns);
  for (Index base = 0; base < columns; base += s.across) {
    const Index c = base + s.column;
    double part = 0;
    if (c < columns)
      for (Index i = s.first; i < rows; i += s.rows) part += (i ? v[i * step] : 1.0) * x[i * row + c];
    parts[threadIdx.x] = part;
    __syncthreads();
    if (s.first == 0 && c < columns) {
      double total = 0;
      for (int g = 0; g < s.rows; ++g) total += parts[g * s.across + s.column];
      w[c] = total;
    }
    __syncthreads();
  }
}

/// x[i, c] -= f v_i w[c].
__device__ inline void subtract_outer(Index rows, Index columns, double f, const double* v, Index step, const double* w, double* x,
                                      Index row) {
  const Stand s(columns);
  for (Index i = s.first; i < rows; i += s.rows) {
    const double by = f * (i ? v[i * step] : 1.0);
    for (Index c = s.column; c < columns; c += s.across) x[i * row + c] -= by * w[c];
  }
  __syncthreads();
}

/// The column x, `step` apart, into v (v_0 = 1 is not written) and beta in its place; gives tau. As cpu::linalg::reflect.
__device__ inline double reflect(Index n, double* x, Index step) {
  double rest = 0;
  for (Index i = 1 + Index(threadIdx.x); i < n; i += blockDim.x) rest += x[i * step] * x[i * step];
  rest = sum(rest);
  const double alpha = x[0];
  __syncthreads();
  double scale = 0, beta = alpha, tau = 0;
  if (rest != 0) {
    beta = -copysign(sqrt(alpha * alpha + rest), alpha);
    scale = 1 / (alpha - beta);
    tau = (beta - alpha) / beta;
  }
  for (Index i = 1 + Index(threadIdx.x); i < n; i += blockDim.x) x[i * step] *= scale;
  if (threadIdx.x == 0) x[0] = beta;
  __syncthreads();
  return tau;
}

/// c = a b, all [n, n] and dense; c is neither a nor b.
__device__ inline void product(Index n, const double* a, const double* b, double* c) {
  constexpr int kRows = 4;
  const Stand s(n);
  for (Index i0 = s.first * kRows; i0 < n; i0 += s.rows * kRows)
    for (Index j = s.column; j < n; j += s.across) {
      double sums[kRows] = {};
      for (Index p = 0; p < n; ++p) {
        const double v = b[p * n + j];
#pragma unroll
        for (int r = 0; r < kRows; ++r)
          if (i0 + r < n) sums[r] = fma(a[(i0 + r) * n + p], v, sums[r]);
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r)
        if (i0 + r < n) c[(i0 + r) * n + j] = sums[r];
    }
  __syncthreads();
}

/// Rows i and j of x [., k] exchanged.
__device__ inline void exchange(Index i, Index j, Index k, double* x, Index row) {
  if (i != j) {
    for (Index c = threadIdx.x; c < k; c += blockDim.x) {
      const double v = x[i * row + c];
      x[i * row + c] = x[j * row + c];
      x[j * row + c] = v;
    }
  }
  __syncthreads();
}

/// The lower factor in place from the lower triangle; the order of the first minor that is not positive, or 0.
__device__ inline Index cholesky(Index n, double* a, Index row) {
  for (Index j = 0; j < n; ++j) {
    const double d = a[j * row + j];
    if (!(d > 0) || isinf(d)) return j + 1;
    const double root = sqrt(d);
    __syncthreads();
    for (Index i = j + 1 + Index(threadIdx.x); i < n; i += blockDim.x) a[i * row + j] /= root;
    if (threadIdx.x == 0) a[j * row + j] = root;
    __syncthreads();
    for (Index i = j + 1 + warp(); i < n; i += warps()) {
      const double f = a[i * row + j];
      for (Index c = j + 1 + lane(); c <= i; c += 32) a[i * row + c] -= f * a[c * row + j];
    }
    __syncthreads();
  }
  return 0;
}

/// P A = L U in place with partial pivoting, as cpu::linalg::lu.
__device__ inline Index lu(Index n, double* a, Index row, std::int32_t* pivots) {
  Index zero = 0;
  for (Index j = 0; j < n; ++j) {
    Largest l;
    l.place = n;
    for (Index i = j + Index(threadIdx.x); i < n; i += blockDim.x) l.offer(fabs(a[i * row + j]), i);
    l = largest(l);
    const double here = a[j * row + j];
    const Index pivot = here != here || l.place >= n ? j : l.place;  // NaN is never larger, and nothing is larger than NaN
    if (threadIdx.x == 0) pivots[j] = std::int32_t(pivot);
    __syncthreads();
    exchange(j, pivot, n, a, row);
    const double value = a[j * row + j];
    if (value == 0) {
      if (!zero) zero = j + 1;
      continue;
    }
    for (Index i = j + 1 + warp(); i < n; i += warps()) {
      const double f = a[i * row + j] / value;
      __syncwarp();
      if (lane() == 0) a[i * row + j] = f;
      for (Index c = j + 1 + lane(); c < n; c += 32) a[i * row + c] -= f * a[j * row + c];
    }
    __syncthreads();
  }
  return zero;
}

/// op(T) X = B in place, as cpu::linalg::solve_triangle.
__device__ inline void solve_triangle(bool upper, bool unit, Index n, Index k, const double* t, Index t_row, Index t_col, double* b,
                                      Index row) {
  const Stand s(k);
  for (Index step = 0; step < n; ++step) {
    const Index i = upper ? n - 1 - step : step, first = upper ? 0 : i + 1, last = upper ? i : n;
    if (!unit) {
      const double d = t[i * (t_row + t_col)];
      for (Index c = threadIdx.x; c < k; c += blockDim.x) b[i * row + c] /= d;
      __syncthreads();
    }
    for (Index r = first + s.first; r < last; r += s.rows) {
      const double f = t[r * t_row + i * t_col];
      for (Index c = s.column; c < k; c += s.across) b[r * row + c] -= f * b[i * row + c];
    }
    __syncthreads();
  }
}

/// Threads for matrices of this order: enough for a row or a column each, no more than keep busy.
inline int threads_for(std::int64_t order) {
  return order <= 24 ? 32 : order <= 48 ? 128 : kMostThreads;
}

/// Shared memory that every device which is supported has for a block.
inline constexpr std::size_t kSharedBytes = 96 * 1024;
inline bool fits(std::int64_t values) {
  return values <= std::int64_t(kSharedBytes / sizeof(double)) && values >= 0;
}

}  // namespace tenon::cuda::block
