// What has no stand-in of its own: CUB, which is a header of NVIDIA's compiler, and NVTX.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "backend/cuda/install.hpp"
#include "backend/cuda/long_rows.hpp"
#include "cuda_on_cpu/runtime/work.hpp"

namespace tenon::cuda {
namespace {

constexpr unsigned char kUndefined = 0xa5;

/// The order of n keys by their bits [first, last), stable.
std::vector<std::uint32_t> order_of(const std::uint64_t* keys, std::int64_t n, int first, int last) {
  const std::uint64_t mask = (last - first == 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << (last - first)) - 1) << first;
  std::vector<std::uint32_t> order(std::size_t(n), 0u);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return (keys[a] & mask) < (keys[b] & mask); });
  return order;
}
/// Puts what was sorted into `other` where there is an odd number of digits, as CUB does, and spoils what is undefined then.
template <class T>
void arrange(const std::vector<std::uint32_t>& order, T* at, T* other, bool odd) {
  const std::vector<T> before(at, at + order.size());
  T *to = odd ? other : at, *spoilt = odd ? at : other;
  for (std::size_t i = 0; i < order.size(); ++i) to[i] = before[order[i]];
  std::fill_n(reinterpret_cast<unsigned char*>(spoilt), order.size() * sizeof(T), kUndefined);
}

}  // namespace

NumberSort make_number_sort(std::int64_t n, int first, int last) {
  return [=](std::uint64_t* numbers, std::uint64_t* other) {
    const bool odd = (last - first) / 8 % 2 == 1;
    on_cpu::enqueue([=] { arrange(order_of(numbers, n, first, last), numbers, other, odd); });
    return odd;
  };
}
PairSort make_pair_sort(std::int64_t n) {
  return [=](std::uint64_t* keys, std::uint64_t* other_keys, std::uint32_t* at, std::uint32_t* other_at) {
    on_cpu::enqueue([=] {
      const auto order = order_of(keys, n, 0, 64);
      arrange(order, keys, other_keys, false);
      arrange(order, at, other_at, false);
    });
    return false;
  };
}
WholeSum make_whole_sum(std::int64_t n) {
  return [=](const std::uint64_t* x, std::uint64_t* y) {
    on_cpu::enqueue([=] {
      std::uint64_t sum = 0;
      for (std::int64_t i = 0; i < n; ++i) y[i] = sum += x[i];
    });
  };
}

void install_nvtx() {}

}  // namespace tenon::cuda
