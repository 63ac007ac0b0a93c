/// Dropout on the device: one Philox block for each four elements, as on the CPU.
#include "backend/cuda/install.hpp"
#include "backend/cuda/packs.cuh"
#include "ops/dispatch.hpp"
#include "ops/dropout_kernels.hpp"
#include "tenon/random.hpp"

namespace tenon::cuda {
namespace {

/// Elements are moved four at a time where N is 4.
template <class T, int N>
__global__ void drop(const T* x, const std::int64_t* key, T* y, std::int64_t* used, std::int64_t count, std::uint64_t stream_id,
                     std::uint64_t below, Acc<T> scale) {
  using A = Acc<T>;
  const std::int64_t first = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, step = std::int64_t(gridDim.x) * blockDim.x;
  if (first < 2) used[first] = key[first];
  const Random random = Random(std::uint64_t(key[0]), stream_id).child(std::uint64_t(key[1]));
  for (std::int64_t block = first; block * 4 < count; block += step) {
    const auto words = random.bits(std::uint64_t(block));
    const std::int64_t at = block * 4;
    if (N == 4 && at + 4 <= count) {
      A v[4];
      load_lanes<T, 4>(x + at, v);
#pragma unroll
      for (int i = 0; i < 4; ++i) v[i] = words[std::size_t(i)] < below ? A(0) : v[i] * scale;
      store_lanes<T, 4>(y + at, v);
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (at + i < count) y[at + i] = narrow<T>(words[std::size_t(i)] < below ? A(0) : widen<T>(x[at + i]) * scale);
    }
  }
}

template <class T>
Kernel make(const DropoutFill& p) {
  using A = Acc<T>;
  const auto below = std::uint64_t(p.p * 4294967296.0);
  const A scale = p.p < 1 ? A(1 / (1 - p.p)) : A(0);
  return [=](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[2]);
    auto kernel = aligned16({x, y}) ? drop<T, 4> : drop<T, 1>;
    start("dropout", dim3(grid_for((p.count + 3) / 4)), dim3(kBlock), 0, kernel, x, static_cast<const std::int64_t*>(o[1]), y,
          static_cast<std::int64_t*>(o[3]), p.count, p.stream, below, scale);
  };
}

}  // namespace

void install_dropout() {
  dropout_kernel.set(DeviceType::cuda, [](const DropoutFill& p) -> Kernel {
    return dispatch_floating("dropout", p.dtype, [&](auto tag) -> Kernel { return make<typename decltype(tag)::type>(p); });
  });
}

}  // namespace tenon::cuda
