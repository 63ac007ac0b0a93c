/// Cutting patches on the device: a thread a voxel of one patch, read from the eight around it. A refused volume gives zeros until
/// its error is thrown.
#include "backend/cuda/divider.cuh"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/packs.cuh"
#include "kernels/affine_sampling.hpp"
#include "ops/index_kernels.hpp"
#include "ops/patches_kernels.hpp"

namespace tenon::cuda {
namespace {

struct CutGrid {
  std::int64_t volumes, channels, total;
  unsigned voxels, chunks;  ///< of a patch
  Divider y, x;
};

struct CutFaults {
  FaultSite index, table;
};

struct Source {
  std::int64_t first = 0;
  std::int32_t nz = 0, ny = 0, nx = 0;
};

__device__ Source source_of(const CutGrid& k, const std::int64_t* table, const std::int64_t* which, std::int64_t sample, bool tells,
                            const CutFaults& faults) {
  const std::int64_t volume = which[sample];
  if (std::uint64_t(volume) >= std::uint64_t(k.volumes)) {
    if (tells) faults.index.raise(sample, volume);
    return {};
  }
  const std::int64_t* row = table + 4 * volume;
  if (!lies_within(row, k.total)) {
    if (tells) faults.table.raise(sample, volume);
    return {};
  }
  return {row[0], std::int32_t(row[1]), std::int32_t(row[2]), std::int32_t(row[3])};
}

/// `read` gives the value of a channel of a volume, from its first voxel.
template <class T, class Read>
__global__ void __launch_bounds__(kBlock) cut_voxels(CutGrid k, const T* volumes, const std::int64_t* table, const std::int64_t* which,
                                                     const float* maps, T* y, CutFaults faults, Read read) {
  const std::int64_t sample = blockIdx.x / k.chunks;
  const unsigned chunk = blockIdx.x % k.chunks;
  const Source s = source_of(k, table, which, sample, chunk == 0 && threadIdx.x == 0, faults);
  float map[12];
#pragma unroll
  for (int i = 0; i < 12; ++i) map[i] = maps[sample * 12 + i];
  const std::int64_t plane = std::int64_t(s.nz) * s.ny * s.nx;
  const T* from = volumes + s.first * k.channels;
  T* to = y + sample * k.voxels * k.channels;
  const unsigned voxel = chunk * unsigned(kBlock) + threadIdx.x;
  if (voxel >= k.voxels) return;
  unsigned x = voxel, z = k.x.split(x), row = z;
  z = k.y.split(row);
  const GridPoint p = row_start(map, float(z), float(row));
  const Neighbours n = neighbours_of(
      {step_along(p.z, map[2], float(x)), step_along(p.y, map[5], float(x)), step_along(p.x, map[8], float(x))}, s.nz, s.ny, s.nx);
  for (std::int64_t c = 0; c < k.channels; ++c) to[voxel * k.channels + c] = n.any ? read(from + c * plane, n) : T(0);
}

struct ReadImage {
  __device__ float operator()(const float* volume, const Neighbours& n) const { return trilinear(volume, n); }
};
struct ReadLabel {
  __device__ std::uint8_t operator()(const std::uint8_t* volume, const Neighbours& n) const { return label_at(volume, n); }
};

CutFaults faults_of(const PatchCut& p) {
  const std::string key = std::string(p.op) + ' ' + std::to_string(p.count) + ' ';
  return {fault_site(key + "which " + std::to_string(p.volumes),
                     [op = p.op, count = p.count, volumes = p.volumes](std::int64_t value, std::int64_t at) {
                       refuse_index(op, value, at, Shape{count}, volumes);
                     }),
          fault_site(key + "table " + std::to_string(p.total),
                     [op = p.op, total = p.total](std::int64_t volume, std::int64_t) { refuse_volume(op, volume, total); })};
}

template <class T, class Read>
Kernel make_cut(const PatchCut& p) {
  const std::int64_t chunks = (p.voxels() + kBlock - 1) / kBlock;
  const CutGrid k{p.volumes, p.channels, p.total, unsigned(p.voxels()), unsigned(chunks), Divider(p.size[1]), Divider(p.size[2])};
  return [k, op = p.op, blocks = p.count * chunks, faults = faults_of(p)](void* const* o) {
    start(op, dim3(grid_blocks(blocks)), dim3(kBlock), 0, cut_voxels<T, Read>, k, static_cast<const T*>(o[0]),
          static_cast<const std::int64_t*>(o[1]), static_cast<const std::int64_t*>(o[2]), static_cast<const float*>(o[3]),
          static_cast<T*>(o[4]), faults, Read{});
  };
}

}  // namespace

void install_patches() {
  cut_patches_kernel.set(DeviceType::cuda, make_cut<float, ReadImage>);
  cut_label_patches_kernel.set(DeviceType::cuda, make_cut<std::uint8_t, ReadLabel>);
}

}  // namespace tenon::cuda
