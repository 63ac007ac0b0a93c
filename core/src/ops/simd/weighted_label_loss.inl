// Cross entropy with class weights and smoothed labels, a value a row: with w the weight of a class, W their sum and y the label,
// on w_y (lse - x_y) + off sum_k w_k (lse - x_k), 0 where y < 0; lse the logarithm of the sum of exponentials.
#include "kernels/label_weights.hpp"
#include "ops/simd/classes.inl"

namespace tenon::TENON_ISA {

/// Few classes: 64 rows at a time.
template <class A>
inline void few_label_losses(const A* x, const std::int64_t* labels, std::int64_t rows, int K, const LabelWeights<A>& w, A* each, A* weight) {
  constexpr int B = 64;
  A t[kFewClasses * B], raw[kFewClasses * B], top[B], sum[B], below[B];
  for (std::int64_t r = 0; r < rows; r += B) {
    const int n = int(rows - r < B ? rows - r : B);
    load_rows<B>(x + r * K, n, K, t);
    std::memcpy(raw, t, sizeof(A) * std::size_t(K * B));
    exponentials<B>(t, K, top, sum);
    for (int i = 0; i < B; ++i) below[i] = 0;
    if (w.off > 0)
      for (int k = 0; k < K; ++k)
        for (int i = 0; i < B; ++i) below[i] += w.of(k) * (top[i] - raw[k * B + i]);
    for (int i = 0; i < n; ++i) {
      const std::int64_t y = labels[r + i];
      const A log_sum = log_of_sum(sum[i]);
      weight[r + i] = y < 0 ? A(0) : w.of(y);
      each[r + i] = y < 0 ? A(0) : w.on * w.of(y) * (log_sum - (x[(r + i) * K + y] - top[i]));
      if (w.off > 0 && y >= 0) each[r + i] += w.off * (below[i] + w.total * log_sum);
    }
  }
}

/// d = p (on w_y + off W) - on w_y [k = y] - off w_k, times the row's.
template <class A>
inline void few_label_gradients(const A* x, const std::int64_t* labels, std::int64_t rows, int K, const LabelWeights<A>& w, const A* d_each, A* dx) {
  constexpr int B = 64;
  A t[kFewClasses * B], top[B], sum[B], base[B], hit[B];
  std::int32_t label[B];
  for (std::int64_t r = 0; r < rows; r += B) {
    const int n = int(rows - r < B ? rows - r : B);
    load_rows<B>(x + r * K, n, K, t);
    exponentials<B>(t, K, top, sum);
    for (int i = 0; i < B; ++i) {
      label[i] = i < n ? std::int32_t(labels[r + i]) : -1;
      const A g = label[i] < 0 ? A(0) : d_each[r + i];
      hit[i] = label[i] < 0 ? A(0) : g * w.on * w.of(label[i]);
      base[i] = g * w.off;
      sum[i] = label[i] < 0 ? A(0) : (hit[i] + base[i] * w.total) / sum[i];
    }
    for (int k = 0; k < K; ++k)
      for (int i = 0; i < B; ++i) {
        const A d = t[k * B + i] * sum[i] - (label[i] == k ? hit[i] : A(0)) - base[i] * w.of(k);
        t[k * B + i] = label[i] < 0 ? A(0) : d;  // what is ignored may be no number
      }
    store_rows<B>(t, n, K, dx + r * K);
  }
}

template <class A>
void label_losses(const A* x, const std::int64_t* labels, std::int64_t rows, std::int64_t K, LabelWeights<A> w, A* each, A* weight) {
  if (K <= kFewClasses) return few_label_losses(x, labels, rows, int(K), w, each, weight);
  constexpr int L = kLanes<A>;
  for (std::int64_t r = 0; r < rows; ++r, x += K) {
    const std::int64_t y = labels[r];
    weight[r] = y < 0 ? A(0) : w.of(y);
    each[r] = 0;
    if (y < 0) continue;
    const A top = row_max(x, K), log_sum = log_of_sum(row_exp_sum(x, K, top));
    each[r] = w.on * weight[r] * (log_sum - (x[y] - top));
    if (!(w.off > 0)) continue;
    const A below = w.of_class ? row_total<A>(K, [=](std::int64_t i) { return load<L>(w.of_class + i) * (top - load<L>(x + i)); })
                               : row_total<A>(K, [=](std::int64_t i) { return top - load<L>(x + i); });
    each[r] += w.off * (below + w.total * log_sum);
  }
}

template <class A>
void label_loss_gradients(const A* x, const std::int64_t* labels, std::int64_t rows, std::int64_t K, LabelWeights<A> w, const A* d_each, A* dx) {
  if (K <= kFewClasses) return few_label_gradients(x, labels, rows, int(K), w, d_each, dx);
  constexpr int L = kLanes<A>;
  for (std::int64_t r = 0; r < rows; ++r, x += K, dx += K) {
    const std::int64_t y = labels[r];
    if (y < 0) {
      for (std::int64_t k = 0; k < K; ++k) dx[k] = 0;
      continue;
    }
    const A hit = d_each[r] * w.on * w.of(y), base = d_each[r] * w.off;
    row_shares(x, K, hit + base * w.total, dx);
    if (w.off > 0) {
      if (w.of_class)
        row_map(K, dx, [=](std::int64_t i) { return load<L>(dx + i) - base * load<L>(w.of_class + i); });
      else
        row_map(K, dx, [=](std::int64_t i) { return load<L>(dx + i) - base; });
    }
    dx[y] -= hit;
  }
}

}  // namespace tenon::TENON_ISA
