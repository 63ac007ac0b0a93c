/// Least-significant-digit radix sort of records in device memory, several rows at a time: stable, without atomics whose order matters
/// (private). The device's twin of ops/radix_sort.hpp.
#pragma once

#include <bit>
#include <utility>
#include <vector>

#include "backend/cuda/launch.cuh"
#include "kernels/sort_key.hpp"

namespace tenon::cuda {

inline constexpr int kDigits = 256, kSortThreads = 256, kSortWarps = kSortThreads / 32, kSortSteps = 16;
inline constexpr int kSortTile = kSortThreads * kSortSteps;  ///< records a block

inline std::int64_t sort_tiles(std::int64_t n) {
  return (n + kSortTile - 1) / kSortTile;
}
/// Of the counts, 32 bits each: a digit's number in each tile, digit by digit, and in the whole row.
inline std::int64_t sort_counts(std::int64_t rows, std::int64_t n) {
  return rows * kDigits * (sort_tiles(n) + 1);
}

template <class Record>
__device__ inline std::uint32_t digit_of(const Record& r, int shift) {
  return std::uint32_t(r.key() >> shift) & (kDigits - 1);
}

/// Sum of the values of this lane and those before it. All lanes of the warp take part.
__device__ inline std::uint32_t scan_warp(std::uint32_t value) {
  const int lane = int(threadIdx.x % 32);
  for (int step = 1; step < 32; step *= 2) {
    const std::uint32_t more = __shfl_up_sync(0xffffffffu, value, unsigned(step));
    if (lane >= step) value += more;
  }
  return value;
}

/// Sums of the values of this thread and those before it, and of the whole block; `sums`: kSortWarps of them in shared memory, which may
/// be used again after the next barrier.
__device__ inline std::uint32_t scan_block(std::uint32_t value, std::uint32_t* sums, std::uint32_t& total) {
  const int warp = int(threadIdx.x / 32);
  std::uint32_t sum = scan_warp(value);
  if (threadIdx.x % 32 == 31) sums[warp] = sum;
  __syncthreads();
  total = 0;
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) {
    if (w < warp) sum += sums[w];
    total += sums[w];
  }
  return sum;
}

/// blockIdx: tile, row.
template <class Record>
__global__ void __launch_bounds__(kSortThreads) count_digits(const Record* from, std::int64_t n, int shift, std::uint32_t* counts) {
  __shared__ std::uint32_t mine[kDigits];
  mine[threadIdx.x] = 0;
  __syncthreads();
  const Record* row = from + std::int64_t(blockIdx.y) * n;
  const std::int64_t begin = std::int64_t(blockIdx.x) * kSortTile;
  for (int s = 0; s < kSortSteps; ++s) {
    const std::int64_t i = begin + s * kSortThreads + threadIdx.x;
    if (i < n) atomicAdd(&mine[digit_of(row[i], shift)], 1u);
  }
  __syncthreads();
  counts += std::int64_t(blockIdx.y) * kDigits * (gridDim.x + 1);
  counts[std::int64_t(threadIdx.x) * gridDim.x + blockIdx.x] = mine[threadIdx.x];
}

/// blockIdx: group of digits, row; a warp takes a digit. Its numbers become those of the tiles before.
template <class Record>
__global__ void __launch_bounds__(kSortThreads) scan_tiles(std::uint32_t* counts, std::int64_t tiles) {
  const std::int64_t digit = std::int64_t(blockIdx.x) * kSortWarps + threadIdx.x / 32;
  counts += std::int64_t(blockIdx.y) * kDigits * (tiles + 1);
  std::uint32_t* line = counts + digit * tiles;
  std::uint32_t carry = 0;
  for (std::int64_t begin = 0; begin < tiles; begin += 32) {
    const std::int64_t i = begin + threadIdx.x % 32;
    const std::uint32_t value = i < tiles ? line[i] : 0, sum = scan_warp(value);
    if (i < tiles) line[i] = carry + sum - value;
    carry += __shfl_sync(0xffffffffu, sum, 31);
  }
  if (threadIdx.x % 32 == 0) counts[kDigits * tiles + digit] = carry;
}

