// Dense ranges of elementwise ops that are little work a value, in the stored type; see ops/elementwise_ranges.hpp.
#include <type_traits>

#include "kernels/elementwise.hpp"

namespace tenon::TENON_ISA {

/// bf16 is computed in f32 and rounded once. Integers wrap: as 64-bit ones that are cut to the type.
template <kernels::Binary K, class T>
[[gnu::always_inline]] inline auto of_two(T x, T y) {
  if constexpr (std::is_integral_v<T> && K <= kernels::Binary::mul) {
    using Wrapping = std::conditional_t<sizeof(T) < 4, std::uint32_t, std::make_unsigned_t<T>>;
    const auto u = Wrapping(x), v = Wrapping(y);
    return T(K == kernels::Binary::add ? u + v : K == kernels::Binary::sub ? u - v : u * v);
  } else if constexpr (std::is_same_v<T, bf16>) {
    const auto z = kernels::BinaryOp<K>{}(float(x), float(y));
    if constexpr (kernels::is_comparison(K))
      return z;
    else
      return bf16(z);
  } else {
    return kernels::BinaryOp<K>{}(x, y);
  }
}

template <kernels::Binary K, class T, class Out>
void binary_range(std::int64_t n, const T* __restrict x, const T* __restrict y, Out* __restrict z) {
  for (std::int64_t i = 0; i < n; ++i) z[i] = of_two<K>(x[i], y[i]);
}

template <kernels::Unary K, class T>
void unary_range(kernels::UnaryArgs args, std::int64_t n, const T* __restrict x, T* __restrict y) {
  const kernels::UnaryOp<K> op{args};
  for (std::int64_t i = 0; i < n; ++i) y[i] = T(op(kernels::Computed<T>(x[i])));
}

/// Bytes: an unsigned type of the elements' size. Without a branch, which the condition's values would mispredict.
template <class Bytes>
void choose_range(std::int64_t n, const bool* __restrict condition, const Bytes* __restrict x, const Bytes* __restrict y,
                  Bytes* __restrict z) {
  if constexpr (std::is_integral_v<Bytes>) {
    for (std::int64_t i = 0; i < n; ++i) z[i] = Bytes(y[i] ^ ((x[i] ^ y[i]) & Bytes(-Bytes(condition[i]))));
  } else {
    for (std::int64_t i = 0; i < n; ++i)
      for (int k = 0; k < 2; ++k) z[i].half[k] = y[i].half[k] ^ ((x[i].half[k] ^ y[i].half[k]) & -std::uint64_t(condition[i]));
  }
}

}  // namespace tenon::TENON_ISA
