/// Cutting patches on the device: a thread a voxel of one patch, read from the eight around it.
#include "backend/cuda/install.hpp"
#include "backend/cuda/packs.cuh"
#include "ops/patches_source.cuh"

namespace tenon::cuda {
namespace {

/// `read` gives the value of a channel of a volume, from its first voxel. A patch is `chunks` blocks.
template <class T, class Read>
__global__ void __launch_bounds__(kBlock) cut_voxels(CutGrid k, unsigned chunks, const T* volumes, const std::int64_t* table,
                                                     const std::int64_t* which, const float* maps, T* y, CutFaults faults, Read read) {
  const std::int64_t sample = blockIdx.x / chunks;
  const unsigned chunk = blockIdx.x % chunks;
  const Source s = source_of(k, table, which, maps, sample, chunk == 0 && threadIdx.x == 0, faults);
  const T* from = volumes + s.first * k.channels;
  T* to = y + sample * k.voxels * k.channels;
  const unsigned voxel = chunk * unsigned(kBlock) + threadIdx.x;
  if (voxel >= k.voxels) return;
  const Neighbours n = s.around(k, voxel);
  for (std::int64_t c = 0; c < k.channels; ++c) to[voxel * k.channels + c] = n.any ? read(from + c * s.voxels(), n) : T(0);
}

struct ReadImage {
  __device__ float operator()(const float* volume, const Neighbours& n) const { return trilinear(volume, n); }
};
struct ReadLabel {
  __device__ std::uint8_t operator()(const std::uint8_t* volume, const Neighbours& n) const { return label_at(volume, n); }
};

template <class T, class Read>
Kernel make_cut(const PatchCut& p) {
  const auto chunks = unsigned((p.voxels() + kBlock - 1) / kBlock);
  return [k = cut_grid(p), chunks, op = p.op, blocks = p.count * chunks, faults = faults_of(p)](void* const* o) {
    start(op, dim3(grid_blocks(blocks)), dim3(kBlock), 0, cut_voxels<T, Read>, k, chunks, static_cast<const T*>(o[0]),
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
