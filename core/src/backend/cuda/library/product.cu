/// Matrix products by cuBLASLt: the algorithm of a shape is chosen once a machine and kept (plan_memory.hpp).
///
/// Only algorithms whose bits repeat are asked for: parts of a split depth are summed in f32 (f64) by a kernel of their own, never in the
/// order in which blocks end. Of the library's proposals the fastest is taken among those that give the very bits of the first one: a
/// choice by the clock must not change a result from one run to the next.
///
/// A product with an epilogue (an activation, or its gradient) is used where the library has it and where it gives what the product and our own
/// functions give (epilogue_trial.cuh); that is asked once a process and shape.
#include "backend/cuda/product.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/launch.cuh"
#include "backend/cuda/library/epilogue_trial.cuh"
#include "backend/cuda/library/lt.cuh"
#include "backend/cuda/library/plan_choice.hpp"
#include "backend/cuda/library/plan_memory.hpp"
#include "backend/cuda/library/product_record.hpp"
#include "backend/cuda/library/product_trial.cuh"
#include "backend/cuda/scratch.cuh"
#include "tenon/precision.hpp"

namespace tenon::cuda {
namespace {

constexpr std::int64_t kWideAlignment = 16, kBiasAlignment = 16, kAuxiliaryAlignment = 16;  // bytes: what vector loads and TMA want
constexpr int kProposals = 8, kTimedRuns = 3;                // algorithms asked for; runs of each under the clock
constexpr std::size_t kLargestTrial = std::size_t(1) << 30;  // bytes of operands beyond which the first proposal is taken
constexpr float kWorthChanging = 0.97f;                      // of the first one's time

/// Bytes that an algorithm may want to work in.
std::size_t most_workspace() {
  static const std::size_t most = [] {
    int device = 0, major = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
    return std::size_t(major >= 9 ? 64 : 32) << 20;
  }();
  return most;
}

/// What was chosen on this device with this version of cuBLASLt; for any thread.
class Choices {
 public:
  std::string find(const std::string& key) {
    std::lock_guard lock(mutex_);
    return memory_.find(key);
  }
  void keep(const std::string& key, const std::string& value) {
    std::lock_guard lock(mutex_);
    memory_.keep(key, value);
  }

 private:
  std::mutex mutex_;
  PlanMemory memory_{device_name() + " cublaslt " + std::to_string(cublasLtGetVersion()) + " 1"};
};
Choices& memory() {
  static Choices& m = *new Choices;
  return m;
}

bool is_short(DType t) {
  return size_of(t) == 2;
}

using namespace lt;

// ---- own kernels ---------------------------------------------------------------------------------------------------

template <class Out, class Bias>
__global__ void add_bias(Out* c, const Bias* bias, std::int64_t count, std::int64_t n) {
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) c[i] = Out(Bias(c[i]) + bias[i % n]);
}

template <class To>
__global__ void round_bias(const float* bias, To* rounded, std::int64_t n) {
  std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) rounded[i] = To(bias[i]);
}

/// How the matrices of an operand lie, at worst, when its first one is well aligned: a power of two, in bytes.
std::int64_t alignment_of(std::int64_t step, std::int64_t count, DType type) {
  const std::int64_t bytes = count > 1 ? step * std::int64_t(size_of(type)) : 0;
  return bytes == 0 ? kWideAlignment : std::min(kWideAlignment, bytes & -bytes);
}

bool lies_on(const void* p, std::int64_t alignment) {
  return reinterpret_cast<std::uintptr_t>(p) % std::uintptr_t(alignment) == 0;
}

bool capturing() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream(), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

// ---- a product ---------------------------------------------------------------------------------------------------

