/// conv_codes on the device. Every code is read once for all taps that it meets: forwards a thread holds the sums of a few neighbouring positions, and a code
/// adds one row of the table to each; backwards a warp holds the gradients of as many neighbouring positions, and a code adds each to a sum of its own in
/// shared memory, by tap and letter. Sums of warps and of pieces of the positions are added in order: no atomics.
#include <algorithm>

#include "backend/cuda/columns.cuh"
#include "backend/cuda/install.hpp"
#include "ops/conv_codes_kernels.hpp"

namespace tenon::cuda {
namespace {

constexpr int kTogether = 4;         ///< neighbouring positions of a thread
constexpr unsigned char kNone = 255;  ///< beyond the sequence: as an unknown letter, which adds nothing

/// `count` codes of sample n from place `first` on, of which some may lie beyond its ends. All threads of the block come here.
__device__ void load_codes(const unsigned char* codes, std::int64_t length, std::int64_t n, std::int64_t first, int count, unsigned char* to) {
  for (int i = int(threadIdx.x); i < count; i += int(blockDim.x)) {
    const std::int64_t j = first + i;
    to[i] = j >= 0 && j < length ? codes[n * length + j] : kNone;
  }
}

// ---- forward -----------------------------------------------------------------------------------------------------------

struct RowsCut {
  std::int64_t length, channels, padding, positions;
  unsigned chunks, slices;
  int kernel, letters, chunk, tx;
  bool bias;
};

constexpr int kTaps = 512;  ///< whose codes a block holds at a time

template <class T, int N>
__global__ void __launch_bounds__(kBlock) add_rows_of_codes(RowsCut p, const T* table, const unsigned char* codes, const T* bias, T* y) {
  unsigned char* near = dynamic_shared<unsigned char>();
  unsigned block = blockIdx.x;
  const unsigned slice = block % p.slices;
  block /= p.slices;
  const std::int64_t n = block / p.chunks, chunk = std::int64_t(block % p.chunks) * p.chunk;
  const int first = int(threadIdx.x) / p.tx * kTogether;
  const std::int64_t c = (std::int64_t(slice) * p.tx + int(threadIdx.x) % p.tx) * N, left = p.positions - chunk - first;
  const int count = c < p.channels && first < p.chunk && left > 0 ? int(min(std::int64_t(kTogether), left)) : 0;
  T sum[kTogether][N];
#pragma unroll
  for (int u = 0; u < kTogether; ++u)
#pragma unroll
    for (int i = 0; i < N; ++i) sum[u][i] = p.bias && count > 0 ? bias[c + i] : T(0);
  table += c;
  const std::int64_t tap = p.letters * p.channels;
  for (int from = 0; from < p.kernel; from += kTaps) {
    const int taps = min(kTaps, p.kernel - from);
    __syncthreads();  // all have done with the codes before
    load_codes(codes, p.length, n, chunk + from - p.padding, p.chunk + taps - 1, near);
    __syncthreads();
    for (int j = 0; j < taps + count - 1 && count > 0; ++j) {
      const int code = near[first + j];
      if (code >= p.letters) continue;
      const T* const at = table + (std::int64_t(from + j) * p.letters + code) * p.channels;  // position u has it at the tap u before this one
      if (count == kTogether && j >= kTogether - 1 && j < taps) {
        T row[kTogether][N];
#pragma unroll
        for (int u = 0; u < kTogether; ++u) load_lanes<T, N>(at - u * tap, row[u]);
#pragma unroll
        for (int u = 0; u < kTogether; ++u)
#pragma unroll
          for (int i = 0; i < N; ++i) sum[u][i] += row[u][i];
        continue;
      }
#pragma unroll
      for (int u = 0; u < kTogether; ++u) {
        if (j < u || j - u >= taps || u >= count) continue;
        T row[N];
        load_lanes<T, N>(at - u * tap, row);
#pragma unroll
        for (int i = 0; i < N; ++i) sum[u][i] += row[i];
      }
    }
  }
  y += (n * p.positions + chunk + first) * p.channels + c;
#pragma unroll
  for (int u = 0; u < kTogether; ++u)
    if (u < count) store_lanes<T, N>(y + u * p.channels, sum[u]);
}

template <class T>
Kernel make_forward(const CodeRows& p) {
  return [p](void* const* o) {
    const auto *table = static_cast<const T*>(o[0]), *bias = static_cast<const T*>(o[2]);
    const auto* codes = static_cast<const unsigned char*>(o[1]);
    T* y = static_cast<T*>(o[3]);
    by_lanes<T>(p.channels, {table, y}, [&](auto lanes) {
      constexpr int N = decltype(lanes)::value;
      const ColumnTile t = column_tile(p.channels / N, p.samples * ((p.positions() + 15) / 16));
      const int chunk = t.ty * kTogether;
      const std::int64_t chunks = (p.positions() + chunk - 1) / chunk;
      const RowsCut cut{p.length, p.channels, p.padding, p.positions(), grid_blocks(chunks), t.slices, int(p.kernel), int(p.letters), chunk, t.tx, p.bias};
      start("conv_codes", dim3(grid_blocks(p.samples * chunks * t.slices)), dim3(t.threads()), std::size_t(chunk + kTaps), add_rows_of_codes<T, N>, cut,
            table, codes, bias, y);
    });
  };
}

// ---- gradient ----------------------------------------------------------------------------------------------------------

constexpr int kColumns = 32, kMostWarps = 4, kChunk = 128;  ///< positions whose codes a block holds

/// `items`: chunks of all samples, of which a piece is a run. A block has `taps` taps and kColumns channels.
struct SumsCut {
  std::int64_t length, channels, padding, positions, piece, items;
  unsigned chunks, column_tiles, tap_tiles, pieces;
  int kernel, letters, taps, warps;

