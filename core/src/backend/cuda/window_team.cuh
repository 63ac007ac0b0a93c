/// Long windows, each summed or searched by a whole block, or by several, where a thread a window would leave the device idle: pooling to
/// one value is one window a sample (private).
#pragma once

#include <algorithm>

#include "backend/cuda/columns.cuh"

namespace tenon::cuda {

/// Windows of more elements are shared where packs of `lanes` channels are too few for a thread each.
inline bool shares_windows(std::int64_t windows, std::int64_t channels, std::int64_t window, int lanes) {
  constexpr std::int64_t kLongWindow = 256, kFewThreads = 1 << 16;
  return window > kLongWindow && windows * channels / lanes < kFewThreads;
}

/// A block's `ty` rows of threads take every ty-th element of a part of a window, `tx` packs of neighbouring channels side by side. Decided
/// by sizes alone, whatever the lanes: so is the order of a sum.
struct WindowTeam {
  std::int64_t windows, channels;
  unsigned parts, slices;
  int tx, ty;

  /// `window`: elements of the longest; `lanes`: the most neighbours of a pack.
  WindowTeam(std::int64_t windows_given, std::int64_t channels_given, std::int64_t window, int lanes)
      : windows(windows_given), channels(channels_given) {
    constexpr std::int64_t kLeastPart = 2048, kMostParts = 64;
    const ColumnTile t = column_tile(std::max<std::int64_t>(1, (channels + lanes - 1) / lanes), windows);
    tx = t.tx, ty = t.ty, slices = t.slices;
    const std::int64_t blocks = std::max<std::int64_t>(1, windows * slices);
    parts = unsigned(std::clamp<std::int64_t>(std::min(kFillBlocks / blocks, window / kLeastPart), 1, kMostParts));
  }
  /// For packs of `lanes`.
  WindowTeam with(int lanes) const {
    WindowTeam k = *this;
    k.slices = grid_blocks((channels / lanes + tx - 1) / tx);
    return k;
  }
  std::int64_t results() const { return windows * channels; }
  unsigned blocks() const { return grid_blocks(windows * parts * slices); }
};

/// Where a thread stands.
struct WindowPlace {
  std::int64_t window, c;  ///< its first channel
  unsigned part;
  int row;

  __device__ WindowPlace(const WindowTeam& k, int lanes) {
    unsigned block = blockIdx.x;
    c = (std::int64_t(block % k.slices) * k.tx + int(threadIdx.x) % k.tx) * lanes;
    block /= k.slices;
    part = block % k.parts;
    window = block / k.parts;
    row = int(threadIdx.x) / k.tx;
  }
};

/// body(plane, line, place) of the elements of a window of planes of `wy` lines of `wx` that are this thread's, in order.
template <class Body>
__device__ void each_of_window(const WindowTeam& k, const WindowPlace& at, std::int64_t planes, int wy, int wx, const Body& body) {
  const std::int64_t plane = std::int64_t(wy) * wx, n = planes * plane, part = (n + k.parts - 1) / k.parts, begin = at.part * part,
                     end = begin + part < n ? begin + part : n, first = begin + at.row;
  if (at.c >= k.channels || first >= end) return;
  int i = int(first / plane), l = int(first % plane), j = l / wx;
  l %= wx;
  const int step = int(k.ty % plane), si = int(k.ty / plane), sj = step / wx, sl = step % wx;
#pragma unroll 4
  for (std::int64_t e = first; e < end; e += k.ty) {
    body(i, j, l);
    l += sl, j += sj, i += si;
    if (l >= wx) l -= wx, ++j;
    if (j >= wy) j -= wy, ++i;
  }
}

/// left: [parts, windows, channels]
template <class T>
__global__ void __launch_bounds__(kBlock) join_window_sums(const Acc<T>* left, unsigned parts, std::int64_t count, Acc<T> share, T* y) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    Acc<T> sum = 0;
#pragma unroll 8
    for (unsigned p = 0; p < parts; ++p) sum += left[p * count + i];
    y[i] = narrow<T>(sum * share);
  }
}

/// Adds up what a block's threads summed: `share` of it goes to y, or, of several parts, all of it to `left`. All threads come here.
template <class T, int N>
__device__ void give_window_sum(const WindowTeam& k, const WindowPlace& at, Acc<T> (&sum)[N], Acc<T> share, T* y, Acc<T>* left) {
  __shared__ Acc<T> shared[N * kBlock];
  sum_tile_rows<Acc<T>, N>(sum, shared, k.tx, k.ty);
  if (at.row != 0 || at.c >= k.channels) return;
  const std::int64_t to = at.window * k.channels + at.c;
  if (k.parts > 1) return store_lanes<Acc<T>, N>(left + at.part * k.windows * k.channels + to, sum);
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] *= share;
  store_lanes<T, N>(y + to, sum);
}

}  // namespace tenon::cuda