cublasLtEpilogue_t epilogue_of(const ProductShape& s) {
  switch (s.epilogue) {
    case Epilogue::relu:
      if (s.auxiliary) return s.bias ? CUBLASLT_EPILOGUE_RELU_AUX_BIAS : CUBLASLT_EPILOGUE_RELU_AUX;
      return s.bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case Epilogue::gelu_tanh:
      if (s.auxiliary) return s.bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
      return s.bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    case Epilogue::relu_gradient:
      return s.sums ? CUBLASLT_EPILOGUE_DRELU_BGRAD : CUBLASLT_EPILOGUE_DRELU;
    case Epilogue::gelu_tanh_gradient:
      return s.sums ? CUBLASLT_EPILOGUE_DGELU_BGRAD : CUBLASLT_EPILOGUE_DGELU;
    default:  // row-major a is the library's right operand, B
      return s.sums ? CUBLASLT_EPILOGUE_BGRADB : s.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
}

/// Row-major c = a b is column-major c' = b' a': the operands swap places, and a transpose is whichever stride is 1.
class Product {
 public:
  enum class Choice { measured, first };
  Product(const ProductShape& s, bool tf32, Choice choice = Choice::measured) : s_(s), tf32_(tf32), b_rows_(s.b_col == 1), a_rows_(s.a_col == 1) {
    const std::int64_t ldb = b_rows_ ? s.b_row : s.b_col, lda = a_rows_ ? s.a_row : s.a_col;
    b_ = b_rows_ ? matrix(s.in, s.n, s.k, ldb, s.count, s.b_step) : matrix(s.in, s.k, s.n, ldb, s.count, s.b_step);
    a_ = a_rows_ ? matrix(s.in, s.k, s.m, lda, s.count, s.a_step) : matrix(s.in, s.m, s.k, lda, s.count, s.a_step);
    c_ = matrix(s.out, s.n, s.m, s.c_row ? s.c_row : s.n, s.count, s.c_step);
    a_alignment_ = alignment_of(s.a_step, s.count, s.in);
    b_alignment_ = alignment_of(s.b_step, s.count, s.in);
    c_alignment_ = alignment_of(s.c_step, s.count, s.out);
    compute_ = s.in == DType::f64 ? CUBLAS_COMPUTE_64F : tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    // the library adds a bias of c's type only, and none in f64; neither does it sum in f64
    in_library_ = (s.bias || s.sums || fused()) && s.count == 1 && s.out != DType::f64;
    std::vector<Proposal> found = in_library_ ? proposals(true) : std::vector<Proposal>{};
    if (found.empty()) {
      in_library_ = false;
      if (s.sums || fused()) return;
      found = proposals(true);
    }
    const bool narrow = found.empty();
    if (narrow) found = proposals(false);
    if (found.empty()) refuse();
    wide_ = narrow || choice == Choice::first ? found[0] : chosen(found);
    if (narrow) a_alignment_ = b_alignment_ = c_alignment_ = 1;
  }

  /// False where sums were asked for and the library does not add them up on the way: then there is nothing to run.
  bool gives_sums() const { return s_.sums && in_library_; }

  bool has_epilogue() const { return in_library_; }

  /// Of a product with an epilogue: empty, or why it is not to be used. Waits for the device; an Error where there is no memory to try it.
  std::string refusal() {
    if (!in_library_) return "the library has none";
    ProductShape plain = s_, other = s_;
    plain.out = DType::f32, plain.epilogue = Epilogue::none;
    plain.bias = plain.sums = plain.auxiliary = false;
    other.bias = other.sums = false;
    other.auxiliary = is_gradient(s_.epilogue);
    other.epilogue = other.auxiliary ? Epilogue::relu : Epilogue::relu_gradient;
    Product reference(plain, tf32_, Choice::first);
    std::optional<Product> partner;
    if (s_.epilogue == Epilogue::relu_gradient || (s_.epilogue == Epilogue::relu && s_.auxiliary)) {
      partner.emplace(other, tf32_, Choice::first);
      if (!partner->in_library_) return other.auxiliary ? "the library has none that writes its bits" : "the library has none that reads its bits";
    }
    auto runs = [](Product& p) { return [&p, area = p.area()](const FusedOperands& o) { p.run(o, area ? area->as<>() : nullptr); }; };
    trial::EpilogueCandidates candidates{runs(*this), runs(reference), {}};
    if (partner) candidates.other = runs(*partner);
    const std::string wrong = trial::judge_epilogue(s_, tf32_, candidates);
    return wrong.empty() && !pays() ? "no faster than the product and a pass over its result" : wrong;
  }

  /// What run() works in, for as long as it may be called; null where nothing is wanted.
  std::shared_ptr<const DeviceMemory> area() const { return wide_.workspace > 0 ? scratch(wide_.workspace) : nullptr; }

  /// `area`: of area().
  void run(const FusedOperands& o, void* area) {
    std::lock_guard lock(mutex_);  // bias, sums and auxiliary matrix are attributes of the operation
    bool wide = lies_on(o.a, a_alignment_) && lies_on(o.b, b_alignment_) && lies_on(o.c, c_alignment_);
    const void* side = s_.bias ? o.bias : o.sums;
    if (in_library_ && s_.bias && is_short(s_.out)) {
      round(o.bias, o.workspace);
      side = o.workspace;
    }
    if (in_library_ && has_side()) wide = wide && lies_on(side, kBiasAlignment);
    if (has_auxiliary()) wide = wide && lies_on(o.auxiliary, kAuxiliaryAlignment);
    if (!wide && !has_plain_) choose_plain();
    point_to(side, o.auxiliary);
    if (!wide && plain_area_) area = plain_area_->as<>();
    check_blas(enqueue(wide ? wide_ : plain_, o.a, o.b, o.c, area), "cublasLtMatmul");
    if (s_.bias && !in_library_) add(o.bias, o.c);
  }

 private:
  bool fused() const { return s_.epilogue != Epilogue::none; }

  /// Whether a product with an epilogue takes no longer than the plain one and what an activation apart would read and write at the least: its result twice, its
  /// gradient what was kept, too, and sums the result once more. Copies stand for that. An Error where there is no memory to time it.
  bool pays() {
    const std::size_t results = std::size_t(s_.m * s_.n) * size_of(s_.out), row = std::size_t(auxiliary_row(s_.epilogue, s_.n));
    const std::size_t kept_bytes = has_auxiliary() ? std::size_t(s_.m) * row * size_of(s_.in) : 0;
    trial::Memory a, b, c, copy, bias, kept, sums, rounded;
    const std::size_t a_bytes = span(1, 0, s_.m, s_.a_row, s_.k, s_.a_col, s_.in), b_bytes = span(1, 0, s_.k, s_.b_row, s_.n, s_.b_col, s_.in);
    if (!(a.take(a_bytes) && b.take(b_bytes) && c.take(results) && copy.take(results) && bias.take(std::size_t(s_.n) * 4) && kept.take(kept_bytes) &&
          sums.take(std::size_t(s_.n) * 4) && rounded.take(std::size_t(s_.n) * 4)))
      throw Error(ErrorKind::device, "memory.exhausted", "no memory to time it");
    trial::fill_operand(a.data, a_bytes, s_.in, 1);
    trial::fill_operand(b.data, b_bytes, s_.in, 2);
    trial::fill_operand(bias.data, std::size_t(s_.n) * 4, DType::f32, 3);
    check(cudaMemsetAsync(kept.data, 0, std::max<std::size_t>(kept_bytes, 1), stream()), "cudaMemsetAsync");
    FusedOperands o{.a = a.data, .b = b.data, .bias = s_.bias ? bias.data : nullptr, .c = c.data, .workspace = rounded.data};
    ProductShape alone = s_;
    alone.epilogue = Epilogue::none, alone.auxiliary = alone.sums = false;
    Product apart(alone, tf32_);
    const auto apart_area = apart.area(), own_area = area();
    const std::size_t passes = 2 + (is_gradient(s_.epilogue) ? 1 : 0) + (s_.sums ? 1 : 0);  // halves of a copy
    const float plain = time_of([&] {
      apart.run(o, apart_area ? apart_area->as<>() : nullptr);
      for (std::size_t left = passes; left > 0; left -= std::min<std::size_t>(left, 2))
        check(cudaMemcpyAsync(copy.data, c.data, std::max<std::size_t>(left >= 2 ? results : results / 2, 1), cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
    });
    if (has_auxiliary()) o.auxiliary = kept.data;
    if (s_.sums) o.sums = sums.data;
    return time_of([&] { run(o, own_area ? own_area->as<>() : nullptr); }) <= plain;
  }

  template <class F>
  static float time_of(const F& enqueue) {
    trial::Clock clock;
    float time = 0;
    enqueue();  // warm
    check(cudaEventRecord(clock.begin, stream()), "cudaEventRecord");
    for (int i = 0; i < kTimedRuns; ++i) enqueue();
    check(cudaEventRecord(clock.end, stream()), "cudaEventRecord");
    check(cudaEventSynchronize(clock.end), "cudaEventSynchronize");
    check(cudaEventElapsedTime(&time, clock.begin, clock.end), "cudaEventElapsedTime");
    return time;
  }
  bool has_side() const { return s_.bias || s_.sums; }
  bool has_auxiliary() const { return s_.auxiliary || is_gradient(s_.epilogue); }
  /// `side`: the bias, which is read, or the sums, which are written.
  void point_to(const void* side, const void* auxiliary) {
    if (in_library_ && has_side()) set(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, side);
    if (in_library_ && has_auxiliary()) set(operation_, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, auxiliary);
  }

  [[noreturn]] void refuse() const {
    throw Error(ErrorKind::device, "cuda.cublas",
                "cuBLASLt has no algorithm for " + std::to_string(s_.m) + " x " + std::to_string(s_.k) + " x " + std::to_string(s_.n) +
                    " in " + std::string(name_of(s_.in)),
                "--device cpu needs no GPU");
  }

  /// For operands that lie on no more than their own size, the bias too. Without an area where that can be: the size of this product's was chosen by the
  /// clock. Only the host's library is asked, so it may be done while a graph is recorded, but for the rare case with an area of its own.
  void choose_plain() {
    std::vector<Proposal> found = proposals(false, 0);
    if (found.empty() && !capturing()) {
      found = proposals(false);
      if (!found.empty()) plain_area_ = scratch(found[0].workspace);
    }
    if (found.empty()) refuse();
    plain_ = found[0];
    has_plain_ = true;
  }

  Operation operation(const void* bias) const {
    cublasLtMatmulDesc_t made = nullptr;
    check_blas(cublasLtMatmulDescCreate(&made, compute_, s_.in == DType::f64 ? CUDA_R_64F : CUDA_R_32F), "cublasLtMatmulDescCreate");
    Operation o(made);
    set(o, CUBLASLT_MATMUL_DESC_TRANSA, b_rows_ ? CUBLAS_OP_N : CUBLAS_OP_T);
    set(o, CUBLASLT_MATMUL_DESC_TRANSB, a_rows_ ? CUBLAS_OP_N : CUBLAS_OP_T);
    if (in_library_) {
      set(o, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(s_));
      if (s_.sums) set(o, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, std::int32_t(CUDA_R_32F));
      if (has_side()) set(o, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
      if (has_auxiliary()) {
        set(o, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, auxiliary_row(s_.epilogue, s_.n));
        set(o, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, reinterpret_cast<const void*>(std::uintptr_t(kAuxiliaryAlignment)));
      }
    }
    return o;
  }

  /// Best first; none where the library knows none that works in `most` bytes. Makes the operation anew; the bias' address tells the library how it
  /// is aligned, and is no other's.
  std::vector<Proposal> proposals(bool wide, std::size_t most = most_workspace()) {
    operation_ = operation(reinterpret_cast<const void*>(std::uintptr_t(wide ? kBiasAlignment : std::int64_t(size_of(s_.out)))));
    cublasLtMatmulPreference_t made = nullptr;
    check_blas(cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
    Preference wish(made);
    set(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t(most));
    set(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    const auto in = std::uint32_t(size_of(s_.in)), out = std::uint32_t(size_of(s_.out));
    set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, wide ? std::uint32_t(b_alignment_) : in);
    set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, wide ? std::uint32_t(a_alignment_) : in);
    set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, wide ? std::uint32_t(c_alignment_) : out);
    set(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, wide ? std::uint32_t(c_alignment_) : out);
    cublasLtMatmulHeuristicResult_t results[kProposals] = {};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle(), operation_.get(), b_.get(), a_.get(), c_.get(), c_.get(),
                                                                 wish.get(), kProposals, results, &count);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED && status != CUBLAS_STATUS_INVALID_VALUE)
      check_blas(status, "cublasLtMatmulAlgoGetHeuristic");
    std::vector<Proposal> found;
    for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < count; ++i)
      if (results[i].state == CUBLAS_STATUS_SUCCESS && results[i].workspaceSize <= most) found.push_back({results[i].algo, results[i].workspaceSize});
    return found;
  }

  cublasStatus_t enqueue(const Proposal& p, const void* a, const void* b, void* c, void* area) const {
    const float alpha_f = 1, beta_f = s_.add ? 1 : 0;
    const double alpha_d = 1, beta_d = s_.add ? 1 : 0;
    const bool f64 = s_.in == DType::f64;
    return cublasLtMatmul(handle(), operation_.get(), f64 ? static_cast<const void*>(&alpha_d) : &alpha_f, b, b_.get(), a, a_.get(),
                          f64 ? static_cast<const void*>(&beta_d) : &beta_f, c, c_.get(), c, c_.get(), &p.algo, area, p.workspace,
                          stream());
  }

  void round(const void* bias, void* rounded) const {
    const auto* from = static_cast<const float*>(bias);
    if (s_.out == DType::bf16)
      start_items("round_bias", s_.n, round_bias<bf16>, from, static_cast<bf16*>(rounded), s_.n);
    else
      start_items("round_bias", s_.n, round_bias<f16>, from, static_cast<f16*>(rounded), s_.n);
  }

  /// c is dense where there is a bias.
  void add(const void* bias, void* c) const {
    const std::int64_t count = s_.count * s_.m * s_.n;
    const auto* narrow = static_cast<const float*>(bias);
    switch (s_.out) {
      case DType::f64:
        return start_items("add_bias", count, add_bias<double, double>, static_cast<double*>(c), static_cast<const double*>(bias), count,
                           s_.n);
      case DType::bf16:
        return start_items("add_bias", count, add_bias<bf16, float>, static_cast<bf16*>(c), narrow, count, s_.n);
      case DType::f16:
        return start_items("add_bias", count, add_bias<f16, float>, static_cast<f16*>(c), narrow, count, s_.n);
      default:
        return start_items("add_bias", count, add_bias<float, float>, static_cast<float*>(c), narrow, count, s_.n);
    }
  }

  static std::size_t span(std::int64_t count, std::int64_t step, std::int64_t rows, std::int64_t row, std::int64_t columns,
                          std::int64_t column, DType type) {
    return std::size_t((count - 1) * step + (rows - 1) * row + (columns - 1) * column + 1) * size_of(type);
  }

  /// What was chosen before where that still stands, else what is measured now; the first one where nothing can be measured.
  Proposal chosen(const std::vector<Proposal>& found) {
    if (found.size() < 2) return found[0];
    const std::string key = product_key(s_, tf32_, in_library_, most_workspace());
    if (const std::optional<Proposal> known = recall(memory().find(key), found[0])) return *known;
    const std::optional<Proposal> measured = fastest(found);
    if (!measured) return found[0];
    memory().keep(key, written({std::bit_cast<AlgorithmBytes>(found[0].algo), std::bit_cast<AlgorithmBytes>(measured->algo)}));
    return *measured;
  }

  std::optional<Proposal> recall(const std::string& text, const Proposal& first) const {
    const std::optional<ProductRecord> record = read_record(text);
    if (!record || record->first != std::bit_cast<AlgorithmBytes>(first.algo)) return {};
    Proposal p{std::bit_cast<cublasLtMatmulAlgo_t>(record->chosen)};
    cublasLtMatmulHeuristicResult_t needs{};
    const cublasStatus_t status =
        cublasLtMatmulAlgoCheck(handle(), operation_.get(), b_.get(), a_.get(), c_.get(), c_.get(), &p.algo, &needs);
    if (status != CUBLAS_STATUS_SUCCESS || needs.workspaceSize > most_workspace()) return {};
    p.workspace = needs.workspaceSize;
    return p;
  }

  /// The first one, or a faster one that gives the same bits; nothing where they cannot be tried.
  std::optional<Proposal> fastest(const std::vector<Proposal>& found) {
    if (s_.a_step < 0 || s_.b_step < 0 || capturing()) return {};
    const std::size_t a_bytes = span(s_.count, s_.a_step, s_.m, s_.a_row, s_.k, s_.a_col, s_.in),
                      b_bytes = span(s_.count, s_.b_step, s_.k, s_.b_row, s_.n, s_.b_col, s_.in),
                      c_bytes = span(s_.count, s_.c_step, s_.m, s_.c_row ? s_.c_row : s_.n, s_.n, 1, s_.out);
    if (a_bytes + b_bytes + 2 * c_bytes > kLargestTrial) return {};
    const std::size_t side_bytes = std::size_t(std::max(s_.n, s_.m)) * 8, sums_bytes = std::size_t(fused() ? s_.n : s_.m) * 4;
    const std::int64_t row = auxiliary_row(s_.epilogue, s_.n), bits = s_.epilogue == Epilogue::relu || s_.epilogue == Epilogue::relu_gradient ? 1 : 8 * std::int64_t(size_of(s_.in));
    const std::size_t kept_bytes = has_auxiliary() ? std::size_t(s_.m * row * bits / 8) : 0;
    std::size_t area_bytes = 0;
    for (const Proposal& p : found) area_bytes = std::max(area_bytes, p.workspace);
    trial::Memory a, b, c, first, side, first_side, kept, first_kept, area, flag;
    if (!(a.take(a_bytes) && b.take(b_bytes) && c.take(c_bytes) && first.take(c_bytes) && side.take(side_bytes) && first_side.take(side_bytes) && kept.take(kept_bytes) &&
          first_kept.take(kept_bytes) && area.take(area_bytes) && flag.take(sizeof(int))))
      return {};
    trial::fill_operand(a.data, a_bytes, s_.in, 1);
    trial::fill_operand(b.data, b_bytes, s_.in, 2);
    // a bias and what an activation kept, which all read, or the sums and what each keeps
    if (in_library_ && s_.bias) trial::fill_operand(side.data, std::size_t(s_.n) * size_of(s_.out), s_.out, 3);
    if (kept_bytes > 0) trial::fill_operand(kept.data, kept_bytes, s_.in, 4);
    point_to(side.data, kept.data);
    int best = -1;
    float best_time = 0;
    for (int i = 0; i < int(found.size()); ++i) {
      const Proposal& p = found[std::size_t(i)];
      void* to = best < 0 ? first.data : c.data;
      point_to((s_.sums && best < 0 ? first_side : side).data, (s_.auxiliary && best < 0 ? first_kept : kept).data);
      check(cudaMemsetAsync(to, 0, c_bytes, stream()), "cudaMemsetAsync");
      if (s_.auxiliary) check(cudaMemsetAsync((best < 0 ? first_kept : kept).data, 0, kept_bytes, stream()), "cudaMemsetAsync");
      if (enqueue(p, a.data, b.data, to, area.data) != CUBLAS_STATUS_SUCCESS) {
        (void)cudaGetLastError();
        continue;
      }
      auto differ = [&](const trial::Memory& x, const trial::Memory& y, std::size_t bytes) {
        return trial::differ(x.data, y.data, bytes, static_cast<int*>(flag.data));
      };
      if (best >= 0 && (differ(first, c, c_bytes) || (s_.sums && differ(first_side, side, sums_bytes)) || (s_.auxiliary && differ(first_kept, kept, kept_bytes)))) continue;
      const float time = seconds(p, a.data, b.data, c.data, area.data);
      if (best < 0 || time < best_time * kWorthChanging) {
        best = i;
        best_time = time;
      }
    }
    if (best < 0) refuse();
    return found[std::size_t(best)];
  }

  float seconds(const Proposal& p, const void* a, const void* b, void* c, void* area) const {
    return time_of([&] { check_blas(enqueue(p, a, b, c, area), "cublasLtMatmul"); });
  }

  ProductShape s_;
  bool tf32_, b_rows_, a_rows_, in_library_ = false, has_plain_ = false;
  cublasComputeType_t compute_{};
  std::int64_t a_alignment_ = 1, b_alignment_ = 1, c_alignment_ = 1;  ///< that `wide_` counts on
  MatrixLayout a_, b_, c_;
  Operation operation_;
  Proposal wide_{}, plain_{};
  std::shared_ptr<const DeviceMemory> plain_area_;
  std::mutex mutex_;
};

