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

constexpr std::int64_t kMostWorkspace = std::int64_t(256) << 20;
enum Uid : std::int64_t { kFirst = 1, kSecond, kBias, kResult };

/// False where there is no cuDNN on this machine. Needs no device.
bool load_cudnn() noexcept {
  static const bool loaded = [] {
    const char* named = std::getenv("TENON_CUDNN");
    fe::cudnn_dlhandle = ::dlopen(named && *named ? named : "libcudnn.so.9", RTLD_NOW | RTLD_GLOBAL);
    return fe::cudnn_dlhandle != nullptr;
  }();
  return loaded;
}

/// One handle a process; a handle is for one thread at a time.
struct Cudnn {
  cudnnHandle_t handle = nullptr;
  std::mutex mutex;

  Cudnn() noexcept {
    if (!load_cudnn()) return;
    try {
      cudnnHandle_t made = nullptr;
      if (fe::detail::create_handle(&made) != CUDNN_STATUS_SUCCESS) return;
      if (fe::detail::set_stream(made, stream()) == CUDNN_STATUS_SUCCESS) handle = made;
    } catch (...) {  // a library without these functions is none
    }
  }
};

Cudnn& cudnn() {
  static Cudnn& c = *new Cudnn;  // never destroyed: CUDA may be gone by then
  return c;
}

/// Batch, channels, spatial sizes; one spatial axis is lifted to two, which is the least that cuDNN has.
Dims lifted(const ConvGeometry& g, const ConvGeometry::Sizes& sizes, std::int64_t one) {
  Dims d;
  if (g.spatial == 1) d.push_back(one);
  for (std::size_t a = 0; a < std::size_t(g.spatial); ++a) d.push_back(sizes[a]);
  return d;
}

Dims dims(const ConvGeometry& g, std::int64_t first, std::int64_t channels, const ConvGeometry::Sizes& sizes) {
  Dims d{first, channels};
  for (std::int64_t s : lifted(g, sizes, 1)) d.push_back(s);
  return d;
}

Dims channels_last(const Dims& d) {
  Dims strides(d.size(), 1);
  std::int64_t step = d[1];
  for (std::size_t a = d.size() - 1; a >= 2; --a) {
    strides[a] = step;
    step *= d[a];
  }
  strides[0] = step;
  return strides;
}

DataType_t type_of(DType t) {
  return t == DType::bf16 ? DataType_t::BFLOAT16 : t == DType::f16 ? DataType_t::HALF : DataType_t::FLOAT;
}

