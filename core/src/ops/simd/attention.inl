// Rows of an attention tile; see ops/attention_cpu.cpp.
#include "kernels/vec_maths.inl"

namespace tenon::TENON_ISA {

/// s: products in, exp(s - top) out; the row's running maximum and sum move on. Returns what sums so far must be scaled by.
/// A NaN among them makes the sum one.
template <class A>
A online_softmax_row(std::int64_t n, A* __restrict s, A* top, A* sum) {
  constexpr int L = kLanes<A>;
  A now = *top;
  std::int64_t i = 0;
  if (n >= 2 * L) {
    Vec<A, L> a = load<L>(s), b = load<L>(s + L);
    for (i = 2 * L; i + 2 * L <= n; i += 2 * L) {
      const Vec<A, L> u = load<L>(s + i), v = load<L>(s + i + L);
      a = u > a ? u : a;
      b = v > b ? v : b;
    }
    a = b > a ? b : a;
    for (int k = 0; k < L; ++k) now = a[k] > now ? a[k] : now;
  }
  for (; i < n; ++i) now = s[i] > now ? s[i] : now;
  const A base = now == -std::numeric_limits<A>::infinity() ? A(0) : now;  // all masked: exp gives 0
  for (i = 0; i < n; ++i) s[i] = exp_loop(s[i] - base);
  Vec<A, L> total = splat<A, L>(A(0)), more = total;
  for (i = 0; i + 2 * L <= n; i += 2 * L) {
    total += load<L>(s + i);
    more += load<L>(s + i + L);
  }
  total += more;
  A added = 0;
  for (; i < n; ++i) added += s[i];
  for (int k = 0; k < L; ++k) added += total[k];
  const A carry = exp_loop(*top - base);
  *top = now;
  *sum = *sum * carry + added;
  return carry;
}

/// s: products in, probabilities out; ds: gradients of probabilities in, of the scaled products out.
template <class A>
void attention_row_gradient(std::int64_t n, A* __restrict s, A* __restrict ds, A log_sum, A delta) {
  for (std::int64_t i = 0; i < n; ++i) {
    const A p = exp_loop(s[i] - log_sum);
    s[i] = p;
    ds[i] = p * (ds[i] - delta);
  }
}

/// Scaled products of one query with `n` keys, `row` apart.
template <class A>
void query_products(std::int64_t n, std::int64_t depth, const A* __restrict q, const A* __restrict keys, std::int64_t row, A scale,
                    A* __restrict s) {
  constexpr int L = kLanes<A>;
  for (std::int64_t j = 0; j < n; ++j) {
    const A* key = keys + j * row;
    Vec<A, L> a = {}, b = {};
    std::int64_t i = 0;
    for (; i + 2 * L <= depth; i += 2 * L) a += load<L>(q + i) * load<L>(key + i), b += load<L>(q + i + L) * load<L>(key + i + L);
    for (; i + L <= depth; i += L) a += load<L>(q + i) * load<L>(key + i);
    A sum = sum_lanes<A, L>(a + b);
    for (; i < depth; ++i) sum += q[i] * key[i];
    s[j] = sum * scale;
  }
}

struct ShareBody {
  template <int M, int N, class A>
  static void run(std::int64_t c, std::int64_t n, const A* shares, const A* values, std::int64_t row, A* y) {
    Vec<A, N> sum[M];
    for (int m = 0; m < M; ++m) sum[m] = load<N>(y + c + m * N);
    for (std::int64_t j = 0; j < n; ++j)
      for (int m = 0; m < M; ++m) sum[m] += shares[j] * load<N>(values + j * row + c + m * N);
    for (int m = 0; m < M; ++m) store<N>(y + c + m * N, sum[m]);
  }
};
/// y += sum of shares[j] values[j]
template <class A>
void add_shares(std::int64_t n, std::int64_t features, const A* shares, const A* values, std::int64_t row, A* y) {
  channel_blocks<A, ShareBody>(features, n, shares, values, row, y);
}

template <class A>
void scale_row(std::int64_t n, A* y, A factor) {
  for (std::int64_t i = 0; i < n; ++i) y[i] *= factor;
}

template <class A>
A dot_row(std::int64_t n, const A* __restrict x, const A* __restrict y) {
  constexpr int L = kLanes<A>;
  Vec<A, L> lanes = splat<A, L>(A(0));
  std::int64_t i = 0;
  for (; i + L <= n; i += L) lanes += load<L>(x + i) * load<L>(y + i);
  A sum = 0;
  for (; i < n; ++i) sum += x[i] * y[i];
  for (int k = 0; k < L; ++k) sum += lanes[k];
  return sum;
}

}  // namespace tenon::TENON_ISA
