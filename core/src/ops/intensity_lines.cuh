/// Blur and low resolution on the device: passes along the lines of an axis, in place, with whole lines in shared memory (private).
#pragma once

#include <algorithm>
#include <string>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/launch.cuh"
#include "kernels/intensity.hpp"
#include "ops/patches_kernels.hpp"
#include "tenon/patches.hpp"

namespace tenon::cuda {

/// Channels of patches, and the parts that a channel is cut into.
struct ChangeGrid {
  std::int64_t channels;
  std::int64_t planes;  ///< channels of all patches
  unsigned voxels, part, parts;
  std::array<unsigned, 3> size;
};

inline ChangeGrid change_grid(const PatchChange& p) {
  constexpr std::int64_t kLeast = 2048, kMostParts = kBlock;
  const std::int64_t part = std::max(kLeast, ((p.voxels() + kMostParts - 1) / kMostParts + 3) / 4 * 4);
  return {p.channels,
          p.count * p.channels,
          unsigned(p.voxels()),
          unsigned(part),
          unsigned((p.voxels() + part - 1) / part),
          {unsigned(p.size[0]), unsigned(p.size[1]), unsigned(p.size[2])}};
}

template <class Value>
__device__ Value* plane_of(const ChangeGrid& k, Value* patches, std::int64_t plane) {
  return patches + plane / k.channels * k.voxels * k.channels + plane % k.channels;
}

inline constexpr std::int64_t kLineVoxels =
    kPlainSharedBytes / sizeof(float) - 256;  ///< of lines in shared memory, beside a table of weights

/// Lines of one axis. Line q of a plane begins at voxel q / inner * length * inner + q % inner and goes on in steps of inner.
struct LineCut {
  unsigned lines, tiles;
  Divider length, inner, together;  ///< together: lines of a tile
};

inline LineCut line_cut(const PatchChange& p, int axis) {
  constexpr std::int64_t kEnough = 4096;
  const std::int64_t length = p.size[std::size_t(axis)], lines = p.voxels() / length;
  std::int64_t inner = 1;
  for (std::size_t a = std::size_t(axis) + 1; a < 3; ++a) inner *= p.size[a];
  if (length > kLineVoxels)
    throw Error(ErrorKind::device, "device.no_kernel",
                "change_intensity: no kernel for patches of more than " + std::to_string(kLineVoxels) + " voxels along an axis on cuda",
                "run it with --device cpu");
  const std::int64_t together = std::clamp<std::int64_t>(kEnough / length, 1, 32);
  return {unsigned(lines), unsigned((lines + together - 1) / together), Divider(length), Divider(inner), Divider(together)};
}

struct BlurLine {
  int radius;
  const float* weight;
  unsigned length;

  static __device__ bool drawn(const IntensityChange& d, unsigned) { return d.blur > 0; }
  /// All threads of the block come here together.
  __device__ BlurLine(const IntensityChange& d, unsigned n, float* table) : radius(blur_radius(d.blur)), weight(table), length(n) {
    const int t = int(threadIdx.x), count = 2 * radius + 1;
    if (t < count) table[t] = blur_weight(t - radius, d.blur);
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < count; ++i) sum += table[i];
    __syncthreads();
    if (t < count) table[t] /= sum;
  }
  __device__ float value(const float* line, unsigned step, unsigned k) const {
    float sum = 0;
    for (int w = -radius; w <= radius; ++w) {
      const int at = int(k) + w, last = int(length) - 1;
      sum += weight[w + radius] * line[unsigned(at < 0 ? 0 : at < last ? at : last) * step];
    }
    return sum;
  }
};
static_assert(2 * kLargestBlurRadius + 1 <= kBlock);

struct LowerLine {
  CoarseLine map;

  static __device__ bool drawn(const IntensityChange& d, unsigned n) {
    return d.low_resolution != 1 && CoarseLine(n, d.low_resolution).m != std::int64_t(n);
  }
  __device__ LowerLine(const IntensityChange& d, unsigned n, float*) : map(n, d.low_resolution) {}
  __device__ float value(const float* line, unsigned step, unsigned k) const {
    return map.value(k, [&](std::int64_t i) { return line[unsigned(map.source(i)) * step]; });
  }
};

/// In shared memory lines lie one after another where they do so in the patch, else side by side: neighbouring threads have neighbouring
/// voxels.
template <class Line>
__global__ void __launch_bounds__(kBlock) change_lines(ChangeGrid k, LineCut cut, const IntensityChange* changes, float* y) {
  __shared__ float table[2 * kLargestBlurRadius + 1];
  float* lines = dynamic_shared<float>();
  const std::int64_t plane = blockIdx.x / cut.tiles;
  const IntensityChange d = changes[plane];
  const unsigned length = cut.length.size, together = cut.together.size;
  if (!Line::drawn(d, length)) return;
  const unsigned first = blockIdx.x % cut.tiles * together, here = min(together, cut.lines - first);
  const bool dense = cut.inner.size == 1;
  const unsigned count = (dense ? here : together) * length, step = dense ? 1 : together;
  float* const of_plane = plane_of(k, y, plane);
  /// Where element e of the tile belongs, null beyond the last line; its line's place in shared memory and its own in the line.
  auto place = [&](unsigned e, unsigned& start, unsigned& at) -> float* {
    unsigned line = 0;
    if (dense) {
      at = e, line = cut.length.split(at), start = line * length;
    } else {
      line = e, at = cut.together.split(line), start = line;
    }
    if (line >= here) return nullptr;
    unsigned rest = first + line;
    const unsigned outer = cut.inner.split(rest);
    return of_plane + std::int64_t(outer * length * cut.inner.size + rest + at * cut.inner.size) * k.channels;
  };
  unsigned start = 0, at = 0;
  for (unsigned e = threadIdx.x; e < count; e += kBlock)
    if (const float* from = place(e, start, at)) lines[e] = *from;
  const Line change(d, length, table);
  __syncthreads();
  for (unsigned e = threadIdx.x; e < count; e += kBlock)
    if (float* to = place(e, start, at)) *to = change.value(lines + start, step, at);
}

}  // namespace tenon::cuda
