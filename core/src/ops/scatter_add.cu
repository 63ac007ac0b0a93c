/// Sums by place. Whole numbers are added as they come. Floats are added in the order of the sources, by the thread that owns the place: it
/// looks through all indices where these are few, otherwise the sources are sorted by place first, and those of a place with more than 256
/// added in chunks (backend/cuda/sorted_sums.cuh).
#include "backend/cuda/divider.cuh"
#include "backend/cuda/index_fault.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/sorted_sums.cuh"

namespace tenon::cuda {
namespace {

/// Sizes as a kernel argument.
struct Sums {
  LongDivider inner, picks, places;
  bool shared;

  explicit Sums(const IndexMove& p) : inner(p.at.inner), picks(p.picks), places(p.at.n), shared(p.shared) {}
  /// Place (outer, n, inner) of source e with its index.
  __device__ std::int64_t place(std::int64_t outer, std::int64_t to, std::int64_t column) const {
    return (outer * places.size + to) * inner.size + column;
  }
};

// ---- whole numbers -------------------------------------------------------------------------------------------------------

template <class T>
__global__ void __launch_bounds__(kBlock) start_sums(const T* x, T* y, std::int64_t count) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) y[i] = x ? x[i] : T(0);
}

__global__ void __launch_bounds__(kBlock)
    add_integers(const std::int64_t* index, const std::int64_t* source, std::int64_t* y, std::int64_t count, Sums s, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t column = i, k = s.inner.split(column);
    const std::int64_t outer = s.picks.split(k), at = s.shared ? k : i, to = index[at];
    if (std::uint64_t(to) < std::uint64_t(s.places.size))
      atomicAdd(reinterpret_cast<unsigned long long*>(y) + s.place(outer, to, column), static_cast<unsigned long long>(source[i]));
    else
      fault.raise(at, to);
  }
}

Kernel add_whole(const IndexMove& p) {
  const std::int64_t places = p.at.outer * p.at.n * p.at.inner, sources = p.at.outer * p.picks * p.at.inner;
  return [p, places, sources, s = Sums(p), fault = index_fault(p)](void* const* o) {
    const auto* x = p.from_zero ? nullptr : static_cast<const std::int64_t*>(*o++);
    auto* y = static_cast<std::int64_t*>(o[2]);
    start_items(p.op, places, start_sums<std::int64_t>, x, y, places);
    start_items(p.op, sources, add_integers, static_cast<const std::int64_t*>(o[0]), static_cast<const std::int64_t*>(o[1]), y, sources, s,
                fault);
  };
}

// ---- floats, few indices ---------------------------------------------------------------------------------------------------

/// One thread a place.
template <class T>
__global__ void __launch_bounds__(kBlock)
    add_by_search(const T* x, const std::int64_t* index, const T* source, T* y, std::int64_t count, Sums s) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t column = i, place = s.inner.split(column);
    const std::int64_t outer = s.places.split(place);
    const T* from = source + outer * s.picks.size * s.inner.size + column;
    const std::int64_t* at = s.shared ? index : index + outer * s.picks.size * s.inner.size + column;
    const std::int64_t step = s.shared ? 1 : s.inner.size;
    T sum = x ? x[i] : T(0);
    for (std::int64_t k = 0; k < s.picks.size; ++k)
      if (at[k * step] == place) sum += from[k * s.inner.size];
    y[i] = sum;
  }
}

template <class T>
Kernel add_few(const IndexMove& p) {
  const std::int64_t places = p.at.outer * p.at.n * p.at.inner;
  return [p, places, s = Sums(p), fault = index_fault(p)](void* const* o) {
    const auto* x = p.from_zero ? nullptr : static_cast<const T*>(*o++);
    const auto* index = static_cast<const std::int64_t*>(o[0]);
    check_all_indices(p, index, fault);
    if (p.picks == 0)
      start_items(p.op, places, start_sums<T>, x, static_cast<T*>(o[2]), places);
    else
      start_items(p.op, places, add_by_search<T>, x, index, static_cast<const T*>(o[1]), static_cast<T*>(o[2]), places, s);
  };
}

// ---- floats, many indices --------------------------------------------------------------------------------------------------

/// Key: the place; index: the source. Shared indices: of one row for all; otherwise flat positions. A refused index stands behind all
/// places.
__global__ void __launch_bounds__(kBlock) make_place_records(const std::int64_t* index, NarrowRecord* records, std::int64_t count,
                                                             std::int64_t all_places, Sums s, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    const std::int64_t to = index[i];
    std::int64_t place = all_places;
    if (std::uint64_t(to) >= std::uint64_t(s.places.size)) {
      fault.raise(i, to);
    } else if (s.shared) {
      place = to;
    } else {
      std::int64_t column = i, outer = s.inner.split(column);
      outer = s.picks.split(outer);
      place = s.place(outer, to, column);
    }
    records[i] = NarrowRecord::of(std::uint32_t(place), i);
  }
}

template <class T>
Kernel add_many(const IndexMove& p) {
  constexpr std::int64_t kMost = (std::int64_t(1) << 32) - 1;
  const std::int64_t places = p.at.outer * p.at.n * p.at.inner, keys = p.shared ? p.at.n : places, count = p.index_shape.numel();
  if (keys >= kMost || count >= kMost)
    throw Error(ErrorKind::device, "device.no_kernel", std::string(p.op) + ": no kernel for 2^32 or more indices or places on cuda",
                "run it with --device cpu");
  // an index an element: places of one column
  const SortedSums<T> sums(p.op, p.shared ? PlaceSums(p.at.outer, keys, count, p.at.inner) : PlaceSums(1, keys, count, 1));
  return [=, s = Sums(p), fault = index_fault(p)](void* const* o) {
    const auto* x = p.from_zero ? nullptr : static_cast<const T*>(*o++);
    start_items(p.op, count, make_place_records, static_cast<const std::int64_t*>(o[0]), sums.records(), count, keys, s, fault);
    sums.add(x, static_cast<const T*>(o[1]), static_cast<T*>(o[2]));
  };
}

template <class T>
Kernel add_floats(const IndexMove& p) {
  // Comparisons that cost less than the dozen launches of a sort. So few that a search for each place's sources would read more: one pick a
  // row is the gradient of the score of a label.
  constexpr std::int64_t kFewPicks = 512, kFewComparisons = 1 << 27, kFewest = 16;
  const std::int64_t places = p.at.outer * p.at.n * p.at.inner;
  if (places == 0 || p.picks <= kFewest || (p.picks <= kFewPicks && places * p.picks <= kFewComparisons)) return add_few<T>(p);
  return add_many<T>(p);
}

Kernel make_scatter_add(const IndexMove& p) {
  return p.dtype == DType::f64 ? add_floats<double>(p) : p.dtype == DType::i64 ? add_whole(p) : add_floats<float>(p);
}

}  // namespace

void install_scatter_add() {
  scatter_add_kernel.set(DeviceType::cuda, make_scatter_add);
}

}  // namespace tenon::cuda
