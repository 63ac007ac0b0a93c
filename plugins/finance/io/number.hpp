/// Decimal text to numbers, exactly: the nearest double, or the integer itself.
///
/// The common cell (at most 16 bytes of digits with one point) goes by vector: its digits are moved together by a shuffle that length and
/// place of the point choose, and folded by three multiply-adds; a mantissa up to 2^53 over a power of ten up to 10^15 is then correctly rounded by one
/// division (Clinger 1990). All else goes through std::from_chars. Bytes behind a cell are read, so 16 must follow it.
#pragma once

#include <immintrin.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tenon::finance {

enum class NumberStatus : std::uint8_t { ok, bad, overflow, not_finite, denormal };

namespace detail {

/// For a length and the place of the point in it (16: none): where each of 16 right-aligned digits comes from.
struct DigitShuffles {
  alignas(16) std::array<std::array<std::array<std::uint8_t, 16>, 17>, 17> at{};
  constexpr DigitShuffles() {
    for (unsigned length = 0; length <= 16; ++length) {
      for (unsigned point = 0; point <= 16; ++point) {
        auto& mask = at[length][point];
        mask.fill(0x80);
        unsigned to = 16;
        for (unsigned i = length; i-- > 0;)
          if (i != point) mask[--to] = std::uint8_t(i);
      }
    }
  }
};
inline constexpr DigitShuffles kDigitShuffles;
inline constexpr double kTens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};

/// Digits of [b, b + length), length 1..16, with at most one point: the integer without the point and its place; false for anything else.
inline bool digits16(const char* b, unsigned length, std::uint64_t& digits, unsigned& point, bool point_allowed) {
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
  const __m128i values = _mm_sub_epi8(raw, _mm_set1_epi8('0'));
  const unsigned inside = (1u << length) - 1;
  const unsigned is_digit = unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)));
  const unsigned points = ~is_digit & inside;
  point = points ? unsigned(std::countr_zero(points)) : 16;
  if (points) {
    if (!point_allowed || (points & (points - 1)) || b[point] != '.' || length == 1) return false;
  }
  const __m128i order = _mm_load_si128(reinterpret_cast<const __m128i*>(kDigitShuffles.at[length][point].data()));
  const __m128i d = _mm_shuffle_epi8(values, order);
  const __m128i pairs = _mm_maddubs_epi16(d, _mm_set1_epi16(0x010A));             // 10 a + b
  const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00010064));        // 100 a + b
  const __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(0x00012710));  // 10,000 a + b
  const auto both = std::uint64_t(_mm_cvtsi128_si64(eights));
  digits = (both & 0xffffffffu) * 100'000'000u + (both >> 32);
  return true;
}

}  // namespace detail

inline NumberStatus parse_real_slow(const char* b, const char* e, double& out) {
  if (b < e && *b == '+') {
    ++b;
    if (b < e && *b == '-') return NumberStatus::bad;
  }
  auto [at, failure] = std::from_chars(b, e, out);
  if (at != e || failure == std::errc::invalid_argument) return NumberStatus::bad;
  if (failure == std::errc::result_out_of_range) return NumberStatus::overflow;
  if (!std::isfinite(out)) return NumberStatus::not_finite;
  if (out != 0 && std::abs(out) < std::numeric_limits<double>::min()) return NumberStatus::denormal;
  return NumberStatus::ok;
}

/// [b, e) is not empty and holds no blanks around the number.
inline NumberStatus parse_real(const char* b, const char* e, double& out) {
  const bool negative = *b == '-';
  const char* begin = b + negative;
  const auto length = std::size_t(e - begin);
  std::uint64_t digits;
  unsigned point;
  if (length - 1 < 16 && detail::digits16(begin, unsigned(length), digits, point, true) && digits <= (std::uint64_t(1) << 53)) [[likely]] {
    const double magnitude = point == 16 ? double(digits) : double(digits) / detail::kTens[length - 1 - point];
    out = negative ? -magnitude : magnitude;
    return NumberStatus::ok;
  }
  return parse_real_slow(b, e, out);
}

inline NumberStatus parse_integer(const char* b, const char* e, std::int64_t& out) {
  const bool negative = *b == '-';
  const char* begin = b + negative;
  const auto length = std::size_t(e - begin);
  std::uint64_t digits;
  unsigned point;
  if (length - 1 < 16 && detail::digits16(begin, unsigned(length), digits, point, false)) [[likely]] {
    out = negative ? -std::int64_t(digits) : std::int64_t(digits);
    return NumberStatus::ok;
  }
  if (b < e && *b == '+') {
    ++b;
    if (b < e && *b == '-') return NumberStatus::bad;
  }
  auto [at, failure] = std::from_chars(b, e, out);
  if (at != e || failure == std::errc::invalid_argument) return NumberStatus::bad;
  // The least integer stands for a missing cell.
  if (failure == std::errc::result_out_of_range || out == std::numeric_limits<std::int64_t>::min()) return NumberStatus::overflow;
  return NumberStatus::ok;
}

}  // namespace tenon::finance
