/// Searches in sorted rows, and counts.
#include <algorithm>
#include <bit>

#include "backend/cuda/divider.cuh"
#include "backend/cuda/faults.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/launch.cuh"
#include "ops/index_kernels.hpp"
#include "ops/ordering_kernels.hpp"

namespace tenon::cuda {
namespace {

// ---- searchsorted ----------------------------------------------------------------------------------------------------------

/// A refused element's value is noted as the bits of a double, or as it is.
template <class T>
__device__ inline std::int64_t noted(T v) {
  if constexpr (std::is_integral_v<T>)
    return v;
  else
    return std::bit_cast<std::int64_t>(double(v));
}

template <class T>
__global__ void __launch_bounds__(kBlock) check_sorted(const T* sorted, std::int64_t count, LongDivider n, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x + 1; i < count; i += threads) {
    const T before = sorted[i - 1], own = sorted[i];
    if (before <= own) continue;
    std::int64_t column = i;
    n.split(column);
    if (column && (own < before || (before != before && own == own))) fault.raise(i, noted(own));
  }
}

/// How many elements at the front of the row stand before the value (right: not behind it); a NaN stands behind all others.
template <class T>
__global__ void __launch_bounds__(kBlock) search_rows(const T* sorted, const T* values, std::int64_t* out, std::int64_t count,
                                                      LongDivider m, std::int64_t n, bool one_row, bool right) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t rest = i;
    const std::int64_t row = m.split(rest);
    const T* line = sorted + (one_row ? 0 : row * n);
    const T v = values[i];
    std::int64_t low = 0, high = n;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      const T s = line[middle];
      const bool front = right ? s <= v || v != v : s < v || (v != v && s == s);
      if (front)
        low = middle + 1;
      else
        high = middle;
    }
    out[i] = low;
  }
}

template <class T>
Kernel search_of(const SortedSearch& p) {
  const std::int64_t count = (p.one_row ? 1 : p.rows) * p.n;
  const FaultSite fault = fault_site(
      "searchsorted " + std::to_string(p.n) + ' ' + std::to_string(int(p.dtype)), [n = p.n](std::int64_t value, std::int64_t at) {
        const std::string own = std::is_integral_v<T> ? std::to_string(value) : std::to_string(T(std::bit_cast<double>(value)));
        throw Error(ErrorKind::data, "searchsorted.not_sorted",
                    "searchsorted: the element at " + std::to_string(at % n) + " of row " + std::to_string(at / n) + ", " + own +
                        ", stands behind a larger one",
                    "sort() it along its last axis");
      });
  return [p, count, fault](void* const* o) {
    const T *sorted = static_cast<const T*>(o[0]), *values = static_cast<const T*>(o[1]);
    start_items("searchsorted", count - 1, check_sorted<T>, sorted, count, LongDivider(p.n), fault);
    start_items("searchsorted", p.rows * p.m, search_rows<T>, sorted, values, static_cast<std::int64_t*>(o[2]), p.rows * p.m,
                LongDivider(p.m), p.n, p.one_row, p.right);
  };
}

// ---- bincount --------------------------------------------------------------------------------------------------------------

constexpr std::int64_t kSharedBins = 8192;  ///< 32 KiB

__global__ void __launch_bounds__(kBlock) clear_bins(std::int64_t* counts, std::int64_t bins) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < bins; i += threads) counts[i] = 0;
}

/// Whole numbers add up to the same in any order. A warp adds those of a bin at once: many elements of one bin would wait for each other.
__global__ void __launch_bounds__(kBlock)
    count_in_place(const std::int64_t* x, std::int64_t n, unsigned long long* counts, std::int64_t bins, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  const unsigned lane = threadIdx.x % 32;
  for (std::int64_t first = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x - lane; first < n; first += threads) {
    const std::int64_t i = first + lane, bin = i < n ? x[i] : -1;
    const bool counted = std::uint64_t(bin) < std::uint64_t(bins);
    if (i < n && !counted) fault.raise(i, bin);
    const unsigned peers = __match_any_sync(0xffffffffu, static_cast<unsigned long long>(bin));
    if (counted && (peers & ((1u << lane) - 1u)) == 0) atomicAdd(counts + bin, static_cast<unsigned long long>(std::popcount(peers)));
  }
}

/// Each block counts for itself first.
__global__ void __launch_bounds__(kBlock)
    count_in_blocks(const std::int64_t* x, std::int64_t n, unsigned long long* counts, std::int64_t bins, FaultSite fault) {
  auto* mine = dynamic_shared<std::uint32_t>();
  for (int b = int(threadIdx.x); b < int(bins); b += int(blockDim.x)) mine[b] = 0;
  __syncthreads();
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += threads) {
    const std::int64_t bin = x[i];
    if (std::uint64_t(bin) < std::uint64_t(bins))
      atomicAdd(mine + bin, 1u);
    else
      fault.raise(i, bin);
  }
  __syncthreads();
  for (int b = int(threadIdx.x); b < int(bins); b += int(blockDim.x))
    if (mine[b]) atomicAdd(counts + b, static_cast<unsigned long long>(mine[b]));
}

Kernel make_bincount(std::int64_t n, std::int64_t bins) {
  const FaultSite fault = fault_site("bincount " + std::to_string(n) + ' ' + std::to_string(bins),
                                     [=](std::int64_t value, std::int64_t at) { refuse_index("bincount", value, at, Shape{n}, bins); });
  return [=](void* const* o) {
    const auto* x = static_cast<const std::int64_t*>(o[0]);
    auto* counts = static_cast<unsigned long long*>(o[1]);
    start_items("bincount", bins, clear_bins, static_cast<std::int64_t*>(o[1]), bins);
    if (n == 0) return;
    if (bins > kSharedBins || n < 4 * bins) return start_items("bincount", n, count_in_place, x, n, counts, bins, fault);
    // some elements a thread, so that few blocks add to the same bins
    const std::int64_t blocks = std::clamp<std::int64_t>(n / (kBlock * 16), 1, 528);
    start("bincount", dim3(unsigned(blocks)), dim3(kBlock), std::size_t(bins) * sizeof(std::uint32_t), count_in_blocks, x, n, counts, bins,
          fault);
  };
}

}  // namespace

void install_search() {
  bincount_kernel.set(DeviceType::cuda, make_bincount);
  searchsorted_kernel.set(DeviceType::cuda, [](const SortedSearch& p) {
    return p.dtype == DType::f64 ? search_of<double>(p) : p.dtype == DType::i64 ? search_of<std::int64_t>(p) : search_of<float>(p);
  });
}

}  // namespace tenon::cuda
