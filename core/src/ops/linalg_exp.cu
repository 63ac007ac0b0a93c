/// Exponentials of matrices on CUDA: scaling and squaring with the Pade approximant of degree 13 (Higham 2005), one block a matrix.
#include <algorithm>

#include "backend/cuda/linalg.hpp"
#include "ops/linalg_block.cuh"

namespace tenon::cuda {
namespace {

using block::Index;
using linalg::Matrices;

/// Doubles beside the result: six matrices and the pivots, as on the CPU.
TENON_HD inline Index exp_values(Index n) {
  return 6 * n * n + (n + 1) / 2;
}

/// The largest sum of a column's sizes; NaN when there is one.
__device__ double one_norm(Index n, const double* a) {
  block::Largest l;
  double spoiled = 0;
  for (Index j = threadIdx.x; j < n; j += blockDim.x) {
    double total = 0;
    for (Index i = 0; i < n; ++i) total += fabs(a[i * n + j]);
    l.offer(total, 0);
    spoiled += total * 0;
  }
  l = block::largest(l);
  return block::sum(spoiled) != 0 ? block::nan() : l.value;
}

struct Powers {
  Index n;
  double *x2, *x4, *x6, *space;
};

/// to = x6 (c6 x6 + c4 x4 + c2 x2) + b6 x6 + b4 x4 + b2 x2 + b0, coefficients from b upwards.
__device__ void half(const Powers& p, double c6, double c4, double c2, double b6, double b4, double b2, double b0, double* to) {
  const Index size = p.n * p.n;
  for (Index e = threadIdx.x; e < size; e += blockDim.x) p.space[e] = c6 * p.x6[e] + c4 * p.x4[e] + c2 * p.x2[e];
  __syncthreads();
  block::product(p.n, p.x6, p.space, to);
  for (Index e = threadIdx.x; e < size; e += blockDim.x)
    to[e] += b6 * p.x6[e] + b4 * p.x4[e] + b2 * p.x2[e] + (e / p.n == e % p.n ? b0 : 0);
  __syncthreads();
}

__device__ void exponential(Index n, const double* a, double* e, double* memory) {
  constexpr double kTheta = 5.371920351148152;  // up to this 1-norm degree 13 is exact to the last bit (Higham 2005, table 2.3)
  const Index size = n * n;
  double *x = memory, *x2 = x + size, *x4 = x2 + size, *x6 = x4 + size, *u = x6 + size, *v = u + size;
  auto* pivots = reinterpret_cast<std::int32_t*>(v + size);
  const double norm = one_norm(n, a);
  if (norm != norm) {
    for (Index i = threadIdx.x; i < size; i += blockDim.x) e[i] = block::nan();
    __syncthreads();
    return;
  }
  const int squarings = norm > kTheta ? int(ceil(log2(norm / kTheta))) : 0;  // not negative: norm exceeds kTheta
  const double scale = ldexp(1.0, -squarings);
  for (Index i = threadIdx.x; i < size; i += blockDim.x) x[i] = a[i] * scale;
  __syncthreads();
  block::product(n, x, x, x2);
  block::product(n, x2, x2, x4);
  block::product(n, x2, x4, x6);
  const Powers p{n, x2, x4, x6, e};
  half(p, 1., 16380., 40840800., 33522128640., 10559470521600., 1187353796428800., 32382376266240000., v);
  block::product(n, x, v, u);
  half(p, 182., 960960., 1323241920., 670442572800., 129060195264000., 7771770303897600., 64764752532480000., v);
  for (Index i = threadIdx.x; i < size; i += blockDim.x) {
    e[i] = v[i] + u[i];
    x[i] = v[i] - u[i];
  }
  __syncthreads();
  block::lu(n, x, n, pivots);
  __syncthreads();
  for (Index i = 0; i < n; ++i) block::exchange(i, pivots[i], n, e, n);
  block::solve_triangle(false, true, n, n, x, n, 1, e, n);
  block::solve_triangle(true, false, n, n, x, n, 1, e, n);
  for (int s = 0; s < squarings; ++s) {
    for (Index i = threadIdx.x; i < size; i += blockDim.x) x[i] = e[i];
    __syncthreads();
    block::product(n, x, x, e);
  }
}

__global__ void matrix_exp(const double* a, double* result, double* workspace, Index count, Index n, bool shared) {
  double* memory = shared ? dynamic_shared<double>() : workspace + Index(blockIdx.x) * exp_values(n);
  for (Index i = blockIdx.x; i < count; i += gridDim.x) exponential(n, a + i * n * n, result + i * n * n, memory);
}

}  // namespace

void install_linalg_exp() {
  linalg::matrix_exp_kernel.set(DeviceType::cuda, [](const Matrices& p) -> Kernel {
    const std::int64_t values = exp_values(p.n);
    const bool shared = block::fits(values);
    const std::int64_t most = shared ? std::int64_t(1) << 30 : linalg::matrix_exp_workspace(p, DeviceType::cuda) / values;
    const auto blocks = unsigned(std::clamp<std::int64_t>(std::min(p.count, most), 1, std::int64_t(1) << 30));
    return [p, shared, blocks, bytes = shared ? std::size_t(values) * sizeof(double) : 0](void* const* o) {
      start("matrix_exp", dim3(blocks), dim3(unsigned(block::threads_for(p.n))), bytes, matrix_exp, static_cast<const double*>(o[0]),
            static_cast<double*>(o[1]), static_cast<double*>(o[2]), p.count, p.n, shared);
    };
  });
}

}  // namespace tenon::cuda
