/// Factorisations of few large matrices through cuSOLVER. It takes columns where we have rows, and other signs: passes around it see to
/// that.
///
/// A recorded step is made of our own kernels: cuSOLVER's iterations may wait for the device, which a graph cannot, and all runs of a step have the same bits.
#include <cusolverDn.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "backend/cuda/install.hpp"
#include "backend/cuda/linalg.hpp"
#include "ops/linalg_block.cuh"
#include "ops/linalg_refuse.hpp"
#include "tenon/plan.hpp"

namespace tenon::cuda {
namespace {

using block::Index;
using linalg::Matrices;

void check_solver(cusolverStatus_t status, const char* call) {
  if (status == CUSOLVER_STATUS_SUCCESS) return;
  throw Error(ErrorKind::device, "cuda.cusolver", std::string(call) + " failed with status " + std::to_string(int(status)),
              "run `tenon devices`; --device cpu needs no GPU");
}

cusolverDnHandle_t solver() {
  static cusolverDnHandle_t h = [] {
    cusolverDnHandle_t made = nullptr;
    check_solver(cusolverDnCreate(&made), "cusolverDnCreate");
    check_solver(cusolverDnSetStream(made, stream()), "cusolverDnSetStream");
    return made;
  }();
  return h;
}

const double* in(void* const* p, int i) {
  return static_cast<const double*>(p[i]);
}
double* out(void* const* p, int i) {
  return static_cast<double*>(p[i]);
}

/// Our own kernels do many matrices at once: cuSOLVER is for large ones, and for middling ones that are few, the fewer the smaller they are.
bool library_is_best(const Matrices& p) {
  constexpr std::int64_t kSmall = 64, kMiddling = 128, kLarge = 512, kMany = 16, kMore = 64, kMostValues = 0x7fffffff;
  if (is_recording()) return false;
  const std::int64_t order = std::min(p.m, p.n), largest = std::max(p.m, p.n);
  if (order <= kSmall || largest * largest > kMostValues) return false;
  return order > kLarge || p.count < (order > kMiddling ? kMore : kMany);
}

constexpr int kScaleParts = 128;  ///< in which the largest size of a matrix is looked for

/// Memory of one matrix on its way, beside cuSOLVER's own.
struct Space {
  std::shared_ptr<const DeviceMemory> memory;
  double *work, *a, *b, *c, *scale;
  int* info;
  int lwork;

