/// Sums by place of sources that are sorted by place: each place's are added in their order, many of one place in chunks, so that neither a
/// place with most of them nor few places keep the device waiting (private).
#pragma once

#include <algorithm>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/packs.cuh"
#include "backend/cuda/radix_sort.cuh"
#include "backend/cuda/scratch.cuh"

namespace tenon::cuda {

/// Sources of a place that are added one after another; chunks of this many have sums of their own, to be joined.
inline constexpr std::int64_t kSumChunk = 256;

/// Sources [outers, picks, columns], places [outers, keys, columns].
struct PlaceSums {
  std::int64_t picks;
  LongDivider outers, keys, columns, groups;  ///< of columns: of a warp
  int lanes;                                  ///< of a warp, side by side over columns; a power of two

  PlaceSums(std::int64_t outers_given, std::int64_t keys_given, std::int64_t picks_given, std::int64_t columns_given)
      : picks(picks_given), outers(outers_given), keys(keys_given), columns(columns_given), lanes(1) {
    while (lanes < 32 && lanes < columns.size) lanes *= 2;
    groups = LongDivider((columns.size + lanes - 1) / lanes);
  }
  /// Places for chunks of places that have more than one: two for every kSumChunk sources.
  TENON_HD std::int64_t slots() const { return picks > kSumChunk ? 2 * ((picks + kSumChunk - 1) / kSumChunk) : 0; }
  std::int64_t warps() const { return slots() * outers.size * groups.size; }
};

/// starts[place]: its first record; starts[count - 1]: the end of the last place.
static __global__ void __launch_bounds__(kBlock)
    find_starts(const NarrowRecord* records, std::int64_t n, std::uint32_t* starts, std::int64_t count) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t place = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; place < count; place += threads) {
    std::int64_t low = 0, high = n;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (std::int64_t(records[middle].key()) < place)
        low = middle + 1;
      else
        high = middle;
    }
    starts[place] = std::uint32_t(low);
  }
}

/// Of records [begin, end), every `step`-th, from `values` of one column.
template <class T>
__device__ T sum_records(const NarrowRecord* records, const T* values, std::int64_t columns, T sum, std::int64_t begin, std::int64_t end,
                         int step) {
  constexpr int kAhead = 4;  // loads that do not wait for each other
  for (std::int64_t r = begin; r < end; r += kAhead * step) {
    std::int64_t from[kAhead];
    T value[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) from[u] = r + u * step < end ? records[r + u * step].index() : -1;
#pragma unroll
    for (int u = 0; u < kAhead; ++u) value[u] = from[u] >= 0 ? values[from[u] * columns] : T(0);
#pragma unroll
    for (int u = 0; u < kAhead; ++u)
      if (from[u] >= 0) sum += value[u];
  }
  return sum;
}

/// One thread a place and column; those of several chunks are left to join_chunks().
template <class T>
__global__ void __launch_bounds__(kBlock) add_sorted(const T* x, const NarrowRecord* records, const std::uint32_t* starts, const T* source,
                                                     T* y, std::int64_t count, PlaceSums k) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t column = i, place = k.columns.split(column);
    const std::int64_t outer = k.keys.split(place), begin = starts[place], end = starts[place + 1];
    if (end - begin > kSumChunk) continue;
    y[i] = sum_records<T>(records, source + outer * k.picks * k.columns.size + column, k.columns.size, x ? x[i] : T(0), begin, end, 1);
  }
}

/// A chunk of a place that has several: records [begin, end) of [first, last).
struct SumChunk {
  std::int64_t place, begin, end, first, last;
};

/// The chunk that begins within the kSumChunk records of `slot` / 2. There are at most two: of the place that is there from the start, and
/// of one that begins later and reaches beyond the end. False: none.
__device__ inline bool find_chunk(const NarrowRecord* records, const std::uint32_t* starts, const PlaceSums& k, std::int64_t slot,
                                  SumChunk& c) {
  const std::int64_t begin = slot / 2 * kSumChunk, end = begin + kSumChunk < k.picks ? begin + kSumChunk : k.picks;
  c.place = records[slot % 2 ? end - 1 : begin].key();
  if (c.place >= k.keys.size) return false;  // refused
  c.first = starts[c.place];
  c.last = starts[c.place + 1];
  if (c.last - c.first <= kSumChunk) return false;
  if (slot % 2) {
    if (c.first <= begin) return false;
    c.begin = c.first;
  } else {
    c.begin = c.first + (begin - c.first + kSumChunk - 1) / kSumChunk * kSumChunk;
    if (c.begin >= end || c.begin >= c.last) return false;
  }
  c.end = c.begin + kSumChunk < c.last ? c.begin + kSumChunk : c.last;
  return true;
}

/// What a lane of a warp works on.
struct ChunkLane {
  std::int64_t slot, outer, column;
  int row, rows;
  bool inside;

