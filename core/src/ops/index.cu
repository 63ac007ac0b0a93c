/// Picking and placing by index, but for sums (scatter_add.cu). A refused index gives zeros, or no place, until its error is thrown.
#include "backend/cuda/index_fault.cuh"
#include "backend/cuda/install.hpp"
#include "backend/cuda/scratch.cuh"
#include "backend/cuda/words.cuh"

namespace tenon::cuda {
namespace {

// ---- picking -----------------------------------------------------------------------------------------------------------

/// y is counted in words: `row` of them an index, `picks` indices an outer position.
template <class Word>
__global__ void __launch_bounds__(kBlock) select_words(const Word* x, const std::int64_t* index, Word* y, std::int64_t count,
                                                       LongDivider row, LongDivider picks, std::int64_t n, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t at = i, k = row.split(at);
    const std::int64_t outer = picks.split(k), from = index[k];
    if (std::uint64_t(from) < std::uint64_t(n)) {
      y[i] = x[(outer * n + from) * row.size + at];
    } else {
      y[i] = Word{};
      fault.raise(k, from);
    }
  }
}

Kernel make_select(const IndexMove& p) {
  const std::int64_t bytes = p.at.inner * std::int64_t(size_of(p.dtype));
  return [p, bytes, fault = index_fault(p)](void* const* o) {
    const auto* index = static_cast<const std::int64_t*>(o[1]);
    if (p.at.outer * bytes == 0) return check_all_indices(p, index, fault);
    with_word(std::uint64_t(bytes) | address(o[0]) | address(o[2]), [&](auto tag) {
      using Word = typename decltype(tag)::type;
      const std::int64_t row = bytes / std::int64_t(sizeof(Word)), count = p.at.outer * p.picks * row;
      start_items(p.op, count, select_words<Word>, static_cast<const Word*>(o[0]), index, static_cast<Word*>(o[2]), count, LongDivider(row),
                  LongDivider(p.picks), p.at.n, fault);
    });
  };
}

/// One index an element; y is [outer, picks, inner].
template <class T>
__global__ void __launch_bounds__(kBlock) gather_elements(const T* x, const std::int64_t* index, T* y, std::int64_t count,
                                                          LongDivider inner, LongDivider picks, std::int64_t n, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t column = i, k = inner.split(column);
    const std::int64_t outer = picks.split(k), from = index[i];
    if (std::uint64_t(from) < std::uint64_t(n)) {
      y[i] = x[(outer * n + from) * inner.size + column];
    } else {
      y[i] = T{};
      fault.raise(i, from);
    }
  }
}

Kernel make_gather(const IndexMove& p) {
  return dispatch_size(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return [p, fault = index_fault(p)](void* const* o) {
      const std::int64_t count = p.at.outer * p.picks * p.at.inner;
      start_items(p.op, count, gather_elements<T>, static_cast<const T*>(o[0]), static_cast<const std::int64_t*>(o[1]),
                  static_cast<T*>(o[2]), count, LongDivider(p.at.inner), LongDivider(p.picks), p.at.n, fault);
    };
  });
}

// ---- placing: the last source of a place stays ---------------------------------------------------------------------------

__global__ void __launch_bounds__(kBlock) clear_winners(std::uint32_t* winner, std::int64_t count) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) winner[i] = 0;
}

/// winner[place]: 1 + the last of its sources along the axis. A maximum: the order of the threads does not matter.
__global__ void __launch_bounds__(kBlock) find_winners(const std::int64_t* index, std::uint32_t* winner, std::int64_t count,
                                                       LongDivider inner, LongDivider picks, std::int64_t n, FaultSite fault) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    std::int64_t column = i, k = inner.split(column);
    const std::int64_t outer = picks.split(k), to = index[i];
    if (std::uint64_t(to) < std::uint64_t(n))
      atomicMax(winner + (outer * n + to) * inner.size + column, std::uint32_t(k) + 1);
    else
      fault.raise(i, to);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock) place_winners(const T* x, const T* source, const std::uint32_t* winner, T* y, std::int64_t count,
                                                        LongDivider inner, LongDivider places, std::int64_t picks) {
  const std::int64_t threads = std::int64_t(gridDim.x) * blockDim.x;
  for (std::int64_t i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    const std::uint32_t w = winner[i];
    if (w == 0) {
      y[i] = x ? x[i] : T{};
      continue;
    }
    std::int64_t column = i, outer = inner.split(column);
    outer = places.split(outer);
    y[i] = source[(outer * picks + (w - 1)) * inner.size + column];
  }
}

Kernel make_scatter(const IndexMove& p) {
  const std::int64_t places = p.at.outer * p.at.n * p.at.inner, sources = p.at.outer * p.picks * p.at.inner;
  if (p.picks >= (std::int64_t(1) << 32) - 1)
    throw Error(ErrorKind::device, "device.no_kernel", std::string(p.op) + ": no kernel for 2^32 or more sources along an axis on cuda",
                "run it with --device cpu");
  auto winners = scratch(std::size_t(places) * sizeof(std::uint32_t));
  return dispatch_size(p.dtype, [&](auto tag) -> Kernel {
    using T = typename decltype(tag)::type;
    return [p, places, sources, winners, fault = index_fault(p)](void* const* o) {
      const T* x = p.from_zero ? nullptr : static_cast<const T*>(*o++);
      auto* winner = winners->as<std::uint32_t>();
      start_items(p.op, places, clear_winners, winner, places);
      start_items(p.op, sources, find_winners, static_cast<const std::int64_t*>(o[0]), winner, sources, LongDivider(p.at.inner),
                  LongDivider(p.picks), p.at.n, fault);
      start_items(p.op, places, place_winners<T>, x, static_cast<const T*>(o[1]), static_cast<const std::uint32_t*>(winner),
                  static_cast<T*>(o[2]), places, LongDivider(p.at.inner), LongDivider(p.at.n), p.picks);
    };
  });
}

}  // namespace

void install_index() {
  index_select_kernel.set(DeviceType::cuda, make_select);
  gather_kernel.set(DeviceType::cuda, make_gather);
  scatter_kernel.set(DeviceType::cuda, make_scatter);
}

}  // namespace tenon::cuda
