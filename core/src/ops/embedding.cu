/// Embedding on the device.
///
/// The gradient sums rows without atomics on floats: a block owns a tile of the table in shared memory and a piece of the positions, finds
/// those that fall into its tile and adds their rows in the order of the positions; pieces are then added in order. Every tile of a table
/// looks at all positions, so for large tables these are sorted by row first. An index outside the table is noted, to be thrown; until then
/// its row is NaN, and it is left out of the gradient.
#include <algorithm>

#include "backend/cuda/columns.cuh"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/sorted_sums.cuh"
#include "ops/embedding_kernels.hpp"

namespace tenon::cuda {
namespace {

struct GatherCut {
  std::int64_t rows, count, units;
  unsigned slices;
  int tx, ty;
};

/// Units of `Bytes` bytes. A row that is not there is NaN until its error is thrown.
template <int Bytes>
__global__ void gather_rows(GatherCut k, const unsigned char* table, const std::int64_t* index, unsigned char* y, FaultSite fault) {
  const unsigned slice = blockIdx.x % k.slices;
  const std::int64_t i = std::int64_t(blockIdx.x / k.slices) * k.ty + int(threadIdx.x) / k.tx,
                     unit = std::int64_t(slice) * k.tx + int(threadIdx.x) % k.tx;
  if (i >= k.count || unit >= k.units) return;
  const std::int64_t from = index[i];
  alignas(16) unsigned char raw[Bytes];
  if (from >= 0 && from < k.rows) {
    copy_bytes<Bytes>(raw, table + (from * k.units + unit) * Bytes);
  } else {
    if (unit == 0) fault.raise(i, from);
#pragma unroll
    for (int b = 0; b < Bytes; ++b) raw[b] = 0xff;  // every floating type's NaN
  }
  copy_bytes<Bytes>(y + (i * k.units + unit) * Bytes, raw);
}

template <int Bytes>
void start_gather(const EmbeddingRows& p, std::int64_t row_bytes, const FaultSite& fault, void* const* o) {
  const std::int64_t units = row_bytes / Bytes;
  const ColumnTile t = column_tile(units, kFillBlocks);
  const GatherCut k{p.rows, p.count, units, t.slices, t.tx, t.ty};
  start("embedding", dim3(grid_blocks((p.count + t.ty - 1) / t.ty * t.slices)), dim3(t.threads()), 0, gather_rows<Bytes>, k,
        static_cast<const unsigned char*>(o[0]), static_cast<const std::int64_t*>(o[1]), static_cast<unsigned char*>(o[2]), fault);
}

Kernel make_gather(const EmbeddingRows& p) {
  const FaultSite fault = fault_site("embedding " + std::to_string(p.rows), [rows = p.rows](std::int64_t value, std::int64_t at) { refuse_row(value, at, rows); });
  return [p, fault](void* const* o) {
    const std::int64_t element = std::int64_t(size_of(p.dtype)), row_bytes = p.channels * element;
    if (p.count == 0 || row_bytes == 0) return;
    if (row_bytes % 16 == 0 && aligned16({o[0], o[2]})) return start_gather<16>(p, row_bytes, fault, o);
    if (element == 8) return start_gather<8>(p, row_bytes, fault, o);
    if (element == 4) return start_gather<4>(p, row_bytes, fault, o);
    start_gather<2>(p, row_bytes, fault, o);
  };
}

constexpr int kTileCells = 8192, kColumnsALane = 4, kWarps = kBlock / 32;

/// A tile is `rows_a_tile` rows by `lanes` columns a lane times 32.
struct SumCut {
  std::int64_t rows, channels, count, padding, piece;
  unsigned pieces, row_tiles, column_tiles;
  int rows_a_tile, lanes;
};

SumCut sum_cut(const EmbeddingRows& p) {
  SumCut k{p.rows, p.channels, p.count, p.padding, 0, 0, 0, 0, 0, 0};
  k.lanes = int(std::clamp<std::int64_t>((p.channels + 31) / 32, 1, kColumnsALane));
  k.rows_a_tile = int(std::clamp<std::int64_t>(p.rows, 1, kTileCells / (32 * k.lanes)));
  const std::int64_t row_tiles = (p.rows + k.rows_a_tile - 1) / k.rows_a_tile,
                     column_tiles = (p.channels + 32 * k.lanes - 1) / (32 * k.lanes);
  k.row_tiles = unsigned(row_tiles);
  k.column_tiles = unsigned(column_tiles);
  // A piece of its own pays where positions are many to a row: the partial tables are no larger than the gradient that they add up.
  const std::int64_t tiles = std::max<std::int64_t>(1, row_tiles * column_tiles), wanted = (4 * kFillBlocks + tiles - 1) / tiles;
  const std::int64_t pieces = std::max<std::int64_t>(1, std::min({wanted, p.count / 256, p.count / std::max<std::int64_t>(1, p.rows)}));
  k.piece = std::max<std::int64_t>(1, (p.count + pieces - 1) / pieces);
  k.pieces = unsigned(std::max<std::int64_t>(1, (p.count + k.piece - 1) / k.piece));
  return k;
}

__device__ int count_bits(unsigned v) {
#if defined(__CUDA_ARCH__)
  return __popc(v);
#else
  return __builtin_popcount(v);
#endif
}
/// The lowest set bit of v, which is not 0.
__device__ int lowest_bit(unsigned v) {
#if defined(__CUDA_ARCH__)
  return __ffs(int(v)) - 1;
#else
  return __builtin_ctz(v);
#endif
}

/// Positions that fall into a tile, in order.
struct Queue {
  int row[kBlock];
  std::int64_t position[kBlock];
};

/// Fills the queue from positions [first, first + kBlock) below `end`; returns how many. All threads come here together.
__device__ int fill_queue(const SumCut& k, const std::int64_t* index, std::int64_t first, std::int64_t end, std::int64_t row, int rows,
                          Queue& queue, int* counts) {
  const int t = int(threadIdx.x), lane = t % 32, warp = t / 32;
  const std::int64_t at = first + t, value = at < end ? index[at] : -1;
  const bool mine = at < end && value != k.padding && value >= row && value < row + rows;
  const unsigned mask = __ballot_sync(0xffffffffu, mine);
  __syncthreads();  // the queue before has been read
  if (lane == 0) counts[warp] = count_bits(mask);
  __syncthreads();
  int before = 0, total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += counts[w];
    total += counts[w];
  }
  if (mine) {
    const int to = before + count_bits(mask & ((1u << lane) - 1u));
    queue.row[to] = int(value - row);
    queue.position[to] = at;
  }
  __syncthreads();
  return total;
}

/// Adds up to four positions of `mask` (a bit a lane's entry) to this lane's columns; returns the rest of the mask.
template <class T>
__device__ unsigned add_four(const SumCut& k, const T* d_y, std::int64_t column, unsigned mask, int row, std::int64_t position, T* tile) {
  T value[4][kColumnsALane];
  int to[4];
#pragma unroll
  for (int u = 0; u < 4; ++u) {
    const bool some = mask != 0;
    const int bit = some ? lowest_bit(mask) : 0;
    mask &= mask - 1u;
    to[u] = __shfl_sync(0xffffffffu, row, bit);
    const std::int64_t from = __shfl_sync(0xffffffffu, position, bit);
    if (!some) to[u] = -1;
#pragma unroll
    for (int j = 0; j < kColumnsALane; ++j) {
      const std::int64_t c = column + j * 32;
      value[u][j] = some && j < k.lanes && c < k.channels ? d_y[from * k.channels + c] : T(0);
    }
  }
#pragma unroll
  for (int u = 0; u < 4; ++u)
#pragma unroll
    for (int j = 0; j < kColumnsALane; ++j)
      if (to[u] >= 0 && j < k.lanes) tile[(to[u] * k.lanes + j) * 32 + int(threadIdx.x) % 32] += value[u][j];
  return mask;
}

/// out: [pieces, rows, channels]. A row of the tile is one warp's, so its sum has one order.
template <class T>
__global__ void sum_rows_by_index(SumCut k, const T* d_y, const std::int64_t* index, T* out) {
  __shared__ Queue queue;
  __shared__ int counts[kWarps];
  T* tile = dynamic_shared<T>();
  unsigned block = blockIdx.x;
  const std::int64_t column_tile = block % k.column_tiles;
  block /= k.column_tiles;
  const std::int64_t row_tile = block % k.row_tiles, piece = block / k.row_tiles;
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
  const std::int64_t row = row_tile * k.rows_a_tile, column = column_tile * k.lanes * 32 + lane, begin = piece * k.piece;
  const int rows = int(k.rows - row < k.rows_a_tile ? k.rows - row : k.rows_a_tile);
  const std::int64_t end = begin + k.piece < k.count ? begin + k.piece : k.count;
  for (int i = int(threadIdx.x); i < rows * k.lanes * 32; i += kBlock) tile[i] = T(0);
  for (std::int64_t first = begin; first < end; first += kBlock) {
    const int n = fill_queue(k, index, first, end, row, rows, queue, counts);
    for (int q = 0; q < n; q += 32) {
      const bool there = q + lane < n;
      const int to = there ? queue.row[q + lane] : 0;
      const std::int64_t position = there ? queue.position[q + lane] : 0;
      unsigned mask = __ballot_sync(0xffffffffu, there && to % kWarps == warp);
      while (mask != 0) mask = add_four<T>(k, d_y, column, mask, to, position, tile);
    }
  }
  __syncthreads();
  for (int r = warp; r < rows; r += kWarps)
    for (int j = 0; j < k.lanes; ++j) {
      const std::int64_t c = column + j * 32;
      if (c < k.channels) out[(piece * k.rows + row + r) * k.channels + c] = tile[(r * k.lanes + j) * 32 + lane];
    }
}

/// Key: the row; one behind all where the position is left out.
__global__ void __launch_bounds__(kBlock)
    make_row_records(const std::int64_t* index, NarrowRecord* records, std::int64_t count, std::int64_t rows, std::int64_t padding) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    const std::int64_t row = index[i];
    const bool there = std::uint64_t(row) < std::uint64_t(rows) && row != padding;
    records[i] = NarrowRecord::of(std::uint32_t(there ? row : rows), i);
  }
}

