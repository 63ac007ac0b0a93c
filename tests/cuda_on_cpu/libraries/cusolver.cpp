// cuSOLVER as its documentation has it, on the CPU. What it demands is demanded; what it may overwrite, or leave undefined, is overwritten.
#include "cusolverDn.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <utility>

#include "cuda_on_cpu/libraries/cusolver.hpp"
#include "cuda_on_cpu/libraries/dense_solvers.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/spoil.hpp"
#include "cuda_on_cpu/runtime/work.hpp"

struct cusolverDnContext {
  cudaStream_t stream = nullptr;
};

namespace on_cpu = tenon::cuda::on_cpu;
using on_cpu::Columns;

namespace {

std::atomic<int> calls{0}, unconverged{0}, before_that{0};

bool usable(std::initializer_list<const void*> pointers) {
  return std::ranges::none_of(pointers, [](const void* p) { return p == nullptr; });
}
bool is_fill(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER || uplo == CUBLAS_FILL_MODE_UPPER; }

/// For a matrix [m, n] with columns `lda` apart: the size of its work area.
cusolverStatus_t answer(cusolverDnHandle_t h, int m, int n, int lda, int* lwork, int values) {
  if (!h) return CUSOLVER_STATUS_NOT_INITIALIZED;
  if (m < 0 || n < 0 || lda < std::max(1, m) || !lwork) return CUSOLVER_STATUS_INVALID_VALUE;
  *lwork = values;
  return CUSOLVER_STATUS_SUCCESS;
}

/// `work`, given by value, between two spoilings of its area.
cusolverStatus_t run(cusolverDnHandle_t h, double* area, int lwork, std::function<void()> work) {
  if (!on_cpu::is_first(h->stream)) on_cpu::note_damage("cuSOLVER was given another stream than the backend's");
  if (on_cpu::allowed_while_recording() != cudaSuccess) return CUSOLVER_STATUS_INTERNAL_ERROR;  // its iterations may wait for the device
  if (on_cpu::bytes_from(area) < std::size_t(lwork) * sizeof(double)) {
    on_cpu::note_damage("cuSOLVER's work area is smaller than it asked for");
    return CUSOLVER_STATUS_INVALID_VALUE;
  }
  on_cpu::enqueue([=, work = std::move(work)] {
    ++calls;
    on_cpu::spoil(area, std::size_t(lwork) * sizeof(double));
    work();
    on_cpu::spoil(area, std::size_t(lwork) * sizeof(double));
  });
  return CUSOLVER_STATUS_SUCCESS;
}

void spoil_triangle(const Columns& a, bool upper) {
  for (int j = 0; j < a.columns; ++j)
    for (int i = 0; i < a.rows; ++i)
      if (upper ? i < j : i > j) on_cpu::spoil(&a(i, j), sizeof(double));
}
void spoil_all(const Columns& a) {
  for (int j = 0; j < a.columns; ++j) on_cpu::spoil(&a(0, j), std::size_t(a.rows) * sizeof(double));
}
/// NaN and infinities are no input of an iteration, which may never end; `which`: the triangle that is read, 0 for all.
bool all_finite(const Columns& a, int which = 0) {
  for (int j = 0; j < a.columns; ++j)
    for (int i = 0; i < a.rows; ++i)
      if ((which == 0 || i == j || (i < j) == (which > 0)) && !std::isfinite(a(i, j))) {
        on_cpu::note_damage("cuSOLVER was given a value that is not finite to iterate on");
        return false;
      }
  return true;
}
bool left_unconverged() {
  if (unconverged == 0) return false;
  if (before_that > 0) return --before_that, false;
  return --unconverged, true;
}

}  // namespace

int on_cpu::solver_calls_run() { return calls.exchange(0); }
void on_cpu::leave_unconverged(int count, int skip) { unconverged = count, before_that = skip; }

cusolverStatus_t cusolverGetVersion(int* version) { return *version = 12010, CUSOLVER_STATUS_SUCCESS; }
cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  if (!handle) return CUSOLVER_STATUS_INVALID_VALUE;
  if (tenon::cuda::on_cpu::allowed_while_recording() != cudaSuccess) return CUSOLVER_STATUS_INTERNAL_ERROR;  // it takes memory
  *handle = new cusolverDnContext;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
  if (!handle) return CUSOLVER_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDpotrf_bufferSize(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double*, int lda, int* lwork) {
  return is_fill(uplo) ? answer(handle, n, n, lda, lwork, 2 * n + 5) : CUSOLVER_STATUS_INVALID_VALUE;
}
cusolverStatus_t cusolverDnDpotrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double* a, int lda, double* work, int lwork, int* info) {
  int needed = 0;
  if (const auto status = cusolverDnDpotrf_bufferSize(handle, uplo, n, a, lda, &needed)) return status;
  if (!usable({a, work, info}) || lwork < needed) return CUSOLVER_STATUS_INVALID_VALUE;
  return run(handle, work, lwork, [=, upper = uplo == CUBLAS_FILL_MODE_UPPER] {
    const Columns all{a, n, n, lda};
    *info = on_cpu::cholesky(all, upper);
    if (*info > 0) spoil_all(all);
    else spoil_triangle(all, !upper);
  });
}

