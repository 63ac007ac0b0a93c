// Rows of an attention tile; see ops/attention_cpu.cpp.
#include "kernels/softmax.hpp"
#include "kernels/vec.inl"

namespace tenon::TENON_ISA {

/// s: products in, exp(s - top) out; the row's running maximum and sum move on. Returns what sums so far must be scaled by.
template <class A>
A online_softmax_row(std::int64_t n, A* __restrict s, A* top, A* sum) {
  A lanes[16];
  for (int j = 0; j < 16; ++j) lanes[j] = *top;
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) lanes[j] = max_nan(s[i + j], lanes[j]);
  for (; i < n; ++i) lanes[0] = max_nan(s[i], lanes[0]);
  for (int j = 1; j < 16; ++j) lanes[0] = max_nan(lanes[j], lanes[0]);
  const A now = lanes[0], base = now == -std::numeric_limits<A>::infinity() ? A(0) : now;  // all masked: exp gives 0
  A total[16] = {};
  for (i = 0; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) {
      const A e = exp_fast(s[i + j] - base);
      s[i + j] = e;
      total[j] += e;
    }
  for (; i < n; ++i) {
    s[i] = exp_fast(s[i] - base);
    total[0] += s[i];
  }
  for (int j = 1; j < 16; ++j) total[0] += total[j];
  const A carry = exp_fast(*top - base);
  *top = now;
  *sum = *sum * carry + total[0];
  return carry;
}

/// s: products in, probabilities out; ds: gradients of probabilities in, of the scaled products out.
template <class A>
void attention_row_gradient(std::int64_t n, A* __restrict s, A* __restrict ds, A log_sum, A delta) {
  for (std::int64_t i = 0; i < n; ++i) {
    const A p = exp_fast(s[i] - log_sum);
    s[i] = p;
    ds[i] = p * (ds[i] - delta);
  }
}

template <class A>
void scale_row(std::int64_t n, A* y, A factor) {
  for (std::int64_t i = 0; i < n; ++i) y[i] *= factor;
}

template <class A>
A dot_row(std::int64_t n, const A* __restrict x, const A* __restrict y) {
  A lanes[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) lanes[j] += x[i + j] * y[i + j];
  for (; i < n; ++i) lanes[0] += x[i] * y[i];
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

}  // namespace tenon::TENON_ISA
