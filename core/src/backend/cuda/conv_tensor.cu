/// Convolutions of 32 channels on tensor cores, and the input gradients whose y has 32: 3 x 3 (x 3) windows that step by one over bf16.
///
/// A library gathers a row of all taps for each voxel anew. Here a block keeps the weights of 32 result channels, and planes of the source come to shared memory
/// once, one while the three before it are used: what a tap reads of 16 voxels in a row is 16 rows in a row of a plane, moved by the tap.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/conv_tensor.cuh"
#include "backend/cuda/device_attribute.cuh"

namespace tenon::cuda {
namespace {

using namespace conv_windows;

constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr int kTiles = 3;                                     ///< of 16 voxels, of a warp
constexpr int kSlots = 4;                                     ///< planes in shared memory: three in use, one on its way
constexpr int kLeastRows = 4;                                 ///< fewer rows of a piece would read its rim as often as itself
constexpr int kWeightRows = kSide * kSide * kSide * kChannels;

/// Columns of pieces: a piece of `planes` planes, one after the other, by a block.
struct Columns {
  std::int64_t batch, depth, height, width, result_channels;
  int planes;  ///< of the window: 3, or 1
  Tile tile;
  int down = 0, across = 0, each = 0, parts = 0;  ///< each: planes of a part

  Columns(const ConvGeometry& g, std::int64_t results) : batch(g.batch), depth(1), result_channels(results), planes(1) {
    const std::size_t x = std::size_t(g.spatial) - 1, y = x - 1;
    height = g.in[y], width = g.in[x];
    if (g.spatial == 3) depth = g.in[0], planes = kSide;
    else std::swap(batch, depth);  // planes that do not meet
    cut_evenly(width, kWidest, tile.columns, across);
    const std::size_t room = std::size_t(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
    int most = 0;
    while (most < height && fits({most + 1, tile.columns}, room)) ++most;
    if (most < std::min<std::int64_t>(kLeastRows, height)) return;
    cut_evenly(height, most, tile.rows, down);
    cut_in_parts(batch * down * across * blocks_of_channels());
  }

  bool any() const { return parts > 0; }
  std::int64_t blocks_of_channels() const { return result_channels / kChannels; }
  std::int64_t blocks() const { return batch * down * across * parts; }
  static std::size_t shared_bytes(const Tile& t) { return std::size_t(kWeightRows + kSlots * t.reach()) * kRow * sizeof(bf16); }
  /// Into how many parts the planes are cut: the fewest planes one after the other on a device that takes a block a multiprocessor at a time. What a part begins
  /// with, its weights and the planes about it, counts as the window's planes.
  void cut_in_parts(std::int64_t side_by_side) {
    const std::int64_t at_once = device_attribute(cudaDevAttrMultiProcessorCount);
    std::int64_t least = 0;
    for (std::int64_t wanted = 1; wanted <= depth; ++wanted) {
      int part = 0, count = 0;
      cut_evenly(depth, (depth + wanted - 1) / wanted, part, count);
      const std::int64_t turns = (side_by_side * count + at_once - 1) / at_once, time = turns * (part + planes);
      if (wanted == 1 || time < least) least = time, each = part, parts = count;
      if (side_by_side * count >= 8 * at_once) break;  // finer parts gain nothing
    }
  }
  static bool fits(const Tile& t, std::size_t room) { return t.depth() <= kWarps * kTiles * kStep && shared_bytes(t) <= room; }
};

/// Of a tile j of 8 result channels, column c: so that a lane, which has columns 2 t and 2 t + 1 of all four tiles, has 8 channels in a row.
TENON_HD inline int channel_of(int j, int c) {
  return c / 2 * 8 + 2 * j + c % 2;
}
TENON_HD inline int place_of(int channel) {
  return channel % 8 / 2 * 8 + channel / 8 * 2 + channel % 2;
}

/// The weights of 32 source and 32 result channels, rounded: forward as [tap][place of a result channel][source channel], for the input gradient as
/// [tap, the last first][source channel][place].
template <bool Forward, int Taps>
__device__ void load_weights(bf16* to, const float* w, std::int64_t result0, std::int64_t in_channels) {
  constexpr int kTurns = Taps * kChannels * kChannels / 2 / kThreads, kAtOnce = 6;  // loads on their way at a time
  static_assert(kTurns * kThreads == Taps * kChannels * kChannels / 2 && kTurns % kAtOnce == 0);
  struct Place {
    int in, tap, out;
    __device__ explicit Place(int e) : in(e % (kChannels / 2) * 2), tap(e / (kChannels / 2) % Taps), out(e / (kChannels / 2) / Taps) {}
  };
  for (int turn = 0; turn < kTurns; turn += kAtOnce) {
    float2 v[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const Place p((turn + i) * kThreads + int(threadIdx.x));
      // forward: out is of this block's result channels; else `in` is
      const std::int64_t row = (Forward ? result0 + p.out : p.out) * std::int64_t(Taps) + p.tap;
      v[i] = *reinterpret_cast<const float2*>(w + row * in_channels + (Forward ? 0 : result0) + p.in);
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const Place p((turn + i) * kThreads + int(threadIdx.x));
      bf16* at = Forward ? to + (p.tap * kChannels + place_of(p.out)) * kRow + p.in : to + ((Taps - 1 - p.tap) * kChannels + p.out) * kRow + place_of(p.in);
      *reinterpret_cast<std::uint32_t*>(at) = mma::pair(v[i].x, v[i].y);
    }
  }
}

/// Grid: columns of pieces and parts of them, result channels by 32. A warp makes every eighth step of 16 voxels.
template <bool Forward, int Planes>
__global__ void __launch_bounds__(kThreads, 1)
    conv_tensor_columns(const bf16* source, const float* weights, const float* bias, bf16* result, std::int64_t in_channels, Columns s) {
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32, pitch = s.tile.pitch(), reach = s.tile.reach(), steps = s.tile.depth() / kStep;
  constexpr int rim = Planes / 2;
  std::int64_t block = blockIdx.x;
  const std::int64_t begin = block % s.parts * s.each, end = begin + s.each < s.depth ? begin + s.each : s.depth;
  block /= s.parts;
  const int column0 = int(block % s.across) * s.tile.columns;
  block /= s.across;
  const int row0 = int(block % s.down) * s.tile.rows;
  const std::int64_t sample = block / s.down, result0 = blockIdx.y * std::int64_t(kChannels), plane_size = s.height * s.width;
  bf16 *const w = dynamic_shared<bf16>(), *const slots = w + kWeightRows * kRow;
  auto slot = [&](std::int64_t z) { return slots + std::int64_t((z + kSlots) % kSlots) * reach * kRow; };
  auto fetch = [&](std::int64_t z) {
    const bool there = z >= 0 && z < s.depth;
    fetch_voxels(slot(z), source + (sample * s.depth + (there ? z : 0)) * plane_size * kChannels, s.height, s.width, kChannels, pitch, reach, row0 - 1, column0 - 1,
                 there ? s.tile.rows + 2 : 0, s.tile.columns + 2);
  };
  for (std::int64_t z = begin - rim; z <= begin + rim; ++z) fetch(z);
  mma::close_fetch();
  load_weights<Forward, Planes * kSide * kSide>(w, weights, result0, in_channels);
  float add[4][2] = {};
  if (bias) {
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int i = 0; i < 2; ++i) add[j][i] = bias[result0 + channel_of(j, lane % 4 * 2 + i)];
  }
  int step[kTiles];  // one beyond the last is the last again, and not stored: no branch comes between loads
#pragma unroll
  for (int m = 0; m < kTiles; ++m) step[m] = min(warp + m * kWarps, steps - 1);
  for (std::int64_t z = begin; z < end; ++z) {
    if (z + 1 < end) fetch(z + rim + 1);
    mma::close_fetch();
    mma::await_fetches<1>();
    __syncthreads();
    float sums[kTiles][4][4];
#pragma unroll
    for (int m = 0; m < kTiles; ++m)
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[m][j][e] = add[j][e % 2];
    for (int plane = 0; plane < Planes; ++plane) {
      const bf16* from = slot(z + plane - rim) + (lane % 16) * kRow + lane / 16 * 8;
      for (int line = 0; line < kSide; ++line) {
#pragma unroll
        for (int tap = 0; tap < kSide; ++tap) {
          const bf16* tap_weights = w + ((plane * kSide + line) * kSide + tap) * kChannels * kRow;
#pragma unroll
          for (int k = 0; k < kChannels; k += 16) {
            std::uint32_t a[kTiles][4], b[2][4];
#pragma unroll
            for (int h = 0; h < 2; ++h) {
              if constexpr (Forward)
                mma::load_four(b[h], tap_weights + (16 * h + lane / 16 * 8 + lane % 8) * kRow + k + lane / 8 % 2 * 8);
              else
                mma::load_four_turned(b[h], tap_weights + (k + lane / 8 % 2 * 8 + lane % 8) * kRow + 16 * h + lane / 16 * 8);
            }
#pragma unroll
            for (int m = 0; m < kTiles; ++m) mma::load_four(a[m], from + (step[m] * kStep + line * pitch + tap) * kRow + k);
#pragma unroll
            for (int m = 0; m < kTiles; ++m)
#pragma unroll
              for (int h = 0; h < 2; ++h) {
                mma::multiply(sums[m][2 * h], a[m], b[h][0], b[h][1]);
                mma::multiply(sums[m][2 * h + 1], a[m], b[h][2], b[h][3]);
              }
          }
        }
      }
    }
    __syncthreads();  // the oldest plane is free
#pragma unroll
    for (int m = 0; m < kTiles; ++m)
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const int voxel = (warp + m * kWarps) * kStep + 8 * r + lane / 4, row = voxel / pitch, column = voxel - row * pitch;
        if (row >= s.tile.rows || column >= s.tile.columns || row0 + row >= s.height || column0 + column >= s.width) continue;
        uint4 packed;
        packed.x = mma::pair(sums[m][0][2 * r], sums[m][0][2 * r + 1]), packed.y = mma::pair(sums[m][1][2 * r], sums[m][1][2 * r + 1]);
        packed.z = mma::pair(sums[m][2][2 * r], sums[m][2][2 * r + 1]), packed.w = mma::pair(sums[m][3][2 * r], sums[m][3][2 * r + 1]);
        bf16* to = result + ((sample * s.depth + z) * plane_size + std::int64_t(row0 + row) * s.width + column0 + column) * s.result_channels + result0 + lane % 4 * 8;
        store_bytes<16>(to, &packed);
      }
  }
  mma::await_fetches<0>();
}

}  // namespace

bool conv_tensor_fits(const ConvGeometry& g, ConvPass pass) {
  if (!windows_fit(g) || pass == ConvPass::weight_gradient) return windows_fit(g);
  const bool forward = pass == ConvPass::forward;
  if ((forward ? g.in_channels : g.out_channels) != kChannels) return false;
  return Columns(g, forward ? g.out_channels : g.in_channels).any();
}

void conv_tensor(const ConvGeometry& g, ConvPass pass, const ConvOperands& p) {
  const bool forward = pass == ConvPass::forward;
  const Columns s(g, forward ? g.out_channels : g.in_channels);
  const auto kernel = forward ? s.planes == kSide ? conv_tensor_columns<true, kSide> : conv_tensor_columns<true, 1>
                      : s.planes == kSide ? conv_tensor_columns<false, kSide>
                                          : conv_tensor_columns<false, 1>;
  start("conv_tensor", dim3(unsigned(s.blocks()), unsigned(s.blocks_of_channels())), dim3(kThreads), Columns::shared_bytes(s.tile), kernel, static_cast<const bf16*>(p.source), static_cast<const float*>(p.weights),
        static_cast<const float*>(p.bias), static_cast<bf16*>(p.result), g.in_channels, s);
}

}  // namespace tenon::cuda
