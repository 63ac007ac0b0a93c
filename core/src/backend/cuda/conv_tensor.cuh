/// What the convolutions on tensor cores share: voxels of 32 channels of bf16 in shared memory, at the pitch of a row of them with a rim of one (private).
#pragma once

#include <cstdint>

#include "backend/conv_geometry.hpp"
#include "backend/cuda/packs.cuh"
#include "backend/cuda/tensor_core.cuh"

namespace tenon::cuda::conv_windows {

inline constexpr int kSide = 3;                  ///< of the window
inline constexpr int kChannels = 32;             ///< of each operand, in a block
inline constexpr int kStep = 16;                 ///< voxels of an operation
inline constexpr int kRow = kChannels + 8;       ///< elements of a voxel in shared memory: eight rows on different banks
inline constexpr int kPieces = kChannels / 8;    ///< of 16 bytes, of a voxel
inline constexpr std::int64_t kWidest = 62;      ///< columns of a piece, without its rim

/// bf16, one group, windows of 3 in each of two or three axes that step by one and keep the size.
inline bool windows_fit(const ConvGeometry& g) {
  if (g.dtype != DType::bf16 || g.groups != 1 || g.spatial < 2 || g.in != g.out || g.batch == 0 || g.in_voxels() == 0) return false;
  if (g.in_channels == 0 || g.out_channels == 0 || g.in_channels % kChannels != 0 || g.out_channels % kChannels != 0) return false;
  for (std::size_t a = 0; a < std::size_t(g.spatial); ++a)
    if (g.kernel[a] != kSide || g.pad[a] != 1 || g.stride[a] != 1 || g.dilation[a] != 1 || g.in[a] > (1 << 20)) return false;
  return (g.in_channels / kChannels) * (g.out_channels / kChannels) <= 65535;
}

/// Cuts `all` into `count` parts of `each`, of which there are as few as `most` allows, and which are as even as can be.
inline void cut_evenly(std::int64_t all, std::int64_t most, int& each, int& count) {
  count = int((all + most - 1) / most);
  each = int((all + count - 1) / count);
}

/// A piece of a plane: `rows` x `columns` voxels, the rim apart.
struct Tile {
  int rows = 1, columns = 1;
  TENON_HD int pitch() const { return columns + 2; }
  /// Voxels at the pitch, and what fills the last step.
  TENON_HD int depth() const { return (rows * pitch() + kStep - 1) / kStep * kStep; }
  /// Voxels of the piece with its rim that some tap of those meets.
  TENON_HD int reach() const { return depth() + 2 * pitch() + 2; }
};

/// `count` voxels, `pitch` to a row, whose first is at (row, column) of a plane of `height` x `width`, to shared memory in the background; those of columns past
/// `columns`, of rows past `rows` or outside the plane become zeros. By all threads of the block, which has one axis.
__device__ inline void fetch_voxels(bf16* to, const bf16* plane, std::int64_t height, std::int64_t width, std::int64_t channels, int pitch, int count, int row, int column,
                                    int rows, int columns) {
  for (int e = int(threadIdx.x); e < count * kPieces; e += int(blockDim.x)) {
    const int voxel = e / kPieces, part = e % kPieces * 8, r = voxel / pitch, c = voxel - r * pitch;
    const int at_row = row + r, at_column = column + c;
    const bool there = r < rows && c < columns && at_row >= 0 && at_row < height && at_column >= 0 && at_column < width;
    mma::fetch_16(to + voxel * kRow + part, plane + (there ? (std::int64_t(at_row) * width + at_column) * channels + part : 0), there);
  }
}

}  // namespace tenon::cuda::conv_windows
