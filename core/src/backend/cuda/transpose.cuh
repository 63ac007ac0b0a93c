/// Copies between layouts whose innermost axes differ, through tiles in shared memory: both sides are read and written in runs (private).
#pragma once

#include <optional>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/launch.cuh"
#include "ops/strided_axes.hpp"

namespace tenon::cuda {

/// Axis a is dense in the source, axis b in the target; the others are counted by the tile's number.
struct TransposeAxes {
  std::int64_t a, b;          ///< sizes
  std::int64_t from_b, to_a;  ///< strides
  std::int64_t tiles;         ///< of all
  Divider tiles_a, tiles_b;   ///< of one plane
  int rank = 0;               ///< axes of the batch
  Divider sizes[kMaxRank];
  std::int64_t from[kMaxRank] = {}, to[kMaxRank] = {};
};

/// Elements along a side of a tile: 64 bytes or more a row.
template <class T>
inline constexpr int kTileSide = sizeof(T) <= 2 ? 64 : 32;

template <class T>
__global__ void __launch_bounds__(256) transpose_kernel(const T* from, T* to, TransposeAxes t) {
  constexpr int kSide = kTileSide<T>;
  __shared__ T tile[kSide][kSide + 1];
  std::uint32_t at_b = blockIdx.x;
  std::uint32_t at_a = t.tiles_b.split(at_b);
  std::uint32_t plane = t.tiles_a.split(at_a);
  for (int axis = t.rank - 1; axis >= 0; --axis) {
    std::uint32_t at = plane;
    plane = t.sizes[axis].split(at);
    from += std::int64_t(at) * t.from[axis];
    to += std::int64_t(at) * t.to[axis];
  }
  const std::int64_t a0 = std::int64_t(at_a) * kSide, b0 = std::int64_t(at_b) * kSide;
  const int x = int(threadIdx.x), step = int(blockDim.y);
  for (int r = int(threadIdx.y); r < kSide; r += step)
    if (a0 + x < t.a && b0 + r < t.b) tile[r][x] = from[a0 + x + (b0 + r) * t.from_b];
  __syncthreads();
  for (int r = int(threadIdx.y); r < kSide; r += step)
    if (b0 + x < t.b && a0 + r < t.a) to[b0 + x + (a0 + r) * t.to_a] = tile[x][r];
}

/// The axes of a copy as a transposition, where it is one that fills tiles of `side` elements well enough.
inline std::optional<TransposeAxes> transpose_axes(const StridedAxes<2>& axes, int side) {
  constexpr std::int64_t kWorth = 8;  ///< elements of an axis: below, most of a tile would be empty
  int a = -1, b = -1;
  for (int i = 0; i < axes.rank; ++i) {
    const auto& s = axes.strides[std::size_t(i)];
    if (s[0] == 1 && s[1] != 1) a = i;
    if (s[1] == 1 && s[0] != 1) b = i;
  }
  if (a < 0 || b < 0) return std::nullopt;
  TransposeAxes t;
  t.a = axes.sizes[std::size_t(a)];
  t.b = axes.sizes[std::size_t(b)];
  if (t.a < kWorth || t.b < kWorth || axes.strides[std::size_t(b)][0] == 0) return std::nullopt;
  t.from_b = axes.strides[std::size_t(b)][0];
  t.to_a = axes.strides[std::size_t(a)][1];
  const std::int64_t tiles_a = (t.a + side - 1) / side, tiles_b = (t.b + side - 1) / side;
  std::int64_t planes = 1;
  for (int i = 0; i < axes.rank; ++i) {
    if (i == a || i == b) continue;
    planes *= axes.sizes[std::size_t(i)];
    if (axes.sizes[std::size_t(i)] >= (std::int64_t(1) << 31)) return std::nullopt;
    t.sizes[t.rank] = Divider(axes.sizes[std::size_t(i)]);
    t.from[t.rank] = axes.strides[std::size_t(i)][0];
    t.to[t.rank++] = axes.strides[std::size_t(i)][1];
  }
  t.tiles = planes * tiles_a * tiles_b;
  if (t.tiles >= (std::int64_t(1) << 31)) return std::nullopt;
  t.tiles_a = Divider(tiles_a);
  t.tiles_b = Divider(tiles_b);
  return t;
}

template <class T>
void run_transpose(const char* name, const TransposeAxes& t, const void* from, void* to) {
  start(name, dim3(unsigned(t.tiles)), dim3(unsigned(kTileSide<T>), unsigned(256 / kTileSide<T>)), 0, transpose_kernel<T>,
        static_cast<const T*>(from), static_cast<T*>(to), t);
}

}  // namespace tenon::cuda
