/// How channel norms are laid over a device (private). x is [samples, voxels, channels]; a block takes a run of voxels of one sample, and a
/// thread of it the same few channels of every rows-th voxel, so its coefficients stay in registers and neighbours read neighbouring memory.
/// Many samples of fewer voxels than a block has rows are taken several a block.
#pragma once

#include "backend/cuda/columns.cuh"
#include "backend/cuda/last_block.cuh"
#include "kernels/norm.hpp"
#include "ops/dispatch.hpp"
#include "ops/norm_kernels.hpp"

namespace tenon::cuda {

/// The shape, and how blocks are laid over it: `chunks` of `chunk` voxels a sample, `slices` of tx packs of channels. Of a block's ty rows
/// each of the `together` samples has `rows`.
struct NormCut {
  std::int64_t samples, voxels, channels, groups, width, chunk;
  unsigned chunks, slices;
  int tx, ty, rows, together;
  /// Voxels a chunk, chunks a sample.
  NormCut(const ChannelNorm& p, std::int64_t a_chunk, std::int64_t a_sample, const ColumnTile& t);
  unsigned blocks() const { return grid_blocks((samples + together - 1) / together * chunks * slices); }
};
inline NormCut::NormCut(const ChannelNorm& p, std::int64_t a_chunk, std::int64_t a_sample, const ColumnTile& t)
    : samples(p.samples),
      voxels(p.voxels),
      channels(p.channels),
      groups(p.groups),
      width(p.channels / p.groups),
      chunk(a_chunk),
      chunks(grid_blocks(a_sample)),
      slices(t.slices),
      tx(t.tx),
      ty(t.ty),
      rows(t.ty),
      together(1) {
  const std::int64_t most = a_sample > 1 ? 1 : std::min(t.ty / p.voxels, p.samples * t.slices / kFillBlocks);
  if (most < 2) return;
  rows = int(p.voxels);
  together = int(most);
  ty = rows * together;
}

/// `chunk` as the partial sums have it.
inline NormCut cut_for_sums(const ChannelNorm& p, int lanes) {
  const std::int64_t chunks = p.chunks();
  const ColumnTile t = column_tile(p.channels / lanes, p.samples * chunks);
  return NormCut(p, p.chunk(), chunks, t);
}

/// No partial sums: chunks as long as pay for the coefficients, shorter where that leaves too few blocks.
inline NormCut cut_for_items(const ChannelNorm& p, int lanes) {
  const ColumnTile t = column_tile(p.channels / lanes, kFillBlocks);
  std::int64_t turns = 16;
  auto chunks = [&] { return (p.voxels + t.ty * turns - 1) / (t.ty * turns); };
  while (turns > 1 && p.samples * chunks() * t.slices < kFillBlocks) turns /= 2;
  return NormCut(p, t.ty * turns, chunks(), t);
}

/// A thread's share: channels from c of `count` voxels from `voxel`, every rows-th.
struct NormPlace {
  std::int64_t sample, chunk, c, voxel;
  unsigned slice;
  int row, count;
};

/// Backwards: the pass before has left the end in the cache.
template <int N>
__device__ NormPlace norm_place(const NormCut& k, bool backwards) {
  unsigned block = backwards ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
  NormPlace at;
  at.slice = block % k.slices;
  block /= k.slices;
  at.chunk = block % k.chunks;
  at.sample = block / k.chunks;
  at.row = int(threadIdx.x) / k.tx;
  if (k.together > 1) {
    at.sample = at.sample * k.together + at.row / k.rows;
    at.row %= k.rows;
  }
  at.c = (std::int64_t(at.slice) * k.tx + int(threadIdx.x) % k.tx) * N;
  const std::int64_t first = at.chunk * k.chunk, n = k.voxels - first < k.chunk ? k.voxels - first : k.chunk;
  at.voxel = first + at.row;
  at.count = at.sample < k.samples && at.c < k.channels && at.row < n ? int((n - at.row + k.rows - 1) / k.rows) : 0;
  return at;
}

template <int N>
__device__ std::int64_t first_element(const NormCut& k, const NormPlace& at) {
  return (at.sample * k.voxels + at.voxel) * k.channels + at.c;
}

template <class A, int N>
struct Coefficients {
  A mean[N], gain[N], shift[N];

