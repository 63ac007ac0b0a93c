// Sums of rows and of columns; see ops/reduce_cpu.cpp.
#include "kernels/vec.inl"
#include "ops/reduce_kernels.hpp"

namespace tenon::TENON_ISA {

/// What elements are added in, within a run: f64, or an integer that the sum of a run fits.
template <class T>
using SumLane = std::conditional_t<!std::is_integral_v<T>, double, std::conditional_t<sizeof(T) <= 2, std::int32_t, std::int64_t>>;
static_assert(kSumRun * 65535 <= std::numeric_limits<std::int32_t>::max());

template <class T>
[[gnu::always_inline]] inline SumLane<T> widen(T v) {
  if constexpr (std::is_integral_v<T>)
    return SumLane<T>(v);
  else
    return double(Acc<T>(v));
}
#if TENON_LANES_BYTES == 64  // instructions that the compiler does not find by itself
using FloatHalf = __m256;
[[gnu::always_inline]] inline __m512d widen_floats(__m256 v) {
  return _mm512_maskz_cvtps_pd(0xff, v);
}
template <class T>
[[gnu::always_inline]] inline auto widen_lanes(const T* p) {
  [[maybe_unused]] const auto bytes = reinterpret_cast<const __m128i*>(p);
  [[maybe_unused]] const auto wide = reinterpret_cast<const __m256i*>(p);
  if constexpr (std::is_same_v<T, float>)
    return widen_floats(_mm256_loadu_ps(p));
  else if constexpr (std::is_same_v<T, bf16>)
    return widen_floats(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(bytes)), 16)));
  else if constexpr (std::is_same_v<T, f16>)
    return widen_floats(_mm256_cvtph_ps(_mm_loadu_si128(bytes)));
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(bytes));
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return _mm512_maskz_cvtepi8_epi32(0xffff, _mm_loadu_si128(bytes));
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return _mm512_maskz_cvtepi16_epi32(0xffff, _mm256_loadu_si256(wide));
  else
    return _mm512_maskz_cvtepi32_epi64(0xff, _mm256_loadu_si256(wide));
}
#elif TENON_LANES_BYTES == 32
using FloatHalf = __m128;
[[gnu::always_inline]] inline __m256d widen_floats(__m128 v) {
  return _mm256_cvtps_pd(v);
}
template <class T>
[[gnu::always_inline]] inline auto widen_lanes(const T* p) {
  [[maybe_unused]] const auto bytes = reinterpret_cast<const __m128i*>(p);
  if constexpr (std::is_same_v<T, float>)
    return widen_floats(_mm_loadu_ps(p));
  else if constexpr (std::is_same_v<T, bf16>)
    return widen_floats(_mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64(bytes)), 16)));
  else if constexpr (std::is_same_v<T, f16>)
    return widen_floats(_mm_cvtph_ps(_mm_loadl_epi64(bytes)));
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes));
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(bytes));
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return _mm256_cvtepi16_epi32(_mm_loadu_si128(bytes));
  else
    return _mm256_cvtepi32_epi64(_mm_loadu_si128(bytes));
}
#endif

/// As many elements as a vector has of their lanes.
template <class T>
[[gnu::always_inline]] inline Vec<SumLane<T>, kLanes<SumLane<T>>> widen_at(const T* p) {
  using A = SumLane<T>;
  constexpr int N = kLanes<A>;
  if constexpr (std::is_same_v<T, A>) {
    Vec<T, N> v;
    std::memcpy(&v, p, sizeof v);
    return v;
#if TENON_LANES_BYTES > 16
  } else {
    return (Vec<A, N>)widen_lanes(p);
#else
  } else {
    Vec<A, N> v;
    for (int i = 0; i < N; ++i) v[i] = widen(p[i]);
    return v;
#endif
  }
}

/// Lanes 2 k and 2 k + 1 of `a`, then of `b`, added in pairs.
template <class A, int N, int... I>
[[gnu::always_inline]] inline Vec<A, N> add_pairs(Vec<A, N> a, Vec<A, N> b, std::integer_sequence<int, I...>) {
  using Index = std::conditional_t<sizeof(A) == 8, std::int64_t, std::int32_t>;
  return __builtin_shuffle(a, b, Vec<Index, N>{2 * I...}) + __builtin_shuffle(a, b, Vec<Index, N>{2 * I + 1 ...});
}
/// Lane r of the result: the sum of the lanes of v[r].
template <class A, int N>
[[gnu::always_inline]] inline Vec<A, N> sums_of_lanes(Vec<A, N>* v) {
  for (int count = N; count > 1; count /= 2)
    for (int i = 0; i < count / 2; ++i) v[i] = add_pairs<A, N>(v[2 * i], v[2 * i + 1], std::make_integer_sequence<int, N>{});
  return v[0];
}

