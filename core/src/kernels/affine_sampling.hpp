/// Reading a volume at a point between its voxels; shared by every executor.
///
/// Roundings are spelled out (fma, or a product alone), so that every executor has the same bits: of two labels with nearly equal shares
/// the same one wins.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

/// A place in a volume, in voxels.
struct GridPoint {
  float z, y, x;
};

/// Where a GridMap, given as its 12 floats, takes voxel (z, y, 0) of the patch.
TENON_MATHS GridPoint row_start(const float* map, float z, float y) {
  return {std::fma(map[1], y, std::fma(map[0], z, map[9])), std::fma(map[4], y, std::fma(map[3], z, map[10])),
          std::fma(map[7], y, std::fma(map[6], z, map[11]))};
}
/// `x` steps of `d` on from there.
TENON_MATHS float step_along(float start, float d, float x) {
  return std::fma(x, d, start);
}

TENON_MATHS float between(float a, float b, float share) {
  return std::fma(share, b - a, a);
}

/// Rounded before it is added to anything.
TENON_MATHS float product_alone(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

/// The voxels around a point and where it lies between them. Neighbour k is the upper one along z, y, x where bits 2, 1, 0 of k are set.
struct Neighbours {
  std::int32_t at[8];  ///< voxel of the volume, -1 outside
  float fz, fy, fx;
  bool any;  ///< one of them is inside; if not, the rest is not set
};

/// The volume has fewer than 2^31 voxels.
TENON_MATHS Neighbours neighbours_of(const GridPoint& p, std::int32_t nz, std::int32_t ny, std::int32_t nx) {
  Neighbours n;
  const float bz = std::floor(p.z), by = std::floor(p.y), bx = std::floor(p.x);
  n.any = bz >= -1 && by >= -1 && bx >= -1 && bz < float(nz) && by < float(ny) && bx < float(nx);  // not where one is NaN
  if (!n.any) return n;
  n.fz = p.z - bz;
  n.fy = p.y - by;
  n.fx = p.x - bx;
  const auto iz = std::int32_t(bz), iy = std::int32_t(by), ix = std::int32_t(bx);
  for (int k = 0; k < 8; ++k) {
    const std::int32_t z = iz + (k >> 2), y = iy + ((k >> 1) & 1), x = ix + (k & 1);
    const bool inside = z >= 0 && z < nz && y >= 0 && y < ny && x >= 0 && x < nx;
    n.at[k] = inside ? (z * ny + y) * nx + x : -1;
  }
  return n;
}

TENON_MATHS float trilinear(const float* volume, const Neighbours& n) {
  float value[8];
  for (int k = 0; k < 8; ++k) value[k] = n.at[k] >= 0 ? volume[n.at[k]] : 0.0f;
  const float low = between(between(value[0], value[1], n.fx), between(value[2], value[3], n.fx), n.fy),
              high = between(between(value[4], value[5], n.fx), between(value[6], value[7], n.fx), n.fy);
  return between(low, high, n.fz);
}

/// The largest share among the 8 corners; ties to the smaller label.
TENON_MATHS std::uint8_t vote(const std::uint8_t (&corner)[8], float fz, float fy, float fx) {
  const float wz[2] = {1 - fz, fz}, wy[2] = {1 - fy, fy}, wx[2] = {1 - fx, fx};
  float share[8];
  for (int c = 0; c < 8; ++c) share[c] = product_alone(wz[c >> 2] * wy[(c >> 1) & 1], wx[c & 1]);
  std::uint8_t best = 255;
  float best_share = -1;
  for (int c = 0; c < 8; ++c) {
    float sum = 0;
    for (int d = 0; d < 8; ++d) sum += corner[d] == corner[c] ? share[d] : 0.0f;
    if (sum > best_share || (sum == best_share && corner[c] < best)) {
      best_share = sum;
      best = corner[c];
    }
  }
  return best;
}

TENON_MATHS std::uint8_t label_at(const std::uint8_t* volume, const Neighbours& n) {
  std::uint8_t corner[8];
  for (int k = 0; k < 8; ++k) corner[k] = n.at[k] >= 0 ? volume[n.at[k]] : std::uint8_t(0);
  return vote(corner, n.fz, n.fy, n.fx);
}

/// A row of a table of volumes {first voxel, z, y, x} names voxels that are there, of `total`.
TENON_MATHS bool lies_within(const std::int64_t* row, std::int64_t total) {
  constexpr std::int64_t kMost = 0x7fffffff;
  if (row[0] < 0) return false;
  std::int64_t voxels = 1;
  for (int a = 1; a < 4; ++a) {
    if (row[a] < 0 || row[a] > kMost) return false;
    voxels *= row[a];  // both are below 2^31
    if (voxels > kMost) return false;
  }
  return row[0] <= total - voxels;
}

}  // namespace tenon
