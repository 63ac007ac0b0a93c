#include "backend/cuda/library/cudnn_recurrent.hpp"

#include <cstdlib>
#include <cstring>

#if defined(TENON_HAVE_CUDNN)

#include <cudnn.h>

#include <limits>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include "backend/cuda/check.cuh"
#include "backend/cuda/library/cudnn_handle.hpp"

namespace tenon::cuda {
namespace {

/// Those of cuDNN's functions that its frontend has no loader for.
struct Functions {
#define TENON_CUDNN(function) decltype(&::cudnn##function) function = reinterpret_cast<decltype(&::cudnn##function)>(cudnn_function("cudnn" #function))
  TENON_CUDNN(CreateDropoutDescriptor);
  TENON_CUDNN(SetDropoutDescriptor);
  TENON_CUDNN(DestroyDropoutDescriptor);
  TENON_CUDNN(CreateTensorDescriptor);
  TENON_CUDNN(SetTensorNdDescriptor);
  TENON_CUDNN(GetTensorNdDescriptor);
  TENON_CUDNN(DestroyTensorDescriptor);
  TENON_CUDNN(CreateRNNDescriptor);
  TENON_CUDNN(SetRNNDescriptor_v8);
  TENON_CUDNN(DestroyRNNDescriptor);
  TENON_CUDNN(CreateRNNDataDescriptor);
  TENON_CUDNN(SetRNNDataDescriptor);
  TENON_CUDNN(DestroyRNNDataDescriptor);
  TENON_CUDNN(GetRNNWeightSpaceSize);
  TENON_CUDNN(GetRNNWeightParams);
  TENON_CUDNN(GetRNNTempSpaceSizes);
  TENON_CUDNN(RNNForward);
  TENON_CUDNN(RNNBackwardData_v8);
  TENON_CUDNN(RNNBackwardWeights_v8);
#undef TENON_CUDNN

  bool all() const {
    return CreateDropoutDescriptor && SetDropoutDescriptor && DestroyDropoutDescriptor && CreateTensorDescriptor && SetTensorNdDescriptor && GetTensorNdDescriptor &&
           DestroyTensorDescriptor && CreateRNNDescriptor && SetRNNDescriptor_v8 && DestroyRNNDescriptor && CreateRNNDataDescriptor && SetRNNDataDescriptor &&
           DestroyRNNDataDescriptor && GetRNNWeightSpaceSize && GetRNNWeightParams && GetRNNTempSpaceSizes && RNNForward && RNNBackwardData_v8 && RNNBackwardWeights_v8;
  }
};
const Functions& functions() {
  static const Functions all;
  return all;
}

bool good(cudnnStatus_t status) { return status == CUDNN_STATUS_SUCCESS; }
/// The same, and where it is not, which call it was.
bool good(cudnnStatus_t status, const char* call, std::string& why) {
  if (!good(status)) why = std::string(call) + " gave status " + std::to_string(int(status));
  return good(status);
}

/// A descriptor of cuDNN's, given back with it; null where it could not be made.
template <class D>
using Descriptor = std::unique_ptr<std::remove_pointer_t<D>, cudnnStatus_t (*)(D)>;
template <class D>
Descriptor<D> descriptor(cudnnStatus_t (*create)(D*), cudnnStatus_t (*destroy)(D)) {
  D made = nullptr;
  return {good(create(&made)) ? made : nullptr, destroy};
}

constexpr cudnnRNNAlgo_t kAlgorithm[] = {CUDNN_RNN_ALGO_STANDARD, CUDNN_RNN_ALGO_PERSIST_STATIC, CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H};

class Layer final : public CudnnRecurrentLayer {
 public:
  Layer()
      : dropout_(descriptor(f_.CreateDropoutDescriptor, f_.DestroyDropoutDescriptor)),
        layer_(descriptor(f_.CreateRNNDescriptor, f_.DestroyRNNDescriptor)),
        x_(descriptor(f_.CreateRNNDataDescriptor, f_.DestroyRNNDataDescriptor)),
        y_(descriptor(f_.CreateRNNDataDescriptor, f_.DestroyRNNDataDescriptor)),
        state_(descriptor(f_.CreateTensorDescriptor, f_.DestroyTensorDescriptor)) {}

