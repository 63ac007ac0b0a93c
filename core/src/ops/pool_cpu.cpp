/// The CPU kernels of pooling: rows of voxels in parallel.
#include "ops/dispatch.hpp"
#include "ops/pool_kernels.hpp"

#define TENON_ISA_FILE "ops/simd/pool.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

/// body(sample, z, y) over rows of `depth` by `height`, in parallel.
template <class Body>
void for_rows(std::int64_t samples, std::int64_t depth, std::int64_t height, const Body& body) {
  parallel_blocks(samples * depth * height, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) body(r / (depth * height), r / height % depth, r % height);
  });
}

template <class T>
Kernel max_forward(const Pooling& p) {
  auto loop = TENON_BY_ISA(max_pool_row<T>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    std::int32_t* index = static_cast<std::int32_t*>(o[2]);
    const std::int64_t in = p.in_voxels() * p.channels, out = p.out_voxels() * p.channels;
    for_rows(p.samples, p.axes[0].out, p.axes[1].out,
             [&](std::int64_t s, std::int64_t i, std::int64_t j) { loop(p, x + s * in, y + s * out, index + s * out, i, j); });
  };
}

template <class T, bool Max>
Kernel put(const Pooling& p) {
  auto loop = TENON_BY_ISA(pool_put_row<T>);
  return [p, loop](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    const std::int32_t* index = Max ? static_cast<const std::int32_t*>(o[1]) : nullptr;
    T* to = static_cast<T*>(o[Max ? 2 : 1]);
    const std::int64_t in = p.in_voxels() * p.channels, out = p.out_voxels() * p.channels;
    const Acc<T> share = Acc<T>(Max ? 1.0 : 1.0 / double(p.window()));
    for_rows(p.samples, p.axes[0].in, p.axes[1].in, [&](std::int64_t s, std::int64_t i, std::int64_t j) {
      loop(p, from + s * out, Max ? index + s * out : nullptr, to + s * in, i, j, share);
    });
  };
}

template <class T>
Kernel take(const Pooling& p) {
  return [p](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    const std::int32_t* index = static_cast<const std::int32_t*>(o[1]);
    T* to = static_cast<T*>(o[2]);
    const std::int64_t in = p.in_voxels() * p.channels, out = p.out_voxels();
    parallel_blocks(p.samples * out, 1024, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t v = begin; v < end; ++v)
        for (std::int64_t c = 0; c < p.channels; ++c) {
          std::int64_t at = v * p.channels + c;
          to[at] = from[v / out * in + std::int64_t(index[at]) * p.channels + c];
        }
    });
  };
}

template <class T>
Kernel avg_forward(const Pooling& p) {
  auto loop = TENON_BY_ISA(avg_pool_row<T>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    const std::int64_t in = p.in_voxels() * p.channels, out = p.out_voxels() * p.channels;
    const Acc<T> share = Acc<T>(1.0 / double(p.window()));
    for_rows(p.samples, p.axes[0].out, p.axes[1].out,
             [&](std::int64_t s, std::int64_t i, std::int64_t j) { loop(p, x + s * in, y + s * out, i, j, share); });
  };
}

}  // namespace

KernelSlot<const Pooling&> max_pool_kernel("max_pool", [](const Pooling& p) -> Kernel {
  return dispatch_floating("max_pool", p.dtype, [&](auto tag) -> Kernel { return max_forward<typename decltype(tag)::type>(p); });
});
KernelSlot<const Pooling&> max_pool_put_kernel("max_pool.put", [](const Pooling& p) -> Kernel {
  return dispatch_floating("max_pool", p.dtype, [&](auto tag) -> Kernel { return put<typename decltype(tag)::type, true>(p); });
});
KernelSlot<const Pooling&> max_pool_take_kernel("max_pool.take", [](const Pooling& p) -> Kernel {
  return dispatch_floating("max_pool", p.dtype, [&](auto tag) -> Kernel { return take<typename decltype(tag)::type>(p); });
});
KernelSlot<const Pooling&> avg_pool_kernel("avg_pool", [](const Pooling& p) -> Kernel {
  return dispatch_floating("avg_pool", p.dtype, [&](auto tag) -> Kernel { return avg_forward<typename decltype(tag)::type>(p); });
});
KernelSlot<const Pooling&> avg_pool_put_kernel("avg_pool.put", [](const Pooling& p) -> Kernel {
  return dispatch_floating("avg_pool", p.dtype, [&](auto tag) -> Kernel { return put<typename decltype(tag)::type, false>(p); });
});

}  // namespace tenon
