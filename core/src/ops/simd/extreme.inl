// Largest and smallest numbers of rows and of columns, and their first places; see ops/extreme_cpu.cpp.
#include "kernels/elementwise.hpp"
#include "ops/reduce_kernels.hpp"

namespace tenon::TENON_ISA {

template <class T>
using Compared = std::conditional_t<std::is_integral_v<T>, T, kernels::Computed<T>>;

template <Extreme Which, class C>
[[gnu::always_inline]] inline bool beats(C a, C b) {
  return Which == Extreme::max ? a > b : a < b;
}

/// The first place of the largest (or smallest) of n numbers; the first NaN wins. One pass finds the value in lanes, a second its first
/// place by blocks: both without branches on the numbers, so that compilers vectorise them.
template <Extreme Which, class T>
std::int64_t extreme_place(const T* row, std::int64_t n) {
  using C = Compared<T>;
  constexpr std::int64_t kPlaces = 32;
  std::int64_t from = 0, end = n;
  if (n >= 2 * kPlaces) {
    C best[kPlaces];
    int nan = 0;
    for (std::int64_t l = 0; l < kPlaces; ++l) best[l] = C(row[l]);
    std::int64_t i = 0;
    for (; i + kPlaces <= n; i += kPlaces)
      for (std::int64_t l = 0; l < kPlaces; ++l) {
        const C v = C(row[i + l]);
        best[l] = beats<Which>(v, best[l]) ? v : best[l];
        nan |= v != v;
      }
    C value = best[0];
    for (std::int64_t l = 1; l < kPlaces; ++l) value = beats<Which>(best[l], value) ? best[l] : value;
    for (; i < n; ++i) {
      const C v = C(row[i]);
      value = beats<Which>(v, value) ? v : value;
      nan |= v != v;
    }
    for (; from + kPlaces <= n; from += kPlaces) {
      int here = 0;
      for (std::int64_t l = 0; l < kPlaces; ++l) here |= nan ? C(row[from + l]) != C(row[from + l]) : C(row[from + l]) == value;
      if (here) break;
    }
    end = n < from + kPlaces ? n : from + kPlaces;
  }
  std::int64_t place = from;
  for (std::int64_t i = from; i < end; ++i) {
    const C v = C(row[i]), b = C(row[place]);
    if (v != v) return i;
    if (beats<Which>(v, b)) place = i;
  }
  return place;
}

template <Extreme Which, class T>
void extreme_rows(const T* x, std::int64_t rows, std::int64_t n, T* values, std::int64_t* places) {
  for (std::int64_t r = 0; r < rows; ++r, x += n) {
    places[r] = extreme_place<Which>(x, n);
    values[r] = x[places[r]];
  }
}

inline constexpr std::int64_t kExtremeColumns = 512;  ///< columns that are searched at a time

/// places[i]: the row, counted from `first`, of the first extreme of column i of x [n, stride], i < width <= kExtremeColumns, n < 2^31.
template <Extreme Which, class T>
void extreme_columns(const T* x, std::int64_t first, std::int64_t n, std::int64_t stride, std::int64_t width, std::int64_t* places) {
  using C = Compared<T>;
  using Place = std::conditional_t<sizeof(C) == 8, std::int64_t, std::int32_t>;
  alignas(64) C best[kExtremeColumns];
  alignas(64) Place place[kExtremeColumns];
  for (std::int64_t i = 0; i < width; ++i) best[i] = C(x[i]), place[i] = 0;
  for (std::int64_t r = 1; r < n; ++r) {
    const T* row = x + r * stride;
    for (std::int64_t i = 0; i < width; ++i) {
      const C v = C(row[i]), b = best[i];
      const bool take = beats<Which>(v, b) | ((v != v) & (b == b));
      best[i] = take ? v : b;
      place[i] = take ? Place(r) : place[i];
    }
  }
  for (std::int64_t i = 0; i < width; ++i) places[i] = first + place[i];
}

}  // namespace tenon::TENON_ISA