/// Element i of the whole vectors of x [n] is added in lane i % N. Eight sums at once: with four each waits for the one before it.
template <class T>
inline Vec<SumLane<T>, kLanes<SumLane<T>>> sums_by_lane(const T* x, std::int64_t n) {
  using A = SumLane<T>;
  constexpr int N = kLanes<A>, M = 8;
  Vec<A, N> sums[M] = {};
  std::int64_t i = 0;
  for (; i + M * N <= n; i += M * N)
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sums[m] += widen_at(x + i + m * N);
  for (; i + N <= n; i += N) sums[0] += widen_at(x + i);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

#if TENON_LANES_BYTES > 16
template <class T>
inline constexpr bool kAddsInFloat = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

/// 2 N numbers of 16 bits added in pairs.
template <int N, class T>
[[gnu::always_inline]] inline Vec<float, N> pair_sums(const T* p) {
  if constexpr (std::is_same_v<T, bf16>) {  // two of them in a word are the upper halves of two floats but for a shift and a mask
    Vec<std::uint32_t, N> words;
    std::memcpy(&words, p, sizeof words);
    return (Vec<float, N>)(words << 16) + (Vec<float, N>)(words & 0xffff0000u);
  } else {
    return load<N>(p) + load<N>(p + N);
  }
}

/// The whole vectors of a row of 16 bits: four numbers are added in f32, which may lose what is less than 2^-22 of the largest of the four, before they are widened.
template <class T>
inline Vec<double, kLanes<double>> sums_of_fours(const T* x, std::int64_t n) {
  constexpr int N = kLanes<double>;
  Vec<double, N> sums[2] = {};
  std::int64_t i = 0;
  for (; i + 8 * N <= n; i += 8 * N)
    for (int m = 0; m < 2; ++m) {
      const T* p = x + i + 4 * m * N;
      sums[m] += (Vec<double, N>)widen_floats((FloatHalf)(pair_sums<N>(p) + pair_sums<N>(p + 2 * N)));
    }
  for (; i + N <= n; i += N) sums[0] += widen_at(x + i);
  return sums[0] + sums[1];
}
#else
template <class T>
inline constexpr bool kAddsInFloat = false;
template <class T>
inline Vec<double, kLanes<double>> sums_of_fours(const T* x, std::int64_t n) {
  return sums_by_lane(x, n);
}
#endif

/// One long row.
template <class T>
inline SumLane<T> sum_row(const T* x, std::int64_t n) {
  using A = SumLane<T>;
  constexpr int N = kLanes<A>;
  A rest = 0;
  for (std::int64_t i = n / N * N; i < n; ++i) rest += widen(x[i]);
  if constexpr (kAddsInFloat<T>) {
    const A total = sum_lanes<A, N>(sums_of_fours(x, n)) + rest;
    if (total - total == 0) return total;  // else four numbers may have been beyond f32
  }
  return sum_lanes<A, N>(sums_by_lane(x, n)) + rest;
}

/// acc[i] += x[r * stride + i] over r < rows, i < width: four rows at a time, and then what is left.
template <class T>
inline void add_rows(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t width, SumLane<T>* acc) {
  using A = SumLane<T>;
  constexpr int N = kLanes<A>;
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * stride) {
    const T *b = x + stride, *c = b + stride, *d = c + stride;
    std::int64_t i = 0;
    for (; i + N <= width; i += N) {
      Vec<A, N> sum;
      std::memcpy(&sum, acc + i, sizeof sum);
      sum += (widen_at(x + i) + widen_at(b + i)) + (widen_at(c + i) + widen_at(d + i));
      std::memcpy(acc + i, &sum, sizeof sum);
    }
    for (; i < width; ++i) acc[i] += (widen(x[i]) + widen(b[i])) + (widen(c[i]) + widen(d[i]));
  }
  if (r == rows) return;
  std::int64_t i = 0;
  for (; i + N <= width; i += N) {
    Vec<A, N> sum, more = widen_at(x + i);
    std::memcpy(&sum, acc + i, sizeof sum);
    for (std::int64_t k = 1; k < rows - r; ++k) more += widen_at(x + k * stride + i);
    sum += more;
    std::memcpy(acc + i, &sum, sizeof sum);
  }
  for (; i < width; ++i)
    for (std::int64_t k = 0; k < rows - r; ++k) acc[i] += widen(x[k * stride + i]);
}

