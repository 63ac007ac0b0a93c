/// Cutting patches on the CPU: the interior of a row in loops that vectorise, its ends voxel by voxel.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "kernels/affine_sampling.hpp"
#include "ops/index_kernels.hpp"
#include "ops/patches_kernels.hpp"
#include "tenon/patches.hpp"

namespace tenon {
namespace {

using Size = std::array<std::int64_t, 3>;

constexpr std::int64_t kBlock = 64;  // voxels of a row whose indices and weights are held at a time

/// One voxel whose neighbours may lie outside.
void sample_edge(const VolumeView& volume, const GridPoint& p, float* image, std::uint8_t* label) {
  const auto [nz, ny, nx] = volume.size;
  const Neighbours n = neighbours_of(p, std::int32_t(nz), std::int32_t(ny), std::int32_t(nx));
  for (int c = 0; c < volume.channels; ++c) image[c] = n.any ? trilinear(volume.image + c * nz * ny * nx, n) : 0.0f;
  if (label) *label = n.any ? label_at(volume.labels, n) : std::uint8_t(0);
}

/// The x in [0, length) for which p + x d lies in [0, n - 1): all 8 neighbours exist there. Narrows [first, last).
void narrow(float p, float d, std::int64_t n, std::int64_t& first, std::int64_t& last) {
  const float top = float(n - 1);
  auto inside = [&](std::int64_t x) {
    const float v = step_along(p, d, float(x));
    return v >= 0 && v < top;
  };
  if (n < 2 || !std::isfinite(p) || !std::isfinite(d)) {
    last = first;
    return;
  }
  if (d != 0) {
    // An estimate from the real line, made exact below with the very expression that the sampling uses; that
    // expression is monotonic in x, so the inside is one interval.
    const double a = -double(p) / d, b = (double(top) - p) / d;
    const double low = std::clamp(std::min(a, b), -1.0, double(last) + 1), high = std::clamp(std::max(a, b), -1.0, double(last) + 1);
    first = std::max(first, std::int64_t(std::floor(low)) - 1);
    last = std::min(last, std::int64_t(std::ceil(high)) + 2);
  }
  while (first < last && !inside(first)) ++first;
  while (first < last && !inside(last - 1)) --last;
}

/// Planes [z0, z1) of the patch; `image` and `labels` are the whole patch's.
void sample_planes(const VolumeView& volume, const GridMap& map, const Size& patch, std::int64_t z0, std::int64_t z1, float* image,
                   std::uint8_t* labels) {
  const auto [nz, ny, nx] = volume.size;
  const std::int64_t plane = nz * ny * nx, row_step = nx, slab_step = ny * nx;
  const auto& m = map.matrix;
  const float flat[12] = {m[0][0], m[0][1], m[0][2], m[1][0],      m[1][1],      m[1][2],
                          m[2][0], m[2][1], m[2][2], map.shift[0], map.shift[1], map.shift[2]};
  const GridPoint d{m[0][2], m[1][2], m[2][2]};
  std::uint8_t* const want = volume.labels ? labels : nullptr;
  const auto top_z = std::int32_t(nz - 2), top_y = std::int32_t(ny - 2), top_x = std::int32_t(nx - 2);
  std::int32_t base[kBlock];
  float wz[kBlock], wy[kBlock], wx[kBlock];

  for (std::int64_t z = z0; z < z1; ++z)
    for (std::int64_t y = 0; y < patch[1]; ++y) {
      const GridPoint p = row_start(flat, float(z), float(y));
      const std::int64_t row = (z * patch[1] + y) * patch[2];
      std::int64_t first = 0, last = patch[2];
      narrow(p.z, d.z, nz, first, last);
      narrow(p.y, d.y, ny, first, last);
      narrow(p.x, d.x, nx, first, last);
      auto edge = [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t x = from; x < to; ++x)
          sample_edge(volume, {step_along(p.z, d.z, float(x)), step_along(p.y, d.y, float(x)), step_along(p.x, d.x, float(x))},
                      image + (row + x) * volume.channels, want ? want + row + x : nullptr);
      };
      if (first >= last) {
        edge(0, patch[2]);
        continue;
      }
      edge(0, first);
      for (std::int64_t begin = first; begin < last; begin += kBlock) {
        const std::int64_t n = std::min(kBlock, last - begin);
        for (std::int64_t k = 0; k < n; ++k) {
          const float fx = float(begin + k);
          const float vz = step_along(p.z, d.z, fx), vy = step_along(p.y, d.y, fx), vx = step_along(p.x, d.x, fx);
          // Truncation is floor, all are >= 0. `narrow` has seen to the bound; it costs nothing, and memory stays safe without that.
          const auto iz = std::min(std::int32_t(vz), top_z), iy = std::min(std::int32_t(vy), top_y), ix = std::min(std::int32_t(vx), top_x);
          wz[k] = vz - float(iz);
          wy[k] = vy - float(iy);
          wx[k] = vx - float(ix);
          base[k] = (iz * std::int32_t(ny) + iy) * std::int32_t(nx) + ix;
        }
        for (int c = 0; c < volume.channels; ++c) {
          const float* source = volume.image + c * plane;
          float* out = image + (row + begin) * volume.channels + c;
          for (std::int64_t k = 0; k < n; ++k) {
            const float *s = source + base[k], *t = s + slab_step;
            const float low = between(between(s[0], s[1], wx[k]), between(s[row_step], s[row_step + 1], wx[k]), wy[k]),
                        high = between(between(t[0], t[1], wx[k]), between(t[row_step], t[row_step + 1], wx[k]), wy[k]);
            out[k * volume.channels] = between(low, high, wz[k]);
          }
        }
        if (!want) continue;
        for (std::int64_t k = 0; k < n; ++k) {
          const std::uint8_t* s = volume.labels + base[k];
          std::uint16_t pair[4];  // two x-neighbours at a time
          std::memcpy(&pair[0], s, 2);
          std::memcpy(&pair[1], s + row_step, 2);
          std::memcpy(&pair[2], s + slab_step, 2);
          std::memcpy(&pair[3], s + slab_step + row_step, 2);
          const bool same = pair[0] == pair[1] && pair[0] == pair[2] && pair[0] == pair[3] && (pair[0] >> 8) == (pair[0] & 0xff);
          if (same) {
            want[row + begin + k] = s[0];
          } else {
            const std::uint8_t* t = s + slab_step;
            const std::uint8_t corner[8] = {s[0], s[1], s[row_step], s[row_step + 1], t[0], t[1], t[row_step], t[row_step + 1]};
            want[row + begin + k] = vote(corner, wz[k], wy[k], wx[k]);
          }
        }
      }
      edge(last, patch[2]);
    }
}

void copy_planes(const VolumeView& volume, const Size& start, const Size& patch, std::int64_t z0, std::int64_t z1, float* image,
                 std::uint8_t* labels) {
  const auto [nz, ny, nx] = volume.size;
  const std::int64_t plane = nz * ny * nx, before = z0 * patch[1] * patch[2], voxels = (z1 - z0) * patch[1] * patch[2];
  std::fill_n(image + before * volume.channels, voxels * volume.channels, 0.0f);
  if (labels) std::fill_n(labels + before, voxels, std::uint8_t(0));
  const std::int64_t x0 = std::max<std::int64_t>(0, -start[2]), x1 = std::min(patch[2], nx - start[2]);
  if (x0 >= x1) return;
  for (std::int64_t z = std::max(z0, -start[0]); z < std::min(z1, nz - start[0]); ++z)
    for (std::int64_t y = std::max<std::int64_t>(0, -start[1]); y < std::min(patch[1], ny - start[1]); ++y) {
      const std::int64_t from = ((z + start[0]) * ny + y + start[1]) * nx + start[2] + x0, to = (z * patch[1] + y) * patch[2] + x0;
      for (int c = 0; c < volume.channels; ++c)
        for (std::int64_t x = 0; x < x1 - x0; ++x) image[(to + x) * volume.channels + c] = volume.image[c * plane + from + x];
      if (labels && volume.labels) std::memcpy(labels + to, volume.labels + from, std::size_t(x1 - x0));
    }
}

/// The offset that is all of a map, if there is one: most patches are not turned, and copying is several times as fast.
std::optional<Size> offset_of(const GridMap& map) {
  constexpr float kMost = 1 << 24;  // f32 counts voxels up to here
  Size start{};
  for (std::size_t a = 0; a < 3; ++a) {
    for (std::size_t b = 0; b < 3; ++b)
      if (map.matrix[a][b] != (a == b ? 1.0f : 0.0f)) return {};
    if (!(std::abs(map.shift[a]) <= kMost) || map.shift[a] != std::floor(map.shift[a])) return {};
    start[a] = std::int64_t(map.shift[a]);
  }
  return start;
}

/// Patches of images, or with 0 channels of labels, plane by plane.
Kernel make_cut(const PatchCut& p, bool of_labels) {
  static_assert(sizeof(GridMap) == 12 * sizeof(float));
  return [p, of_labels](void* const* o) {
    const auto *table = static_cast<const std::int64_t*>(o[1]), *which = static_cast<const std::int64_t*>(o[2]);
    const auto* maps = static_cast<const GridMap*>(o[3]);
    for (std::int64_t i = 0; i < p.count; ++i) {
      if (std::uint64_t(which[i]) >= std::uint64_t(p.volumes)) refuse_index(p.op, which[i], i, Shape{p.count}, p.volumes);
      if (!lies_within(table + 4 * which[i], p.total)) refuse_volume(p.op, which[i], p.total);
    }
    const std::int64_t voxels = p.voxels();
    parallel_for(p.count * p.size[0], [&](std::int64_t task) {
      const std::int64_t i = task / p.size[0], z = task % p.size[0], *row = table + 4 * which[i];
      VolumeView volume;
      volume.size = {row[1], row[2], row[3]};
      volume.channels = of_labels ? 0 : int(p.channels);
      float* image = nullptr;
      std::uint8_t* labels = nullptr;
      if (of_labels) {
        volume.labels = static_cast<const std::uint8_t*>(o[0]) + row[0];
        labels = static_cast<std::uint8_t*>(o[4]) + i * voxels;
      } else {
        volume.image = static_cast<const float*>(o[0]) + row[0] * p.channels;
        image = static_cast<float*>(o[4]) + i * voxels * p.channels;
      }
      if (const auto start = offset_of(maps[i]))
        copy_planes(volume, *start, p.size, z, z + 1, image, labels);
      else
        sample_planes(volume, maps[i], p.size, z, z + 1, image, labels);
    });
  };
}

}  // namespace

void sample_affine(const VolumeView& volume, const GridMap& map, const Size& patch, float* image, std::uint8_t* labels) {
  sample_planes(volume, map, patch, 0, patch[0], image, labels);
}

void sample_copy(const VolumeView& volume, const Size& start, const Size& patch, float* image, std::uint8_t* labels) {
  copy_planes(volume, start, patch, 0, patch[0], image, labels);
}

KernelSlot<const PatchCut&> cut_patches_kernel("cut_patches", [](const PatchCut& p) { return make_cut(p, false); });
KernelSlot<const PatchCut&> cut_label_patches_kernel("cut_label_patches", [](const PatchCut& p) { return make_cut(p, true); });

}  // namespace tenon