/// Made once a shape and kept: a process sees a few hundred of them.
std::shared_ptr<Product> product_of(const ProductShape& shape) {
  static std::mutex mutex;
  static auto& made = *new std::map<std::pair<ProductShape, bool>, std::shared_ptr<Product>>;
  const bool tf32 = shape.in == DType::f32 && tf32_allowed();
  std::lock_guard lock(mutex);
  std::shared_ptr<Product>& p = made[{shape, tf32}];
  if (!p) p = std::make_shared<Product>(shape, tf32);
  return p;
}

/// The verdict on a product with an epilogue that is used, as it is remembered; any other is the reason why one is not.
constexpr const char* kInOnePass = "in one pass";

/// "bf16 [64, 256] x [256, 1024] with relu of the biased, kept for the gradient"
std::string fused_name(const ProductShape& s, bool tf32) {
  auto matrix = [](std::int64_t rows, std::int64_t columns) { return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]"; };
  const char* what = s.epilogue == Epilogue::relu ? "relu" : s.epilogue == Epilogue::gelu_tanh ? "gelu_tanh" : s.epilogue == Epilogue::relu_gradient ? "relu's gradient" : "gelu_tanh's gradient";
  return std::string(tf32 ? "tf32" : name_of(s.in)) + " " + matrix(s.m, s.k) + " x " + matrix(s.k, s.n) + " with " + what + (s.bias ? " of the biased" : "") +
         (s.auxiliary ? ", kept for the gradient" : "") + (s.sums ? " and sums" : "");
}

}  // namespace

