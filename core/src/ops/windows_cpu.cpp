/// CPU kernels of sliding windows: rows in parallel.
#include <algorithm>
#include <cstring>
#include <vector>

#include "ops/windows_kernels.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kElementsATask = 1 << 15;

/// The places [first, last) of a row of the window, as it lies in memory, that are inside the array.
struct Run {
  std::int64_t first, last;
};
Run inside(const WindowGeometry& g) {
  const std::int64_t low = std::max<std::int64_t>(0, -g.corner[2]), high = std::min(g.window[2], g.size[2] - g.corner[2]);
  if (low >= high) return {0, 0};
  return g.flipped[2] ? Run{g.window[2] - high, g.window[2] - low} : Run{low, high};
}

/// row(first voxel of the row, run, voxel of the array at the run's start, step along the array) for each row of the window, in parallel; a row beyond the array
/// has an empty run.
template <class Row>
void each_row(const WindowGeometry& g, const Row& row) {
  const Run run = inside(g);
  const std::int64_t rows = g.window[0] * g.window[1], grain = std::max<std::int64_t>(1, kElementsATask / std::max<std::int64_t>(1, g.window[2] * g.channels));
  parallel_blocks(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t at = run.first < run.last ? g.voxel(r / g.window[1], r % g.window[1], run.first) : -1;
      row(r * g.window[2], at < 0 ? Run{0, 0} : run, at, g.flipped[2] ? -1 : 1);
    }
  });
}

Kernel cut(const WindowCopy& p) {
  return [p](void* const* o) {
    const auto* x = static_cast<const std::byte*>(o[0]);
    auto* window = static_cast<std::byte*>(o[1]);
    const std::size_t voxel = std::size_t(p.place.channels) * p.element;
    each_row(p.place, [&](std::int64_t here, Run run, std::int64_t at, std::int64_t step) {
      std::byte* row = window + std::size_t(here) * voxel;
      const auto first = std::size_t(run.first), last = std::size_t(run.last), width = std::size_t(p.place.window[2]);
      std::memset(row, 0, first * voxel);
      if (step == 1 && first < last)
        std::memcpy(row + first * voxel, x + std::size_t(at) * voxel, (last - first) * voxel);
      else
        for (std::size_t i = first; i < last; ++i) std::memcpy(row + i * voxel, x + (std::size_t(at) - (i - first)) * voxel, voxel);
      std::memset(row + last * voxel, 0, (width - last) * voxel);
    });
  };
}

Kernel add(const WindowAdd& p) {
  return [p](void* const* o) {
    const std::int64_t channels = p.place.channels, height = p.place.window[1], width = p.place.window[2];
    const float* scores = static_cast<const float*>(o[0]);
    const float* weights = p.weighted ? static_cast<const float*>(o[1]) : nullptr;
    float* sums = static_cast<float*>(o[p.weighted ? 2 : 1]);
    float* weight_sums = static_cast<float*>(o[p.weighted ? 3 : 2]);
    each_row(p.place, [&](std::int64_t here, Run run, std::int64_t at, std::int64_t step) {
      const std::int64_t weight_at = p.place.weight(here / width / height, here / width % height, 0);
      for (std::int64_t i = run.first; i < run.last; ++i, at += step) {
        const float weight = weights ? weights[weight_at + step * i] : 1.0f;
        const float* from = scores + (here + i) * channels;
        float* to = sums + at * channels;
        for (std::int64_t c = 0; c < channels; ++c) to[c] = add_weighted(to[c], weight, from[c]);
        weight_sums[at] += weight;
      }
    });
  };
}

Kernel mean(const WindowMean& p) {
  return [p](void* const* o) {
    const float* weights = static_cast<const float*>(o[0]);
    float* sums = static_cast<float*>(o[1]);
    parallel_blocks(p.voxels, std::max<std::int64_t>(1, kElementsATask / p.channels), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t c = 0; c < p.channels; ++c) sums[i * p.channels + c] /= weights[i];
    });
  };
}

void blend_line(const BlendTaps& t, const float* from, std::int64_t stride, std::int64_t n, float* to) {
  const float* next = from + (t.count == 2 ? stride : 0);
  for (std::int64_t i = 0; i < n; ++i) to[i] = blend(t, from[i], next[i]);
}

/// A slab of the result a task: along z, then y, then x, so that scores of full size never exist.
Kernel classes(const ResizedClasses& p) {
  return [p](void* const* o) {
    const float* scores = static_cast<const float*>(o[0]);
    auto* out = static_cast<std::uint8_t*>(o[1]);
    const auto& [az, ay, ax] = *p.axes;
    const std::int64_t nc = p.channels, row = p.in[2] * nc, plane = p.in[1] * row, ny = p.out(1), nx = p.out(2);
    parallel_for(p.out(0), [&, &az = az, &ay = ay, &ax = ax](std::int64_t z) {
      std::vector<float> slab(static_cast<std::size_t>(plane)), line(static_cast<std::size_t>(row)), voxel(static_cast<std::size_t>(nc));
      const BlendTaps& tz = az[std::size_t(z)];
      blend_line(tz, scores + tz.first * plane, plane, plane, slab.data());
      for (std::int64_t y = 0; y < ny; ++y) {
        const BlendTaps& ty = ay[std::size_t(y)];
        blend_line(ty, slab.data() + ty.first * row, row, row, line.data());
        for (std::int64_t x = 0; x < nx; ++x) {
          const BlendTaps& tx = ax[std::size_t(x)];
          blend_line(tx, line.data() + tx.first * nc, nc, nc, voxel.data());
          out[(z * ny + y) * nx + x] = std::uint8_t(std::max_element(voxel.begin(), voxel.end()) - voxel.begin());
        }
      }
    });
  };
}

}  // namespace

KernelSlot<const WindowCopy&> cut_window_kernel("cut_window", cut);
KernelSlot<const WindowAdd&> add_window_kernel("WindowSum::add", add);
KernelSlot<const WindowMean&> window_mean_kernel("WindowSum::mean", mean);
KernelSlot<const ResizedClasses&> resize_argmax_kernel("resize_argmax", classes);

}  // namespace tenon
