#include "backend/cuda/library/cudnn_graph.hpp"

#if defined(TENON_HAVE_CUDNN)

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/cuda/check.cuh"
#include "backend/cuda/library/cudnn_handle.hpp"

namespace tenon::cuda {

/// The frontend loads the CUDA runtime by itself; here that is the one linked into this library.
void* frontend_open(const char* file, int flags) {
  static const char own_runtime = 0;
  if (std::strncmp(file, "libcudart.so.", 13) != 0) return ::dlopen(file, flags);
  return std::atoi(file + 13) == CUDART_VERSION / 1000 ? const_cast<char*>(&own_runtime) : nullptr;
}

void* frontend_symbol(void* handle, const char* name) {
#define TENON_RUNTIME(function) \
  { #function, reinterpret_cast < void*>(&::function) }
  static const std::pair<const char*, void*> own[] = {
    TENON_RUNTIME(cudaRuntimeGetVersion),
    TENON_RUNTIME(cudaGetErrorString),
    TENON_RUNTIME(cudaGetDevice),
    {"cudaGetLastError", reinterpret_cast<void*>(&::cudaGetLastError)},
    TENON_RUNTIME(cudaDeviceGetAttribute),
    TENON_RUNTIME(cudaStreamIsCapturing),
#if CUDART_VERSION >= 12080
    TENON_RUNTIME(cudaGetDriverEntryPointByVersion),
#endif
  };
#undef TENON_RUNTIME
  if (std::strncmp(name, "cuda", 4) != 0) return ::dlsym(handle, name);
  for (const auto& [known, function] : own)
    if (std::strcmp(known, name) == 0) return function;
  return nullptr;
}

}  // namespace tenon::cuda

#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#define CUDNN_FRONTEND_SKIP_JSON_LIB
#define dlopen ::tenon::cuda::frontend_open
#define dlsym ::tenon::cuda::frontend_symbol
#include <cudnn_frontend.h>
#undef dlopen
#undef dlsym

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}

namespace tenon::cuda {
namespace {

namespace fe = cudnn_frontend;
using fe::DataType_t;
using fe::NumericalNote_t;
using Dims = std::vector<std::int64_t>;
using TensorPtr = std::shared_ptr<fe::graph::Tensor_attributes>;

/// False where there is no cuDNN on this machine. Needs no device.
bool load_cudnn() noexcept {
  static const bool loaded = [] {
    const char* named = std::getenv("TENON_CUDNN");
    fe::cudnn_dlhandle = ::dlopen(named && *named ? named : "libcudnn.so.9", RTLD_NOW | RTLD_GLOBAL);
    return fe::cudnn_dlhandle != nullptr;
  }();
  return loaded;
}

CudnnHandle& cudnn() { return cudnn_handle(); }

DataType_t type_of(DType t) {
  return t == DType::bf16 ? DataType_t::BFLOAT16 : t == DType::f16 ? DataType_t::HALF : DataType_t::FLOAT;
}

/// What a graph reads; `uid`: its place among the operands, from 1.
TensorPtr input(fe::graph::Graph& graph, std::int64_t uid, DataType_t type, const Dims& d, const Dims& strides) {
  return graph.tensor(fe::graph::Tensor_attributes().set_uid(uid).set_data_type(type).set_dim(d).set_stride(strides));
}

void output(const TensorPtr& made, std::int64_t uid, DataType_t type, const Dims& d, const Dims& strides) {
  made->set_output(true).set_uid(uid).set_data_type(type).set_dim(d).set_stride(strides);
}

}  // namespace
}  // namespace tenon::cuda

// What is asked, as graphs: each has `describe`, `unwanted` notes, `most_workspace` and `plans_of`. The frontend is included here alone.
#include "backend/cuda/library/cudnn_attention.inl"
#include "backend/cuda/library/cudnn_convolution.inl"
#include "backend/cuda/library/cudnn_row_norm.inl"

namespace tenon::cuda {
namespace {

template <class Question>
class Graph final : public CudnnGraph, private fe::graph::Graph {
 public:
  explicit Graph(const Question& question) : question_(question) {}

  /// For the device of the handle; where `device` is given, for that one, of that compute capability (90).
  bool prepare(std::shared_ptr<const fe::DeviceProperties> device, int capability) {
    std::lock_guard lock(cudnn().mutex);
    try {
      set_io_data_type(DataType_t::FLOAT).set_intermediate_data_type(DataType_t::FLOAT).set_compute_data_type(DataType_t::FLOAT);
      set_cuda_graph_retention(fe::CudaGraphRetention_t::NONE);  // plans live as long as the process
      if (device) set_device_properties(device).set_sm_version(capability);
      describe(*this, question_);
      if (validate().is_bad() || (device ? build_operation_graph() : build_operation_graph(cudnn().handle)).is_bad()) return false;
      if (create_execution_plans({plans_of(question_)}).is_bad()) return false;
      deselect_numeric_notes(unwanted(question_));
      deselect_workspace_greater_than(most_workspace(question_));
      return plans() > 0;
    } catch (...) {
      return false;
    }
  }

