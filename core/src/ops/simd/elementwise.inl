// Dense ranges of elementwise ops that are little work a value, in the stored type; see ops/elementwise_ranges.hpp.
#include <type_traits>

#include "kernels/elementwise.hpp"
#include "kernels/vec.inl"
#include "ops/elementwise_ranges.hpp"

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

/// of_two of each lane.
template <kernels::Binary K, class V>
[[gnu::always_inline]] inline V of_vectors(V x, V y) {
  using kernels::Binary;
  if constexpr (K == Binary::add)
    return x + y;
  else if constexpr (K == Binary::sub)
    return x - y;
  else if constexpr (K == Binary::mul)
    return x * y;
  else
    return x / y;
}

/// One row of at least a vector; its end is one that meets the one before it.
template <kernels::Binary K, bool XMoves, bool YMoves, class T>
[[gnu::always_inline]] inline void binary_row(std::int64_t n, const T* x, const T* y, T* z) {
  using A = Acc<T>;
  constexpr int N = kLanes<A>;
  Vec<A, N> a = splat<A, N>(A(*x)), b = splat<A, N>(A(*y));
  for (std::int64_t i = 0;; i = i + 2 * N <= n ? i + N : n - N) {
    if constexpr (XMoves) a = load<N>(x + i);
    if constexpr (YMoves) b = load<N>(y + i);
    store<N>(z + i, of_vectors<K>(a, b));
    if (i == n - N) return;
  }
}

/// The first row, shorter than a vector.
template <kernels::Binary K, class T>
[[gnu::always_inline]] inline void short_row(const BinaryRows<T>& r) {
  T x[kLanes<Acc<T>>], y[kLanes<Acc<T>>], z[kLanes<Acc<T>>];
  for (auto& v : x) v = *r.x;
  for (auto& v : y) v = *r.y;
  if (r.x_step) std::memcpy(x, r.x, std::size_t(r.n) * sizeof(T));
  if (r.y_step) std::memcpy(y, r.y, std::size_t(r.n) * sizeof(T));
  binary_row<K, true, true>(kLanes<Acc<T>>, x, y, z);
  std::memcpy(r.z, z, std::size_t(r.n) * sizeof(T));
}

template <kernels::Binary K, class T>
void binary_rows(BinaryRows<T> r) {
  for (; r.rows > 0; --r.rows, r.x += r.x_row, r.y += r.y_row, r.z += r.z_row) {
    if (r.n < kLanes<Acc<T>>)
      short_row<K>(r);
    else if (r.x_step == 0)
      binary_row<K, false, true>(r.n, r.x, r.y, r.z);
    else if (r.y_step == 0)
      binary_row<K, true, false>(r.n, r.x, r.y, r.z);
    else
      binary_row<K, true, true>(r.n, r.x, r.y, r.z);
  }
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