  TENON_HD int sums() const { return taps * letters * kColumns; }  ///< of a warp
};

template <class T>
SumsCut sums_cut(const CodeRows& p) {
  SumsCut k{};
  k.length = p.length, k.channels = p.channels, k.padding = p.padding, k.positions = p.positions();
  k.kernel = int(p.kernel), k.letters = int(p.letters);
  const std::int64_t tap = p.letters * kColumns * std::int64_t(sizeof(T)), room = std::int64_t(kPlainSharedBytes) - kChunk;
  k.warps = kMostWarps;
  while (k.warps > 1 && k.warps * tap >= room) k.warps /= 2;
  k.taps = int(std::clamp<std::int64_t>(room / (k.warps * tap + 1), 1, p.kernel));
  const std::int64_t chunks = (k.positions + kChunk - 1) / kChunk, column_tiles = (p.channels + kColumns - 1) / kColumns,
                     tap_tiles = (p.kernel + k.taps - 1) / k.taps;
  k.chunks = grid_blocks(chunks), k.column_tiles = grid_blocks(column_tiles), k.tap_tiles = grid_blocks(tap_tiles);
  k.items = p.samples * chunks;
  const std::int64_t tiles = std::max<std::int64_t>(1, column_tiles * tap_tiles);
  const std::int64_t wanted = std::clamp<std::int64_t>((kFillBlocks + tiles - 1) / tiles, 1, std::max<std::int64_t>(1, k.items));
  k.piece = std::max<std::int64_t>(1, (k.items + wanted - 1) / wanted);
  k.pieces = grid_blocks(std::max<std::int64_t>(1, (k.items + k.piece - 1) / k.piece));
  return k;
}

/// The gradients d of neighbouring positions, of which the first has its codes from `near` on, added to `mine`: [taps, letters, kColumns], a lane's column.
template <class T>
__device__ void add_gradients(const SumsCut& p, const unsigned char* near, const T (&d)[kTogether], T* mine) {
  const int stride = p.letters * kColumns;
  const auto some = [&](int j, int end) {
    for (; j < end; ++j) {
      const int code = near[j];
      if (code >= p.letters) continue;
      T* at = mine + j * stride + code * kColumns;
#pragma unroll
      for (int u = 0; u < kTogether; ++u)
        if (j - u >= 0 && j - u < p.taps) at[-u * stride] += d[u];
    }
  };
  const int first = min(kTogether - 1, p.taps);
  some(0, first);
  int code = near[first];  // of the next place, read before the sums are written: the compiler cannot know that these are not codes
  T* row = mine + first * stride;
  for (int j = first; j < p.taps; ++j, row += stride) {
    const int here = code;
    code = near[j + 1];
    if (here >= p.letters) continue;
    T *at = row + here * kColumns, sum[kTogether];
#pragma unroll
    for (int u = 0; u < kTogether; ++u) sum[u] = at[-u * stride];
#pragma unroll
    for (int u = 0; u < kTogether; ++u) at[-u * stride] = sum[u] + d[u];
  }
  some(max(first, p.taps), p.taps + kTogether - 1);
}

/// parts: [pieces, kernel, letters, channels].
template <class T>
__global__ void __launch_bounds__(kColumns* kMostWarps) sum_by_letter(SumsCut p, const T* d_y, const unsigned char* codes, T* parts) {
  T* sums = dynamic_shared<T>();  // [warps, taps, letters, kColumns]
  auto* near = reinterpret_cast<unsigned char*>(sums + p.warps * p.sums());
  unsigned block = blockIdx.x;
  const unsigned tile = block % p.column_tiles;
  block /= p.column_tiles;
  const unsigned tap_tile = block % p.tap_tiles, piece = block / p.tap_tiles;
  const int lane = int(threadIdx.x) % kColumns, warp = int(threadIdx.x) / kColumns, first_tap = int(tap_tile) * p.taps;
  const std::int64_t c = std::int64_t(tile) * kColumns + lane;
  for (int i = int(threadIdx.x); i < p.warps * p.sums(); i += int(blockDim.x)) sums[i] = T(0);
  const std::int64_t end = min(p.items, (std::int64_t(piece) + 1) * p.piece);
  for (std::int64_t item = std::int64_t(piece) * p.piece; item < end; ++item) {
    const std::int64_t n = item / p.chunks, chunk = item % p.chunks * kChunk;
    __syncthreads();  // all have done with the codes before
    load_codes(codes, p.length, n, chunk + first_tap - p.padding, kChunk + p.taps - 1, near);
    __syncthreads();
    if (c >= p.channels) continue;
    const int count = int(min(std::int64_t(kChunk), p.positions - chunk));
    for (int l = warp * kTogether; l < count; l += p.warps * kTogether) {
      const T* from = d_y + (n * p.positions + chunk + l) * p.channels + c;
      T d[kTogether];
#pragma unroll
      for (int u = 0; u < kTogether; ++u) d[u] = l + u < count ? from[u * p.channels] : T(0);
      add_gradients<T>(p, near + l, d, sums + warp * p.sums() + lane);
    }
  }
  __syncthreads();
  if (c >= p.channels) return;
  for (int row = warp; row < p.taps * p.letters; row += p.warps) {  // a row is a tap and a letter
    if (first_tap + row / p.letters >= p.kernel) break;
    T sum = T(0);
    for (int w = 0; w < p.warps; ++w) sum += sums[w * p.sums() + row * kColumns + lane];
    parts[((std::int64_t(piece) * p.kernel + first_tap) * p.letters + row) * p.channels + c] = sum;
  }
}

template <class T>
Kernel make_gradient(const CodeRows& p) {
  return [p, cut = sums_cut<T>(p)](void* const* o) {
    T *d_table = static_cast<T*>(o[2]), *parts = static_cast<T*>(o[3]);
    if (p.table() == 0) return;
    const std::size_t shared = std::size_t(cut.warps) * std::size_t(cut.sums()) * sizeof(T) + std::size_t(kChunk + cut.taps);
    start("conv_codes_gradient", dim3(grid_blocks(std::int64_t(cut.pieces) * cut.tap_tiles * cut.column_tiles)), dim3(unsigned(cut.warps * kColumns)), shared,
          sum_by_letter<T>, cut, static_cast<const T*>(o[0]), static_cast<const unsigned char*>(o[1]), parts);
    fold_rows<T>("conv_codes_gradient_fold", parts, 1, cut.pieces, p.table());
    check(cudaMemcpyAsync(d_table, parts, std::size_t(p.table()) * sizeof(T), cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
  };
}

}  // namespace

void install_conv_codes() {
  conv_codes_kernel.set(DeviceType::cuda, [](const CodeRows& p) { return p.dtype == DType::f64 ? make_forward<double>(p) : make_forward<float>(p); });
  conv_codes_gradient_kernel.set(DeviceType::cuda,
                                 [](const CodeRows& p) { return p.dtype == DType::f64 ? make_gradient<double>(p) : make_gradient<float>(p); });
  set_code_pieces(DeviceType::cuda, [](const CodeRows& p) { return std::int64_t((p.dtype == DType::f64 ? sums_cut<double>(p) : sums_cut<float>(p)).pieces); });
}

}  // namespace tenon::cuda
