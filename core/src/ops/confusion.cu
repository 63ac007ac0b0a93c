/// Confusion matrices on the device: each block counts for itself where its memory holds the counts. Whole numbers add up to the same in any order.
#include <algorithm>

#include "backend/cuda/class_tile.cuh"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/lanes.cuh"
#include "ops/dispatch.hpp"
#include "ops/metric_kernels.hpp"

namespace tenon::cuda {
namespace {

/// Counters of a block, 48 and 8 KiB; copies of them are made within 16 KiB.
constexpr std::int64_t kCounters = 12288, kCountersBesideTile = 2048, kCopied = 4096;

struct CountCut {
  std::int64_t n, part;  ///< of a row; parts begin at a multiple of 16
  unsigned parts;
  int copies;  ///< of the counts in a block, for its lanes: they add to other places then; 0: counts are not held
  LabelPair pair;
  DType predicted, truth;
  FaultSite fault;

  CountCut(const ConfusionCount& p, std::int64_t counters, const FaultSite& site) : n(p.cut.n), pair(p.pair), predicted(p.predicted), truth(p.truth), fault(site) {
    constexpr std::int64_t kBlocks = 1056, kFewBlocks = 264, kLeast = 4096, kLeastScored = 64;
    // an element of scores is as many loads as there are classes
    const std::int64_t least = p.scored ? std::max(kLeastScored, kLeast / std::max<std::int64_t>(1, pair.classes)) : kLeast;
    const std::int64_t cells = pair.classes * pair.classes, enough = 4 * cells;  // elements for which counts are worth holding
    const std::int64_t most = p.cut.rows < kBlocks ? kBlocks / p.cut.rows : 1, rather = cells <= counters ? std::min(enough, n * p.cut.rows / kFewBlocks) : 0;
    part = (std::max({(n + most - 1) / most, rather, least}) + 15) / 16 * 16;
    parts = grid_blocks((n + part - 1) / part);
    copies = cells <= counters && std::min(n, part) >= enough ? 1 : 0;
    while (copies > 0 && copies < 32 && 2 * copies * cells <= std::min(counters, kCopied)) copies *= 2;
  }
  std::size_t shared_bytes() const { return std::size_t(pair.classes * pair.classes) * std::size_t(copies) * sizeof(std::uint32_t); }
};

/// A block's part of a row, [begin, end) over all rows, and this thread's counts, a run of equal cells at a time.
class Counter {
 public:
  std::int64_t begin, end;

  __device__ Counter(const CountCut& k, unsigned long long* counts) : cells_(k.pair.classes * k.pair.classes), copies_(k.copies), copy_(int(threadIdx.x) & (k.copies - 1)) {
    const std::int64_t row = blockIdx.x / k.parts, first = blockIdx.x % k.parts * k.part;
    begin = row * k.n + first;
    end = begin + (k.n - first < k.part ? k.n - first : k.part);
    counts_ = counts + row * cells_;
    mine_ = dynamic_shared<std::uint32_t>();
    for (int i = int(threadIdx.x); i < int(cells_) * copies_; i += kBlock) mine_[i] = 0;
    __syncthreads();
  }
  __device__ void take(const CountCut& k, std::int64_t at, std::int64_t predicted, std::int64_t truth) {
    const std::int64_t cell = k.pair.cell(predicted, truth);
    if (cell >= 0) {
      if (cell != cell_) flush();
      cell_ = cell;
      ++run_;
    } else if (cell == LabelPair::kPredicted) {
      k.fault.raise(refused_at(at, Why::label), predicted);
    } else if (cell == LabelPair::kTruth) {
      k.fault.raise(refused_at(at, Why::label_of_truth), truth);
    }
  }
  /// All threads of the block come here.
  __device__ void finish() {
    flush();
    if (copies_ == 0) return;
    __syncthreads();
    for (int i = int(threadIdx.x); i < int(cells_); i += kBlock) {
      unsigned long long sum = 0;
      for (int c = 0; c < copies_; ++c) sum += mine_[i * copies_ + ((c + int(threadIdx.x)) & (copies_ - 1))];
      if (sum) atomicAdd(counts_ + i, sum);
    }
  }

 private:
  __device__ void flush() {
    if (run_ == 0) return;
    if (copies_ > 0)
      atomicAdd(mine_ + cell_ * copies_ + copy_, run_);
    else
      atomicAdd(counts_ + cell_, static_cast<unsigned long long>(run_));
    run_ = 0;
  }

  std::int64_t cells_, cell_ = -1;
  int copies_, copy_;
  std::uint32_t run_ = 0;
  std::uint32_t* mine_;
  unsigned long long* counts_;
};

__global__ void __launch_bounds__(kBlock) clear_counts(unsigned long long* counts, std::int64_t count) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) counts[i] = 0;
}

/// Labels of one byte sixteen at a time, others N at a time.
template <bool Bytes, int N>
__global__ void __launch_bounds__(kBlock, 4) count_labels(CountCut k, const void* predicted, const void* truth, unsigned long long* counts) {
  Counter counter(k, counts);
  const std::int64_t whole = (counter.end - counter.begin) / N * N;
  for (std::int64_t i = counter.begin + std::int64_t(threadIdx.x) * N; i < counter.begin + whole; i += kBlock * N) {
    if constexpr (Bytes) {
      const auto p = *reinterpret_cast<const Lanes<std::uint8_t, N>*>(static_cast<const std::uint8_t*>(predicted) + i);
      const auto t = *reinterpret_cast<const Lanes<std::uint8_t, N>*>(static_cast<const std::uint8_t*>(truth) + i);
#pragma unroll
      for (int j = 0; j < N; ++j) counter.take(k, i + j, p.of[j], t.of[j]);
    } else {
      std::int64_t p[N], t[N];
      load_lanes<std::int64_t, N>(k.predicted, predicted, i, p);
      load_lanes<std::int64_t, N>(k.truth, truth, i, t);
#pragma unroll
      for (int j = 0; j < N; ++j) counter.take(k, i + j, p[j], t[j]);
    }
  }
  if (const std::int64_t i = counter.begin + whole + threadIdx.x; i < counter.end)
    counter.take(k, i, load_lane<std::int64_t>(k.predicted, predicted, i), load_lane<std::int64_t>(k.truth, truth, i));
  counter.finish();
}

