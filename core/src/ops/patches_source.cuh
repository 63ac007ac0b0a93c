/// Where the voxels of a patch lie in the volumes it is cut from, on the device (private). A refused volume gives zeros until its error is
/// thrown.
#pragma once

#include <string>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/launch.cuh"
#include "kernels/affine_sampling.hpp"
#include "ops/index_kernels.hpp"
#include "ops/patches_kernels.hpp"

namespace tenon::cuda {

/// Patches and what they are cut from.
struct CutGrid {
  std::int64_t volumes, channels, total;
  unsigned voxels;  ///< of a patch
  Divider y, x;
};

inline CutGrid cut_grid(const PatchCut& p) {
  return {p.volumes, p.channels, p.total, unsigned(p.voxels()), Divider(p.size[1]), Divider(p.size[2])};
}

struct CutFaults {
  FaultSite index, table;
};

inline CutFaults faults_of(const PatchCut& p) {
  const std::string key = std::string(p.op) + ' ' + std::to_string(p.count) + ' ';
  return {fault_site(key + "which " + std::to_string(p.volumes),
                     [op = p.op, count = p.count, volumes = p.volumes](std::int64_t value, std::int64_t at) {
                       refuse_index(op, value, at, Shape{count}, volumes);
                     }),
          fault_site(key + "table " + std::to_string(p.total),
                     [op = p.op, total = p.total](std::int64_t volume, std::int64_t) { refuse_volume(op, volume, total); })};
}

/// A sample's volume and the map into it.
struct Source {
  std::int64_t first = 0;
  std::int32_t nz = 0, ny = 0, nx = 0;
  float map[12];

  __device__ std::int64_t voxels() const { return std::int64_t(nz) * ny * nx; }
  /// Of voxel `at` of the patch.
  __device__ Neighbours around(const CutGrid& k, unsigned at) const {
    unsigned x = at, z = k.x.split(x), row = z;
    z = k.y.split(row);
    const GridPoint p = row_start(map, float(z), float(row));
    return neighbours_of({step_along(p.z, map[2], float(x)), step_along(p.y, map[5], float(x)), step_along(p.x, map[8], float(x))}, nz, ny,
                         nx);
  }
};

/// `tells`: this thread is the one that says what is wrong with the sample.
__device__ inline Source source_of(const CutGrid& k, const std::int64_t* table, const std::int64_t* which, const float* maps,
                                   std::int64_t sample, bool tells, const CutFaults& faults) {
  Source s;
#pragma unroll
  for (int i = 0; i < 12; ++i) s.map[i] = maps[sample * 12 + i];
  const std::int64_t volume = which[sample];
  if (std::uint64_t(volume) >= std::uint64_t(k.volumes)) {
    if (tells) faults.index.raise(sample, volume);
    return s;
  }
  const std::int64_t* row = table + 4 * volume;
  if (!lies_within(row, k.total)) {
    if (tells) faults.table.raise(sample, volume);
    return s;
  }
  s.first = row[0];
  s.nz = std::int32_t(row[1]);
  s.ny = std::int32_t(row[2]);
  s.nx = std::int32_t(row[3]);
  return s;
}

}  // namespace tenon::cuda