  /// Values of the three arrays that a factorisation needs.
  Space(int work_values, std::int64_t a_values, std::int64_t b_values, std::int64_t c_values) : lwork(work_values) {
    const auto rounded = [](std::int64_t values) { return (values + 31) / 32 * 32; };  // each begins at 256 bytes
    const std::int64_t sizes[] = {rounded(work_values), rounded(a_values), rounded(b_values), rounded(c_values), 32 + kScaleParts, 32};
    std::int64_t total = 0;
    for (const std::int64_t s : sizes) total += s;
    memory = std::make_shared<const DeviceMemory>(std::size_t(total) * sizeof(double));
    work = memory->as<double>();
    a = work + sizes[0], b = a + sizes[1], c = b + sizes[2], scale = c + sizes[3];
    info = reinterpret_cast<int*>(scale + sizes[4]);
  }
};

constexpr int kTile = 32, kTileRows = 8;

/// The largest size in each of as many parts as there are blocks; NaN where one is not finite.
__global__ void find_largest(const double* x, Index count, double* parts) {
  block::Largest l;
  double spoiled = 0;
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += Index(gridDim.x) * blockDim.x) {
    const double v = x[i];
    l.offer(fabs(v), 0);
    spoiled += v * 0;
  }
  l = block::largest(l);
  spoiled = block::sum(spoiled);
  if (threadIdx.x == 0) parts[blockIdx.x] = spoiled != 0 ? spoiled : l.value;
}

/// scale = magnitude of x; one block.
__global__ void find_scale(const double* x, Index count, double* scale) {
  const double s = block::magnitude(count, x);
  if (threadIdx.x == 0) *scale = s;
}

/// y [columns, rows] = x [rows, columns] turned, over the scale (null: 1), zeros when that is NaN: cuSOLVER need not see one.
__global__ void turn(const double* x, double* y, Index rows, Index columns, const double* scale) {
  __shared__ double tile[kTile][kTile + 1];
  const Index tiles = (columns + kTile - 1) / kTile, row0 = Index(blockIdx.x) / tiles * kTile, column0 = Index(blockIdx.x) % tiles * kTile;
  const double by = scale ? *scale : 1;
  for (int i = threadIdx.y; i < kTile; i += kTileRows)
    if (row0 + i < rows && column0 + int(threadIdx.x) < columns)
      tile[i][threadIdx.x] = by != by ? 0 : x[(row0 + i) * columns + column0 + int(threadIdx.x)] / by;
  __syncthreads();
  for (int j = threadIdx.y; j < kTile; j += kTileRows)
    if (column0 + j < columns && row0 + int(threadIdx.x) < rows) y[(column0 + j) * rows + row0 + int(threadIdx.x)] = tile[threadIdx.x][j];
}

__global__ void copy_scaled(const double* x, double* y, Index count, const double* scale) {
  const double by = *scale;
  for (Index i = Index(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += Index(gridDim.x) * blockDim.x)
    y[i] = by != by ? 0 : x[i] / by;
}

/// `space`: Space::scale, with room for the parts behind it.
void run_scale(const double* x, Index count, double* space) {
  constexpr Index kOfOneBlock = 1 << 14;
  double* const parts = space + 32;
  const Index blocks = std::min<Index>(kScaleParts, (count + kOfOneBlock - 1) / kOfOneBlock);
  if (blocks > 1) start("find_largest", dim3(unsigned(blocks)), dim3(block::kMostThreads), 0, find_largest, x, count, parts);
  start("find_scale", dim3(1), dim3(block::kMostThreads), 0, find_scale, blocks > 1 ? parts : x, blocks > 1 ? blocks : count, space);
}
void run_turn(const double* x, double* y, Index rows, Index columns, const double* scale) {
  const Index tiles = (rows + kTile - 1) / kTile * ((columns + kTile - 1) / kTile);
  start("turn", dim3(unsigned(tiles)), dim3(kTile, kTileRows), 0, turn, x, y, rows, columns, scale);
}

__device__ void refuse_at(unsigned long long* first, Index matrix, Index reason) {
  atomicMin(first, (static_cast<unsigned long long>(matrix) << 32) + static_cast<unsigned long long>(reason));
}

// ---- Cholesky ---------------------------------------------------------------------------------------------------------

/// Zeros above the diagonal; all NaN, and refused, where the factor is none. One block.
__global__ void finish_cholesky(double* l, Index n, const int* info, Index matrix, unsigned long long* first) {
  block::Largest worst;  // the first bad place is the largest of the negative places
  worst.value = -double(n) - 1, worst.place = n;
  for (Index j = threadIdx.x; j < n; j += blockDim.x)
    if (const double d = l[j * (n + 1)]; !(d > 0) || isinf(d)) worst.offer(-double(j), j);
  worst = block::largest(worst);
  Index bad = *info > 0 ? Index(*info) : worst.place < n ? worst.place + 1 : 0;
  if (bad && threadIdx.x == 0) refuse_at(first, matrix, bad);
  for (Index i = block::warp(); i < n; i += block::warps())
    for (Index j = block::lane(); j < n; j += 32)
      if (bad || j > i) l[i * n + j] = bad ? block::nan() : 0;
}

Kernel make_cholesky(const Matrices& p) {
  if (!library_is_best(p)) return own::cholesky(p);
  const int n = int(p.n);
  int lwork = 0;
  check_solver(cusolverDnDpotrf_bufferSize(solver(), CUBLAS_FILL_MODE_UPPER, n, nullptr, n, &lwork), "cusolverDnDpotrf_bufferSize");
  return [p, n, space = Space(lwork, 0, 0, 0), verdict = Verdict()](void* const* o) {
    verdict.clear();
    check(cudaMemcpyAsync(o[1], o[0], std::size_t(p.count * p.n * p.n) * sizeof(double), cudaMemcpyDeviceToDevice, stream()),
          "cudaMemcpyAsync");
    for (std::int64_t i = 0; i < p.count; ++i) {
      double* l = out(o, 1) + i * p.n * p.n;  // its rows are cuSOLVER's columns, so that its upper factor is our lower one
      check_solver(cusolverDnDpotrf(solver(), CUBLAS_FILL_MODE_UPPER, n, l, n, space.work, space.lwork, space.info), "cusolverDnDpotrf");
      start("finish_cholesky", dim3(1), dim3(block::kMostThreads), 0, finish_cholesky, l, p.n, space.info, i, verdict.first());
    }
    if (const auto bad = verdict.read(); bad.reason) refuse_minor(p, bad.matrix, bad.reason);
  };
}

// ---- LU -------------------------------------------------------------------------------------------------------------------

/// Pivots counted from 0; all NaN, and refused, where a pivot is 0 and must not be. One block.
__global__ void finish_lu(double* factors, std::int32_t* pivots, Index n, bool regular, const int* info, Index matrix,
                          unsigned long long* first) {
  for (Index j = threadIdx.x; j < n; j += blockDim.x) --pivots[j];
  if (!regular || *info <= 0) return;
  if (threadIdx.x == 0) refuse_at(first, matrix, *info);
  for (Index e = threadIdx.x; e < n * n; e += blockDim.x) factors[e] = block::nan();
}

Kernel make_lu(const Matrices& p) {
  if (!library_is_best(p)) return own::lu(p);
  const int n = int(p.n);
  int lwork = 0;
  check_solver(cusolverDnDgetrf_bufferSize(solver(), n, n, nullptr, n, &lwork), "cusolverDnDgetrf_bufferSize");
  return [p, n, space = Space(lwork, p.n * p.n, 0, 0), verdict = Verdict()](void* const* o) {
    verdict.clear();
    for (std::int64_t i = 0; i < p.count; ++i) {
      double* factors = out(o, 1) + i * p.n * p.n;
      auto* pivots = static_cast<std::int32_t*>(o[2]) + i * p.n;
      run_turn(in(o, 0) + i * p.n * p.n, space.a, p.n, p.n, nullptr);
      check_solver(cusolverDnDgetrf(solver(), n, n, space.a, n, space.work, pivots, space.info), "cusolverDnDgetrf");
      run_turn(space.a, factors, p.n, p.n, nullptr);
      start("finish_lu", dim3(1), dim3(block::kMostThreads), 0, finish_lu, factors, pivots, p.n, p.flag, space.info, i, verdict.first());
    }
    if (!p.flag) return;
    if (const auto bad = verdict.read(); bad.reason) refuse_pivot(p, bad.matrix, bad.reason);
  };
}

// ---- QR -------------------------------------------------------------------------------------------------------------------

/// r [columns, n] from the reflected columns a [n][m], and q [m, columns] from its columns, rows of r with a positive diagonal.
__global__ void finish_qr(const double* a, const double* q_columns, const double* scale, double* q, double* r, Index m, Index n,
                          Index columns) {
  const Index k = m < n ? m : n, step = Index(gridDim.x) * blockDim.x, begin = Index(blockIdx.x) * blockDim.x + threadIdx.x;
  for (Index e = begin; e < columns * n; e += step) {
    const Index row = e / n, c = e % n;
    r[e] = row < k && c >= row ? (signbit(a[row * (m + 1)]) ? -*scale : *scale) * a[c * m + row] : 0;
  }
  for (Index e = begin; e < m * columns; e += step) {
    const Index row = e / columns, c = e % columns;
    const double v = q_columns[c * m + row];
    q[e] = *scale != *scale ? block::nan() : c < k && signbit(a[c * (m + 1)]) ? -v : v;
  }
}

Kernel make_qr(const Matrices& p) {
  if (!library_is_best(p)) return own::qr(p);
  const std::int64_t k = std::min(p.m, p.n), columns = p.flag ? p.m : k;
  const int m = int(p.m), n = int(p.n), reflectors = int(k), wide = int(columns);
  int lwork = 0, more = 0;
  check_solver(cusolverDnDgeqrf_bufferSize(solver(), m, n, nullptr, m, &lwork), "cusolverDnDgeqrf_bufferSize");
  check_solver(cusolverDnDorgqr_bufferSize(solver(), m, wide, reflectors, nullptr, m, nullptr, &more), "cusolverDnDorgqr_bufferSize");
  return [=, space = Space(std::max(lwork, more), p.m * p.n, p.m * columns, k)](void* const* o) {
    for (std::int64_t i = 0; i < p.count; ++i) {
      const double* a = in(o, 0) + i * p.m * p.n;
      run_scale(a, p.m * p.n, space.scale);
      run_turn(a, space.a, p.m, p.n, space.scale);
      check_solver(cusolverDnDgeqrf(solver(), m, n, space.a, m, space.c, space.work, space.lwork, space.info), "cusolverDnDgeqrf");
      check(cudaMemcpyAsync(space.b, space.a, std::size_t(p.m * k) * sizeof(double), cudaMemcpyDeviceToDevice, stream()),
            "cudaMemcpyAsync");
      check_solver(cusolverDnDorgqr(solver(), m, wide, reflectors, space.b, m, space.c, space.work, space.lwork, space.info),
                   "cusolverDnDorgqr");
      start_items("finish_qr", columns * std::max(p.m, p.n), finish_qr, space.a, space.b, space.scale, out(o, 1) + i * p.m * columns,
                  out(o, 2) + i * columns * p.n, p.m, p.n, columns);
    }
  };
}

// ---- singular values and symmetric eigenproblems ----------------------------------------------------------------------------

/// By one warp: -1 when the first value of largest size is negative, else 1.
__device__ double sign_of_largest(Index n, const double* x, Index step) {
  block::Largest l;
  for (Index e = block::lane(); e < n; e += 32) l.offer(fabs(x[e * step]), e);
  l = block::warp_largest(l);
  return x[l.place * step] < 0 ? -1 : 1;
}

/// What a warp a vector makes of cuSOLVER's columns: those of the longer side lie one after the other, those of the shorter side are
/// strided.
struct SvdResults {
  const double *values, *tall_lines, *short_lines, *scale;
  const int* info;
  double *u, *s, *vh;
  Index m, n, k;
};

__global__ void finish_svd(SvdResults r, Index matrix, unsigned long long* first) {
  const double scale = *r.info != 0 ? block::nan() : *r.scale;
  if (scale != scale && blockIdx.x == 0 && threadIdx.x == 0) refuse_at(first, matrix, 1);
  const bool wide = r.m < r.n;
  const Index tall = wide ? r.n : r.m;
  for (Index i = Index(blockIdx.x) * block::warps() + block::warp(); i < r.k; i += Index(gridDim.x) * block::warps()) {
    const double *of_tall = r.tall_lines + i * tall, *of_short = r.short_lines + i;
    const double *of_u = wide ? of_short : of_tall, *of_v = wide ? of_tall : of_short;
    const Index u_step = wide ? r.k : 1, v_step = wide ? 1 : r.k;
    const double sign = scale != scale ? scale : sign_of_largest(r.m, of_u, u_step);
    for (Index e = block::lane(); e < r.m; e += 32) r.u[e * r.k + i] = sign * of_u[e * u_step];
    for (Index e = block::lane(); e < r.n; e += 32) r.vh[i * r.n + e] = sign * of_v[e * v_step];
    if (block::lane() == 0) r.s[i] = scale * r.values[i];
  }
}

unsigned warp_blocks(Index lines) {
  return unsigned((lines + block::kMostWarps - 1) / block::kMostWarps);
}

Kernel make_svd(const Matrices& p) {
  if (!library_is_best(p)) return own::svd(p);
  const std::int64_t k = std::min(p.m, p.n), tall = std::max(p.m, p.n);
  int lwork = 0;
  check_solver(cusolverDnDgesvd_bufferSize(solver(), int(tall), int(k), &lwork), "cusolverDnDgesvd_bufferSize");
  return [=, space = Space(lwork, tall * k, tall * k, k * k + k), verdict = Verdict()](void* const* o) {
    verdict.clear();
    double *turned = space.c, *values = space.c + k * k;
    for (std::int64_t i = 0; i < p.count; ++i) {
      const double* a = in(o, 0) + i * p.m * p.n;
      run_scale(a, p.m * p.n, space.scale);
      if (p.m < p.n)  // rows are cuSOLVER's columns: the transpose is decomposed
        start_items("copy_scaled", p.m * p.n, copy_scaled, a, space.a, p.m * p.n, space.scale);
      else
        run_turn(a, space.a, p.m, p.n, space.scale);
      check_solver(cusolverDnDgesvd(solver(), 'S', 'S', int(tall), int(k), space.a, int(tall), values, space.b, int(tall), turned, int(k),
                                    space.work, space.lwork, nullptr, space.info),
                   "cusolverDnDgesvd");
      const SvdResults r{
          values, space.b, turned, space.scale, space.info, out(o, 1) + i * p.m * k, out(o, 2) + i * k, out(o, 3) + i * k * p.n,
          p.m,    p.n,     k};
      start("finish_svd", dim3(warp_blocks(k)), dim3(block::kMostThreads), 0, finish_svd, r, i, verdict.first());
    }
    if (const auto bad = verdict.read(); bad.reason) refuse_iteration(p, bad.matrix);
  };
}

__global__ void finish_eigh(const double* lines, const double* values, const double* scale_of, const int* info, double* w, double* v,
                            Index n, Index matrix, unsigned long long* first) {
  const double scale = *info != 0 ? block::nan() : *scale_of;
  if (scale != scale && blockIdx.x == 0 && threadIdx.x == 0) refuse_at(first, matrix, 1);
  for (Index i = Index(blockIdx.x) * block::warps() + block::warp(); i < n; i += Index(gridDim.x) * block::warps()) {
    if (block::lane() == 0) w[i] = scale * values[i];
    if (!v) continue;
    const double sign = scale != scale ? scale : sign_of_largest(n, lines + i * n, 1);
    for (Index e = block::lane(); e < n; e += 32) v[e * n + i] = sign * lines[i * n + e];
  }
}

Kernel make_eigh(const Matrices& p) {
  if (!library_is_best(p)) return own::eigh(p);
  const int n = int(p.n);
  const cusolverEigMode_t mode = p.flag ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR;
  int lwork = 0;
  check_solver(cusolverDnDsyevd_bufferSize(solver(), mode, CUBLAS_FILL_MODE_LOWER, n, nullptr, n, nullptr, &lwork),
               "cusolverDnDsyevd_bufferSize");
  return [=, space = Space(lwork, p.n * p.n, p.n, 0), verdict = Verdict()](void* const* o) {
    verdict.clear();
    for (std::int64_t i = 0; i < p.count; ++i) {
      const double* a = in(o, 0) + i * p.n * p.n;
      run_scale(a, p.n * p.n, space.scale);
      start_items("copy_scaled", p.n * p.n, copy_scaled, a, space.a, p.n * p.n, space.scale);
      check_solver(cusolverDnDsyevd(solver(), mode, CUBLAS_FILL_MODE_LOWER, n, space.a, n, space.b, space.work, space.lwork, space.info),
                   "cusolverDnDsyevd");
      start("finish_eigh", dim3(warp_blocks(p.n)), dim3(block::kMostThreads), 0, finish_eigh, space.a, space.b, space.scale, space.info,
            out(o, 1) + i * p.n, p.flag ? out(o, 2) + i * p.n * p.n : nullptr, p.n, i, verdict.first());
    }
    if (const auto bad = verdict.read(); bad.reason) refuse_iteration(p, bad.matrix);
  };
}

}  // namespace

void install_linalg_library() {
  linalg::cholesky_kernel.set(DeviceType::cuda, make_cholesky);
  linalg::lu_kernel.set(DeviceType::cuda, make_lu);
  linalg::qr_kernel.set(DeviceType::cuda, make_qr);
  linalg::svd_kernel.set(DeviceType::cuda, make_svd);
  linalg::eigh_kernel.set(DeviceType::cuda, make_eigh);
}

}  // namespace tenon::cuda