/// A thread an element; scores by way of shared memory.
template <class T>
__global__ void __launch_bounds__(kBlock) count_few_scores(CountCut k, const T* scores, const void* truth, unsigned long long* counts) {
  __shared__ Acc<T> tile[kTilePadded];
  Counter counter(k, counts);
  const int classes = int(k.pair.classes);
  for (std::int64_t first = counter.begin; first < counter.end; first += kBlock) {
    const int n = int(counter.end - first < kBlock ? counter.end - first : kBlock), own = int(threadIdx.x) * classes;
    __syncthreads();  // what was there before has been read
    load_tile<T>(scores + first * classes, n * classes, tile);
    __syncthreads();
    if (int(threadIdx.x) >= n) continue;
    const std::int64_t at = first + threadIdx.x;
    Acc<T> most = tile[tile_at(own)];
    int best = 0;
    for (int c = 0; c < classes; ++c) {
      const Acc<T> v = tile[tile_at(own + c)];
      if (v != v) k.fault.raise(refused_at(at * classes + c, Why::value), kNaNBits);
      if (v > most) {
        most = v;
        best = c;
      }
    }
    counter.take(k, at, best, load_lane<std::int64_t>(k.truth, truth, at));
  }
  counter.finish();
}

/// A warp an element.
template <class T>
__global__ void __launch_bounds__(kBlock) count_many_scores(CountCut k, const T* scores, const void* truth, unsigned long long* counts) {
  Counter counter(k, counts);
  const std::int64_t classes = k.pair.classes;
  const int lane = int(threadIdx.x) % 32;
  for (std::int64_t at = counter.begin + threadIdx.x / 32; at < counter.end; at += kBlock / 32) {
    const T* row = scores + at * classes;
    std::int64_t best = lane < classes ? lane : 0;
    Acc<T> most = widen<T>(row[best]);
    for (std::int64_t c = lane; c < classes; c += 32) {
      const Acc<T> v = widen<T>(row[c]);
      if (v != v) k.fault.raise(refused_at(at * classes + c, Why::value), kNaNBits);
      if (v > most) {
        most = v;
        best = c;
      }
    }
    for (int o = 16; o > 0; o /= 2) {
      const Acc<T> v = __shfl_xor_sync(0xffffffffu, most, o);
      const std::int64_t c = __shfl_xor_sync(0xffffffffu, best, o);
      if (v > most || (v == most && c < best)) {
        most = v;
        best = c;
      }
    }
    if (lane == 0) counter.take(k, at, best, load_lane<std::int64_t>(k.truth, truth, at));
  }
  counter.finish();
}

FaultSite label_fault(const ConfusionCount& p) {
  return fault_site(std::string("labels of ") + p.op + ' ' + std::to_string(p.pair.classes),
                    [op = p.op, classes = p.pair.classes](std::int64_t value, std::int64_t at) { refuse_metric(op, value, at, classes); });
}

void clear(const ConfusionCount& p, unsigned long long* counts) {
  const std::int64_t count = p.cut.rows * p.pair.classes * p.pair.classes;
  start_items("confusion", count, clear_counts, counts, count);
}

Kernel make_labels(const ConfusionCount& p) {
  return [p, fault = label_fault(p)](void* const* o) {
    const void *predicted = o[0], *truth = o[1];
    auto* counts = static_cast<unsigned long long*>(o[2]);
    clear(p, counts);
    const CountCut k(p, kCounters, fault);
    const bool bytes = p.predicted == DType::u8 && p.truth == DType::u8;
    const auto fits = [&](int n) {
      return (p.cut.rows == 1 || p.cut.n % n == 0) && is_aligned(predicted, lanes_alignment(size_of(p.predicted), n)) &&
             is_aligned(truth, lanes_alignment(size_of(p.truth), n));
    };
    start("confusion", dim3(grid_blocks(p.cut.rows * std::int64_t(k.parts))), dim3(kBlock), k.shared_bytes(),
          bytes && fits(16) ? count_labels<true, 16> : fits(4) ? count_labels<false, 4> : count_labels<false, 1>, k, predicted, truth, counts);
  };
}

Kernel make_scores(const ConfusionCount& p) {
  return dispatch_floating(p.op, p.predicted, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return [p, fault = label_fault(p)](void* const* o) {
      auto* counts = static_cast<unsigned long long*>(o[2]);
      clear(p, counts);
      const bool few = p.pair.classes <= kFewClasses;
      const CountCut k(p, few ? kCountersBesideTile : kCounters, fault);
      start("confusion", dim3(grid_blocks(p.cut.rows * std::int64_t(k.parts))), dim3(kBlock), k.shared_bytes(), few ? count_few_scores<T> : count_many_scores<T>, k,
            static_cast<const T*>(o[0]), static_cast<const void*>(o[1]), counts);
    };
  });
}

}  // namespace

void install_confusion() {
  confusion_kernel.set(DeviceType::cuda, [](const ConfusionCount& p) { return p.scored ? make_scores(p) : make_labels(p); });
}

}  // namespace tenon::cuda
