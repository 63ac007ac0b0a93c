/// What stands around the products of a convolution: channel sums, sums over cuts, bias, conversion of weights.
#include <algorithm>

#include "backend/cuda/columns.cuh"
#include "backend/cuda/conv_map.cuh"
#include "backend/cuda/conv_own.hpp"
#include "backend/cuda/last_block.cuh"
#include "ops/dispatch.hpp"

namespace tenon::cuda {
namespace {

constexpr int kThreads = 256;

/// How channel_sums cuts its work: `across` threads of `each` channels, 256 / across rows at once.
struct SumsShape {
  std::int64_t rows, channels, cuts;
  int each, across;
  /// Packs of `pack` partial sums across a tile's channels.
  TENON_HD int packs(int pack) const { return across * each / pack; }
  std::int64_t tiles() const { return (channels + std::int64_t(across) * each - 1) / (std::int64_t(across) * each); }
};

SumsShape sums_shape(DType type, std::int64_t rows, std::int64_t channels) {
  SumsShape s{rows, channels, 1, int(16 / size_of(type)), 1};
  if (channels % s.each != 0) s.each = 1;
  while (s.across < 32 && std::int64_t(s.across) * s.each < channels) s.across *= 2;
  const std::int64_t lanes = kThreads / s.across, tiles = s.tiles();
  const std::int64_t filling = std::min<std::int64_t>((264 + tiles - 1) / tiles, rows / (lanes * 4)),
                     exact = rows / (lanes * 1024);  // no long chains of f32 additions
  s.cuts = std::clamp<std::int64_t>(std::max(filling, exact), 1, 4096);
  return s;
}

/// Partial sums that a thread adds up at once.
template <class T, int Each>
constexpr int kPartialPack = Each * sizeof(Acc<T>) >= 16 ? 16 / sizeof(Acc<T>) : 1;

/// Grid: cuts, channel tiles; partial [cuts, channels]. `sums`: written by each tile's last block, or null, where partial is for another kernel to add.
template <class T, int Each>
__global__ void __launch_bounds__(kThreads) sum_channels(const T* values, Acc<T>* partial, Acc<T>* sums, SumsShape s, bool wide) {
  using A = Acc<T>;
  constexpr int kAhead = 4;  // loads under way
  constexpr int kPack = kPartialPack<T, Each>;
  __shared__ A added[kThreads * Each];
  const int tid = int(threadIdx.x), lanes = kThreads / s.across, lane = tid / s.across;
  const std::int64_t first = std::int64_t(blockIdx.y) * s.across * Each, channel = first + tid % s.across * Each, each = (s.rows + s.cuts - 1) / s.cuts;
  const std::int64_t begin = blockIdx.x * each, end = begin + each < s.rows ? begin + each : s.rows;
  A sum[Each];
#pragma unroll
  for (int j = 0; j < Each; ++j) sum[j] = 0;
  if (channel < s.channels) {
    const T* from = values + channel;
    std::int64_t r = begin + lane;
    for (; r + (kAhead - 1) * lanes < end; r += kAhead * lanes) {
      A v[kAhead][Each];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) load_some<T, Each>(from + (r + u * lanes) * s.channels, v[u], Each, wide);
#pragma unroll
      for (int u = 0; u < kAhead; ++u)
#pragma unroll
        for (int j = 0; j < Each; ++j) sum[j] += v[u][j];
    }
    for (; r < end; r += lanes) {
      A v[Each];
      load_some<T, Each>(from + r * s.channels, v, Each, wide);
#pragma unroll
      for (int j = 0; j < Each; ++j) sum[j] += v[j];
    }
  }
  sum_tile_rows<A, Each>(sum, added, s.across, lanes);
  if (lane == 0 && channel < s.channels) {
#pragma unroll
    for (int j = 0; j < Each; ++j) partial[blockIdx.x * s.channels + channel + j] = sum[j];
  }
  if (!sums || !is_last_block(blockIdx.y, gridDim.x)) return;
  const int packs = s.packs(kPack), parts = kThreads / packs;
  const std::int64_t mine = first + tid % packs * kPack;
  A all[kPack];
#pragma unroll
  for (int j = 0; j < kPack; ++j) all[j] = 0;
  if (mine < s.channels) {
#pragma unroll 8
    for (std::int64_t cut = tid / packs; cut < s.cuts; cut += parts) {
      A v[kPack];
      load_left<A, kPack>(partial + cut * s.channels + mine, v);
#pragma unroll
      for (int j = 0; j < kPack; ++j) all[j] += v[j];
    }
  }
  sum_tile_rows<A, kPack>(all, added, packs, parts);
  if (tid / packs != 0 || mine >= s.channels) return;
#pragma unroll
  for (int j = 0; j < kPack; ++j) sums[mine + j] = all[j];
}

/// 32 columns a block, up to 32 threads a column.
template <class A>
__global__ void __launch_bounds__(1024) add_columns(const A* partial, A* to, std::int64_t count, std::int64_t cuts) {
  __shared__ A added[32][32];
  const int lanes = int(blockDim.x) / 32, lane = int(threadIdx.x) / 32, column = int(threadIdx.x) % 32;
  for (std::int64_t first = std::int64_t(blockIdx.x) * 32; first < count; first += std::int64_t(gridDim.x) * 32) {
    A sum = 0;
    if (first + column < count)
      for (std::int64_t cut = lane; cut < cuts; cut += lanes) sum += partial[cut * count + first + column];
    added[lane][column] = sum;
    __syncthreads();
    for (int half = lanes / 2; half > 0; half /= 2) {
      if (lane < half) added[lane][column] += added[lane + half][column];
      __syncthreads();
    }
    if (lane == 0 && first + column < count) to[first + column] = added[0][column];
    __syncthreads();
  }
}

/// Each: neighbouring channels a thread; the channel is found once, and kept by stepping.
template <class T, int Each>
__global__ void bias_channels(T* y, const Acc<T>* bias, std::int64_t items, std::int64_t channels, bool wide) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x, columns = channels / Each, jump = pace % columns;
  std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, column = i % columns;
  for (; i < items; i += pace) {
    Acc<T> v[Each];
    load_some<T, Each>(y + i * Each, v, Each, wide);
#pragma unroll
    for (int j = 0; j < Each; ++j) v[j] += bias[column * Each + j];
    store_some<T, Each>(y + i * Each, v, Each, wide);
    column += jump;
    if (column >= columns) column -= columns;
  }
}