/// Where tiles would look at positions for longer than a sort takes. Few tiles look less often at a position than they add elements of it.
bool sorts_positions(const EmbeddingRows& p, const SumCut& k) {
  constexpr std::int64_t kMost = (std::int64_t(1) << 32) - 1, kFewTiles = 16, kFewLooks = 32;
  if (p.count == 0 || k.row_tiles <= kFewTiles || p.rows >= kMost || p.count >= kMost) return false;
  const std::int64_t blocks = std::int64_t(k.pieces) * k.row_tiles * k.column_tiles, turns = (blocks + kFillBlocks - 1) / kFillBlocks;
  return (k.piece + kBlock - 1) / kBlock * turns >= kFewLooks;
}

template <class T>
Kernel make_sorted_gradient(const EmbeddingRows& p) {
  const SortedSums<T> sums("embedding_gradient", PlaceSums(1, p.rows, p.count, p.channels));
  return [p, sums](void* const* o) {
    start_items("embedding_gradient", p.count, make_row_records, static_cast<const std::int64_t*>(o[1]), sums.records(), p.count, p.rows,
                p.padding);
    sums.add(nullptr, static_cast<const T*>(o[0]), static_cast<T*>(o[2]));
  };
}

template <class T>
Kernel make_gradient(const EmbeddingRows& p) {
  if (sorts_positions(p, sum_cut(p))) return make_sorted_gradient<T>(p);
  return [p, k = sum_cut(p)](void* const* o) {
    if (p.rows == 0 || p.channels == 0) return;
    T* d_table = static_cast<T*>(o[2]);
    T* out = k.pieces > 1 ? static_cast<T*>(o[3]) : d_table;
    const std::int64_t blocks = std::int64_t(k.pieces) * k.row_tiles * k.column_tiles;
    start("embedding_gradient", dim3(grid_blocks(blocks)), dim3(kBlock), sizeof(T) * std::size_t(k.rows_a_tile) * std::size_t(k.lanes) * 32,
          sum_rows_by_index<T>, k, static_cast<const T*>(o[0]), static_cast<const std::int64_t*>(o[1]), out);
    if (k.pieces == 1) return;
    fold_rows<T>("embedding_gradient_fold", out, 1, k.pieces, p.rows * p.channels);
    check(cudaMemcpyAsync(d_table, out, std::size_t(p.rows * p.channels) * sizeof(T), cudaMemcpyDeviceToDevice, stream()),
          "cudaMemcpyAsync");
  };
}

}  // namespace

void install_embedding() {
  embedding_kernel.set(DeviceType::cuda, make_gather);
  embedding_gradient_kernel.set(DeviceType::cuda, [](const EmbeddingRows& p) -> Kernel {
    return p.dtype == DType::f64 ? make_gradient<double>(p) : make_gradient<float>(p);
  });
  set_embedding_workspace(DeviceType::cuda, [](const EmbeddingRows& p) {
    const SumCut k = sum_cut(p);
    return k.pieces > 1 && !sorts_positions(p, k) ? std::size_t(k.pieces) * std::size_t(p.rows * p.channels) * size_of(p.dtype)
                                                  : std::size_t(0);
  });
}

}  // namespace tenon::cuda