template <class O, class A>
[[gnu::always_inline]] inline O rounded(A v) {
  if constexpr (std::is_same_v<A, double> && !std::is_same_v<O, double>)
    return O(float(v));
  else
    return O(v);
}

inline constexpr std::int64_t kSumColumns = 1024;  ///< columns that are added up at a time
inline constexpr std::int64_t kFold = 64;          ///< neighbouring short rows are added as one of this length

/// `count` blocks of x [rows, width], `stride` from row to row and dense from block to block -> out [count, width]. width <= kSumColumns,
/// rows <= kSumRun.
template <class T, class O>
void sum_columns(const T* x, std::int64_t count, std::int64_t rows, std::int64_t stride, std::int64_t width, O* out) {
  using A = SumLane<T>;
  alignas(64) A acc[kSumColumns];
  constexpr int N = kLanes<A>;
  if (stride == width && N % width == 0) {  // each column has lanes of its own
    for (; count > 0; --count, x += rows * width, out += width) {
      const std::int64_t n = rows * width;
      const Vec<A, N> sums = sums_by_lane(x, n);
      for (std::int64_t i = 0; i < width; ++i) {
        A sum = 0;
        for (std::int64_t k = i; k < N; k += width) sum += sums[k];
        for (std::int64_t k = n / N * N + i; k < n; k += width) sum += widen(x[k]);
        out[i] = rounded<O>(sum);
      }
    }
    return;
  }
  const std::int64_t fold = stride == width ? kFold / width : 0;
  for (; count > 0; --count, x += rows * stride, out += width) {
    const bool folded = fold > 1 && rows >= 2 * fold;
    const std::int64_t wide = folded ? fold * width : width;
    for (std::int64_t i = 0; i < wide; ++i) acc[i] = 0;
    if (folded) {
      const std::int64_t turns = rows / fold, rest = rows % fold;
      add_rows(x, wide, turns, wide, acc);
      add_rows(x + turns * wide, wide, 1, rest * width, acc);
      for (std::int64_t k = 1; k < fold; ++k)
        for (std::int64_t i = 0; i < width; ++i) acc[i] += acc[k * width + i];
    } else {
      add_rows(x, stride, rows, width, acc);
    }
    for (std::int64_t i = 0; i < width; ++i) out[i] = rounded<O>(acc[i]);
  }
}

template <int K, class T, class O>
inline void sum_few(const T* x, std::int64_t rows, O* out) {
  for (std::int64_t r = 0; r < rows; ++r, x += K) {
    SumLane<T> sum = widen(x[0]);
    for (int k = 1; k < K; ++k) sum += widen(x[k]);
    out[r] = rounded<O>(sum);
  }
}

/// Dense rows of n <= kSumRun elements, a sum each.
template <class T, class O>
void sum_rows(const T* x, std::int64_t rows, std::int64_t n, O* out) {
  using A = SumLane<T>;
  constexpr int N = kLanes<A>;
  if (n == 2) return sum_few<2>(x, rows, out);
  if (n == 3) return sum_few<3>(x, rows, out);
  if (n == 4) return sum_few<4>(x, rows, out);
  std::int64_t r = 0;
  if (n >= N && n < 128) {  // N rows at a time: their lanes are turned and added together
    for (; r + N <= rows; r += N) {
      Vec<A, N> sums[N], rest{};
      for (int k = 0; k < N; ++k, x += n) {
        sums[k] = widen_at(x);
        std::int64_t i = N;
        for (; i + N <= n; i += N) sums[k] += widen_at(x + i);
        A tail = 0;
        for (; i < n; ++i) tail += widen(x[i]);
        rest[k] = tail;
      }
      const Vec<A, N> totals = sums_of_lanes<A, N>(sums) + rest;
      for (int k = 0; k < N; ++k) out[r + k] = rounded<O>(A(totals[k]));
    }
  }
  for (; r < rows; ++r, x += n) {
    if (n >= 128) {
      out[r] = rounded<O>(sum_row(x, n));
    } else {
      A sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += widen(x[i]);
      out[r] = rounded<O>(sum);
    }
  }
}

}  // namespace tenon::TENON_ISA
