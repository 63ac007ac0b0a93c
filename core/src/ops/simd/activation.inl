// Dense ranges of activations that cost much a value; see kernels/activation.hpp.
#include "kernels/activation.hpp"

namespace tenon::TENON_ISA {

inline void gelu_range(std::int64_t n, const float* __restrict x, float* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = gelu_fast(x[i]);
}

inline void gelu_gradient_range(std::int64_t n, const float* __restrict x, const float* __restrict dy, float* __restrict dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * gelu_slope(x[i]);
}

}  // namespace tenon::TENON_ISA
