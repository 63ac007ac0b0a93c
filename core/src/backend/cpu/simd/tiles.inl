// Dense tiles of stored types and back; see backend/cpu/tiles.hpp.
#include "kernels/elementwise.hpp"
#include "kernels/vec.inl"
#include "ops/convert.hpp"

namespace tenon::TENON_ISA {

/// Vectors of halves, the last ones through a buffer: a NaN of theirs is rounded as all are.
template <class From, class To>
[[gnu::always_inline]] inline void convert_vectors(const From* x, To* y, std::int64_t n) {
  constexpr int L = kLanes<float>;
  std::int64_t i = 0;
  for (; i + L <= n; i += L) store<L>(y + i, load<L>(x + i));
  if (i == n) return;
  From some[L] = {};
  To made[L];
  std::memcpy(static_cast<void*>(some), x + i, std::size_t(n - i) * sizeof(From));
  store<L>(made, load<L>(static_cast<const From*>(some)));
  std::memcpy(static_cast<void*>(y + i), made, std::size_t(n - i) * sizeof(To));
}

template <class From, class To>
void convert_range(const void* from, void* to, std::int64_t n) {
  const From* __restrict x = static_cast<const From*>(from);
  To* __restrict y = static_cast<To*>(to);
  constexpr bool halves = (std::is_same_v<From, f16> && std::is_same_v<To, float>) || (std::is_same_v<From, float> && std::is_same_v<To, f16>);
  if constexpr (halves) return convert_vectors(x, y, n);
  for (std::int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i]);
}

}  // namespace tenon::TENON_ISA
