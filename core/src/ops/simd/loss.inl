// Losses over one chunk of rows; see kernels/loss.hpp for the maths.
#include "kernels/loss.hpp"
#include "ops/simd/classes.inl"

namespace tenon::TENON_ISA {

/// Cross entropy, and with Dice the sums of p t, p and t a class, of `rows` rows in f64: sums[0], then I, P, T.
template <class T, bool Dice, int B, int MaxK>
void label_sums_block(const T* x, const std::int32_t* labels, std::int64_t rows, int K, double* sums) {
  using A = Acc<T>;
  using Bits = std::conditional_t<sizeof(A) == 8, std::int64_t, std::int32_t>;
  A t[MaxK * B], top[B], sum[B], live[B], entropy[B] = {};
  Bits chosen[B];
  A inter[Dice ? MaxK * B : 1], prob[Dice ? MaxK * B : 1], truth[Dice ? MaxK * B : 1];
  if constexpr (Dice)
    for (int i = 0; i < K * B; ++i) inter[i] = prob[i] = truth[i] = 0;
  for (std::int64_t r = 0; r < rows; r += B) {
    const int n = int(rows - r < B ? rows - r : B);
    std::int32_t label[B];
    for (int i = 0; i < B; ++i) live[i] = A(i < n), label[i] = i < n ? labels[r + i] : -1;
    load_rows<B>(x + r * K, n, K, t);
    for (int i = 0; i < B; ++i) chosen[i] = 0;
    for (int k = 0; k < K; ++k)
      for (int i = 0; i < B; ++i) chosen[i] |= std::bit_cast<Bits>(t[k * B + i]) & -Bits(label[i] == k);  // no branch, and infinities stay
    exponentials<B>(t, K, top, sum);
    for (int i = 0; i < B; ++i) entropy[i] += live[i] * (log_of_sum(sum[i]) - (std::bit_cast<A>(chosen[i]) - top[i]));
    if constexpr (Dice) {
      for (int i = 0; i < B; ++i) sum[i] = live[i] / sum[i];
      for (int k = 0; k < K; ++k)
        for (int i = 0; i < B; ++i) {
          A p = t[k * B + i] * sum[i], hit = label[i] == k ? A(1) : A(0);
          inter[k * B + i] += p * hit;
          prob[k * B + i] += p;
          truth[k * B + i] += hit;
        }
    }
  }
  sums[0] = 0;
  for (int i = 0; i < B; ++i) sums[0] += double(entropy[i]);
  if constexpr (Dice)
    for (int k = 0; k < K; ++k) {
      double a = 0, b = 0, c = 0;
      for (int i = 0; i < B; ++i) a += double(inter[k * B + i]), b += double(prob[k * B + i]), c += double(truth[k * B + i]);
      sums[1 + k] = a, sums[1 + K + k] = b, sums[1 + 2 * K + k] = c;
    }
}

/// d = p (g - sum p g) + (p - t) entropy_share, g = t on_target[k] + always[k] (Dice only).
template <class T, bool Dice, int B, int MaxK>
void label_gradient_block(const T* x, const std::int32_t* labels, T* dx, std::int64_t rows, int K, Acc<T> entropy_share,
                          const DiceSlope<Acc<T>>* slope) {
  using A = Acc<T>;
  A t[MaxK * B], top[B], sum[B], pull[B];
  for (std::int64_t r = 0; r < rows; r += B) {
    const int n = int(rows - r < B ? rows - r : B);
    std::int32_t label[B];
    for (int i = 0; i < B; ++i) label[i] = i < n ? labels[r + i] : -1;
    load_rows<B>(x + r * K, n, K, t);
    exponentials<B>(t, K, top, sum);
    for (int i = 0; i < B; ++i) sum[i] = A(1) / sum[i], pull[i] = 0;
    for (int k = 0; k < K; ++k) {
      const A off = Dice ? slope[k].always : A(0), on = Dice ? off + slope[k].on_target : A(0);
      for (int i = 0; i < B; ++i) {
        t[k * B + i] *= sum[i];
        if constexpr (Dice) pull[i] += t[k * B + i] * (label[i] == k ? on : off);
      }
    }
    for (int k = 0; k < K; ++k) {
      const A off = Dice ? slope[k].always : A(0), on = Dice ? off + slope[k].on_target : A(0);
      for (int i = 0; i < B; ++i) {
        A p = t[k * B + i], d = (p - (label[i] == k ? A(1) : A(0))) * entropy_share;
        if constexpr (Dice) d += p * ((label[i] == k ? on : off) - pull[i]);
        t[k * B + i] = d;
      }
    }
    store_rows<B>(t, n, K, dx + r * K);
  }
}

template <class T, bool Dice>
void label_sums(const T* x, const std::int32_t* labels, std::int64_t rows, std::int64_t K, double* sums) {
  if (K <= kFewClasses) return label_sums_block<T, Dice, 64, kFewClasses>(x, labels, rows, int(K), sums);
  if constexpr (Dice) {
    label_sums_block<T, Dice, 16, kManyClasses>(x, labels, rows, int(K), sums);
  } else {
    sums[0] = 0;
    for (std::int64_t r = 0; r < rows; ++r, x += K) {
      Acc<T> top = row_max(x, K);
      sums[0] += double(log_of_sum(row_exp_sum(x, K, top)) - (Acc<T>(x[labels[r]]) - top));
    }
  }
}

template <class T, bool Dice>
void label_gradient(const T* x, const std::int32_t* labels, T* dx, std::int64_t rows, std::int64_t K, Acc<T> entropy_share,
                    const DiceSlope<Acc<T>>* slope) {
  using A = Acc<T>;
  if (K <= kFewClasses) return label_gradient_block<T, Dice, 64, kFewClasses>(x, labels, dx, rows, int(K), entropy_share, slope);
  if constexpr (Dice) {
    label_gradient_block<T, Dice, 16, kManyClasses>(x, labels, dx, rows, int(K), entropy_share, slope);
  } else {
    for (std::int64_t r = 0; r < rows; ++r, x += K, dx += K) {
      const RowShares<A> p = row_shares(x, K, entropy_share, dx);
      dx[labels[r]] = T(exp_loop(A(x[labels[r]]) - p.top) * p.scale - entropy_share);
    }
  }
}

template <class T>
double squared_error_sum(const T* x, const T* y, std::int64_t n) {
  using A = Acc<T>;
  double total = 0;
  constexpr std::int64_t kRun = 1024;
  for (std::int64_t start = 0; start < n; start += kRun) {
    const std::int64_t end = start + kRun < n ? start + kRun : n;
    A sum[32] = {};
    std::int64_t i = start;
    for (; i + 32 <= end; i += 32)
      for (int j = 0; j < 32; ++j) {
        A d = A(x[i + j]) - A(y[i + j]);
        sum[j] += d * d;
      }
    for (; i < end; ++i) {
      A d = A(x[i]) - A(y[i]);
      sum[0] += d * d;
    }
    for (int j = 0; j < 32; ++j) total += double(sum[j]);
  }
  return total;
}

template <class T>
void scaled_difference(const T* x, const T* y, T* out, std::int64_t n, Acc<T> factor) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = T((Acc<T>(x[i]) - Acc<T>(y[i])) * factor);
}

}  // namespace tenon::TENON_ISA