  /// Needs no device.
  bool describe(const CudnnRecurrence& q, int algorithm, std::string& why) {
    const RecurrentLayer& p = q.layer;
    constexpr std::int64_t kMost = std::numeric_limits<int>::max();
    if (p.steps > kMost || p.batch > kMost || p.features > kMost || p.hidden > kMost || p.batch * p.hidden > kMost) return why = "its sizes are too large", false;
    if (!dropout_ || !layer_ || !x_ || !y_ || !state_) return why = "no descriptors", false;
    const cudnnDataType_t type = p.dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : p.dtype == DType::f16 ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
    const cudnnMathType_t math = p.dtype != DType::f32 ? CUDNN_TENSOR_OP_MATH : q.allow_tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
    const int hidden = int(p.hidden), sizes[] = {1, int(p.batch), hidden}, strides[] = {int(p.batch) * hidden, hidden, 1};
    const std::vector<int> lengths(std::size_t(p.batch), int(p.steps));
    const auto data = [&](cudnnRNNDataDescriptor_t d, int width) {
      // all samples are as long as each other, so time first and packed is [T, N, width], dense
      return good(f_.SetRNNDataDescriptor(d, type, CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED, int(p.steps), int(p.batch), width, lengths.data(), nullptr),
                  "cudnnSetRNNDataDescriptor", why);
    };
    // both biases: with one the persistent ways are refused
    return good(f_.SetRNNDescriptor_v8(layer_.get(), kAlgorithm[algorithm], p.gates == 4 ? CUDNN_LSTM : CUDNN_GRU, CUDNN_RNN_DOUBLE_BIAS, CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT,
                                       type, CUDNN_DATA_FLOAT, math, int(p.features), hidden, hidden, 1, dropout_.get(), CUDNN_RNN_PADDED_IO_DISABLED),
                "cudnnSetRNNDescriptor_v8", why) &&
           data(x_.get(), int(p.features)) && data(y_.get(), hidden) && good(f_.SetTensorNdDescriptor(state_.get(), type, 3, sizes, strides), "cudnnSetTensorNdDescriptor", why);
  }

  bool prepare(const CudnnRecurrence& q, int algorithm, std::string& why) {
    training_ = q.layer.training;
    const std::lock_guard lock(cudnn_handle().mutex);
    if (!dropout_) return why = "no descriptors", false;
    return good(f_.SetDropoutDescriptor(dropout_.get(), handle(), 0, nullptr, 0, 0), "cudnnSetDropoutDescriptor", why) && describe(q, algorithm, why) &&
           good(f_.GetRNNWeightSpaceSize(handle(), layer_.get(), &weights_), "cudnnGetRNNWeightSpaceSize", why) &&
           good(f_.GetRNNTempSpaceSizes(handle(), layer_.get(), mode(), x_.get(), &workspace_, &kept_), "cudnnGetRNNTempSpaceSizes", why) && find_places(q.layer, why);
  }

  bool forward(const RecurrentForward& o) const override {
    const std::lock_guard lock(cudnn_handle().mutex);
    return good(f_.RNNForward(handle(), layer_.get(), mode(), nullptr, x_.get(), o.x, y_.get(), o.y, state_.get(), o.h, o.last_h, state_.get(), o.c, o.last_c, weights_,
                              o.weights, workspace_, o.workspace, kept_, o.kept));
  }

  bool gradient(const RecurrentGradient& o) const override {
    const std::lock_guard lock(cudnn_handle().mutex);
    check(cudaMemsetAsync(o.d_weights, 0, weights_, stream()), "cudaMemsetAsync");  // they are added to
    return good(f_.RNNBackwardData_v8(handle(), layer_.get(), nullptr, y_.get(), o.y, o.d_y, x_.get(), o.d_x, state_.get(), o.h, o.d_last_h, o.d_h, state_.get(), o.c,
                                      o.d_last_c, o.d_c, weights_, o.weights, workspace_, o.workspace, kept_, o.kept)) &&
           good(f_.RNNBackwardWeights_v8(handle(), layer_.get(), CUDNN_WGRAD_MODE_ADD, nullptr, x_.get(), o.x, state_.get(), o.h, y_.get(), o.y, weights_, o.d_weights,
                                         workspace_, o.workspace, kept_, o.kept));
  }

