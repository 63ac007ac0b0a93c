/// Long rows by CUB: its radix sort of one pass a digit, and its running sum of one pass.
#define CCCL_DISABLE_NVTX  // ranges for profilers are the ops' (nvtx.cpp)
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "backend/cuda/long_rows.hpp"

#include "backend/cuda/check.cuh"
#include "backend/cuda/scratch.cuh"

namespace tenon::cuda {
namespace {

/// CUB leaves the error of a launch set; whoever catches what is thrown goes on.
void check_cub(cudaError_t status, const char* call) {
  if (status != cudaSuccess) (void)cudaGetLastError();
  check(status, call);
}

/// A call of CUB's, and what it works in. CUB tells the bytes when it is called without memory: then it starts nothing and looks at no
/// operand.
template <class Call, class... Operands>
std::shared_ptr<const DeviceMemory> area_of(const char* name, const Call& call, Operands... none) {
  std::size_t bytes = 0;
  check_cub(call(nullptr, bytes, none...), name);
  return scratch(bytes > 0 ? bytes : 1);  // without memory it would only tell the bytes again
}

}  // namespace

NumberSort make_number_sort(std::int64_t n, int first, int last) {
  static constexpr const char* kName = "cub::DeviceRadixSort::SortKeys";
  auto call = [=](void* area, std::size_t& bytes, cub::DoubleBuffer<std::uint64_t>* numbers) {
    return cub::DeviceRadixSort::SortKeys(area, bytes, *numbers, std::uint32_t(n), first, last, stream());
  };
  cub::DoubleBuffer<std::uint64_t> none;
  return [call, area = area_of(kName, call, &none)](std::uint64_t* numbers, std::uint64_t* other) {
    cub::DoubleBuffer<std::uint64_t> both(numbers, other);
    std::size_t bytes = area->bytes();
    check_cub(call(area->as<>(), bytes, &both), kName);
    return both.Current() == other;
  };
}

PairSort make_pair_sort(std::int64_t n) {
  static constexpr const char* kName = "cub::DeviceRadixSort::SortPairs";
  auto call = [=](void* area, std::size_t& bytes, cub::DoubleBuffer<std::uint64_t>* keys, cub::DoubleBuffer<std::uint32_t>* at) {
    return cub::DeviceRadixSort::SortPairs(area, bytes, *keys, *at, std::uint32_t(n), 0, 64, stream());
  };
  cub::DoubleBuffer<std::uint64_t> no_keys;
  cub::DoubleBuffer<std::uint32_t> no_at;
  return [call, area = area_of(kName, call, &no_keys, &no_at)](std::uint64_t* keys, std::uint64_t* other_keys, std::uint32_t* at,
                                                               std::uint32_t* other_at) {
    cub::DoubleBuffer<std::uint64_t> both_keys(keys, other_keys);
    cub::DoubleBuffer<std::uint32_t> both_at(at, other_at);
    std::size_t bytes = area->bytes();
    check_cub(call(area->as<>(), bytes, &both_keys, &both_at), kName);
    return both_keys.Current() == other_keys;
  };
}

WholeSum make_whole_sum(std::int64_t n) {
  static constexpr const char* kName = "cub::DeviceScan::InclusiveSum";
  auto call = [=](void* area, std::size_t& bytes, const std::uint64_t* x, std::uint64_t* y) {
    return cub::DeviceScan::InclusiveSum(area, bytes, x, y, int(n), stream());
  };
  return [call, area = area_of(kName, call, static_cast<const std::uint64_t*>(nullptr), static_cast<std::uint64_t*>(nullptr))](
             const std::uint64_t* x, std::uint64_t* y) {
    std::size_t bytes = area->bytes();
    check_cub(call(area->as<>(), bytes, x, y), kName);
  };
}

}  // namespace tenon::cuda
