/// Moving rows of bytes on the CPU (private): many short ones without a call each, long ones past the caches where these could not hold
/// the result.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "backend/cpu/ceil_div.hpp"
#include "tenon/device.hpp"

namespace tenon::cpu {

inline constexpr std::int64_t kTaskBytes = 1 << 16;     ///< least that is worth a task
inline constexpr std::int64_t kStreamBytes = 32 << 20;  ///< a result from here on is written past the caches
inline constexpr std::int64_t kStreamRow = 256;         ///< bytes of a row from which that pays: its ends share lines with neighbours

/// Items of `bytes` a task: one run of neighbours a thread, so that each finds in its caches what it moved there by the op before.
inline std::int64_t move_grain(std::int64_t items, std::int64_t bytes) {
  return std::max({std::int64_t(1), kTaskBytes / std::max<std::int64_t>(1, bytes), ceil_div(items, thread_count())});
}

typedef std::uint64_t Bytes16 __attribute__((vector_size(16)));

[[gnu::always_inline]] inline Bytes16 load16(const char* p) {
  Bytes16 v;
  std::memcpy(&v, p, 16);
  return v;
}
[[gnu::always_inline]] inline void store16(char* p, Bytes16 v) {
  std::memcpy(p, &v, 16);
}

/// 16 or more bytes; a loop, since a call a row costs more than the copy, and since the C library's own changes its way with size and
/// place.
inline void copy_vectors(char* to, const char* from, std::int64_t bytes) {
  std::int64_t i = 0;
  for (; i + 64 <= bytes; i += 64) {
    const Bytes16 a = load16(from + i), b = load16(from + i + 16), c = load16(from + i + 32), d = load16(from + i + 48);
    store16(to + i, a);
    store16(to + i + 16, b);
    store16(to + i + 32, c);
    store16(to + i + 48, d);
  }
  for (; i + 16 <= bytes; i += 16) store16(to + i, load16(from + i));
  if (i < bytes) store16(to + bytes - 16, load16(from + bytes - 16));
}

/// Any number of bytes, the lines of the result past the caches; followed by end_streams() before another thread may read them.
inline void stream_row(char* to, const char* from, std::int64_t bytes) {
#if defined(__SSE2__)
  const std::int64_t head = std::int64_t(-reinterpret_cast<std::uintptr_t>(to) & 63);
  if (bytes >= kStreamRow) {
    std::memcpy(to, from, std::size_t(head));
    std::int64_t i = head;
    for (; i + 64 <= bytes; i += 64)
      for (int j = 0; j < 64; j += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + i + j), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i + j)));
    std::memcpy(to + i, from + i, std::size_t(bytes - i));
    return;
  }
#endif
  std::memcpy(to, from, std::size_t(bytes));
}
inline void end_streams() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

template <std::int64_t Bytes>
inline void copy_rows_of(char* to, std::int64_t to_step, const char* from, std::int64_t from_step, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r) std::memcpy(to + r * to_step, from + r * from_step, std::size_t(Bytes));
}

/// Rows of `bytes` at steps of their own; sizes of few elements are compiled in.
inline void copy_rows(char* to, std::int64_t to_step, const char* from, std::int64_t from_step, std::int64_t bytes, std::int64_t rows) {
  switch (bytes) {
    case 1:
      return copy_rows_of<1>(to, to_step, from, from_step, rows);
    case 2:
      return copy_rows_of<2>(to, to_step, from, from_step, rows);
    case 4:
      return copy_rows_of<4>(to, to_step, from, from_step, rows);
    case 6:
      return copy_rows_of<6>(to, to_step, from, from_step, rows);
    case 8:
      return copy_rows_of<8>(to, to_step, from, from_step, rows);
    case 12:
      return copy_rows_of<12>(to, to_step, from, from_step, rows);
    case 16:
      return copy_rows_of<16>(to, to_step, from, from_step, rows);
    case 32:
      return copy_rows_of<32>(to, to_step, from, from_step, rows);
    case 64:
      return copy_rows_of<64>(to, to_step, from, from_step, rows);
    case 128:
      return copy_rows_of<128>(to, to_step, from, from_step, rows);
    default:
      break;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    if (bytes < 16)
      std::memcpy(to + r * to_step, from + r * from_step, std::size_t(bytes));
    else
      copy_vectors(to + r * to_step, from + r * from_step, bytes);
  }
}

}  // namespace tenon::cpu
