/// The CPU kernels of pooling: rows of voxels in parallel.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "backend/cpu/ceil_div.hpp"
#include "backend/cpu/rows.hpp"
#include "ops/dispatch.hpp"
#include "ops/pool_shapes.hpp"
#include "tenon/device.hpp"

#define TENON_ISA_FILE "ops/simd/pool.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kElementsATask = 32768;

using RowBody = FunctionRef<void(std::int64_t, const PoolRow&)>;

/// body(sample, row) over pieces of rows of `width` voxels, each made from `taps` others, in parallel.
void for_rows(const Pooling& p, std::int64_t depth, std::int64_t height, std::int64_t width, std::int64_t taps, RowBody body) {
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
void for_outputs(const Pooling& p, RowBody body) {
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

/// body(sample, z, y, part) for windows of the first two axes, each in `parts`, in parallel.
void for_window_rows(const Pooling& p, std::int64_t parts, FunctionRef<void(std::int64_t, std::int64_t, std::int64_t, std::int64_t)> body) {
  const std::int64_t depth = p.axes[0].out, height = p.axes[1].out, tasks = p.samples * depth * height * parts;
  const std::int64_t inputs = p.samples * p.in_voxels() * p.channels,
                     grain = std::max(cpu::ceil_div(kElementsATask * tasks, inputs), cpu::ceil_div(tasks, thread_count()));
  parallel_blocks(tasks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t r = i / parts;
      body(r / (depth * height), r / height % depth, r % height, i % parts);
    }
    cpu::end_streams();
  });
}

/// A row of windows' shares, voxels of `bytes`, over the inputs of the last axis that windows [begin, end) own.
void spread_row(const PoolAxis& a, std::int64_t bytes, std::int64_t begin, std::int64_t end, const char* shares, char* to) {
  const std::int64_t left = owned_by(a, begin), last = end - 1, first = begin + (begin == 0);
  const auto cut = [&](std::int64_t x) {
    for (std::int64_t i = a.begin(x); i < a.end(x); ++i)
      std::memcpy(to + (i - left) * bytes, shares + (x - begin) * bytes, std::size_t(bytes));
  };
  if (a.kernel < a.stride || end == a.out) std::memset(to, 0, std::size_t((owned_by(a, end) - left) * bytes));
  if (first > begin) cut(begin);
  for (std::int64_t k = 0; k < a.kernel; ++k)
    cpu::copy_rows(to + (a.begin(first) + k - left) * bytes, a.stride * bytes, shares + (first - begin) * bytes, bytes, bytes,
                   std::max<std::int64_t>(0, last - first));
  if (last >= first) cut(last);
}

/// Averages' gradients where windows lie apart: a row of windows is spread in a buffer, which goes to each row of inputs that they hold.
Kernel spread(const Pooling& p, void (*shares)(const void*, void*, std::int64_t, double)) {
  return [p, shares](void* const* o) {
    constexpr std::int64_t kBuffer = 32768;
    const auto& [az, ay, ax] = p.axes;
    const std::int64_t bytes = p.channels * std::int64_t(size_of(p.dtype)), in = p.in_voxels() * bytes, out = p.out_voxels() * bytes;
    const bool stream = p.samples * in >= cpu::kStreamBytes;
    const std::int64_t most = std::max<std::int64_t>(1, kBuffer / (ax.stride * bytes) - 2), pieces = cpu::ceil_div(ax.out, most);
    for_window_rows(p, pieces, [&](std::int64_t s, std::int64_t wz, std::int64_t wy, std::int64_t piece) {
      const std::int64_t begin = piece * most, end = std::min(ax.out, begin + most), left = owned_by(ax, begin),
                         width = (owned_by(ax, end) - left) * bytes, given = (end - begin) * bytes;
      alignas(64) char small[2 * kBuffer];
      std::vector<char> large(std::size_t(width > kBuffer || given > kBuffer ? width + given : 0));
      char *const row = large.empty() ? small : large.data(), *const each = row + (large.empty() ? kBuffer : width);
      shares(static_cast<const char*>(o[0]) + s * out + ((wz * ay.out + wy) * ax.out + begin) * bytes, each, (end - begin) * p.channels,
             1.0 / double(p.window()));
      spread_row(ax, bytes, begin, end, each, row);
      for (std::int64_t z = owned_by(az, wz); z < owned_by(az, wz + 1); ++z)
        for (std::int64_t y = owned_by(ay, wy); y < owned_by(ay, wy + 1); ++y) {
          char* to = static_cast<char*>(o[1]) + s * in + ((z * ay.in + y) * ax.in + left) * bytes;
          if (z < az.begin(wz) || z >= az.end(wz) || y < ay.begin(wy) || y >= ay.end(wy))
            std::memset(to, 0, std::size_t(width));
          else if (stream)
            cpu::stream_row(to, row, width);
          else
            std::memcpy(to, row, std::size_t(width));
        }
    });
  };
}

/// A row of windows' values to where their maxima were, in inputs of one sample that are zero; no two windows share one.
template <class T>
void put_row(std::int64_t count, std::int64_t C, const void* from, const std::int32_t* index, void* to) {
  for (std::int64_t x = 0; x < count; ++x)
    for (std::int64_t c = 0; c < C; ++c)
      static_cast<T*>(to)[std::int64_t(index[x * C + c]) * C + c] = static_cast<const T*>(from)[x * C + c];
}

/// The gradient of maxima over few channels where windows lie apart: each goes to its place among zeros.
Kernel put_windows(const Pooling& p) {
  const std::int64_t size = std::int64_t(size_of(p.dtype));
  return [p, size,
          put = size == 2   ? put_row<std::uint16_t>
                : size == 4 ? put_row<std::uint32_t>
                            : put_row<std::uint64_t>](void* const* o) {
    const auto& [az, ay, ax] = p.axes;
    const std::int64_t row = ax.in * p.channels * size, in = az.in * ay.in * row, out = p.out_voxels() * p.channels;
    for_window_rows(p, 1, [&](std::int64_t s, std::int64_t wz, std::int64_t wy, std::int64_t) {
      char* to = static_cast<char*>(o[2]) + s * in;
      const std::int64_t at = s * out + (wz * ay.out + wy) * ax.out * p.channels, y = owned_by(ay, wy), rows = owned_by(ay, wy + 1) - y;
      for (std::int64_t z = owned_by(az, wz); z < owned_by(az, wz + 1); ++z)
        std::memset(to + (z * ay.in + y) * row, 0, std::size_t(rows * row));
      put(ax.out, p.channels, static_cast<const char*>(o[0]) + at * size, static_cast<const std::int32_t*>(o[1]) + at, to);
    });
  };
}

template <class T, bool Max>
Kernel put(const Pooling& p) {
  constexpr std::int64_t kFewChannels = 16;  // that no vectors run along
  if (std::all_of(p.axes.begin(), p.axes.end(), apart)) {
    if (!Max) return spread(p, TENON_BY_ISA(pool_shares<T>));
    if (p.channels < kFewChannels && p.samples * p.axes[0].out * p.axes[1].out >= thread_count()) return put_windows(p);
  }
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
