/// Weight gradients on tensor cores, of 3 x 3 (x 3) windows that step by one over bf16: dW[o, tap, i] = sum over voxels of y[voxel, o] x[voxel + tap, i].
///
/// A library's product has one side of a few channels and wastes most of its tile. Here a block brings a piece of a plane of y and, with a rim of one, of x to
/// shared memory once, for the nine taps of one plane of the window: those of a voxel are rows of the same piece, moved. Rows of both lie at the pitch of x, with
/// zeros in place of y's rim, so that 16 voxels in a row are 16 rows in a row for every tap, and none is a special case.
#include <algorithm>
#include <cstdint>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/conv_tensor.cuh"
#include "backend/cuda/device_attribute.cuh"

namespace tenon::cuda {
namespace {

using namespace conv_windows;

constexpr int kShares = 3;  ///< of a piece's voxels, one a warp of each line of taps
constexpr int kWarps = kSide * kShares, kThreads = 32 * kWarps;
constexpr int kSums = kSide * 2 * 4 * 4;  ///< of a lane: taps of a line, tiles of 16 and of 8 channels
constexpr std::size_t kFoldBytes = std::size_t(kShares - 1) * kSide * kSums * 32 * sizeof(float);

/// How the work is cut: pieces of a plane of y, counted within a plane, then over planes.
struct Pieces {
  std::int64_t batch, depth, height, width, in_channels, out_channels;
  int planes;  ///< of the window: 3, or 1
  Tile tile;
  int down, across;
  std::int64_t cuts;

  explicit Pieces(const ConvGeometry& g) : batch(g.batch), in_channels(g.in_channels), out_channels(g.out_channels) {
    const std::size_t x = std::size_t(g.spatial) - 1, y = x - 1;
    depth = g.spatial == 3 ? g.in[0] : 1, height = g.in[y], width = g.in[x];
    planes = g.spatial == 3 ? kSide : 1;
    cut_evenly(width, kWidest, tile.columns, across);
    // two pieces are in shared memory, and one block on a processor: no more blocks than processors
    const std::size_t room = std::size_t(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)) / 2;
    int most = 1;
    while (most < height && stage_bytes({most + 1, tile.columns}) <= room) ++most;
    cut_evenly(height, most, tile.rows, down);
    const std::int64_t pieces = batch * depth * down * across, room_for = std::max<std::int64_t>(1, device_attribute(cudaDevAttrMultiProcessorCount) / shares());
    const std::int64_t each_cut = (pieces + room_for - 1) / room_for;
    cuts = (pieces + each_cut - 1) / each_cut;
  }

  static std::size_t stage_bytes(const Tile& t) { return std::size_t(t.depth() + t.reach()) * kRow * sizeof(bf16); }
  /// Blocks that share the pieces of a cut: planes of the window, and channels by 32.
  std::int64_t shares() const { return planes * (in_channels / kChannels) * (out_channels / kChannels); }
};

/// One piece of y for one plane of the window, and the piece of x that it meets.
struct Piece {
  std::int64_t x_plane, y_plane;
  int row, column;

