#include <cublas_v2.h>

#include "backend/cuda/launch.cuh"
#include "backend/cuda/install.hpp"
#include "ops/matmul_kernels.hpp"

namespace tenon::cuda {
namespace {

void check_blas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorKind::device, "cuda.cublas", std::string(call) + ": " + cublasGetStatusString(status), "run `tenon devices`; --device cpu needs no GPU");
}

cublasHandle_t handle() {
  static cublasHandle_t h = [] {
    cublasHandle_t made = nullptr;
    check_blas(cublasCreate(&made), "cublasCreate");
    check_blas(cublasSetStream(made, stream()), "cublasSetStream");
    check_blas(cublasSetMathMode(made, CUBLAS_PEDANTIC_MATH), "cublasSetMathMode");  // f32 stays f32: no TF32 unasked
    return made;
  }();
  return h;
}

cudaDataType_t type_of(DType t) {
  switch (t) {
    case DType::f32: return CUDA_R_32F;
    case DType::f64: return CUDA_R_64F;
    case DType::bf16: return CUDA_R_16BF;
    default: throw_usage("matmul", std::string(name_of(t)) + " has no product on CUDA", "convert with .to(DType::f32)");
  }
}

template <class Out, class Bias> __global__ void add_bias(Out* c, const Bias* bias, std::int64_t count, std::int64_t n) {
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) c[i] = Out(Bias(c[i]) + bias[i % n]);
}

/// Row-major c = a b is column-major c' = b' a': the operands swap places, and a transpose is whichever stride is 1.
void multiply(const MatmulGeometry& g, const void* a, const void* b, void* c, std::size_t matrix) {
  const auto* pa = static_cast<const std::byte*>(a) + std::size_t(g.a_offset[matrix]) * size_of(g.in);
  const auto* pb = static_cast<const std::byte*>(b) + std::size_t(g.b_offset[matrix]) * size_of(g.in);
  auto* pc = static_cast<std::byte*>(c) + matrix * std::size_t(g.m * g.n) * size_of(g.out);
  const bool a_rows = g.a_col == 1, b_rows = g.b_col == 1;
  const float one_f = 1, zero_f = 0;
  const double one_d = 1, zero_d = 0;
  const bool wide = g.in == DType::f64;
  check_blas(cublasGemmEx(handle(), b_rows ? CUBLAS_OP_N : CUBLAS_OP_T, a_rows ? CUBLAS_OP_N : CUBLAS_OP_T, int(g.n), int(g.m), int(g.k),
                          wide ? static_cast<const void*>(&one_d) : &one_f, pb, type_of(g.in), int(b_rows ? g.b_row : g.b_col), pa, type_of(g.in),
                          int(a_rows ? g.a_row : g.a_col), wide ? static_cast<const void*>(&zero_d) : &zero_f, pc, type_of(g.out), int(g.n),
                          wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
             "cublasGemmEx");
}

void bias_rows(const MatmulGeometry& g, void* c, const void* bias) {
  const std::int64_t count = std::int64_t(g.a_offset.size()) * g.m * g.n;
  if (g.out == DType::f64) {
    start_items("add_bias", count, add_bias<double, double>, static_cast<double*>(c), static_cast<const double*>(bias), count, g.n);
  } else if (g.out == DType::f32) {
    start_items("add_bias", count, add_bias<float, float>, static_cast<float*>(c), static_cast<const float*>(bias), count, g.n);
  } else {
    start_items("add_bias", count, add_bias<bf16, float>, static_cast<bf16*>(c), static_cast<const float*>(bias), count, g.n);
  }
}

Kernel make_matmul(const MatmulGeometry& g) {
  return [g](void* const* p) {
    void* c = p[g.bias ? 3 : 2];
    if (g.m == 0 || g.n == 0) return;
    if (g.k == 0) {
      check(cudaMemsetAsync(c, 0, g.a_offset.size() * std::size_t(g.m * g.n) * size_of(g.out), stream()), "cudaMemsetAsync");
    } else {
      for (std::size_t i = 0; i < g.a_offset.size(); ++i) multiply(g, p[0], p[1], c, i);
    }
    if (g.bias) bias_rows(g, c, p[2]);
  };
}

}  // namespace

void install_matmul() {
  matmul_slot.set(DeviceType::cuda, make_matmul);
  set_matmul_workspace(DeviceType::cuda, [](const MatmulGeometry&) { return std::size_t(0); });
}

}  // namespace tenon::cuda
