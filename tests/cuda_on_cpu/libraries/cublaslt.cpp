// A stand-in for cuBLASLt: products by plain loops, summed in f64 and rounded once to the compute type, then the epilogue, then the result's type. What the
// library demands of its operands is held against the call.
#include "cuda_on_cpu/libraries/cublaslt.hpp"

#include <cublasLt.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "cuda_on_cpu/runtime/device_clock.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "cuda_on_cpu/runtime/spoil.hpp"
#include "cuda_on_cpu/runtime/work.hpp"
#include "cuda_on_cpu/tensor_core.hpp"
#include "kernels/activation.hpp"
#include "kernels/types.hpp"
#include "ops/convert.hpp"

using namespace tenon;
using namespace tenon::cuda::on_cpu;

struct cublasLtContext {};

namespace {

constexpr std::int64_t kBitsRow = 128, kInputsRow = 8;  // what rows of an auxiliary matrix are multiples of

Epilogues epilogues = Epilogues::all;
Fault fault = Fault::none;
std::vector<Algorithm> algorithms;
std::vector<int> runs;
int fused_runs = 0, calls = 0;
double fused_time = 0;

const std::vector<Algorithm>& all_algorithms() {
  static const std::vector<Algorithm> plain{{.alignment = 16}, {}};
  return algorithms.empty() ? plain : algorithms;
}

std::size_t bytes_of(cudaDataType_t t) { return t == CUDA_R_64F ? 8 : t == CUDA_R_32F ? 4 : 2; }
bool lies_on(const void* p, std::size_t alignment) { return reinterpret_cast<std::uintptr_t>(p) % alignment == 0; }

// ---- epilogues --------------------------------------------------------------------------------------------------------

bool has(std::uint32_t epilogue, std::uint32_t part) { return (epilogue & part) == part; }
struct Parts {
  bool bias, relu, gelu, relu_slope, gelu_slope, writes_auxiliary, reads_auxiliary, column_sums, row_sums;
  explicit Parts(std::uint32_t e)
      : bias(has(e, CUBLASLT_EPILOGUE_BIAS)), relu(has(e, CUBLASLT_EPILOGUE_RELU)), gelu(has(e, CUBLASLT_EPILOGUE_GELU)), relu_slope(has(e, CUBLASLT_EPILOGUE_DRELU)),
        gelu_slope(has(e, CUBLASLT_EPILOGUE_DGELU)), writes_auxiliary((relu || gelu) && has(e, 128)), reads_auxiliary(relu_slope || gelu_slope), column_sums(has(e, CUBLASLT_EPILOGUE_BGRADB)),
        row_sums((relu_slope || gelu_slope) && has(e, 16)) {}
  bool side() const { return bias || column_sums || row_sums; }
  bool auxiliary() const { return writes_auxiliary || reads_auxiliary; }
  bool activation() const { return relu || gelu || reads_auxiliary; }
};

bool supported(const Parts& p, cudaDataType_t result, cudaDataType_t side) {
  if (result == CUDA_R_64F) return !p.side() && !p.activation();
  if (p.activation() && epilogues == Epilogues::none) return false;
  if (p.row_sums && epilogues == Epilogues::without_sums) return false;
  if (p.side() && side != result && !(p.row_sums && side == CUDA_R_32F && epilogues == Epilogues::sums_in_f32)) return false;
  if (p.writes_auxiliary && epilogues == Epilogues::without_auxiliary) return false;
  return !(p.reads_auxiliary && epilogues == Epilogues::without_gradients);
}

// ---- a product ----------------------------------------------------------------------------------------------------------

/// A call, all by value.
struct Call {
  cublasLtMatmulDescOpaque_t desc;
  cublasLtMatrixLayoutOpaque_t a_layout, b_layout, d_layout;
  const void *a, *b;
  void* d;
  double alpha, beta;
  bool other_sums;
  Fault fault;
  int number;  ///< of this call
};

template <class F>
void typed(cudaDataType_t type, const F& f) {
  switch (type) {
    case CUDA_R_64F: return f(double());
    case CUDA_R_32F: return f(float());
    case CUDA_R_16F: return f(f16());
    case CUDA_R_16BF: return f(bf16());
  }
}
double number(const void* p, cudaDataType_t type, std::int64_t i) {
  double value = 0;
  typed(type, [&](auto t) { value = double(convert<std::conditional_t<sizeof(t) == 8, double, float>>(static_cast<const decltype(t)*>(p)[i])); });
  return value;
}
void put(void* p, cudaDataType_t type, std::int64_t i, double value) {
  typed(type, [&](auto t) { static_cast<decltype(t)*>(p)[i] = convert<decltype(t)>(std::conditional_t<sizeof(t) == 8, double, float>(value)); });
}

/// op(matrix) [rows, columns], row major or, where `turned`, column major.
std::vector<double> dense(const void* from, const cublasLtMatrixLayoutOpaque_t& l, std::int32_t operation, std::int64_t offset, bool tf32, bool turned) {
  const bool transposed = operation == CUBLAS_OP_T;
  const auto rows = std::int64_t(transposed ? l.columns : l.rows), columns = std::int64_t(transposed ? l.rows : l.columns);
  std::vector<double> to(std::size_t(rows * columns));
  typed(l.type, [&](auto t) {
    const auto* x = static_cast<const decltype(t)*>(from) + offset;
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        const auto v = x[transposed ? i * l.column_stride + j : j * l.column_stride + i];
        double& place = to[std::size_t(turned ? j * rows + i : i * columns + j)];
        if constexpr (sizeof(v) == 8) place = v;
        else place = double(tf32 ? tenon::cuda::mma::to_tf32(float(v)) : float(v));
      }
  });
  return to;
}

