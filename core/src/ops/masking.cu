/// The search for true elements: one block a mask block, sixteen bytes a thread at a time.
#include "backend/cuda/divider.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "backend/cuda/radix_sort.cuh"
#include "ops/mask_kernels.hpp"

namespace tenon::cuda {
namespace {

constexpr int kBytes = 16, kTileBytes = kSortThreads * kBytes;

/// Bytes at .. at + 15 of the mask, zeros from `end` on.
__device__ inline Lanes<std::uint8_t, kBytes> mask_bytes(const std::uint8_t* mask, std::int64_t at, std::int64_t end, bool aligned) {
  if (aligned && at + kBytes <= end) return *reinterpret_cast<const Lanes<std::uint8_t, kBytes>*>(mask + at);
  Lanes<std::uint8_t, kBytes> v;
#pragma unroll
  for (int i = 0; i < kBytes; ++i) v.of[i] = at + i < end ? mask[at + i] : std::uint8_t(0);
  return v;
}
__device__ inline std::uint32_t count_true(const Lanes<std::uint8_t, kBytes>& v) {
  std::uint32_t count = 0;
#pragma unroll
  for (int i = 0; i < kBytes; ++i) count += v.of[i] != 0;
  return count;
}

__global__ void __launch_bounds__(kSortThreads) count_block(const std::uint8_t* mask, std::int64_t* counts, std::int64_t n, bool aligned) {
  __shared__ std::uint32_t sums[kSortWarps];
  const std::int64_t begin = std::int64_t(blockIdx.x) * kMaskBlock, end = begin + kMaskBlock < n ? begin + kMaskBlock : n;
  std::uint32_t count = 0;
  for (std::int64_t at = begin + std::int64_t(threadIdx.x) * kBytes; at < end; at += kTileBytes)
    count += count_true(mask_bytes(mask, at, end, aligned));
  std::uint32_t total = 0;
  scan_block(count, sums, total);
  if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

/// Axes of the coordinates; rank -1: flat positions.
struct MaskAxes {
  int rank = -1;
  LongDivider sizes[kMaxRank];
  __device__ std::int64_t width() const { return rank < 0 ? 1 : rank; }
  __device__ void write(std::int64_t position, std::int64_t* to) const {
    if (rank < 0) *to = position;
    for (int a = rank - 1; a >= 0; --a) {
      std::int64_t at = position;
      position = sizes[a].split(at);
      to[a] = at;
    }
  }
};

__global__ void __launch_bounds__(kSortThreads) write_block(const std::uint8_t* mask, const std::int64_t* before, std::int64_t* positions,
                                                            std::int64_t n, MaskAxes axes, bool aligned) {
  __shared__ std::uint32_t sums[kSortWarps];
  const std::int64_t begin = std::int64_t(blockIdx.x) * kMaskBlock, end = begin + kMaskBlock < n ? begin + kMaskBlock : n;
  std::int64_t written = before[blockIdx.x];
  for (std::int64_t tile = begin; tile < end; tile += kTileBytes) {
    const std::int64_t at = tile + std::int64_t(threadIdx.x) * kBytes;
    const auto v = mask_bytes(mask, at, end, aligned);
    std::uint32_t total = 0;
    const std::uint32_t count = count_true(v), sum = scan_block(count, sums, total);
    std::int64_t* to = positions + (written + sum - count) * axes.width();
#pragma unroll
    for (int i = 0; i < kBytes; ++i)
      if (v.of[i]) {
        axes.write(at + i, to);
        to += axes.width();
      }
    written += total;
    __syncthreads();
  }
}

Kernel make_count(std::int64_t n) {
  return [n](void* const* o) {
    if (n > 0)
      start("nonzero", dim3(unsigned(mask_blocks(n))), dim3(kSortThreads), 0, count_block, static_cast<const std::uint8_t*>(o[0]),
            static_cast<std::int64_t*>(o[1]), n, is_aligned(o[0], kBytes));
  };
}

Kernel make_positions(const Shape& shape, bool coordinates) {
  MaskAxes axes;
  if (coordinates) axes.rank = shape.rank();
  for (int a = 0; a < shape.rank(); ++a) axes.sizes[a] = LongDivider(shape[a]);
  return [axes, n = shape.numel()](void* const* o) {
    if (n > 0)
      start("nonzero", dim3(unsigned(mask_blocks(n))), dim3(kSortThreads), 0, write_block, static_cast<const std::uint8_t*>(o[0]),
            static_cast<const std::int64_t*>(o[1]), static_cast<std::int64_t*>(o[2]), n, axes, is_aligned(o[0], kBytes));
  };
}

}  // namespace

void install_masking() {
  mask_count_kernel.set(DeviceType::cuda, make_count);
  mask_positions_kernel.set(DeviceType::cuda, make_positions);
}

}  // namespace tenon::cuda
