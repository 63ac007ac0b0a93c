// Ranges of 16-bit floating numbers and floats; see backend/cpu/half.hpp.
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

inline void half_to_float(std::int64_t n, const f16* from, float* to) {
  constexpr int L = kLanes<float>;
  std::int64_t i = 0;
  for (; i + L <= n; i += L) store<L>(to + i, load<L>(from + i));
  for (; i < n; ++i) to[i] = float(from[i]);
}

inline void float_to_half(std::int64_t n, const float* from, f16* to) {
  constexpr int L = kLanes<float>;
  std::int64_t i = 0;
  for (; i + L <= n; i += L) store<L>(to + i, load<L>(from + i));
  for (; i < n; ++i) to[i] = f16(from[i]);
}

}  // namespace tenon::TENON_ISA
