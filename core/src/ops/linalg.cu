/// Cholesky, triangles and LU on CUDA: one block a matrix, or a matrix and some of its right-hand sides.
#include <algorithm>

#include "backend/cuda/blocked_linalg.hpp"
#include "backend/cuda/install.hpp"
#include "backend/cuda/linalg.hpp"
#include "ops/linalg_block.cuh"
#include "ops/linalg_refuse.hpp"

namespace tenon::cuda {
namespace {

using block::Index;
using linalg::Matrices;
using linalg::System;
using linalg::TriangleWeights;

constexpr Index kRightSides = 32;  ///< of a block

__global__ void clear_verdict(unsigned long long* first) {
  if (blockIdx.x == 0 && threadIdx.x == 0) *first = Verdict::kNone;
}

__device__ void refuse_matrix(unsigned long long* first, Index matrix, Index reason) {
  if (threadIdx.x == 0) atomicMin(first, (static_cast<unsigned long long>(matrix) << 32) + static_cast<unsigned long long>(reason));
}

unsigned blocks_for(std::int64_t tasks) {
  return unsigned(std::clamp<std::int64_t>(tasks, 1, 1 << 30));
}

/// Rows of a matrix in shared memory are one apart from a multiple of the banks.
TENON_HD inline Index padded(Index n) {
  return n | 1;
}

__device__ void fill(Index count, double value, double* x) {
  for (Index i = threadIdx.x; i < count; i += blockDim.x) x[i] = value;
}

// ---- Cholesky ---------------------------------------------------------------------------------------------------------

__global__ void cholesky(const double* a, double* l, Index count, Index n, bool shared, unsigned long long* first) {
  for (Index m = blockIdx.x; m < count; m += gridDim.x) {
    const double* from = a + m * n * n;
    double *to = l + m * n * n, *work = shared ? dynamic_shared<double>() : to;
    const Index row = shared ? padded(n) : n;
    for (Index i = block::warp(); i < n; i += block::warps())
      for (Index j = block::lane(); j < n; j += 32) work[i * row + j] = j <= i ? from[i * n + j] : 0;
    __syncthreads();
    const Index bad = block::cholesky(n, work, row);
    __syncthreads();
    if (bad) {
      refuse_matrix(first, m, bad);
      fill(n * n, block::nan(), to);
    } else if (shared) {
      for (Index i = block::warp(); i < n; i += block::warps())
        for (Index j = block::lane(); j < n; j += 32) to[i * n + j] = work[i * row + j];
    }
    __syncthreads();
  }
}

// ---- triangles and systems ----------------------------------------------------------------------------------------------

/// Reason for refusing a triangle: twice the place of its first small value, and 1 where that is not 0; 0: none.
__device__ Index small_diagonal(Index n, const double* t, double tolerance) {
  block::Largest biggest;
  if (tolerance > 0) {
    for (Index j = threadIdx.x; j < n; j += blockDim.x) biggest.offer(fabs(t[j * (n + 1)]), 0);
    biggest = block::largest(biggest);
  }
  const double limit = biggest.value > 0 ? tolerance * biggest.value : 0;
  block::Largest small;  // the first place is the largest of the negative places
  small.value = -double(n) - 1, small.place = n;
  for (Index j = threadIdx.x; j < n; j += blockDim.x)
    if (fabs(t[j * (n + 1)]) <= limit) small.offer(-double(j), j);
  small = block::largest(small);
  if (small.place >= n) return 0;
  return 2 * (small.place + 1) + (t[small.place * (n + 1)] == 0 ? 0 : 1);
}

/// Where block `task` works: a matrix and some columns of its right-hand sides, brought to shared memory where they fit.
struct RightSides {
  Index system, column0, columns, row;
  double* x;

