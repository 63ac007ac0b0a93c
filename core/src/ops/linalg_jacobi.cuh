/// Jacobi's rotations by a block: pairs of a round are disjoint and turned at once (Brent and Luk 1985) (private).
///
/// One-sided rotations (Hestenes 1958) make the lines of a matrix orthogonal to each other relative to their own lengths, so that even the
/// vectors of tiny singular values come out orthogonal; two-sided ones make a symmetric matrix diagonal.
#pragma once

#include "ops/linalg_block.cuh"

namespace tenon::cuda::block {

constexpr int kSweeps = 60;
constexpr double kEpsilon = 2.220446049250313e-16;

/// Pair `i` of round `round` of a tournament of `players`, an even number, in players - 1 rounds; first < second.
struct Pair {
  Index first, second;
  __device__ Pair(Index i, Index round, Index players) {
    const Index circle = players - 1;
    first = i == 0 ? circle : (round + i) % circle;
    second = i == 0 ? round : (round + circle - i) % circle;
    if (first > second) {
      const Index f = first;
      first = second, second = f;
    }
  }
};

/// The rotation that makes the off-diagonal value `between` of a symmetric 2 x 2 matrix 0: x becomes c x - s y, y becomes s x + c y.
struct Turn {
  double c, s, t;
  __device__ Turn(double x, double y, double between) {
    const double theta = (y - x) / (2 * between);
    t = copysign(1.0, theta) / (fabs(theta) + sqrt(1 + theta * theta));
    c = 1 / sqrt(1 + t * t);
    s = c * t;
  }
};

/// By one warp: x, y [n] turned.
__device__ inline void turn_lines(Index n, const Turn& r, double* x, double* y) {
  for (Index e = lane(); e < n; e += 32) {
    const double a = x[e], b = y[e];
    x[e] = r.c * a - r.s * b;
    y[e] = r.s * a + r.c * b;
  }
}

/// Lines [k, n] are made orthogonal; `turned` [k, k] takes the same rotations. False when the sweeps do not end.
__device__ inline bool make_orthogonal(Index k, Index n, double* lines, double* turned) {
  __shared__ int worked;
  const Index players = k + k % 2;
  const double limit = kEpsilon * (4 + 2 * sqrt(double(n)));  // what rounding leaves of a product of orthogonal lines
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    if (threadIdx.x == 0) worked = 0;
    __syncthreads();
    for (Index round = 0; round + 1 < players; ++round) {
      for (Index i = warp(); i < players / 2; i += warps()) {
        const Pair pair(i, round, players);
        if (pair.second >= k) continue;
        double *x = lines + pair.first * n, *y = lines + pair.second * n;
        double xx = 0, yy = 0, xy = 0;
        for (Index e = lane(); e < n; e += 32) xx += x[e] * x[e], yy += y[e] * y[e], xy += x[e] * y[e];
        xx = warp_sum(xx), yy = warp_sum(yy), xy = warp_sum(xy);
        const double both = sqrt(xx) * sqrt(yy);
        if (!(both > 1e-280) || !(fabs(xy) > limit * both)) continue;
        const Turn r(xx, yy, xy);
        turn_lines(n, r, x, y);
        turn_lines(k, r, turned + pair.first * k, turned + pair.second * k);
        if (lane() == 0) worked = 1;
      }
      __syncthreads();
    }
    const bool done = worked == 0;
    __syncthreads();
    if (done) return true;
  }
  return false;
}

/// Lengths of the lines, which become 1; lines as good as 0 have length 0 and stay.
__device__ inline void normalise_lines(Index k, Index n, double* lines, double* sizes) {
  for (Index i = warp(); i < k; i += warps()) {
    double* x = lines + i * n;
    double squares = 0;
    for (Index e = lane(); e < n; e += 32) squares += x[e] * x[e];
    const double size = sqrt(warp_sum(squares));
    const bool zero = !(size > 1e-140);
    for (Index e = lane(); e < n && !zero; e += 32) x[e] /= size;
    if (lane() == 0) sizes[i] = zero ? 0 : size;
  }
  __syncthreads();
}