class Graph final : public CudnnGraph, private fe::graph::Graph {
 public:
  /// For the device of the handle; where `device` is given, for that one.
  bool prepare(const CudnnQuestion& q, std::shared_ptr<const fe::DeviceProperties> device) {
    std::lock_guard lock(cudnn().mutex);
    try {
      describe(q);
      if (device) set_device_properties(device);
      if (validate().is_bad() || (device ? build_operation_graph() : build_operation_graph(cudnn().handle)).is_bad()) return false;
      if (create_execution_plans({q.fallback ? fe::HeurMode_t::FALLBACK : fe::HeurMode_t::A}).is_bad()) return false;
      std::vector<NumericalNote_t> unwanted{NumericalNote_t::NONDETERMINISTIC, NumericalNote_t::DOWN_CONVERT_INPUTS,
                                            NumericalNote_t::REDUCED_PRECISION_REDUCTION, NumericalNote_t::WINOGRAD_TILE_6x6,
                                            NumericalNote_t::WINOGRAD_TILE_13x13};
      if (q.geometry.dtype != DType::f32) unwanted.push_back(NumericalNote_t::WINOGRAD);  // its transforms round to 16 bits
      if (q.geometry.dtype == DType::f32 && !q.allow_tf32) unwanted.push_back(NumericalNote_t::TENSOR_CORE);
      deselect_numeric_notes(unwanted);
      deselect_workspace_greater_than(kMostWorkspace);
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
      if (build_plan_at_index(index).is_bad() || get_workspace_size_plan_at_index(index, bytes).is_bad() || bytes > kMostWorkspace)
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

  bool run(const CudnnPlan& plan, const void* first, const void* second, const void* bias, void* result, void* workspace) const override {
    std::lock_guard lock(cudnn().mutex);
    try {
      std::unordered_map<std::int64_t, void*> pack{
          {kFirst, const_cast<void*>(first)}, {kSecond, const_cast<void*>(second)}, {kResult, result}};
      if (bias_) pack[kBias] = const_cast<void*>(bias);
      return execute_plan_at_index(cudnn().handle, pack, workspace, plan.index).is_good();
    } catch (...) {
      return false;
    }
  }

 private:
  TensorPtr input(const char* name, std::int64_t uid, DataType_t type, const Dims& d) {
    return tensor(fe::graph::Tensor_attributes().set_name(name).set_uid(uid).set_data_type(type).set_dim(d).set_stride(channels_last(d)));
  }

  template <class Attributes>
  Attributes product(const ConvGeometry& g) {
    return Attributes()
        .set_padding(lifted(g, g.pad, 0))
        .set_stride(lifted(g, g.stride, 1))
        .set_dilation(lifted(g, g.dilation, 1))
        .set_compute_data_type(DataType_t::FLOAT);
  }

  void describe(const CudnnQuestion& q) {
    const ConvGeometry& g = q.geometry;
    const DataType_t io = type_of(g.dtype);
    const Dims x = dims(g, g.batch, g.in_channels, g.in), y = dims(g, g.batch, g.out_channels, g.out),
               w = dims(g, g.out_channels, g.in_channels / g.groups, g.kernel);
    bias_ = q.bias;
    set_io_data_type(io).set_intermediate_data_type(DataType_t::FLOAT).set_compute_data_type(DataType_t::FLOAT);
    set_cuda_graph_retention(fe::CudaGraphRetention_t::NONE);  // plans live as long as the process
    TensorPtr made;
    Dims shape = w;
    DataType_t type = q.half_weights ? io : DataType_t::FLOAT;
    if (q.pass == ConvPass::weight_gradient) {
      TensorPtr from = input("x", kFirst, io, x), to = input("dy", kSecond, io, y);
      made = conv_wgrad(to, from, product<fe::graph::Conv_wgrad_attributes>(g));
    } else {
      const bool forward = q.pass == ConvPass::forward;
      TensorPtr source = input("source", kFirst, io, forward ? x : y), weights = input("weights", kSecond, io, w);
      shape = forward ? y : x;
      type = io;
      made = forward ? conv_fprop(source, weights, product<fe::graph::Conv_fprop_attributes>(g))
                     : conv_dgrad(source, weights, product<fe::graph::Conv_dgrad_attributes>(g));
    }
    made->set_dim(shape).set_stride(channels_last(shape));
    if (q.bias) {
      made->set_data_type(DataType_t::FLOAT);
      Dims one(shape.size(), 1);
      one[1] = shape[1];
      made = pointwise(made, input("bias", kBias, DataType_t::FLOAT, one),
                       fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD).set_compute_data_type(DataType_t::FLOAT));
      made->set_dim(shape).set_stride(channels_last(shape));
    }
    made->set_output(true).set_uid(kResult).set_data_type(type);
  }

  bool bias_ = false;
};

}  // namespace

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

std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnQuestion& question) {
  if (!cudnn_here()) return nullptr;
  auto graph = std::make_shared<Graph>();
  return graph->prepare(question, nullptr) ? graph : nullptr;
}

std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string& description, const CudnnQuestion& question) {
  if (!load_cudnn()) return nullptr;
  auto device = std::make_shared<fe::DeviceProperties>();
  if (device->deserialize({description.begin(), description.end()}).is_bad()) return nullptr;
  auto graph = std::make_shared<Graph>();
  return graph->prepare(question, device) ? graph : nullptr;
}

}  // namespace tenon::cuda

#else

namespace tenon::cuda {

bool cudnn_here() {
  return false;
}
std::size_t cudnn_version() {
  return 0;
}
std::string cudnn_device_description() {
  return {};
}
std::shared_ptr<CudnnGraph> CudnnGraph::make(const CudnnQuestion&) {
  return nullptr;
}
std::shared_ptr<CudnnGraph> CudnnGraph::make_for(const std::string&, const CudnnQuestion&) {
  return nullptr;
}

}  // namespace tenon::cuda

#endif