  __device__ RightSides(Index task, const System& p, bool shared, const double* b, double* result) {
    const Index pieces = (p.k + kRightSides - 1) / kRightSides;
    system = task / pieces, column0 = task % pieces * kRightSides;
    columns = p.k - column0 < kRightSides ? p.k - column0 : kRightSides;
    x = shared ? dynamic_shared<double>() : result + system * p.n * p.k + column0;
    row = shared ? kRightSides : p.k;
    const double* from = b + system * p.n * p.k + column0;
    const block::Stand s(columns);
    for (Index i = s.first; i < p.n; i += s.rows)
      for (Index c = s.column; c < columns; c += s.across) x[i * row + c] = from[i * p.k + c];
    __syncthreads();
  }
  __device__ void store(const System& p, double* result, bool refused) const {
    double* to = result + system * p.n * p.k + column0;
    const block::Stand s(columns);
    for (Index i = s.first; i < p.n; i += s.rows)
      for (Index c = s.column; c < columns; c += s.across) to[i * p.k + c] = refused ? block::nan() : x[i * row + c];
    __syncthreads();
  }
};

__global__ void triangular_solve(const double* t, const double* b, double* x, System p, Index tasks, bool shared,
                                 unsigned long long* first) {
  for (Index task = blockIdx.x; task < tasks; task += gridDim.x) {
    const RightSides r(task, p, shared, b, x);
    const Index matrix = p.matrices == 1 ? 0 : r.system;
    const double* from = t + matrix * p.n * p.n;
    const Index reason = p.unit ? 0 : small_diagonal(p.n, from, p.tolerance);
    if (reason)
      refuse_matrix(first, matrix, reason);
    else
      block::solve_triangle(p.upper != p.transposed, p.unit, p.n, r.columns, from, p.transposed ? 1 : p.n, p.transposed ? p.n : 1, r.x,
                            r.row);
    if (shared || reason) r.store(p, x, reason != 0);
  }
}

__global__ void lu_solve(const double* factors, const std::int32_t* pivots, const double* b, double* x, System p, Index tasks,
                         bool shared) {
  for (Index task = blockIdx.x; task < tasks; task += gridDim.x) {
    const RightSides r(task, p, shared, b, x);
    const Index matrix = p.matrices == 1 ? 0 : r.system;
    const double* from = factors + matrix * p.n * p.n;
    const std::int32_t* place = pivots + matrix * p.n;
    if (p.transposed) {
      block::solve_triangle(false, false, p.n, r.columns, from, 1, p.n, r.x, r.row);
      block::solve_triangle(true, true, p.n, r.columns, from, 1, p.n, r.x, r.row);
      for (Index i = p.n - 1; i >= 0; --i) block::exchange(i, place[i], r.columns, r.x, r.row);
    } else {
      for (Index i = 0; i < p.n; ++i) block::exchange(i, place[i], r.columns, r.x, r.row);
      block::solve_triangle(false, true, p.n, r.columns, from, p.n, 1, r.x, r.row);
      block::solve_triangle(true, false, p.n, r.columns, from, p.n, 1, r.x, r.row);
    }
    if (shared) r.store(p, x, false);
  }
}

// ---- systems of large order: the passes around blocked_linalg.hpp ------------------------------------------------------------

/// A block a matrix; reasons as small_diagonal gives them.
__global__ void check_diagonals(const double* t, Index n, double tolerance, std::int64_t* reasons, unsigned long long* first) {
  const Index matrix = blockIdx.x, reason = small_diagonal(n, t + matrix * n * n, tolerance);
  if (threadIdx.x == 0) reasons[matrix] = reason;
  if (reason) refuse_matrix(first, matrix, reason);
}

/// Where each row of P B comes from, of the exchanges that pivots tell; a block a matrix. In shared memory where `bytes` of it are there.
__global__ void order_rows(const std::int32_t* pivots, Index n, bool shared, std::int32_t* order) {
  const std::int32_t* of_matrix = pivots + blockIdx.x * n;
  std::int32_t *to = order + blockIdx.x * n, *work = shared ? dynamic_shared<std::int32_t>() : to;
  for (Index i = threadIdx.x; i < n; i += blockDim.x) work[i] = std::int32_t(i);
  __syncthreads();
  if (threadIdx.x == 0)
    for (Index i = 0; i < n; ++i) {
      const std::int32_t j = of_matrix[i], here = work[i];
      work[i] = work[j];
      work[j] = here;
    }
  __syncthreads();
  if (shared)
    for (Index i = threadIdx.x; i < n; i += blockDim.x) to[i] = work[i];
}

/// y = x [count, n, k] with its rows in that order, or `Back` from it. order_step: 0 where one is all systems'.
template <bool Back>
__global__ void move_rows(const double* x, const std::int32_t* order, double* y, Index count, Index n, Index k, Index order_step) {
  const Index total = count * n * k, step = Index(gridDim.x) * blockDim.x;
  for (Index e = Index(blockIdx.x) * blockDim.x + threadIdx.x; e < total; e += step) {
    const Index row = e / k, column = e - row * k, system = row / n, there = (system * n + order[system * order_step + row - system * n]) * k + column;
    y[Back ? there : e] = x[Back ? e : there];
  }
}

// ---- LU -------------------------------------------------------------------------------------------------------------------

__global__ void lu(const double* a, double* factors, std::int32_t* pivots, Index count, Index n, bool shared, bool regular,
                   unsigned long long* first) {
  for (Index m = blockIdx.x; m < count; m += gridDim.x) {
    const double* from = a + m * n * n;
    double *to = factors + m * n * n, *work = shared ? dynamic_shared<double>() : to;
    const Index row = shared ? padded(n) : n;
    for (Index i = block::warp(); i < n; i += block::warps())
      for (Index j = block::lane(); j < n; j += 32) work[i * row + j] = from[i * n + j];
    __syncthreads();
    const Index zero = block::lu(n, work, row, pivots + m * n);
    __syncthreads();
    if (zero && regular) {
      refuse_matrix(first, m, zero);
      fill(n * n, block::nan(), to);
    } else if (shared) {
      for (Index i = block::warp(); i < n; i += block::warps())
        for (Index j = block::lane(); j < n; j += 32) to[i * n + j] = work[i * row + j];
    }
    __syncthreads();
  }
}

__global__ void lu_det(const double* factors, const std::int32_t* pivots, double* signs, double* logs, double* dets, Index count, Index n) {
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += Index(gridDim.x) * blockDim.x) {
    double sign = 1, log_abs = 0, det = 1;
    for (Index j = 0; j < n; ++j) {
      const double d = factors[i * n * n + j * (n + 1)];
      const double factor = pivots[i * n + j] != j ? -d : d;
      sign = factor == 0 ? 0 : factor < 0 ? -sign : factor != factor ? factor : sign;
      log_abs += log(fabs(d));
      det *= factor;
    }
    signs[i] = sign, logs[i] = log_abs, dets[i] = det;
  }
}

__global__ void weigh_triangles(const double* x, double* y, TriangleWeights p) {
  const Index total = p.count * p.m * p.n, step = Index(gridDim.x) * blockDim.x;
  for (Index e = Index(blockIdx.x) * blockDim.x + threadIdx.x; e < total; e += step) {
    const Index row = e / p.n, j = e - row * p.n, i = row % p.m;
    const double w = j < i ? p.lower : j > i ? p.upper : p.diagonal;
    y[e] = w == 0 ? 0 : w * x[e];  // 0 also where x is not finite
  }
}

const double* in(void* const* p, int i) {
  return static_cast<const double*>(p[i]);
}
double* out(void* const* p, int i) {
  return static_cast<double*>(p[i]);
}

/// Threads and shared memory for right-hand sides of order n; 0 bytes: they do not fit.
struct SolveShape {
  std::int64_t tasks;
  bool shared;
  std::size_t bytes;
  unsigned threads;
  explicit SolveShape(const System& p)
      : tasks(p.count * ((p.k + kRightSides - 1) / kRightSides)),
        shared(block::fits(p.n * kRightSides)),
        bytes(shared ? std::size_t(p.n * kRightSides) * sizeof(double) : 0),
        threads(unsigned(block::threads_for(std::max(p.n, std::min(p.k, kRightSides))))) {}
};

/// Whether matrix products beside blocks of the diagonal are faster than one block's steps through all of it.
bool solved_in_blocks(const System& p) {
  constexpr std::int64_t kMostSystems = 65535;  // of a batch of products
  return p.n > kSolvedByOneBlock && p.count <= kMostSystems;
}
Triangle triangle(const System& p, bool upper, bool unit) {
  return {p.count, p.matrices, p.n, p.k, upper != p.transposed, unit, p.transposed};
}
std::shared_ptr<const DeviceMemory> space_for(const System& p) {
  return std::make_shared<const DeviceMemory>(std::size_t(p.count * p.n * p.k) * sizeof(double));
}
void copy_values(const double* from, double* to, std::int64_t count) {
  check(cudaMemcpyAsync(to, from, std::size_t(count) * sizeof(double), cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
}

Kernel blocked_triangular_solve(const System& p) {
  return [p, solve = make_blocked_solve(triangle(p, p.upper, p.unit)), space = space_for(p), verdict = Verdict(),
          reasons = std::make_shared<const DeviceMemory>(std::size_t(p.matrices) * sizeof(std::int64_t))](void* const* o) {
    verdict.clear();
    if (!p.unit)
      start("check_diagonals", dim3(unsigned(p.matrices)), dim3(block::kMostThreads), 0, check_diagonals, in(o, 0), p.n, p.tolerance, reasons->as<std::int64_t>(), verdict.first());
    copy_values(in(o, 1), out(o, 2), p.count * p.n * p.k);
    solve(in(o, 0), out(o, 2), space->as<double>(), p.unit ? nullptr : reasons->as<const std::int64_t>());
    if (p.unit) return;
    if (const auto bad = verdict.read(); bad.reason) refuse_diagonal(p, bad.matrix, bad.reason / 2, bad.reason % 2 == 0);
  };
}

Kernel blocked_lu_solve(const System& p) {
  return [p, lower = make_blocked_solve(triangle(p, false, true)), upper = make_blocked_solve(triangle(p, true, false)), space = space_for(p),
          order = std::make_shared<const DeviceMemory>(std::size_t(p.matrices * p.n) * sizeof(std::int32_t))](void* const* o) {
    const bool shared = block::fits((p.n + 1) / 2);
    auto* rows = order->as<std::int32_t>();
    start("order_rows", dim3(unsigned(p.matrices)), dim3(block::kMostThreads), shared ? std::size_t(p.n) * sizeof(std::int32_t) : 0, order_rows,
          static_cast<const std::int32_t*>(o[1]), p.n, shared, rows);
    const std::int64_t values = p.count * p.n * p.k, order_step = p.matrices == 1 ? 0 : p.n;
    double *x = out(o, 3), *other = space->as<double>();
    if (p.transposed) {
      copy_values(in(o, 2), x, values);
      upper(in(o, 0), x, other, nullptr);
      lower(in(o, 0), x, other, nullptr);
      start_items("move_rows", values, move_rows<true>, static_cast<const double*>(x), static_cast<const std::int32_t*>(rows), other, p.count, p.n, p.k, order_step);
      copy_values(other, x, values);
    } else {
      start_items("move_rows", values, move_rows<false>, in(o, 2), static_cast<const std::int32_t*>(rows), x, p.count, p.n, p.k, order_step);
      lower(in(o, 0), x, other, nullptr);
      upper(in(o, 0), x, other, nullptr);
    }
  };
}

bool factored_in_blocks(const Matrices& p) {
  constexpr std::int64_t kMost = 65535;
  return !block::fits(p.n * padded(p.n)) && p.count <= kMost;
}

/// All NaN, and refused, where there is a reason.
__global__ void refuse_factors(double* l, Index count, Index n, const std::int64_t* reasons, unsigned long long* first) {
  const Index total = count * n * n, step = Index(gridDim.x) * blockDim.x;
  for (Index e = Index(blockIdx.x) * blockDim.x + threadIdx.x; e < total; e += step) {
    const Index matrix = e / (n * n), reason = reasons[matrix];
    if (!reason) continue;
    l[e] = block::nan();
    if (e == matrix * n * n) atomicMin(first, (static_cast<unsigned long long>(matrix) << 32) + static_cast<unsigned long long>(reason));
  }
}

/// factor(operands, space, reasons) on a copy of the matrices; `refuse` throws for the first that has a reason, null: reasons are no error.
template <class Factor>
Kernel factor_in_blocks(const Matrices& p, std::int64_t space_values, Factor factor, void (*refuse)(const Matrices&, std::int64_t, std::int64_t)) {
  const auto memory = [](std::int64_t values) { return std::make_shared<const DeviceMemory>(std::size_t(values) * sizeof(double)); };
  return [=, factor = std::move(factor), space = memory(space_values), reasons = memory(p.count), verdict = Verdict()](void* const* o) {
    verdict.clear();
    check(cudaMemsetAsync(reasons->template as<>(), 0, std::size_t(p.count) * sizeof(std::int64_t), stream()), "cudaMemsetAsync");
    copy_values(in(o, 0), out(o, 1), p.count * p.n * p.n);
    factor(o, space->template as<double>(), reasons->template as<std::int64_t>());
    if (!refuse) return;
    start_items("refuse_factors", p.count * p.n * p.n, refuse_factors, out(o, 1), p.count, p.n, reasons->template as<const std::int64_t>(), verdict.first());
    if (const auto refused = verdict.read(); refused.reason) refuse(p, refused.matrix, refused.reason);
  };
}

Kernel blocked_cholesky(const Matrices& p) {
  return factor_in_blocks(
      p, factor_space(p.count, p.n),
      [factor = make_blocked_cholesky(p.count, p.n)](void* const* o, double* space, std::int64_t* bad) { factor(out(o, 1), space, bad); }, linalg::refuse_minor);
}

Kernel blocked_lu(const Matrices& p) {
  return factor_in_blocks(
      p, lu_space(p.count, p.n),
      [factor = make_blocked_lu(p.count, p.n)](void* const* o, double* space, std::int64_t* zero) { factor(out(o, 1), static_cast<std::int32_t*>(o[2]), space, zero); },
      p.flag ? linalg::refuse_pivot : nullptr);
}

/// Whether what is enqueued now goes into a graph.
bool capturing() {
  cudaStreamCaptureStatus status{};
  check(cudaStreamIsCapturing(stream(), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

}  // namespace

void Verdict::clear() const {
  start("clear_verdict", dim3(1), dim3(32), 0, clear_verdict, first());
}

Verdict::Refused Verdict::read() const {
  if (capturing()) return {0, 0};
  unsigned long long word = kNone;
  allocator(DeviceType::cuda).copy(&word, kCpu, first(), {DeviceType::cuda, 0}, sizeof(word));
  if (word == kNone) return {0, 0};
  return {std::int64_t(word >> 32), std::int64_t(word & 0xffffffffu)};
}

namespace own {

Kernel cholesky(const Matrices& p) {
  if (factored_in_blocks(p)) return blocked_cholesky(p);
  const bool shared = block::fits(p.n * padded(p.n));
  const std::size_t bytes = shared ? std::size_t(p.n * padded(p.n)) * sizeof(double) : 0;
  return [p, shared, bytes, verdict = Verdict()](void* const* o) {
    verdict.clear();
    start("cholesky", dim3(blocks_for(p.count)), dim3(unsigned(block::threads_for(p.n))), bytes, cuda::cholesky, in(o, 0), out(o, 1),
          p.count, p.n, shared, verdict.first());
    if (const auto bad = verdict.read(); bad.reason) refuse_minor(p, bad.matrix, bad.reason);
  };
}

Kernel triangular_solve(const System& p) {
  if (solved_in_blocks(p)) return blocked_triangular_solve(p);
  return [p, shape = SolveShape(p), verdict = Verdict()](void* const* o) {
    verdict.clear();
    start("triangular_solve", dim3(blocks_for(shape.tasks)), dim3(shape.threads), shape.bytes, cuda::triangular_solve, in(o, 0), in(o, 1),
          out(o, 2), p, shape.tasks, shape.shared, verdict.first());
    if (p.unit) return;
    if (const auto bad = verdict.read(); bad.reason) refuse_diagonal(p, bad.matrix, bad.reason / 2, bad.reason % 2 == 0);
  };
}

Kernel lu(const Matrices& p) {
  if (factored_in_blocks(p)) return blocked_lu(p);
  const bool shared = block::fits(p.n * padded(p.n));
  const std::size_t bytes = shared ? std::size_t(p.n * padded(p.n)) * sizeof(double) : 0;
  return [p, shared, bytes, verdict = Verdict()](void* const* o) {
    verdict.clear();
    start("lu", dim3(blocks_for(p.count)), dim3(unsigned(block::threads_for(p.n))), bytes, cuda::lu, in(o, 0), out(o, 1),
          static_cast<std::int32_t*>(o[2]), p.count, p.n, shared, p.flag, verdict.first());
    if (!p.flag) return;
    if (const auto bad = verdict.read(); bad.reason) refuse_pivot(p, bad.matrix, bad.reason);
  };
}

Kernel lu_solve(const System& p) {
  if (solved_in_blocks(p)) return blocked_lu_solve(p);
  return [p, shape = SolveShape(p)](void* const* o) {
    start("lu_solve", dim3(blocks_for(shape.tasks)), dim3(shape.threads), shape.bytes, cuda::lu_solve, in(o, 0),
          static_cast<const std::int32_t*>(o[1]), in(o, 2), out(o, 3), p, shape.tasks, shape.shared);
  };
}

}  // namespace own

void install_linalg() {
  linalg::cholesky_kernel.set(DeviceType::cuda, own::cholesky);
  linalg::triangular_solve_kernel.set(DeviceType::cuda, own::triangular_solve);
  linalg::lu_kernel.set(DeviceType::cuda, own::lu);
  linalg::lu_solve_kernel.set(DeviceType::cuda, own::lu_solve);
  linalg::lu_det_kernel.set(DeviceType::cuda, [](const Matrices& p) -> Kernel {
    return [p](void* const* o) {
      start_items("lu_det", p.count, lu_det, in(o, 0), static_cast<const std::int32_t*>(o[1]), out(o, 2), out(o, 3), out(o, 4), p.count,
                  p.n);
    };
  });
  linalg::triangle_weights_kernel.set(DeviceType::cuda, [](const TriangleWeights& p) -> Kernel {
    return [p](void* const* o) { start_items("weigh_triangles", p.count * p.m * p.n, weigh_triangles, in(o, 0), out(o, 1), p); };
  });
  install_linalg_orthogonal();
  install_linalg_exp();
}

}  // namespace tenon::cuda
