/// Where records and cells begin: quotes, delimiters and newlines by 64 bytes at a time (private).
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::finance {

/// Bit i of the result: byte i of the 64 at `p` equals `c`.
inline std::uint64_t matches64(const char* p, __m256i c) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
  const auto low = std::uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, c)));
  const auto high = std::uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, c)));
  return std::uint64_t(high) << 32 | low;
}

/// Bit i: the parity of the bits 0 to i.
inline std::uint64_t prefix_parity(std::uint64_t x) {
  for (int s = 1; s < 64; s *= 2) x ^= x << s;
  return x;
}

/// What a block of the file holds, for either state in which it may begin.
struct BlockFacts {
  std::uint32_t quotes = 0;
  std::uint32_t newlines[2] = {};  ///< at even and odd parity of the quotes since the block's begin
  std::uint32_t first[2] = {UINT32_MAX, UINT32_MAX};  ///< the first of each, counted from the block's begin
  bool nul = false, high = false;  ///< a zero byte; a byte of 0x80 and more
};

inline constexpr std::int64_t kScanBlock = 1 << 16;

/// One chunk of whole records.
struct Chunk {
  std::int64_t begin = 0, end = 0;  ///< bytes; `end` is behind the newline of the last record
  std::int64_t first_record = 0;    ///< records before it
  bool quotes = false;
};

struct Layout {
  std::vector<Chunk> chunks;
  std::int64_t records = 0;
  bool nul = false, high = false, open_quote = false;
  bool newlines_in_quotes = false;
};

/// `text` ends with a newline; 64 readable bytes follow it. Chunks are the same for any thread count.
Layout scan(std::string_view text);

/// Ends of cells of a chunk; the memory is kept from chunk to chunk.
struct CellIndex {
  std::unique_ptr<std::uint32_t[]> at;
  std::size_t size = 0, capacity = 0;
};
/// Positions, from `begin` on, of the delimiters and newlines outside quotes in [begin, end), which begins outside quotes and is shorter than 4 GiB.
void index_cells(const char* text, std::int64_t begin, std::int64_t end, char delimiter, bool quotes, CellIndex& out);

}  // namespace tenon::finance