  std::int64_t plans() const override { return get_execution_plan_count(); }

  bool build(std::int64_t index, CudnnPlan& plan) override {
    std::lock_guard lock(cudnn().mutex);
    try {
      std::int64_t bytes = 0;
      if (build_plan_at_index(index).is_bad() || get_workspace_size_plan_at_index(index, bytes).is_bad() ||
          bytes > most_workspace(question_))
        return false;
      plan = {index, std::size_t(bytes < 0 ? 0 : bytes), {}};
      plan.engine = name(index);
      return true;
    } catch (...) {
      return false;
    }
  }

  std::string name(std::int64_t index) const override {
    std::string engine;
    try {
      if (get_plan_name_at_index(index, engine).is_bad()) engine.clear();
    } catch (...) {
      engine.clear();
    }
    return engine;
  }

  void drop(std::int64_t index) override { fe::graph::Graph::plans.execution_plans[std::size_t(index)].reset(); }

  bool run(const CudnnPlan& plan, std::span<const void* const> operands, void* workspace) const override {
    std::lock_guard lock(cudnn().mutex);
    try {
      std::unordered_map<std::int64_t, void*> pack;
      for (std::size_t i = 0; i < operands.size(); ++i) pack[std::int64_t(i) + 1] = const_cast<void*>(operands[i]);
      return execute_plan_at_index(cudnn().handle, pack, workspace, plan.index).is_good();
    } catch (...) {
      return false;
    }
  }

 private:
  Question question_;
};

template <class Question>
std::shared_ptr<CudnnGraph> graph_of(const Question& question) {
  if (!cudnn_here()) return nullptr;
  auto graph = std::make_shared<Graph<Question>>(question);
  return graph->prepare(nullptr, 0) ? graph : nullptr;
}

template <class Question>
std::shared_ptr<CudnnGraph> graph_for(const std::string& description, const Question& question) {
  if (!load_cudnn()) return nullptr;
  auto device = std::make_shared<fe::DeviceProperties>();
  if (device->deserialize({description.begin(), description.end()}).is_bad()) return nullptr;
  const std::string word = "\"deviceVer\":";
  const auto at = description.find(word);
  const int capability = at == std::string::npos ? 0 : std::atoi(description.c_str() + at + word.size()) / 10;  // 900: 9.0
  auto graph = std::make_shared<Graph<Question>>(question);
  return graph->prepare(device, capability) ? graph : nullptr;
}

}  // namespace

CudnnHandle& cudnn_handle() {
  static CudnnHandle& made = *[] {
    auto* c = new CudnnHandle;  // never destroyed: CUDA may be gone by then
    if (!load_cudnn()) return c;
    try {
      cudnnHandle_t handle = nullptr;
      if (fe::detail::create_handle(&handle) == CUDNN_STATUS_SUCCESS && fe::detail::set_stream(handle, stream()) == CUDNN_STATUS_SUCCESS) c->handle = handle;
    } catch (...) {  // a library without these functions is none
    }
    return c;
  }();
  return made;
}

void* cudnn_function(const char* name) {
  return load_cudnn() ? ::dlsym(fe::cudnn_dlhandle, name) : nullptr;
}

bool cudnn_here() {
  return cudnn().handle != nullptr;
}

std::size_t cudnn_version() {
  return load_cudnn() ? fe::detail::get_backend_version() : 0;
}

std::string cudnn_device_description() {
  if (!cudnn_here()) return {};
  fe::DeviceProperties device;
  std::vector<std::uint8_t> bytes;
  if (device.set_device_id(0).build().is_bad() || device.serialize(bytes).is_bad()) return {};
  return {bytes.begin(), bytes.end()};
}

std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnConvolution& question) {
  return graph_of(question);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnAttention& question) {
  return graph_of(question);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnRowNorm& question) {
  return graph_of(question);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string& description, const CudnnConvolution& question) {
  return graph_for(description, question);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string& description, const CudnnAttention& question) {
  return graph_for(description, question);
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string& description, const CudnnRowNorm& question) {
  return graph_for(description, question);
}

}  // namespace tenon::cuda

#else

#include "backend/cuda/library/cudnn_handle.hpp"

namespace tenon::cuda {

CudnnHandle& cudnn_handle() {
  static CudnnHandle& none = *new CudnnHandle;
  return none;
}
void* cudnn_function(const char*) {
  return nullptr;
}
bool cudnn_here() {
  return false;
}
std::size_t cudnn_version() {
  return 0;
}
std::string cudnn_device_description() {
  return {};
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnConvolution&) {
  return nullptr;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnAttention&) {
  return nullptr;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnRowNorm&) {
  return nullptr;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string&, const CudnnConvolution&) {
  return nullptr;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string&, const CudnnAttention&) {
  return nullptr;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string&, const CudnnRowNorm&) {
  return nullptr;
}

}  // namespace tenon::cuda

#endif