void multiply(const Call& c) {
  const Parts parts(c.desc.epilogue);
  const auto rows = std::int64_t(c.d_layout.rows), columns = std::int64_t(c.d_layout.columns);
  const auto depth = std::int64_t(c.desc.transpose_a == CUBLAS_OP_T ? c.a_layout.rows : c.a_layout.columns);
  const bool tf32 = c.desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32, wide = c.desc.compute == CUBLAS_COMPUTE_64F;
  const cudaDataType_t type = c.d_layout.type, side_type = c.desc.side_type < 0 ? type : cudaDataType_t(c.desc.side_type);
  std::vector<double> sums(std::size_t(rows), 0.0), column(std::size_t(rows), 0.0);
  for (std::int32_t batch = 0; batch < c.d_layout.count; ++batch) {
    const std::vector<double> a = dense(c.a, c.a_layout, c.desc.transpose_a, batch * c.a_layout.step, tf32, true);  // its columns one after the other
    const std::vector<double> b = dense(c.b, c.b_layout, c.desc.transpose_b, batch * c.b_layout.step, tf32, true);
    const std::int64_t at = batch * c.d_layout.step;
    if (parts.writes_auxiliary && parts.relu) std::memset(c.desc.auxiliary, 0, std::size_t(columns * c.desc.auxiliary_row / 8));
    for (std::int64_t j = 0; j < columns; ++j) {
      std::fill(column.begin(), column.end(), 0.0);
      double column_sum = 0;
      for (std::int64_t s = 0; s < depth; ++s) {
        const std::int64_t k = c.other_sums ? depth - 1 - s : s;
        const double factor = b[std::size_t(j * depth + k)];
        column_sum += factor;
        const double* from = a.data() + k * rows;
        if (c.other_sums)  // sums that are rounded on the way show their order
          for (std::int64_t i = 0; i < rows; ++i) column[std::size_t(i)] = double(float(column[std::size_t(i)] + from[i] * factor));
        else
          for (std::int64_t i = 0; i < rows; ++i) column[std::size_t(i)] += from[i] * factor;
      }
      if (parts.column_sums) put(c.desc.side, side_type, j, column_sum);
      for (std::int64_t i = 0; i < rows; ++i) {
        double x = c.alpha * column[std::size_t(i)];
        if (c.beta != 0) x += c.beta * number(c.d, type, at + j * c.d_layout.column_stride + i);
        if (parts.bias && c.fault != Fault::no_bias) x += number(c.desc.side, side_type, i);
        if (!wide) x = double(float(x));
        double y = x;
        if (parts.activation()) {
          const auto f = float(x);
          const std::int64_t place = j * c.desc.auxiliary_row + i;
          auto* bits = static_cast<std::uint8_t*>(c.desc.auxiliary) + place / 8;
          const int bit = int(c.fault == Fault::bits_turned ? 7 - place % 8 : place % 8);
          if (parts.relu) {
            y = f < 0 || (f != f && c.fault == Fault::nan_to_zero) ? 0 : x;
            if (parts.writes_auxiliary && (f > 0 || (f == 0 && c.fault == Fault::bits_at_zero))) *bits = std::uint8_t(*bits | 1 << place % 8);
          } else if (parts.gelu) {
            y = double(c.fault == Fault::other_gelu ? gelu_fast(f) : gelu_tanh_fast(f));
            if (parts.writes_auxiliary) put(c.desc.auxiliary, type, place, x);
          } else if (parts.relu_slope) {
            y = *bits >> bit & 1 ? x : 0;
          } else {
            const auto input = float(number(c.desc.auxiliary, type, place));
            y = double(f * (c.fault == Fault::other_gelu ? gelu_slope(input) : gelu_tanh_slope(input)));
          }
        }
        put(c.d, type, at + j * c.d_layout.column_stride + i, y);
        if (c.fault != Fault::last_sum || j + 1 < columns) sums[std::size_t(i)] += y;
      }
    }
  }
  if (c.fault == Fault::bits_change) {
    if (parts.row_sums) sums[std::size_t(rows / 2)] += 1e-6 * c.number;
    else put(c.d, type, 0, number(c.d, type, 0) + 0.01 * (c.number % 2));
  }
  if (parts.row_sums)
    for (std::int64_t i = 0; i < rows; ++i) put(c.desc.side, side_type, i, sums[std::size_t(i)]);
}