/// Lines of length 0 become units orthogonal to all others: of the axis that the others leave most of. `with` [k] is scratch.
__device__ inline void complete_lines(Index k, Index n, double* lines, const double* sizes, double* with) {
  for (Index z = 0; z < k; ++z) {
    if (sizes[z] != 0) continue;
    const auto there = [&](Index i) { return sizes[i] != 0 || i < z; };
    Largest l;
    l.place = 0, l.value = -1e300;
    for (Index e = threadIdx.x; e < n; e += blockDim.x) {
      double left = 1;
      for (Index i = 0; i < k; ++i)
        if (there(i)) left -= lines[i * n + e] * lines[i * n + e];
      l.offer(left, e);
    }
    l = largest(l);
    double* x = lines + z * n;
    for (Index e = threadIdx.x; e < n; e += blockDim.x) x[e] = e == l.place ? 1 : 0;
    __syncthreads();
    for (int pass = 0; pass < 3; ++pass) {  // the second makes up for what the first cancels
      for (Index i = warp(); i < k; i += warps()) {
        double product = 0;
        if (there(i))
          for (Index e = lane(); e < n; e += 32) product += lines[i * n + e] * x[e];
        product = warp_sum(product);
        if (lane() == 0) with[i] = product;
      }
      __syncthreads();
      double squares = 0;
      for (Index e = threadIdx.x; e < n; e += blockDim.x) {
        double v = x[e];
        for (Index i = 0; i < k; ++i)
          if (there(i)) v -= with[i] * lines[i * n + e];
        x[e] = v;
        squares += v * v;
      }
      const double size = sqrt(sum(squares));
      for (Index e = threadIdx.x; e < n; e += blockDim.x) x[e] /= size;
      __syncthreads();
    }
  }
}

/// order[i]: the place of value i in the sorted row; of equal values the first comes first.
__device__ inline void rank(Index n, const double* values, bool descending, double* order) {
  for (Index i = threadIdx.x; i < n; i += blockDim.x) {
    const double v = values[i];
    Index place = 0;
    for (Index j = 0; j < n; ++j) place += (descending ? values[j] > v : values[j] < v) || (values[j] == v && j < i);
    order[i] = double(place);
  }
  __syncthreads();
}

/// By one warp: -1 when the first entry of largest size is negative, else 1.
__device__ inline double sign_of_largest(Index n, const double* x) {
  Largest l;
  for (Index e = lane(); e < n; e += 32) l.offer(fabs(x[e]), e);
  l = warp_largest(l);
  return x[l.place] < 0 ? -1 : 1;
}

/// A symmetric [n, n], entries up to about 1, becomes diagonal; rows of `lines` (null: none) take the rotations. `turns` holds 4 values for
/// each of (n + 1) / 2 pairs. False when the sweeps do not end.
__device__ inline bool diagonalise(Index n, double* a, double* lines, double* turns) {
  __shared__ int worked;
  constexpr double kFloor = 2e-17;  // of entries about 1: together they move no eigenvalue by more than its rounding
  const Index players = n + n % 2, pairs = players / 2;
  double *cosine = turns, *sine = cosine + pairs, *at_first = sine + pairs, *at_second = at_first + pairs;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    if (threadIdx.x == 0) worked = 0;
    __syncthreads();
    for (Index round = 0; round + 1 < players; ++round) {
      for (Index i = threadIdx.x; i < pairs; i += blockDim.x) {
        const Pair p(i, round, players);
        cosine[i] = 1, sine[i] = 0;
        if (p.second >= n) continue;
        const double x = a[p.first * (n + 1)], y = a[p.second * (n + 1)], between = a[p.first * n + p.second];
        if (!(fabs(between) > kFloor)) continue;
        const Turn r(x, y, between);
        cosine[i] = r.c, sine[i] = r.s;
        at_first[i] = x - r.t * between, at_second[i] = y + r.t * between;
        worked = 1;
      }
      __syncthreads();
      for (Index i = warp(); i < pairs; i += warps()) {
        const Pair p(i, round, players);
        if (sine[i] == 0) continue;
        const double c = cosine[i], s = sine[i];
        for (int matrix = 0; matrix < (lines ? 2 : 1); ++matrix) {
          double *x = (matrix ? lines : a) + p.first * n, *y = (matrix ? lines : a) + p.second * n;
          for (Index e = lane(); e < n; e += 32) {
            const double v = x[e], w = y[e];
            x[e] = c * v - s * w;
            y[e] = s * v + c * w;
          }
        }
      }
      __syncthreads();
      for (Index row = warp(); row < n; row += warps()) {
        for (Index i = lane(); i < pairs; i += 32) {
          const Pair p(i, round, players);
          if (sine[i] == 0) continue;
          double *x = a + row * n + p.first, *y = a + row * n + p.second;
          const double v = *x, w = *y;
          *x = cosine[i] * v - sine[i] * w;
          *y = sine[i] * v + cosine[i] * w;
        }
      }
      __syncthreads();
      for (Index i = threadIdx.x; i < pairs; i += blockDim.x) {
        const Pair p(i, round, players);
        if (sine[i] == 0) continue;
        a[p.first * (n + 1)] = at_first[i], a[p.second * (n + 1)] = at_second[i];
        a[p.first * n + p.second] = a[p.second * n + p.first] = 0;
      }
      __syncthreads();
    }
    const bool done = worked == 0;
    __syncthreads();
    if (done) return true;
  }
  return false;
}

}  // namespace tenon::cuda::block
