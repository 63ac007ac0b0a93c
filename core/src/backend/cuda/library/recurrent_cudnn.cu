/// Recurrent layers by cuDNN where it is there and faster: weights put where it wants them, and gradients taken from there.
#include <mutex>
#include <optional>

#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/library/cudnn_graph.hpp"
#include "backend/cuda/library/plan_choice.hpp"
#include "backend/cuda/library/recurrent_tune.hpp"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

using Place = CudnnRecurrentLayer::Place;

/// Where the elements of our four tensors of weights lie in cuDNN's block.
struct Packing {
  std::int64_t features, hidden;
  int gates;
  Place places[8];

  std::int64_t inputs() const { return gates * hidden * features; }
  std::int64_t count() const { return inputs() + gates * hidden * (hidden + 2); }
};

/// The same for a kernel's thread: which tensor element i of all is of, where in it, and where in the block.
struct Spot {
  int tensor;  ///< w_ih, w_hh, b_ih, b_hh
  std::int64_t from, to;
};
__device__ inline Spot spot_of(const Packing& p, std::int64_t i) {
  const std::int64_t units = p.gates * p.hidden;
  int tensor = 0;
  std::int64_t size = units * p.features;
  if (i >= size) i -= size, tensor = 1, size = units * p.hidden;
  if (tensor == 1 && i >= size) i -= size, tensor = 2, size = units;
  if (tensor == 2 && i >= size) i -= size, tensor = 3;
  const std::int64_t of_gate = size / p.gates, gate = i / of_gate;
  const Place& place = p.places[gate + (tensor % 2 ? p.gates : 0)];
  return {tensor, i, (tensor < 2 ? place.matrix : place.bias) + (i - gate * of_gate)};
}

template <class T>
__global__ void pack_recurrent(Packing p, std::int64_t count, const float* w_ih, const float* w_hh, const float* b_ih, const float* b_hh, T* block) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    const Spot s = spot_of(p, i);
    const float* from = s.tensor == 0 ? w_ih : s.tensor == 1 ? w_hh : s.tensor == 2 ? b_ih : b_hh;
    block[s.to] = T(from[s.from]);
  }
}

template <class T>
__global__ void unpack_recurrent(Packing p, std::int64_t count, const T* block, float* w_ih, float* w_hh, float* b_ih, float* b_hh) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) {
    const Spot s = spot_of(p, i);
    float* to = s.tensor == 0 ? w_ih : s.tensor == 1 ? w_hh : s.tensor == 2 ? b_ih : b_hh;
    to[s.from] = float(block[s.to]);
  }
}

/// Operands one after the other, as LibraryLayer lists them.
class Operands {
 public:
  explicit Operands(void* const* at) : at_(at) {}
  void* next() { return *at_++; }
  void* next_if(bool there) { return there ? next() : nullptr; }
  template <class T>
  T* next_as() {
    return static_cast<T*>(next());
  }

 private:
  void* const* at_;
};

[[noreturn]] void refused() {
  throw Error(ErrorKind::device, "cuda.cudnn", "cuDNN refused a recurrent layer", "set TENON_CUDNN=none to compute without cuDNN");
}

template <class T>
LibraryLayer layer_of(const RecurrentLayer& q, const std::shared_ptr<const CudnnRecurrentLayer>& layer) {
  Packing packing{q.features, q.hidden, q.gates, {}};
  std::copy(layer->places().begin(), layer->places().end(), packing.places);
  const bool gaps = layer->weights_bytes() != std::size_t(packing.count()) * sizeof(T);  // that cuDNN might convert along with the rest
  const bool cells = q.gates == 4, works = layer->workspace_bytes() > 0, keeps = layer->kept_bytes() > 0;
  LibraryLayer made;
  made.weights = layer->weights_bytes(), made.workspace = layer->workspace_bytes(), made.kept = layer->kept_bytes();
  made.forward = [=](void* const* at) {
    Operands o(at);
    RecurrentForward f{};
    f.x = o.next();
    const auto *w_ih = o.next_as<const float>(), *w_hh = o.next_as<const float>(), *b_ih = o.next_as<const float>(), *b_hh = o.next_as<const float>();
    f.h = o.next(), f.c = o.next_if(cells);
    f.y = o.next(), f.last_h = o.next(), f.last_c = o.next_if(cells);
    T* block = o.next_as<T>();
    f.weights = block, f.workspace = o.next_if(works), f.kept = o.next_if(keeps);
    if (gaps) check(cudaMemsetAsync(block, 0, layer->weights_bytes(), stream()), "cudaMemsetAsync");
    start_items("pack_recurrent", packing.count(), pack_recurrent<T>, packing, packing.count(), w_ih, w_hh, b_ih, b_hh, block);
    if (!layer->forward(f)) refused();
  };
  made.gradient = [=](void* const* at) {
    Operands o(at);
    RecurrentGradient g{};
    g.x = o.next(), g.y = o.next(), g.h = o.next(), g.c = o.next_if(cells), g.weights = o.next();
    g.d_y = o.next(), g.d_last_h = o.next(), g.d_last_c = o.next_if(cells);
    g.d_x = o.next();
    float *w_ih = o.next_as<float>(), *w_hh = o.next_as<float>(), *b_ih = o.next_as<float>(), *b_hh = o.next_as<float>();
    g.d_h = o.next(), g.d_c = o.next_if(cells);
    T* block = o.next_as<T>();
    g.d_weights = block, g.workspace = o.next_if(works), g.kept = o.next_if(keeps);
    if (!layer->gradient(g)) refused();
    start_items("unpack_recurrent", packing.count(), unpack_recurrent<T>, packing, packing.count(), static_cast<const T*>(block), w_ih, w_hh, b_ih, b_hh);
  };
  return made;
}

std::optional<LibraryLayer> choose(const RecurrentLayer& q) {
  const RecurrentChoice c = recurrent_choice(q);
  return c.layer ? std::optional(library_layer(q, c.layer)) : std::nullopt;
}

/// Says once why none is used.
std::optional<LibraryLayer> refuse(const RecurrentLayer&) {
  static std::once_flag said;
  std::call_once(said, [] {
    const std::lock_guard lock(choosing());
    tell("recurrent layers: own kernels; CUBLAS_WORKSPACE_CONFIG named no workspaces of one size when the device was first used, so cuDNN's need not repeat their bits");
  });
  return std::nullopt;
}

}  // namespace

LibraryLayer library_layer(const RecurrentLayer& q, const std::shared_ptr<const CudnnRecurrentLayer>& layer) {
  return q.dtype == DType::bf16 ? layer_of<bf16>(q, layer) : q.dtype == DType::f16 ? layer_of<f16>(q, layer) : layer_of<float>(q, layer);
}

void install_recurrent_cudnn() {
  if (cudnn_here()) set_library_layer(DeviceType::cuda, recurrent_layers_repeat() ? choose : refuse);
}

}  // namespace tenon::cuda
