/// The CPU kernel of dropout.
#include <algorithm>

#include "kernels/types.hpp"
#include "ops/dispatch.hpp"
#include "ops/dropout_kernels.hpp"
#include "tenon/random.hpp"

#define TENON_ISA_FILE "ops/simd/dropout.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTask = 8192, kChunk = 1024;  // elements; multiples of 4

template <class T>
Kernel drop(const DropoutFill& p) {
  auto words_of = TENON_BY_ISA(random_words);
  return [p, words_of](void* const* o) {
    using A = Acc<T>;
    const T* x = static_cast<const T*>(o[0]);
    const auto* key = static_cast<const std::int64_t*>(o[1]);
    T* y = static_cast<T*>(o[2]);
    std::copy_n(key, 2, static_cast<std::int64_t*>(o[3]));
    const Random random = Random(std::uint64_t(key[0]), p.stream).child(std::uint64_t(key[1]));
    const auto below = std::uint64_t(p.p * 4294967296.0);
    const A scale = p.p < 1 ? A(1 / (1 - p.p)) : A(0);
    parallel_blocks(p.count, kTask, [&](std::int64_t begin, std::int64_t end) {
      std::uint32_t words[kChunk];
      for (std::int64_t first = begin; first < end; first += kChunk) {
        const std::int64_t n = std::min(kChunk, end - first);
        words_of(random.seed(), random.stream(), std::uint64_t(first / 4), (n + 3) / 4, words);
        for (std::int64_t i = 0; i < n; ++i) y[first + i] = words[i] < below ? T(A(0)) : T(A(x[first + i]) * scale);
      }
    });
  };
}

}  // namespace

KernelSlot<const DropoutFill&> dropout_kernel("dropout", [](const DropoutFill& p) -> Kernel {
  return dispatch_floating("dropout", p.dtype, [&](auto tag) -> Kernel { return drop<typename decltype(tag)::type>(p); });
});

}  // namespace tenon