template <class From, class To>
__global__ void convert_weights(const From* from, To* to, std::int64_t count) {
  const std::int64_t pace = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += pace) to[i] = To(float(from[i]));
}

template <class T, int Each>
void run_sums(const SumsShape& s, const void* values, void* sums, void* workspace) {
  const bool whole = s.cuts > 1 && s.tiles() <= kTickets && s.cuts * s.packs(kPartialPack<T, Each>) <= kMostTurns * kThreads;
  void* partial = s.cuts > 1 ? workspace : sums;
  start("conv_channel_sums", dim3(unsigned(s.cuts), unsigned(s.tiles())), dim3(kThreads), 0, sum_channels<T, Each>, static_cast<const T*>(values),
        static_cast<Acc<T>*>(partial), static_cast<Acc<T>*>(whole ? sums : nullptr), s, aligned(values, 16) && Each > 1);
  if (s.cuts > 1 && !whole) add_cuts(std::is_same_v<T, double>, partial, sums, s.channels, s.cuts);
}

template <class T, int Each>
void run_bias(void* y, const void* bias, std::int64_t rows, std::int64_t channels) {
  const std::int64_t items = rows * (channels / Each);
  start_items("conv_bias", items, bias_channels<T, Each>, static_cast<T*>(y), static_cast<const Acc<T>*>(bias), items, channels,
              aligned(y, 16) && Each > 1);
}

template <class F>
void dispatch_half(DType type, F&& f) {
  type == DType::f16 ? f(TypeTag<f16>{}) : f(TypeTag<bf16>{});
}

}  // namespace

std::size_t channel_sums_workspace(DType type, std::int64_t rows, std::int64_t channels) {
  const SumsShape s = sums_shape(type, rows, channels);
  return s.cuts > 1 ? std::size_t(s.cuts * channels) * (type == DType::f64 ? 8 : 4) : 0;
}

void channel_sums(DType type, const void* values, std::int64_t rows, std::int64_t channels, void* sums, void* workspace) {
  dispatch_floating("conv", type, [&](auto t) {
    using T = typename decltype(t)::type;
    constexpr int kEach = int(16 / sizeof(T));
    const SumsShape s = sums_shape(type, rows, channels);
    s.each == 1 ? run_sums<T, 1>(s, values, sums, workspace) : run_sums<T, kEach>(s, values, sums, workspace);
  });
}

void add_cuts(bool wide, const void* partial, void* to, std::int64_t count, std::int64_t cuts) {
  const dim3 blocks(unsigned(std::min<std::int64_t>((count + 31) / 32, 1 << 20))), threads(cuts > 64 ? 1024 : 256);
  if (wide) {
    start("conv_add_cuts", blocks, threads, 0, add_columns<double>, static_cast<const double*>(partial), static_cast<double*>(to), count,
          cuts);
  } else {
    start("conv_add_cuts", blocks, threads, 0, add_columns<float>, static_cast<const float*>(partial), static_cast<float*>(to), count,
          cuts);
  }
}

void add_channel_bias(DType type, void* y, const void* bias, std::int64_t rows, std::int64_t channels) {
  dispatch_floating("conv", type, [&](auto t) {
    using T = typename decltype(t)::type;
    constexpr int kEach = int(16 / sizeof(T));
    channels % kEach == 0 ? run_bias<T, kEach>(y, bias, rows, channels) : run_bias<T, 1>(y, bias, rows, channels);
  });
}

void narrow_weights(DType type, const void* from, void* to, std::int64_t count) {
  dispatch_half(type, [&](auto t) {
    using T = typename decltype(t)::type;
    start_items("conv_pack", count, convert_weights<float, T>, static_cast<const float*>(from), static_cast<T*>(to), count);
  });
}

void widen_weights(DType type, const void* from, void* to, std::int64_t count) {
  dispatch_half(type, [&](auto t) {
    using T = typename decltype(t)::type;
    start_items("conv_unpack", count, convert_weights<T, float>, static_cast<const T*>(from), static_cast<float*>(to), count);
  });
}

}  // namespace tenon::cuda