 private:
  static cudnnHandle_t handle() { return cudnn_handle().handle; }
  cudnnForwardMode_t mode() const { return training_ ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE; }

  /// False where the weights do not lie as matrices and rows, dense.
  bool find_places(const RecurrentLayer& p, std::string& why) {
    const auto matrix = descriptor(f_.CreateTensorDescriptor, f_.DestroyTensorDescriptor), bias = descriptor(f_.CreateTensorDescriptor, f_.DestroyTensorDescriptor);
    if (!matrix || !bias) return why = "no descriptors", false;
    const auto is = [&](cudnnTensorDescriptor_t t, std::int64_t count) {
      cudnnDataType_t type;
      int axes = 0, sizes[3] = {}, strides[3] = {};
      if (!good(f_.GetTensorNdDescriptor(t, 3, &type, &axes, sizes, strides)) || axes != 3) return false;
      std::int64_t dense = 1;
      for (int a = 2; a >= 0; --a) {
        if (sizes[a] != 1 && strides[a] != dense) return false;
        dense *= sizes[a];
      }
      return dense == count;
    };
    const auto element = std::int64_t(size_of(p.dtype)), bytes = std::int64_t(weights_);
    constexpr std::int64_t kBase = 1 << 20;  // where the weights are said to lie: only distances are asked for
    for (int i = 0; i < 2 * p.gates; ++i) {
      const std::int64_t columns = i < p.gates ? p.features : p.hidden;
      void *m = nullptr, *b = nullptr;
      if (!good(f_.GetRNNWeightParams(handle(), layer_.get(), 0, weights_, reinterpret_cast<const void*>(kBase), i, matrix.get(), &m, bias.get(), &b), "cudnnGetRNNWeightParams", why))
        return false;
      const std::int64_t m_at = reinterpret_cast<std::intptr_t>(m) - kBase, b_at = reinterpret_cast<std::intptr_t>(b) - kBase;
      if (!is(matrix.get(), p.hidden * columns) || !is(bias.get(), p.hidden) || m_at % element || b_at % element || m_at < 0 || b_at < 0 ||
          m_at + p.hidden * columns * element > bytes || b_at + p.hidden * element > bytes)
        return why = "its weights do not lie as matrices", false;
      places_[std::size_t(i)] = {m_at / element, b_at / element};
    }
    return true;
  }

  const Functions& f_ = functions();
  Descriptor<cudnnDropoutDescriptor_t> dropout_;
  Descriptor<cudnnRNNDescriptor_t> layer_;
  Descriptor<cudnnRNNDataDescriptor_t> x_, y_;
  Descriptor<cudnnTensorDescriptor_t> state_;
  bool training_ = false;
};

}  // namespace

std::shared_ptr<const CudnnRecurrentLayer> CudnnRecurrentLayer::make(const CudnnRecurrence& question, int algorithm, std::string& why) {
  if (!cudnn_handle().handle || !functions().all()) return why = "a cuDNN without recurrent layers", nullptr;
  auto layer = std::make_shared<Layer>();
  return layer->prepare(question, algorithm, why) ? layer : nullptr;
}

bool CudnnRecurrentLayer::describable(const CudnnRecurrence& question, int algorithm) {
  std::string why;
  return functions().all() && Layer().describe(question, algorithm, why);
}

}  // namespace tenon::cuda

#else

namespace tenon::cuda {

std::shared_ptr<const CudnnRecurrentLayer> CudnnRecurrentLayer::make(const CudnnRecurrence&, int, std::string&) {
  return nullptr;
}
bool CudnnRecurrentLayer::describable(const CudnnRecurrence&, int) {
  return false;
}

}  // namespace tenon::cuda

#endif

namespace tenon::cuda {

std::string CudnnRecurrentLayer::name(int algorithm) {
  static constexpr const char* kNames[kAlgorithms] = {"standard", "persistent", "persistent for few units"};
  return kNames[algorithm];
}

bool recurrent_layers_repeat() {
  // ":SIZE:COUNT", once
  const char* given = std::getenv("CUBLAS_WORKSPACE_CONFIG");
  if (!given || *given != ':') return false;
  const char* count = std::strchr(given + 1, ':');
  return count && count[1] && !std::strchr(count + 1, ':');
}

}  // namespace tenon::cuda