cusolverStatus_t cusolverDnDgetrf_bufferSize(cusolverDnHandle_t handle, int m, int n, double*, int lda, int* lwork) {
  return answer(handle, m, n, lda, lwork, m + 3 * n + 5);
}
cusolverStatus_t cusolverDnDgetrf(cusolverDnHandle_t handle, int m, int n, double* a, int lda, double* work, int* pivots, int* info) {
  int needed = 0;
  if (const auto status = cusolverDnDgetrf_bufferSize(handle, m, n, a, lda, &needed)) return status;
  if (!usable({a, work, pivots, info})) return CUSOLVER_STATUS_INVALID_VALUE;  // cuSOLVER takes no pivots for none wanted; nobody here does
  return run(handle, work, needed, [=] { *info = on_cpu::lu({a, m, n, lda}, pivots); });
}

cusolverStatus_t cusolverDnDgeqrf_bufferSize(cusolverDnHandle_t handle, int m, int n, double*, int lda, int* lwork) {
  return answer(handle, m, n, lda, lwork, 8 * n + 5);
}
cusolverStatus_t cusolverDnDgeqrf(cusolverDnHandle_t handle, int m, int n, double* a, int lda, double* tau, double* work, int lwork, int* info) {
  int needed = 0;
  if (const auto status = cusolverDnDgeqrf_bufferSize(handle, m, n, a, lda, &needed)) return status;
  if (!usable({a, tau, work, info}) || lwork < needed) return CUSOLVER_STATUS_INVALID_VALUE;
  return run(handle, work, lwork, [=] { on_cpu::reflect({a, m, n, lda}, tau), *info = 0; });
}

cusolverStatus_t cusolverDnDorgqr_bufferSize(cusolverDnHandle_t handle, int m, int n, int k, const double*, int lda, const double*, int* lwork) {
  return m < n || n < k || k < 0 ? CUSOLVER_STATUS_INVALID_VALUE : answer(handle, m, n, lda, lwork, 7 * (n + k) + 9);
}
cusolverStatus_t cusolverDnDorgqr(cusolverDnHandle_t handle, int m, int n, int k, double* a, int lda, const double* tau, double* work, int lwork,
                                  int* info) {
  int needed = 0;
  if (const auto status = cusolverDnDorgqr_bufferSize(handle, m, n, k, a, lda, tau, &needed)) return status;
  if (!usable({a, tau, work, info}) || lwork < needed) return CUSOLVER_STATUS_INVALID_VALUE;
  return run(handle, work, lwork, [=] { on_cpu::multiply_reflectors({a, m, n, lda}, k, tau), *info = 0; });
}

cusolverStatus_t cusolverDnDgesvd_bufferSize(cusolverDnHandle_t handle, int m, int n, int* lwork) {
  return m < n ? CUSOLVER_STATUS_INVALID_VALUE : answer(handle, m, n, std::max(1, m), lwork, 4 * m + 3 * n + 5);
}
cusolverStatus_t cusolverDnDgesvd(cusolverDnHandle_t handle, signed char job_u, signed char job_vt, int m, int n, double* a, int lda, double* s,
                                  double* u, int ldu, double* vt, int ldvt, double* work, int lwork, double*, int* info) {
  int needed = 0;
  if (const auto status = cusolverDnDgesvd_bufferSize(handle, m, n, &needed)) return status;
  // of the jobs only the reduced vectors, of the unfinished superdiagonal nothing is asked for here
  if (job_u != 'S' || job_vt != 'S' || !usable({a, s, u, vt, work, info}) || lda < m || ldu < m || ldvt < n || lwork < needed)
    return CUSOLVER_STATUS_INVALID_VALUE;
  return run(handle, work, lwork, [=] {
    const Columns all{a, m, n, lda}, left{u, m, n, ldu}, right{vt, n, n, ldvt};
    *info = all_finite(all) && on_cpu::singular_values(all, s, left, right) && !left_unconverged() ? 0 : 1;
    spoil_all(all);
    if (*info == 0) return;
    on_cpu::spoil(s, std::size_t(n) * sizeof(double));
    spoil_all(left), spoil_all(right);
  });
}

cusolverStatus_t cusolverDnDsyevd_bufferSize(cusolverDnHandle_t handle, cusolverEigMode_t mode, cublasFillMode_t uplo, int n, const double*, int lda,
                                             const double*, int* lwork) {
  if (!is_fill(uplo) || (mode != CUSOLVER_EIG_MODE_VECTOR && mode != CUSOLVER_EIG_MODE_NOVECTOR)) return CUSOLVER_STATUS_INVALID_VALUE;
  return answer(handle, n, n, lda, lwork, mode == CUSOLVER_EIG_MODE_VECTOR ? n * n + 6 * n + 1 : 2 * n + 1);
}
cusolverStatus_t cusolverDnDsyevd(cusolverDnHandle_t handle, cusolverEigMode_t mode, cublasFillMode_t uplo, int n, double* a, int lda, double* w,
                                  double* work, int lwork, int* info) {
  int needed = 0;
  if (const auto status = cusolverDnDsyevd_bufferSize(handle, mode, uplo, n, a, lda, w, &needed)) return status;
  if (!usable({a, w, work, info}) || lwork < needed) return CUSOLVER_STATUS_INVALID_VALUE;
  return run(handle, work, lwork, [=, upper = uplo == CUBLAS_FILL_MODE_UPPER] {
    const Columns all{a, n, n, lda};
    *info = all_finite(all, upper ? 1 : -1) && on_cpu::eigenvalues(all, upper, w) && !left_unconverged() ? 0 : 1;
    if (*info != 0) on_cpu::spoil(w, std::size_t(n) * sizeof(double));
    if (*info != 0 || mode == CUSOLVER_EIG_MODE_NOVECTOR) spoil_all(all);
  });
}