std::size_t product_workspace(const ProductShape& shape) {
  return shape.bias && is_short(shape.out) ? std::size_t(shape.n) * size_of(shape.out) : 0;
}

ProductCall make_product(const ProductShape& shape) {
  const auto p = product_of(shape);
  return [p, area = p->area()](const void* a, const void* b, const void* bias, void* c, void* rounded) {
    p->run({.a = a, .b = b, .bias = bias, .c = c, .workspace = rounded}, area ? area->as<>() : nullptr);
  };
}

SummedProductCall make_summed_product(const ProductShape& shape) {
  std::shared_ptr<Product> p = product_of(shape);
  if (!p->gives_sums()) return {};
  return [p, area = p->area()](const void* a, const void* b, void* c, void* sums) { p->run({.a = a, .b = b, .c = c, .sums = sums}, area ? area->as<>() : nullptr); };
}

FusedProductCall make_fused_product(const ProductShape& shape) {
  if (shape.in == DType::f64) return {};
  static std::mutex mutex;  // held while products without epilogues are made, never the other way round
  static auto& known = *new std::map<std::pair<ProductShape, bool>, std::shared_ptr<Product>>;  // null: not to be used
  const bool tf32 = shape.in == DType::f32 && tf32_allowed();
  std::shared_ptr<Product> p;
  std::string line;
  {
    std::lock_guard lock(mutex);
    const std::pair<ProductShape, bool> key{shape, tf32};
    if (const auto found = known.find(key); found != known.end()) {
      p = found->second;
    } else {
      if (capturing()) return {};
      std::string why;
      try {
        p = std::make_shared<Product>(shape, tf32);
        const std::string question = product_key(shape, tf32, true, most_workspace()) + " verdict";
        const std::string known_verdict = memory().find(question);
        if (known_verdict.empty()) {
          why = p->refusal();
          memory().keep(question, why.empty() ? kInOnePass : why);
        } else if (known_verdict != kInOnePass) {
          why = known_verdict;
        } else if (!p->has_epilogue()) {
          why = "the library has none any more";
        }
      } catch (const Error& e) {  // no memory for a trial, or the library's refusal of what it proposed: the plain product needs neither, and nothing is kept
        forget_error();
        why = e.message();
      }
      if (!why.empty()) p = nullptr;
      known.emplace(key, p);
      line = "product " + fused_name(shape, tf32) + ": " + (p ? kInOnePass : "apart, " + why);
    }
  }
  if (!line.empty()) {
    std::lock_guard lock(choosing());
    tell(line);
  }
  if (!p) return {};
  return [p, area = p->area()](const FusedOperands& o) { p->run(o, area ? area->as<>() : nullptr); };
}

}  // namespace tenon::cuda