  __device__ explicit ChunkLane(const PlaceSums& k) {
    std::int64_t group = (std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
    slot = k.groups.split(group);  // group: what remains
    outer = slot;
    slot = k.outers.split(outer);
    const int lane = int(threadIdx.x % 32);
    column = group * k.lanes + lane % k.lanes;
    row = lane / k.lanes;
    rows = 32 / k.lanes;
    inside = column < k.columns.size;
  }
  /// Over the rows of the warp, in a fixed order.
  template <class T>
  __device__ T join(T sum) const {
    for (int o = 16; o >= 32 / rows; o /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    return sum;
  }
};

/// left: [slots, outers, columns]
template <class T>
__global__ void __launch_bounds__(kBlock)
    sum_chunks(const NarrowRecord* records, const std::uint32_t* starts, const T* source, T* left, PlaceSums k) {
  const ChunkLane at(k);
  SumChunk c;
  if (at.slot >= k.slots() || !find_chunk(records, starts, k, at.slot, c)) return;  // the same for a warp
  T sum = 0;
  if (at.inside)
    sum = sum_records<T>(records, source + at.outer * k.picks * k.columns.size + at.column, k.columns.size, sum, c.begin + at.row, c.end,
                         at.rows);
  sum = at.join(sum);
  if (at.row == 0 && at.inside) left[(at.slot * k.outers.size + at.outer) * k.columns.size + at.column] = sum;
}

/// The warp of a place's first chunk joins all of them.
template <class T>
__global__ void __launch_bounds__(kBlock)
    join_chunks(const T* x, const NarrowRecord* records, const std::uint32_t* starts, const T* left, T* y, PlaceSums k) {
  const ChunkLane at(k);
  SumChunk c;
  if (at.slot >= k.slots() || !find_chunk(records, starts, k, at.slot, c) || c.begin != c.first) return;  // the same for a warp
  const std::int64_t chunks = (c.last - c.first + kSumChunk - 1) / kSumChunk;
  T sum = 0;
  if (at.inside) {
#pragma unroll 4
    for (std::int64_t j = at.row; j < chunks; j += at.rows) {
      const std::int64_t slot = j == 0 ? at.slot : (c.first + j * kSumChunk) / kSumChunk * 2;
      sum += left[(slot * k.outers.size + at.outer) * k.columns.size + at.column];
    }
  }
  sum = at.join(sum);
  if (at.row != 0 || !at.inside) return;
  const std::int64_t to = (at.outer * k.keys.size + c.place) * k.columns.size + at.column;
  y[to] = x ? x[to] + sum : sum;
}

/// With its memory, to be made along with a kernel. picks and keys are less than 2^32 - 1.
template <class T>
class SortedSums {
 public:
  SortedSums(const char* op, const PlaceSums& k) : op_(op), k_(k) {
    for (int shift = 0; shift < 32 && (k.keys.size >> shift) > 0; shift += 8) shifts_.push_back(shift);
    const std::int64_t left = k.slots() * k.outers.size * k.columns.size, words = sort_counts(1, k.picks) + k.keys.size + 1;
    space_ = scratch(2 * std::size_t(k.picks) * sizeof(NarrowRecord) + std::size_t(left) * sizeof(T) +
                     std::size_t(words) * sizeof(std::uint32_t));
  }
  /// To be filled before add(). Key: the place, or one behind all for what is left out; index: the source.
  NarrowRecord* records() const { return space_->template as<NarrowRecord>(); }
  void add(const T* x, const T* source, T* y) const {
    const std::int64_t places = k_.outers.size * k_.keys.size * k_.columns.size;
    NarrowRecord *a = records(), *b = a + k_.picks;
    T* left = reinterpret_cast<T*>(b + k_.picks);
    auto* counts = reinterpret_cast<std::uint32_t*>(left + k_.slots() * k_.outers.size * k_.columns.size);
    std::uint32_t* all_starts = counts + sort_counts(1, k_.picks);
    const NarrowRecord* sorted = radix_sort_rows<NarrowRecord>(op_, a, b, 1, k_.picks, shifts_, counts);
    start_items(op_, k_.keys.size + 1, find_starts, sorted, k_.picks, all_starts, k_.keys.size + 1);
    const std::uint32_t* starts = all_starts;
    start_items(op_, places, add_sorted<T>, x, sorted, starts, source, y, places, k_);
    if (k_.warps() == 0) return;
    const dim3 blocks(grid_blocks((k_.warps() + kBlock / 32 - 1) / (kBlock / 32)));
    start(op_, blocks, dim3(kBlock), 0, sum_chunks<T>, sorted, starts, source, left, k_);
    start(op_, blocks, dim3(kBlock), 0, join_chunks<T>, x, sorted, starts, static_cast<const T*>(left), y, k_);
  }

 private:
  const char* op_;
  PlaceSums k_;
  std::vector<int> shifts_;
  std::shared_ptr<const DeviceMemory> space_;
};

}  // namespace tenon::cuda
