/// The CPU kernels of pooling: rows of voxels in parallel.
#include <algorithm>
#include <memory>
#include <vector>

#include "backend/cpu/ceil_div.hpp"
#include "ops/dispatch.hpp"
#include "ops/pool_shapes.hpp"
#include "tenon/device.hpp"

#define TENON_ISA_FILE "ops/simd/pool.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kElementsATask = 32768;

/// body(sample, row) over pieces of rows of `width` voxels, each made from `taps` others, in parallel.
template <class Body>
void for_rows(const Pooling& p, std::int64_t depth, std::int64_t height, std::int64_t width, std::int64_t taps, const Body& body) {
  const std::int64_t piece = std::max<std::int64_t>(1, kElementsATask / p.channels / taps), pieces = cpu::ceil_div(width, piece);
  const std::int64_t tasks = p.samples * depth * height * pieces;
  // neighbours to one thread, which finds in its caches what it left there
  parallel_blocks(tasks, std::max({std::int64_t(1), piece / width, cpu::ceil_div(tasks, thread_count())}),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t r = i / pieces, x = i % pieces * piece;
                      body(r / (depth * height), PoolRow{r / height % depth, r % height, x, std::min(width, x + piece)});
                    }
                  });
}

/// The same over outputs.
template <class Body>
void for_outputs(const Pooling& p, const Body& body) {
  std::int64_t taps = 1;
  for (const PoolAxis& a : p.axes) taps *= a.kernel ? a.kernel : std::max<std::int64_t>(1, a.in / a.out);
  for_rows(p, p.axes[0].out, p.axes[1].out, p.axes[2].out, taps, body);
}

template <class T, bool Places>
Kernel max_forward(const Pooling& p) {
  auto loop = TENON_BY_ISA(max_pool_row<T, Places>);
  return [p, loop](void* const* o) {
    const T* x = static_cast<const T*>(o[0]);
    T* y = static_cast<T*>(o[1]);
    std::int32_t* index = Places ? static_cast<std::int32_t*>(o[2]) : nullptr;
    const std::int64_t in = p.in_voxels() * p.channels, out = p.out_voxels() * p.channels;
    for_outputs(p, [&](std::int64_t s, const PoolRow& row) { loop(p, x + s * in, y + s * out, Places ? index + s * out : nullptr, row); });
  };
}

std::vector<PoolHolders> holders_of(const PoolAxis& a) {
  std::vector<PoolHolders> all;
  for (std::int64_t i = 0; i < a.in; ++i) all.push_back({std::int32_t(a.first_window(i)), std::int32_t(a.last_window(i))});
  return all;
}

template <class T, bool Max>
Kernel put(const Pooling& p) {
  auto loop = TENON_BY_ISA(pool_put_row<T>);
  return [p, loop, holders = std::make_shared<const std::vector<PoolHolders>>(holders_of(p.axes[2]))](void* const* o) {
    const T* from = static_cast<const T*>(o[0]);
    const std::int32_t* index = Max ? static_cast<const std::int32_t*>(o[1]) : nullptr;
    T* to = static_cast<T*>(o[Max ? 2 : 1]);
    const std::int64_t in = p.in_voxels() * p.channels, out = p.out_voxels() * p.channels;
    const Acc<T> share = Acc<T>(Max ? 1.0 : 1.0 / double(p.window()));
    for_rows(p, p.axes[0].in, p.axes[1].in, p.axes[2].in, 1, [&](std::int64_t s, const PoolRow& row) {
      loop(p, from + s * out, Max ? index + s * out : nullptr, to + s * in, row, holders->data(), share);
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
    for_outputs(p, [&](std::int64_t s, const PoolRow& row) { loop(p, x + s * in, y + s * out, row, share); });
  };
}

}  // namespace

KernelSlot<const Pooling&> max_pool_kernel("max_pool", [](const Pooling& p) -> Kernel {
  return dispatch_floating("max_pool", p.dtype, [&](auto tag) -> Kernel { return max_forward<typename decltype(tag)::type, true>(p); });
});
KernelSlot<const Pooling&> max_pool_values_kernel("max_pool", [](const Pooling& p) -> Kernel {
  return dispatch_floating("max_pool", p.dtype, [&](auto tag) -> Kernel { return max_forward<typename decltype(tag)::type, false>(p); });
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
