/// Sliding windows on the device: a thread an element of the window, in the order in which it lies in memory; a thread a voxel of resized classes.
#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "backend/cuda/upload.cuh"
#include "ops/windows_kernels.hpp"

namespace tenon::cuda {
namespace {

/// An index into [z, y, x, C] taken apart; fewer than 2^31 elements.
struct Places {
  Divider x, y, channels;
  struct At {
    std::uint32_t z, y, x, c;
  };
  Places(std::int64_t ny, std::int64_t nx, std::int64_t nc) : x(nx), y(ny), channels(nc) {}
  __device__ At operator()(std::uint32_t i) const {
    At at{};
    at.c = i;
    at.x = channels.split(at.c);
    at.y = x.split(at.x);
    at.z = y.split(at.y);
    return at;
  }
};

template <class T>
__global__ void cut_elements(WindowGeometry g, Places places, std::int64_t items, const T* x, T* window) {
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < items; i += std::int64_t(gridDim.x) * blockDim.x) {
    const Places::At at = places(std::uint32_t(i));
    const std::int64_t from = g.voxel(at.z, at.y, at.x);
    window[i] = from < 0 ? T(0) : x[from * g.channels + at.c];
  }
}

/// Two windows that overlap are two launches, one after the other: no two threads add to the same number.
__global__ void add_elements(WindowGeometry g, Places places, std::int64_t items, const float* scores, const float* weights, float* sums, float* weight_sums) {
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < items; i += std::int64_t(gridDim.x) * blockDim.x) {
    const Places::At at = places(std::uint32_t(i));
    const std::int64_t to = g.voxel(at.z, at.y, at.x);
    if (to < 0) continue;
    const float weight = weights ? weights[g.weight(at.z, at.y, at.x)] : 1.0f;
    float* sum = sums + to * g.channels + at.c;
    *sum = add_weighted(*sum, weight, scores[i]);
    if (at.c == 0) weight_sums[to] += weight;
  }
}

__global__ void divide_elements(LongDivider channels, std::int64_t items, const float* weights, float* sums) {
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < items; i += std::int64_t(gridDim.x) * blockDim.x) {
    std::int64_t c = i;
    sums[i] /= weights[channels.split(c)];
  }
}

template <class T>
Kernel make_cut_of(const WindowCopy& p) {
  const WindowGeometry& g = p.place;
  return [g, places = Places(g.window[1], g.window[2], g.channels)](void* const* o) {
    const std::int64_t items = g.window_voxels() * g.channels;
    start_items("cut_window", items, cut_elements<T>, g, places, items, static_cast<const T*>(o[0]), static_cast<T*>(o[1]));
  };
}

Kernel make_cut(const WindowCopy& p) {
  switch (p.element) {
    case 1: return make_cut_of<std::uint8_t>(p);
    case 2: return make_cut_of<std::uint16_t>(p);
    case 4: return make_cut_of<std::uint32_t>(p);
    case 8: return make_cut_of<std::uint64_t>(p);
    default: break;
  }
  // Of a complex f64 either half.
  WindowCopy halves = p;
  halves.place.channels *= 2;
  return make_cut_of<std::uint64_t>(halves);
}

Kernel make_add(const WindowAdd& p) {
  const WindowGeometry& g = p.place;
  return [g, weighted = p.weighted, places = Places(g.window[1], g.window[2], g.channels)](void* const* o) {
    const std::int64_t items = g.window_voxels() * g.channels;
    start_items("add_window", items, add_elements, g, places, items, static_cast<const float*>(o[0]), weighted ? static_cast<const float*>(o[1]) : nullptr,
                static_cast<float*>(o[weighted ? 2 : 1]), static_cast<float*>(o[weighted ? 3 : 2]));
  };
}

Kernel make_mean(const WindowMean& p) {
  return [p](void* const* o) {
    const std::int64_t items = p.voxels * p.channels;
    start_items("window_mean", items, divide_elements, LongDivider(p.channels), items, static_cast<const float*>(o[0]), static_cast<float*>(o[1]));
  };
}

struct ClassMap {
  std::int64_t row, plane, channels;  ///< strides of the scores
  LongDivider x, y;                   ///< of the result
  const BlendTaps *az, *ay, *ax;
};

/// The corners of one class, blended along z, then y, then x.
__device__ float blended(const BlendTaps& tz, const BlendTaps& ty, const BlendTaps& tx, const ClassMap& m, const float* at) {
  float along_x[2] = {0, 0};
  for (int i = 0; i < 2; ++i) {
    if (i == tx.count) break;
    float along_y[2] = {0, 0};
    for (int j = 0; j < 2; ++j) {
      if (j == ty.count) break;
      const float* p = at + j * m.row + i * m.channels;
      const float low = __ldg(p), high = tz.count == 2 ? __ldg(p + m.plane) : 0.0f;
      along_y[j] = blend(tz, low, high);
    }
    along_x[i] = blend(ty, along_y[0], along_y[1]);
  }
  return blend(tx, along_x[0], along_x[1]);
}

__global__ void resized_classes(ClassMap m, std::int64_t voxels, const float* scores, std::uint8_t* out) {
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < voxels; i += std::int64_t(gridDim.x) * blockDim.x) {
    std::int64_t x = i, y = m.x.split(x);
    const std::int64_t z = m.y.split(y);
    const BlendTaps tz = m.az[z], ty = m.ay[y], tx = m.ax[x];
    const float* at = scores + tz.first * m.plane + ty.first * m.row + tx.first * m.channels;
    int best = 0;
    float most = blended(tz, ty, tx, m, at);
    for (int c = 1; c < int(m.channels); ++c) {
      const float score = blended(tz, ty, tx, m, at + c);
      if (score > most) {  // as std::max_element: the first of equal ones
        most = score;
        best = c;
      }
    }
    out[i] = std::uint8_t(best);
  }
}

Kernel make_classes(const ResizedClasses& p) {
  const std::array axes{upload((*p.axes)[0]), upload((*p.axes)[1]), upload((*p.axes)[2])};
  const std::int64_t row = p.in[2] * p.channels, voxels = p.out(0) * p.out(1) * p.out(2);
  const ClassMap map{row, p.in[1] * row, p.channels, LongDivider(p.out(2)), LongDivider(p.out(1)), axes[0].get(), axes[1].get(), axes[2].get()};
  return [map, voxels, axes](void* const* o) {
    start_items("resize_argmax", voxels, resized_classes, map, voxels, static_cast<const float*>(o[0]), static_cast<std::uint8_t*>(o[1]));
  };
}

}  // namespace

void install_windows() {
  cut_window_kernel.set(DeviceType::cuda, make_cut);
  add_window_kernel.set(DeviceType::cuda, make_add);
  window_mean_kernel.set(DeviceType::cuda, make_mean);
  resize_argmax_kernel.set(DeviceType::cuda, make_classes);
}

}  // namespace tenon::cuda