  /// `index`: among those whose plane of x exists, of which there are `planes` a volume, the first at `first`.
  __device__ Piece(const Pieces& s, std::int64_t index, std::int64_t first, std::int64_t planes, int shift) {
    column = int(index % s.across) * s.tile.columns, index /= s.across;
    row = int(index % s.down) * s.tile.rows, index /= s.down;
    y_plane = index / planes * s.depth + first + index % planes;
    x_plane = y_plane + shift;
  }
};

/// Grid: cuts, planes of the window, channels of both by 32. A warp takes a line of three taps and every third step of voxels.
__global__ void __launch_bounds__(kThreads, 1) conv_tensor_weight_sums(const bf16* x, const bf16* y, float* partial, Pieces s) {
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, line = warp % kSide, share = warp / kSide;
  const std::int64_t in_blocks = s.in_channels / kChannels, in0 = blockIdx.z % in_blocks * kChannels, out0 = blockIdx.z / in_blocks * kChannels;
  const int tap_plane = int(blockIdx.y), shift = s.planes == 1 ? 0 : tap_plane - 1;
  const std::int64_t first = shift < 0 ? 1 : 0, planes = s.depth - (shift != 0), pieces = s.batch * planes * s.down * s.across;
  const int depth = s.tile.depth(), reach = s.tile.reach(), pitch = s.tile.pitch(), stage = (depth + reach) * kRow;
  bf16* const stages = dynamic_shared<bf16>();
  auto fetch = [&](int at, std::int64_t index) {
    const Piece p(s, index, first, planes, shift);
    bf16* to = stages + at * stage;
    const std::int64_t plane = s.height * s.width;
    fetch_voxels(to, x + p.x_plane * plane * s.in_channels + in0, s.height, s.width, s.in_channels, pitch, reach, p.row - 1, p.column - 1, s.tile.rows + 2,
                 s.tile.columns + 2);
    fetch_voxels(to + reach * kRow, y + p.y_plane * plane * s.out_channels + out0, s.height, s.width, s.out_channels, pitch, depth, p.row, p.column, s.tile.rows,
                 s.tile.columns);
  };
  float sums[kSide][2][4][4] = {};
  int now = 0;
  if (blockIdx.x < pieces) fetch(now, blockIdx.x);
  mma::close_fetch();
  for (std::int64_t index = blockIdx.x; index < pieces; index += gridDim.x, now ^= 1) {
    if (index + gridDim.x < pieces) fetch(now ^ 1, index + gridDim.x);
    mma::close_fetch();
    mma::await_fetches<1>();
    __syncthreads();
    const bf16 *x_tile = stages + now * stage, *y_tile = x_tile + reach * kRow;
    for (int at = share * kStep; at < depth; at += kShares * kStep) {
      std::uint32_t a[2][4], b[4];
#pragma unroll
      for (int m = 0; m < 2; ++m) mma::load_four_turned(a[m], y_tile + (at + lane / 16 * 8 + lane % 8) * kRow + 16 * m + lane / 8 % 2 * 8);
#pragma unroll
      for (int tap = 0; tap < kSide; ++tap)
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const int voxel = at + line * pitch + tap + lane / 8 % 2 * 8 + lane % 8;
          mma::load_four_turned(b, x_tile + voxel * kRow + 16 * h + lane / 16 * 8);
#pragma unroll
          for (int m = 0; m < 2; ++m) {
            mma::multiply(sums[tap][m][2 * h], a[m], b[0], b[1]);
            mma::multiply(sums[tap][m][2 * h + 1], a[m], b[2], b[3]);
          }
        }
    }
    __syncthreads();  // the stage is free
  }
  mma::await_fetches<0>();
  // the shares' sums, in order, to the first one
  float* fold = dynamic_shared<float>();
  if (share > 0) {
    float* mine = fold + ((share - 1) * kSide + line) * kSums * 32 + lane;
#pragma unroll
    for (int i = 0; i < kSums; ++i) mine[i * 32] = sums[i / 32][i / 16 % 2][i / 4 % 4][i % 4];
  }
  __syncthreads();
  if (share > 0) return;
#pragma unroll
  for (int other = 0; other < kShares - 1; ++other) {
    const float* theirs = fold + (other * kSide + line) * kSums * 32 + lane;
#pragma unroll
    for (int i = 0; i < kSums; ++i) sums[i / 32][i / 16 % 2][i / 4 % 4][i % 4] += theirs[i * 32];
  }
  const int taps = s.planes * kSide * kSide, tap0 = (tap_plane * kSide + line) * kSide;
  float* to = partial + std::int64_t(blockIdx.x) * s.out_channels * taps * s.in_channels;
#pragma unroll
  for (int tap = 0; tap < kSide; ++tap)
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
      for (int n = 0; n < 4; ++n)
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const std::int64_t out = out0 + 16 * m + 8 * r + lane / 4, in = in0 + 8 * n + 2 * (lane % 4);
          *reinterpret_cast<float2*>(to + (out * taps + tap0 + tap) * s.in_channels + in) = make_float2(sums[tap][m][n][2 * r], sums[tap][m][n][2 * r + 1]);
        }
}

}  // namespace

std::int64_t conv_tensor_weight_cuts(const ConvGeometry& g) {
  return Pieces(g).cuts;
}

void conv_tensor_weights(const ConvGeometry& g, const void* x, const void* y, void* partial) {
  const Pieces s(g);
  const dim3 blocks(unsigned(s.cuts), unsigned(s.planes), unsigned(s.in_channels / kChannels * (s.out_channels / kChannels)));
  start("conv_tensor_weights", blocks, dim3(kThreads), std::max(2 * Pieces::stage_bytes(s.tile), kFoldBytes), conv_tensor_weight_sums, static_cast<const bf16*>(x),
        static_cast<const bf16*>(y), static_cast<float*>(partial), s);
}

}  // namespace tenon::cuda
