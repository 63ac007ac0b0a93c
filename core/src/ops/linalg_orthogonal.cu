/// QR by reflectors and singular values by one-sided rotations on CUDA: one block a matrix.
#include <algorithm>

#include "backend/cuda/linalg.hpp"
#include "ops/linalg_jacobi.cuh"
#include "ops/linalg_refuse.hpp"

namespace tenon::cuda {
namespace {

using block::Index;
using linalg::Matrices;

const double* in(void* const* p, int i) {
  return static_cast<const double*>(p[i]);
}
double* out(void* const* p, int i) {
  return static_cast<double*>(p[i]);
}

/// Blocks, and the memory of each: shared where `values` fit, else a share of the op's workspace.
struct Shares {
  bool shared;
  Index values;
  unsigned blocks;
  std::size_t bytes;

  Shares(std::int64_t count, std::int64_t values_each, std::int64_t workspace) : shared(block::fits(values_each)), values(values_each) {
    const std::int64_t most = shared ? std::int64_t(1) << 30 : workspace / std::max<std::int64_t>(values, 1);
    blocks = unsigned(std::clamp<std::int64_t>(std::min(count, most), 1, std::int64_t(1) << 30));
    bytes = shared ? std::size_t(values) * sizeof(double) : 0;
  }
};

// ---- QR -------------------------------------------------------------------------------------------------------------------

struct QrSizes {
  Index count, m, n, k, columns;
};

TENON_HD inline Index qr_values(Index m, Index n) {
  return m * n + 2 * (m < n ? m : n) + (m > n ? m : n);
}

/// The first columns of the product of the reflectors below a's diagonal, into q.
__device__ void form_q(const QrSizes& s, const double* a, const double* tau, double* w, double* q) {
  for (Index e = threadIdx.x; e < s.m * s.columns; e += blockDim.x) q[e] = e / s.columns == e % s.columns ? 1 : 0;
  __syncthreads();
  for (Index j = s.k - 1; j >= 0; --j) {
    if (tau[j] == 0) continue;
    const double* v = a + j * (s.n + 1);
    double* x = q + j * (s.columns + 1);
    block::column_products(s.m - j, s.columns - j, v, s.n, x, s.columns, w);
    block::subtract_outer(s.m - j, s.columns - j, tau[j], v, s.n, w, x, s.columns);
  }
}

__global__ void qr(const double* given, double* q_all, double* r_all, double* workspace, QrSizes s, bool shared) {
  double* a = shared ? dynamic_shared<double>() : workspace + Index(blockIdx.x) * qr_values(s.m, s.n);
  double *tau = a + s.m * s.n, *turn = tau + s.k, *w = turn + s.k;
  for (Index i = blockIdx.x; i < s.count; i += gridDim.x) {
    const double* from = given + i * s.m * s.n;
    double *q = q_all + i * s.m * s.columns, *r = r_all + i * s.columns * s.n;
    const double scale = block::magnitude(s.m * s.n, from);
    for (Index e = threadIdx.x; e < s.m * s.n; e += blockDim.x) a[e] = from[e] / scale;
    __syncthreads();
    for (Index j = 0; j < s.k; ++j) {
      double *v = a + j * (s.n + 1), *rest = v + 1;
      const double t = block::reflect(s.m - j, v, s.n);
      if (threadIdx.x == 0) tau[j] = t, turn[j] = signbit(v[0]) ? -1 : 1;
      if (t != 0 && j + 1 < s.n) {
        block::column_products(s.m - j, s.n - j - 1, v, s.n, rest, s.n, w);
        block::subtract_outer(s.m - j, s.n - j - 1, t, v, s.n, w, rest, s.n);
      }
    }
    __syncthreads();
    form_q(s, a, tau, w, q);
    for (Index e = threadIdx.x; e < s.m * s.columns; e += blockDim.x)
      if (const Index c = e % s.columns; c < s.k && turn[c] < 0) q[e] = -q[e];
    for (Index e = threadIdx.x; e < s.columns * s.n; e += blockDim.x) {
      const Index row = e / s.n, c = e % s.n;
      r[e] = row < s.k && c >= row ? turn[row] * scale * a[row * s.n + c] : 0;
    }
    __syncthreads();
  }
}

// ---- singular values -----------------------------------------------------------------------------------------------------

struct SvdSizes {
  Index count, m, n;
  TENON_HD Index tall() const { return m < n ? n : m; }
  TENON_HD Index k() const { return m < n ? m : n; }
  TENON_HD Index values() const { return k() * tall() + k() * k() + 2 * k(); }
};

/// Line `i` of the sorted result: u's column and vh's row, the entry of largest size of the former positive.
__device__ void store_pair(const SvdSizes& s, const double* of_u, const double* of_v, Index i, double* u, double* vh) {
  const Index k = s.k();
  const double sign = block::sign_of_largest(s.m, of_u);
  for (Index e = block::lane(); e < s.m; e += 32) u[e * k + i] = sign * of_u[e];
  for (Index e = block::lane(); e < s.n; e += 32) vh[i * s.n + e] = sign * of_v[e];
}

__global__ void svd(const double* given, double* u_all, double* s_all, double* vh_all, double* workspace, SvdSizes s, bool shared,
                    unsigned long long* first) {
  const Index tall = s.tall(), k = s.k();
  double* lines = shared ? dynamic_shared<double>() : workspace + Index(blockIdx.x) * s.values();
  double *turned = lines + k * tall, *sizes = turned + k * k, *order = sizes + k;
  const bool wide = s.m < s.n;  // then rows are the lines, and the transpose is decomposed
  for (Index i = blockIdx.x; i < s.count; i += gridDim.x) {
    const double* a = given + i * s.m * s.n;
    double *u = u_all + i * s.m * k, *values = s_all + i * k, *vh = vh_all + i * k * s.n;
    const double scale = block::magnitude(s.m * s.n, a);
    for (Index e = threadIdx.x; e < s.m * s.n; e += blockDim.x) lines[wide ? e : e % k * tall + e / k] = a[e] / scale;
    for (Index e = threadIdx.x; e < k * k; e += blockDim.x) turned[e] = e / k == e % k ? 1 : 0;
    __syncthreads();
    if (scale != scale || !block::make_orthogonal(k, tall, lines, turned)) {
      if (threadIdx.x == 0) atomicMin(first, (static_cast<unsigned long long>(i) << 32) + 1);
      for (Index e = threadIdx.x; e < s.m * k; e += blockDim.x) u[e] = block::nan();
      for (Index e = threadIdx.x; e < k; e += blockDim.x) values[e] = block::nan();
      for (Index e = threadIdx.x; e < k * s.n; e += blockDim.x) vh[e] = block::nan();
      __syncthreads();
      continue;
    }
    block::normalise_lines(k, tall, lines, sizes);
    block::complete_lines(k, tall, lines, sizes, order);
    block::rank(k, sizes, true, order);
    for (Index line = block::warp(); line < k; line += block::warps()) {
      const auto to = Index(order[line]);
      const double *of_tall = lines + line * tall, *of_short = turned + line * k;
      store_pair(s, wide ? of_short : of_tall, wide ? of_tall : of_short, to, u, vh);
      if (block::lane() == 0) values[to] = sizes[line] * scale;
    }
    __syncthreads();
  }
}

// ---- symmetric eigenproblems ------------------------------------------------------------------------------------------------

TENON_HD inline Index eigh_values(Index n) {
  return 2 * n * n + 4 * ((n + 1) / 2) + n;
}

__global__ void eigh(const double* given, double* w_all, double* v_all, double* workspace, Index count, Index n, bool shared,
                     unsigned long long* first) {
  double* a = shared ? dynamic_shared<double>() : workspace + Index(blockIdx.x) * eigh_values(n);
  double *lines = a + n * n, *turns = lines + n * n, *order = turns + 4 * ((n + 1) / 2);
  for (Index i = blockIdx.x; i < count; i += gridDim.x) {
    const double* from = given + i * n * n;
    double *w = w_all + i * n, *v = v_all ? v_all + i * n * n : nullptr;
    const double scale = block::magnitude(n * n, from);
    for (Index e = threadIdx.x; e < n * n; e += blockDim.x) {
      a[e] = from[e] / scale;
      lines[e] = e / n == e % n ? 1 : 0;
    }
    __syncthreads();
    if (scale != scale || !block::diagonalise(n, a, v ? lines : nullptr, turns)) {
      if (threadIdx.x == 0) atomicMin(first, (static_cast<unsigned long long>(i) << 32) + 1);
      for (Index e = threadIdx.x; e < n; e += blockDim.x) w[e] = block::nan();
      for (Index e = threadIdx.x; v && e < n * n; e += blockDim.x) v[e] = block::nan();
      __syncthreads();
      continue;
    }
    for (Index e = threadIdx.x; e < n; e += blockDim.x) turns[e] = a[e * (n + 1)];
    __syncthreads();
    block::rank(n, turns, false, order);
    for (Index line = block::warp(); line < n; line += block::warps()) {
      const auto to = Index(order[line]);
      if (block::lane() == 0) w[to] = turns[line] * scale;
      if (!v) continue;
      const double sign = block::sign_of_largest(n, lines + line * n);
      for (Index e = block::lane(); e < n; e += 32) v[e * n + to] = sign * lines[line * n + e];
    }
    __syncthreads();
  }
}

}  // namespace

namespace own {

Kernel qr(const Matrices& p) {
  const std::int64_t k = std::min(p.m, p.n);
  const QrSizes s{p.count, p.m, p.n, k, p.flag ? p.m : k};
  return [s, shares = Shares(p.count, qr_values(p.m, p.n), linalg::qr_workspace(p, DeviceType::cuda))](void* const* o) {
    start("qr", dim3(shares.blocks), dim3(unsigned(block::threads_for(std::max(s.m, s.n)))), shares.bytes, cuda::qr, in(o, 0), out(o, 1),
          out(o, 2), out(o, 3), s, shares.shared);
  };
}

Kernel svd(const Matrices& p) {
  const SvdSizes s{p.count, p.m, p.n};
  return [p, s, shares = Shares(p.count, s.values(), linalg::svd_workspace(p, DeviceType::cuda)), verdict = Verdict()](void* const* o) {
    verdict.clear();
    start("svd", dim3(shares.blocks), dim3(unsigned(block::threads_for(s.k()))), shares.bytes, cuda::svd, in(o, 0), out(o, 1), out(o, 2),
          out(o, 3), out(o, 4), s, shares.shared, verdict.first());
    if (const auto bad = verdict.read(); bad.reason) refuse_iteration(p, bad.matrix);
  };
}

Kernel eigh(const Matrices& p) {
  return [p, shares = Shares(p.count, eigh_values(p.n), linalg::eigh_workspace(p, DeviceType::cuda)), verdict = Verdict()](void* const* o) {
    verdict.clear();
    start("eigh", dim3(shares.blocks), dim3(unsigned(block::threads_for(p.n))), shares.bytes, cuda::eigh, in(o, 0), out(o, 1),
          p.flag ? out(o, 2) : nullptr, out(o, 3), p.count, p.n, shares.shared, verdict.first());
    if (const auto bad = verdict.read(); bad.reason) refuse_iteration(p, bad.matrix);
  };
}

}  // namespace own

void install_linalg_orthogonal() {
  linalg::qr_kernel.set(DeviceType::cuda, own::qr);
  linalg::svd_kernel.set(DeviceType::cuda, own::svd);
  linalg::eigh_kernel.set(DeviceType::cuda, own::eigh);
}

}  // namespace tenon::cuda
