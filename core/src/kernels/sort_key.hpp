/// Elements as unsigned integers whose order is the order of the elements: written once for every device.
///
/// -0 has the key of 0. A NaN has the largest key, in descending order too, where all other keys are turned round.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/types.hpp"

namespace tenon {

template <class T>
using SortKey = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

template <class K>
inline constexpr K kTopBit = K(1) << (8 * sizeof(K) - 1);

template <class T>
TENON_MATHS SortKey<T> sort_key(T v, bool descending) {
  using K = SortKey<T>;
  const K turn = descending ? ~K(0) : K(0);
  if constexpr (std::is_integral_v<T>) {
    return (K(std::make_signed_t<K>(v)) ^ kTopBit<K>)^turn;
  } else {
    const Acc<T> f = Acc<T>(v);
    K bits = std::bit_cast<K>(f);
    bits = f == 0 ? K(0) : bits;
    const K key = (bits ^ ((bits & kTopBit<K>) ? ~K(0) : kTopBit<K>)) ^ turn;
    return f != f ? ~K(0) : key;
  }
}

/// The element of a key, but for those that several elements share (`shared_key`).
template <class T>
TENON_MATHS T from_sort_key(SortKey<T> key, bool descending) {
  using K = SortKey<T>;
  const K up = descending ? ~key : key;
  if constexpr (std::is_integral_v<T>)
    return T(std::make_signed_t<K>(up ^ kTopBit<K>));
  else
    return T(std::bit_cast<Acc<T>>(up & kTopBit<K> ? up ^ kTopBit<K> : ~up));
}

/// Zero and NaN: the bits of the element are lost.
template <class T>
TENON_MATHS bool shared_key(SortKey<T> key, bool descending) {
  using K = SortKey<T>;
  return !std::is_integral_v<T> && (key == ~K(0) || key == (descending ? ~kTopBit<K> : kTopBit<K>));
}

/// A key and where it stood, in one number where they fit: all records of a row differ, so that any way of sorting them is stable.
struct NarrowRecord {
  std::uint64_t bits;
  using Key = std::uint32_t;
  TENON_MATHS static NarrowRecord of(Key key, std::int64_t index) { return {std::uint64_t(key) << 32 | std::uint64_t(index)}; }
  TENON_MATHS Key key() const { return Key(bits >> 32); }
  TENON_MATHS std::int64_t index() const { return std::int64_t(bits & 0xffffffffu); }
  TENON_MATHS bool operator<(const NarrowRecord& other) const { return bits < other.bits; }
  static constexpr std::int64_t kMostElements = std::int64_t(1) << 32;
};
struct WideRecord {
  std::uint64_t bits;
  std::int64_t at;
  using Key = std::uint64_t;
  TENON_MATHS static WideRecord of(Key key, std::int64_t index) { return {key, index}; }
  TENON_MATHS Key key() const { return bits; }
  TENON_MATHS std::int64_t index() const { return at; }
  TENON_MATHS bool operator<(const WideRecord& other) const { return bits != other.bits ? bits < other.bits : at < other.at; }
  static constexpr std::int64_t kMostElements = INT64_MAX;
};
template <class T>
using SortRecord = std::conditional_t<sizeof(T) == 8, WideRecord, NarrowRecord>;

}  // namespace tenon