// ---- what an algorithm wants ---------------------------------------------------------------------------------------------

/// The number of an algorithm and how the bias and the auxiliary matrix lie at worst, as their addresses told when it was proposed.
cublasLtMatmulAlgo_t written(std::size_t index, const cublasLtMatmulDescOpaque_t& desc) {
  auto alignment = [](const void* p) { return p ? reinterpret_cast<std::uintptr_t>(p) & -reinterpret_cast<std::uintptr_t>(p) : 1; };
  return {{index + 1, alignment(desc.side), alignment(desc.auxiliary)}};
}

bool strides_lie(const cublasLtMatrixLayoutOpaque_t& l, std::size_t alignment) {
  return std::size_t(l.column_stride) * bytes_of(l.type) % alignment == 0 && (l.count == 1 || std::size_t(l.step) * bytes_of(l.type) % alignment == 0);
}

cublasStatus_t checked(const cublasLtMatmulDescOpaque_t& desc, const cublasLtMatrixLayoutOpaque_t& a, const cublasLtMatrixLayoutOpaque_t& b, const cublasLtMatrixLayoutOpaque_t& d) {
  const bool a_turned = desc.transpose_a == CUBLAS_OP_T, b_turned = desc.transpose_b == CUBLAS_OP_T;
  const Parts parts(desc.epilogue);
  if (d.rows != (a_turned ? a.columns : a.rows) || d.columns != (b_turned ? b.rows : b.columns) || (a_turned ? a.rows : a.columns) != (b_turned ? b.columns : b.rows))
    return CUBLAS_STATUS_INVALID_VALUE;
  for (const cublasLtMatrixLayoutOpaque_t* l : {&a, &b, &d})
    if (l->rows == 0 || l->columns == 0 || l->column_stride < std::int64_t(l->rows) || l->count != d.count || l->step < 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (a.type != b.type || (d.type != a.type && d.type != CUDA_R_32F)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if ((desc.compute == CUBLAS_COMPUTE_64F) != (a.type == CUDA_R_64F) || (desc.scale == CUDA_R_64F) != (a.type == CUDA_R_64F)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (!supported(parts, d.type, desc.side_type < 0 ? d.type : cudaDataType_t(desc.side_type))) return CUBLAS_STATUS_NOT_SUPPORTED;
  if ((parts.side() && !desc.side) || (parts.auxiliary() && !desc.auxiliary)) return CUBLAS_STATUS_INVALID_VALUE;
  if (parts.auxiliary() && (desc.auxiliary_row < std::int64_t(d.rows) || desc.auxiliary_row % (parts.relu || parts.relu_slope ? kBitsRow : kInputsRow) != 0)) return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

template <class Part, class Value>
cublasStatus_t assign(Part& part, const Value*, const void* value, std::size_t bytes) {
  if (bytes != sizeof(Value)) return CUBLAS_STATUS_INVALID_VALUE;
  Value v;
  std::memcpy(&v, value, sizeof v);
  part = v;
  return CUBLAS_STATUS_SUCCESS;
}
template <class Part>
cublasStatus_t assign(Part& part, const void* value, std::size_t bytes) { return assign(part, &part, value, bytes); }

}  // namespace

namespace tenon::cuda::on_cpu {

void set_epilogues(Epilogues have) { epilogues = have; }
void set_fault(Fault f) { fault = f; }
void set_fused_time(double microseconds) { fused_time = microseconds; }
void set_algorithms(std::vector<Algorithm> have) { algorithms = std::move(have); }
int fused_products_run() { return std::exchange(fused_runs, 0); }
std::vector<int> products_run() { return std::exchange(runs, {}); }

}  // namespace tenon::cuda::on_cpu

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : status == CUBLAS_STATUS_INVALID_VALUE ? "invalid value" : status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "execution failed";
}
std::size_t cublasLtGetVersion() { return 130100; }
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (allowed_while_recording() != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;  // it takes memory
  static cublasLtContext only;
  return *handle = &only, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t scale) {
  return *made = new cublasLtMatmulDescOpaque_t{compute, scale}, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t o, cublasLtMatmulDescAttributes_t what, const void* value, std::size_t bytes) {
  switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return assign(o->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return assign(o->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return assign(o->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return assign(o->side, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return assign(o->side_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER: return assign(o->auxiliary, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD: return assign(o->auxiliary_row, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t o) { return delete o, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type, std::uint64_t rows, std::uint64_t columns, std::int64_t column_stride) {
  return *made = new cublasLtMatrixLayoutOpaque_t{type, rows, columns, column_stride}, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t o, cublasLtMatrixLayoutAttribute_t what, const void* value, std::size_t bytes) {
  return what == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT ? assign(o->count, value, bytes) : assign(o->step, value, bytes);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t o) { return delete o, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) { return *made = new cublasLtMatmulPreferenceOpaque_t, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t o, cublasLtMatmulPreferenceAttributes_t what, const void* value, std::size_t bytes) {
  switch (what) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return assign(o->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return assign(o->reductions, value, bytes);
    default: return assign(o->alignment[what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
  }
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t o) { return delete o, CUBLAS_STATUS_SUCCESS; }

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t wish, int most, cublasLtMatmulHeuristicResult_t results[], int* count) {
  *count = 0;
  if (!handle || c != d) return CUBLAS_STATUS_INVALID_VALUE;
  if (const cublasStatus_t status = checked(*desc, *a, *b, *d)) return status;
  if (wish->reductions != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) note_damage("a product may be summed in an order that changes");
  const std::vector<Algorithm>& have = all_algorithms();
  for (std::size_t i = 0; i < have.size() && *count < most; ++i) {
    const std::size_t alignment = have[i].alignment;
    const bool lies = alignment == 0 || (std::all_of(std::begin(wish->alignment), std::end(wish->alignment), [&](std::uint32_t w) { return w >= alignment; }) &&
                                         strides_lie(*a, alignment) && strides_lie(*b, alignment) && strides_lie(*d, alignment));
    if (!lies || have[i].workspace > wish->workspace || (Parts(desc->epilogue).side() && !have[i].side)) continue;
    results[(*count)++] = {written(i, *desc), have[i].workspace, CUBLAS_STATUS_SUCCESS};
    if (algorithms.empty()) break;
  }
  return *count > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algo, cublasLtMatmulHeuristicResult_t* result) {
  if (algo->data[0] == 0 || algo->data[0] > all_algorithms().size()) return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = {*algo, all_algorithms()[algo->data[0] - 1].workspace, CUBLAS_STATUS_SUCCESS};
  return checked(*desc, *a, *b, *d);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
  if (!handle || c != d || c_layout != d_layout || !is_first(stream) || algo->data[0] == 0 || algo->data[0] > all_algorithms().size()) return CUBLAS_STATUS_INVALID_VALUE;
  if (const cublasStatus_t status = checked(*desc, *a_layout, *b_layout, *d_layout)) return status;
  const auto index = std::size_t(algo->data[0] - 1);
  const Algorithm how = all_algorithms()[index];
  const Parts parts(desc->epilogue);
  auto wants = [&](const void* p, std::size_t own, const char* which) {
    if (!lies_on(p, std::max(how.alignment, own))) note_damage(std::string("a product's ") + which + " lies off the bytes that its algorithm wants");
  };
  wants(a, bytes_of(a_layout->type), "left operand");
  wants(b, bytes_of(b_layout->type), "right operand");
  wants(d, bytes_of(d_layout->type), "result");
  if (parts.side() && !lies_on(desc->side, algo->data[1])) note_damage("a product's bias or sums lie off the bytes that it was proposed for");
  if (parts.auxiliary() && !lies_on(desc->auxiliary, algo->data[2])) note_damage("a product's auxiliary matrix lies off the bytes that it was proposed for");
  if (how.workspace > workspace_bytes || (how.workspace > 0 && !workspace)) return CUBLAS_STATUS_INVALID_VALUE;
  if (how.workspace > 0 && (!lies_on(workspace, 256) || bytes_from(workspace) < workspace_bytes)) note_damage("a product's workspace is off 256 bytes, or smaller than was said");
  if (how.fails) return CUBLAS_STATUS_EXECUTION_FAILED;
  auto scalar = [&](const void* p) { return desc->scale == CUDA_R_64F ? *static_cast<const double*>(p) : double(*static_cast<const float*>(p)); };
  const Call call{*desc, *a_layout, *b_layout, *d_layout, a, b, d, scalar(alpha), scalar(beta), how.other_sums, parts.activation() ? fault : Fault::none, ++calls};
  enqueue([call, how, index, workspace, activation = parts.activation(), time = parts.activation() && fused_time > 0 ? fused_time : how.microseconds] {
    runs.resize(std::max(runs.size(), index + 1));
    ++runs[index];
    if (activation) ++fused_runs;
    spoil(workspace, how.workspace);
    multiply(call);
    spend(time);
  });
  return CUBLAS_STATUS_SUCCESS;
}
