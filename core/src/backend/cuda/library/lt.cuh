/// cuBLASLt's handles and attributes as values that clean up after themselves (private).
#pragma once

#include <cublasLt.h>

#include <memory>
#include <string>

#include "backend/cuda/check.cuh"
#include "tenon/dtype.hpp"

namespace tenon::cuda::lt {

inline void check_blas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorKind::device, "cuda.cublas", std::string(call) + ": " + cublasLtGetStatusString(status),
              "run `tenon devices`; --device cpu needs no GPU");
}

inline cublasLtHandle_t handle() {
  static cublasLtHandle_t h = [] {
    cublasLtHandle_t made = nullptr;
    check_blas(cublasLtCreate(&made), "cublasLtCreate");
    return made;
  }();
  return h;
}

inline cudaDataType_t type_of(DType t) {
  switch (t) {
    case DType::f32:
      return CUDA_R_32F;
    case DType::f64:
      return CUDA_R_64F;
    case DType::bf16:
      return CUDA_R_16BF;
    case DType::f16:
      return CUDA_R_16F;
    default:
      throw_usage("matmul", std::string(name_of(t)) + " has no product on CUDA", "convert with .to(DType::f32)");
  }
}

struct Release {
  void operator()(cublasLtMatmulDescOpaque_t* d) const { cublasLtMatmulDescDestroy(d); }
  void operator()(cublasLtMatrixLayoutOpaque_t* d) const { cublasLtMatrixLayoutDestroy(d); }
  void operator()(cublasLtMatmulPreferenceOpaque_t* d) const { cublasLtMatmulPreferenceDestroy(d); }
};
using Operation = std::unique_ptr<cublasLtMatmulDescOpaque_t, Release>;
using MatrixLayout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Release>;
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Release>;

/// An algorithm of the library's.
struct Proposal {
  cublasLtMatmulAlgo_t algo{};
  std::size_t workspace = 0;  ///< bytes that it works in
};

template <class V>
void set(const Operation& o, cublasLtMatmulDescAttributes_t what, const V& value) {
  check_blas(cublasLtMatmulDescSetAttribute(o.get(), what, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}
template <class V>
void set(const MatrixLayout& o, cublasLtMatrixLayoutAttribute_t what, const V& value) {
  check_blas(cublasLtMatrixLayoutSetAttribute(o.get(), what, &value, sizeof value), "cublasLtMatrixLayoutSetAttribute");
}
template <class V>
void set(const Preference& o, cublasLtMatmulPreferenceAttributes_t what, const V& value) {
  check_blas(cublasLtMatmulPreferenceSetAttribute(o.get(), what, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
}

/// Column major, as the library thinks.
inline MatrixLayout matrix(DType type, std::int64_t rows, std::int64_t columns, std::int64_t column_stride, std::int64_t count,
                           std::int64_t step) {
  cublasLtMatrixLayout_t made = nullptr;
  check_blas(cublasLtMatrixLayoutCreate(&made, type_of(type), std::uint64_t(rows), std::uint64_t(columns), column_stride),
             "cublasLtMatrixLayoutCreate");
  MatrixLayout layout(made);
  if (count > 1) {
    set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, std::int32_t(count));
    set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, step);
  }
  return layout;
}

}  // namespace tenon::cuda::lt
