/// Transposing planes of elements of 1 to 16 bytes in registers of 16 bytes (private).
#pragma once

#include <algorithm>
#include <utility>

#include "backend/cpu/rows.hpp"

namespace tenon::cpu {

template <int Element>
inline constexpr int kLanes16 = 16 / Element;

template <int Element>
struct LaneOf {
  using type = std::uint64_t;
};
template <>
struct LaneOf<1> {
  using type = std::uint8_t;
};
template <>
struct LaneOf<2> {
  using type = std::uint16_t;
};
template <>
struct LaneOf<4> {
  using type = std::uint32_t;
};

/// Lanes of a and b in turn, from `First` on.
template <int Element, int First, std::size_t... I>
[[gnu::always_inline]] inline Bytes16 zip_lanes(Bytes16 a, Bytes16 b, std::index_sequence<I...>) {
  typedef typename LaneOf<Element>::type Lanes __attribute__((vector_size(16)));
  return (Bytes16)__builtin_shufflevector((Lanes)a, (Lanes)b, int(I % 2 ? sizeof...(I) : 0) + First + int(I / 2)...);
}

/// to[i] = last[-i].
template <int Element, std::size_t... I>
inline void reverse_lanes(char* to, const char* last, std::int64_t n, std::index_sequence<I...>) {
  typedef typename LaneOf<Element>::type Lanes __attribute__((vector_size(16)));
  std::int64_t i = 0;
  for (; i + kLanes16<Element> <= n; i += kLanes16<Element>) {
    const Lanes v = (Lanes)load16(last - (i + kLanes16<Element> - 1) * Element);
    store16(to + i * Element, (Bytes16)__builtin_shufflevector(v, v, int(sizeof...(I) - 1 - I)...));
  }
  for (; i < n; ++i) std::memcpy(to + i * Element, last - i * Element, Element);
}
template <int Element>
void reverse_elements(char* to, const char* last, std::int64_t n) {
  reverse_lanes<Element>(to, last, n, std::make_index_sequence<kLanes16<Element>>());
}

/// Rows of a square become its columns: each round zips a row with the one half the square below it.
template <int Element>
[[gnu::always_inline]] inline void transpose_square(Bytes16 (&rows)[kLanes16<Element>]) {
  constexpr int N = kLanes16<Element>;
  if constexpr (N > 1) {
    using Each = std::make_index_sequence<N>;
    for (int round = 1; round < N; round *= 2) {
      Bytes16 next[N];
      for (int i = 0; i < N / 2; ++i) {
        next[2 * i] = zip_lanes<Element, 0>(rows[i], rows[i + N / 2], Each());
        next[2 * i + 1] = zip_lanes<Element, N / 2>(rows[i], rows[i + N / 2], Each());
      }
      for (int i = 0; i < N; ++i) rows[i] = next[i];
    }
  }
}

/// to[column][row] = from[row][column]. Steps in bytes; the elements of a column of the result lie together.
struct Plane {
  const char* from;
  std::int64_t from_step;  ///< between rows
  char* to;
  std::int64_t to_step;  ///< between columns
  std::int64_t rows, columns;
  std::int64_t from_column;  ///< between columns of the source
};

template <int Element>
inline void move_plain(const Plane& p, std::int64_t first_row = 0) {
  for (std::int64_t c = 0; c < p.columns; ++c)
    for (std::int64_t r = first_row; r < p.rows; ++r)
      std::memcpy(p.to + c * p.to_step + r * Element, p.from + r * p.from_step + c * p.from_column, Element);
}

/// Both sides hold a square or more; the last squares of a side lie over those before them.
template <int Element>
void transpose_squares(const Plane& p) {
  constexpr int N = kLanes16<Element>;
  for (std::int64_t at = 0; at < p.rows; at += N) {
    const std::int64_t r = std::min(at, p.rows - N);
    const char* from = p.from + r * p.from_step;
    char* to = p.to + r * Element;
    for (std::int64_t along = 0; along < p.columns; along += N) {
      const std::int64_t c = std::min(along, p.columns - N);
      Bytes16 square[N];
      for (int k = 0; k < N; ++k) square[k] = load16(from + k * p.from_step + c * Element);
      transpose_square<Element>(square);
      for (int k = 0; k < N; ++k) store16(to + (c + k) * p.to_step, square[k]);
    }
  }
}

/// Fewer rows than a square's, each column of the result right after the one before: what a store writes beyond its column, the next ones
/// write again. The rows may lie anywhere.
template <int Element>
void zip_rows(const char* const* rows, std::int64_t count, char* to, std::int64_t columns) {
  constexpr int N = kLanes16<Element>;
  const char* from[N];
  for (int k = 0; k < N; ++k) from[k] = rows[std::min<std::int64_t>(k, count - 1)];
  std::int64_t c = 0;
  for (; (c + N - 1) * count + N <= columns * count; c += N) {
    Bytes16 square[N];
    for (int k = 0; k < N; ++k) square[k] = load16(from[k] + c * Element);
    transpose_square<Element>(square);
    for (int k = 0; k < N; ++k) store16(to + (c + k) * count * Element, square[k]);
  }
  for (; c < columns; ++c)
    for (std::int64_t r = 0; r < count; ++r) std::memcpy(to + (c * count + r) * Element, rows[r] + c * Element, Element);
}

/// The other way: columns fewer than a square's, each row of the source right after the one before. Only the zips that they need are made.
template <int Element, int Columns>
void unzip_columns(const Plane& p) {
  constexpr int N = kLanes16<Element>;
  std::int64_t r = 0;
  for (; (r + N - 1) * Columns + N <= p.rows * Columns; r += N) {
    Bytes16 square[N];
    for (int k = 0; k < N; ++k) square[k] = load16(p.from + (r + k) * p.from_step);
    transpose_square<Element>(square);
    for (int k = 0; k < Columns; ++k) store16(p.to + k * p.to_step + r * Element, square[k]);
  }
  move_plain<Element>(p, r);
}
template <int Element, int Columns = 2>
void unzip(const Plane& p) {
  if constexpr (Columns >= kLanes16<Element>)
    move_plain<Element>(p);
  else if (p.columns == Columns)
    unzip_columns<Element, Columns>(p);
  else
    unzip<Element, Columns + 1>(p);
}

template <int Element>
void transpose_plane(const Plane& p) {
  constexpr int N = kLanes16<Element>;
  if (p.from_column != Element) return move_plain<Element>(p);
  if (p.rows >= N && p.columns >= N) return transpose_squares<Element>(p);
  if (p.rows < N && p.to_step == p.rows * Element) {
    const char* rows[N] = {p.from};
    for (std::int64_t r = 0; r < p.rows; ++r) rows[r] = p.from + r * p.from_step;
    return zip_rows<Element>(rows, p.rows, p.to, p.columns);
  }
  if (p.rows >= N && p.from_step == p.columns * Element) return unzip<Element>(p);
  move_plain<Element>(p);
}

}  // namespace tenon::cpu