/// blockIdx: tile, row. Each warp takes a run of records in order, so that equal digits keep theirs.
template <class Record>
__global__ void __launch_bounds__(kSortThreads)
    place_records(const Record* from, Record* to, std::int64_t n, int shift, const std::uint32_t* counts) {
  __shared__ std::uint32_t next[kSortWarps][kDigits];  // where a warp's next record of a digit goes
  __shared__ std::uint32_t start[kDigits], sums[kSortWarps];
  const std::uint32_t t = threadIdx.x, lane = t % 32, warp = t / 32;
  const std::int64_t tiles = gridDim.x;
  counts += std::int64_t(blockIdx.y) * kDigits * (tiles + 1);
  const std::uint32_t own = counts[kDigits * tiles + t];
  std::uint32_t all = 0;
  start[t] = scan_block(own, sums, all) - own + counts[std::int64_t(t) * tiles + blockIdx.x];
  for (int w = 0; w < kSortWarps; ++w) next[w][t] = 0;
  __syncthreads();

  const Record* row = from + std::int64_t(blockIdx.y) * n;
  const std::int64_t begin = std::int64_t(blockIdx.x) * kSortTile + std::int64_t(warp) * (32 * kSortSteps) + lane;
  Record held[kSortSteps];
  std::uint32_t rank[kSortSteps];
#pragma unroll
  for (int s = 0; s < kSortSteps; ++s) {
    const bool valid = begin + s * 32 < n;
    std::uint32_t digit = 0;
    if (valid) {
      held[s] = row[begin + s * 32];
      digit = digit_of(held[s], shift);
    }
    std::uint32_t peers = __ballot_sync(0xffffffffu, valid);  // lanes with the same digit
#pragma unroll
    for (int bit = 0; bit < 8; ++bit) {
      const bool set = (digit >> bit) & 1u;
      const std::uint32_t with = __ballot_sync(0xffffffffu, set);
      peers &= set ? with : ~with;
    }
    const std::uint32_t lower = peers & ((1u << lane) - 1u), earlier = next[warp][digit];
    rank[s] = earlier + std::uint32_t(std::popcount(lower));
    __syncwarp();
    if (valid && lower == 0) next[warp][digit] = earlier + std::uint32_t(std::popcount(peers));
    __syncwarp();
  }
  __syncthreads();
  std::uint32_t position = start[t];
  for (int w = 0; w < kSortWarps; ++w) {
    const std::uint32_t count = next[w][t];
    next[w][t] = position;
    position += count;
  }
  __syncthreads();
  to += std::int64_t(blockIdx.y) * n;
#pragma unroll
  for (int s = 0; s < kSortSteps; ++s)
    if (begin + s * 32 < n) to[next[warp][digit_of(held[s], shift)] + rank[s]] = held[s];
}

/// Sorts dense rows of n < 2^32 records by the digits at `shifts`, lowest first; `counts` holds sort_counts(). Returns which of a and b,
/// which lie apart, has the result.
template <class Record>
Record* radix_sort_rows(const char* name, Record* a, Record* b, std::int64_t rows, std::int64_t n, const std::vector<int>& shifts,
                        std::uint32_t* counts) {
  const std::int64_t tiles = sort_tiles(n);
  const dim3 all{unsigned(tiles), unsigned(rows)}, threads{unsigned(kSortThreads)};
  for (int shift : shifts) {
    start(name, all, threads, 0, count_digits<Record>, static_cast<const Record*>(a), n, shift, counts);
    start(name, dim3(kDigits / kSortWarps, unsigned(rows)), threads, 0, scan_tiles<Record>, counts, tiles);
    start(name, all, threads, 0, place_records<Record>, static_cast<const Record*>(a), b, n, shift,
          static_cast<const std::uint32_t*>(counts));
    std::swap(a, b);
  }
  return a;
}

/// Sorts `count` rows of `padded` records, a power of two, in shared memory (Batcher 1968). All records differ, but for those that fill up.
template <class Record>
__device__ void sort_shared(Record* records, int padded, int count) {
  const int pairs = padded * count / 2;
  for (int run = 2; run <= padded; run *= 2)
    for (int gap = run / 2; gap > 0; gap /= 2) {
      for (int i = int(threadIdx.x); i < pairs; i += int(blockDim.x)) {
        const int low = 2 * i - (i & (gap - 1)), high = low + gap;
        const Record a = records[low], b = records[high];
        if ((b < a) == ((low & (padded - 1) & run) == 0)) {
          records[low] = b;
          records[high] = a;
        }
      }
      __syncthreads();
    }
}

/// Stands behind every record of a row that fits shared memory.
template <class Record>
__device__ inline Record last_record() {
  if constexpr (sizeof(Record) == sizeof(NarrowRecord))
    return Record{~std::uint64_t(0)};
  else
    return Record{~std::uint64_t(0), INT64_MAX};
}

}  // namespace tenon::cuda