  __device__ Coefficients(const NormCut& k, const NormPlace& at, const A* means, const A* rstds, const A* scale, const A* shifts) {
    A rstd[N], factor[N];
    if (k.width == 1) {
      load_any<A, N>(means + at.sample * k.groups + at.c, mean);
      load_any<A, N>(rstds + at.sample * k.groups + at.c, rstd);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const std::int64_t group = at.sample * k.groups + unsigned(at.c + i) / unsigned(k.width);
        mean[i] = means[group];
        rstd[i] = rstds[group];
      }
    }
    load_any<A, N>(scale + at.c, factor);
    load_any<A, N>(shifts + at.c, shift);
#pragma unroll
    for (int i = 0; i < N; ++i) gain[i] = rstd[i] * factor[i];
  }
};

/// Threads for a group's last sums: one where it is a single channel.
inline int finish_team(const ChannelNorm& p) {
  return p.channels == p.groups ? 1 : 32;
}
inline unsigned finish_blocks(std::int64_t threads) {
  return grid_blocks((threads + kBlock - 1) / kBlock);
}

/// A chunk's two sums a channel, as its first row has them.
template <int N>
__device__ void store_totals(const NormCut& k, const NormPlace& at, const double (&total)[2 * N], double* partial) {
  if (at.row != 0 || at.c >= k.channels || at.sample >= k.samples) return;
  double* out = partial + (at.sample * k.chunks + at.chunk) * 2 * k.channels + at.c;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    out[i] = total[i];
    out[k.channels + i] = total[N + i];
  }
}

/// How a block that finishes a slice of channels lies over the chunks' sums: packs of values across, `lanes` chunks at once.
template <int N>
struct SliceFold {
  static constexpr int kPack = N > 1 ? 2 : 1;
  int half, packs, lanes;
  TENON_HD explicit SliceFold(const NormCut& k) : half(k.tx * N / kPack), packs(2 * half), lanes(packs < k.tx * k.ty ? k.tx * k.ty / packs : 1) {}
  /// Whether one block may add up so many pairs of sums a channel.
  bool is_little(const NormCut& k, std::int64_t pairs) const { return (packs + k.tx * k.ty - 1) / (k.tx * k.ty) * pairs <= kMostTurns * lanes; }
};

/// Whether the blocks that make the sums finish them, too: the last block of a slice of channels, where each channel is a group of its own and the chunks
/// are few enough for one block.
template <int N>
bool finishes_itself(const NormCut& k) {
  return k.width == 1 && k.together == 1 && (k.samples + 1) * k.slices <= kTickets && SliceFold<N>(k).is_little(k, k.chunks);
}

/// Channel i of a slice.
__device__ inline std::int64_t channel_of(const NormCut& k, unsigned slice, int lanes, int i) {
  return std::int64_t(slice) * k.tx * lanes + i;
}

/// `count` pairs of sums, `pitch` apart, of a slice of tx N channels, added up: shared has the first sums, then the second ones. All threads of a
/// block come here, when no thread needs what is in shared any more.
template <int N>
__device__ void fold_slice(const NormCut& k, unsigned slice, const double* from, std::int64_t pitch, unsigned count, double* shared) {
  constexpr int P = SliceFold<N>::kPack;
  const SliceFold<N> fold(k);
  const int threads = k.tx * k.ty, half = fold.half, packs = fold.packs, lanes = fold.lanes;
  for (int i = int(threadIdx.x); i < packs * lanes; i += threads) {
    const int pack = i % packs, lane = i / packs;
    const std::int64_t c = channel_of(k, slice, N, pack % half * P);
    double sum[P] = {};
    if (c < k.channels) {
      const double* in = from + (pack < half ? 0 : k.channels) + c;
#pragma unroll 4
      for (unsigned pair = unsigned(lane); pair < count; pair += unsigned(lanes)) {
        double v[P];
        load_left<double, P>(in + pair * pitch, v);
#pragma unroll
        for (int j = 0; j < P; ++j) sum[j] += v[j];
      }
    }
#pragma unroll
    for (int j = 0; j < P; ++j) shared[i * P + j] = sum[j];
  }
  __syncthreads();
  for (int i = int(threadIdx.x); i < packs * P; i += threads) {
    double sum = shared[i];
    for (int lane = 1; lane < lanes; ++lane) sum += shared[lane * packs * P + i];
    shared[i] = sum;
  }
  __syncthreads();
}

#define TENON_NORM_KERNEL(function)                                                                                                      \
  [](const ChannelNorm& p) -> Kernel {                                                                                                   \
    return dispatch_floating("normalisation", p.dtype,                                                                                   \
                             [&](auto tag) -> Kernel { return [p](void* const* o) { function<typename decltype(tag)::type>(p, o); }; }); \
  }

}  // namespace tenon::cuda
