#include "finance/io/csv_scan.hpp"

#include <bit>

#include "tenon/kernel.hpp"

namespace tenon::finance {
namespace {

BlockFacts facts_of(const char* p, std::int64_t size) {
  const __m256i quote = _mm256_set1_epi8('"'), newline = _mm256_set1_epi8('\n');
  BlockFacts out;
  __m256i least = _mm256_set1_epi8(char(0xff)), all = _mm256_setzero_si256();
  for (std::int64_t i = 0; i < size; i += 64) {
    const std::uint64_t inside = size - i >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << (size - i)) - 1;
    const std::uint64_t q = matches64(p + i, quote) & inside, n = matches64(p + i, newline) & inside;
    if (inside == ~std::uint64_t(0)) {
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + i)), b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + i + 32));
      least = _mm256_min_epu8(least, _mm256_min_epu8(a, b));
      all = _mm256_or_si256(all, _mm256_or_si256(a, b));
    } else {
      for (std::int64_t k = i; k < size; ++k) {
        if (p[k] == 0) out.nul = true;
        if (p[k] & 0x80) out.high = true;
      }
    }
    const std::uint64_t odd = (q ? prefix_parity(q) : 0) ^ (out.quotes & 1 ? ~std::uint64_t(0) : 0);
    const std::uint64_t at[2] = {n & ~odd, n & odd};
    for (int s = 0; s < 2; ++s) {
      if (at[s] && out.first[s] == UINT32_MAX) out.first[s] = std::uint32_t(i + std::countr_zero(at[s]));
      out.newlines[s] += std::uint32_t(std::popcount(at[s]));
    }
    out.quotes += std::uint32_t(std::popcount(q));
  }
  if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256()))) out.nul = true;
  if (_mm256_movemask_epi8(all)) out.high = true;
  return out;
}

}  // namespace

Layout scan(std::string_view text) {
  const auto size = std::int64_t(text.size());
  const std::int64_t blocks = (size + kScanBlock - 1) / kScanBlock;
  std::vector<BlockFacts> facts(std::size_t(blocks), BlockFacts{});
  parallel_blocks(blocks, 8, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) facts[std::size_t(i)] = facts_of(text.data() + i * kScanBlock, std::min(kScanBlock, size - i * kScanBlock));
  });
  Layout out;
  bool odd = false;  // inside quotes where a block begins: proven, for all quotes before it are counted
  std::int64_t begin = 0;
  bool quotes = false;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const BlockFacts& f = facts[std::size_t(i)];
    out.nul |= f.nul;
    out.high |= f.high;
    const std::uint32_t outside = f.newlines[odd], first = f.first[odd];
    if (f.newlines[!odd]) out.newlines_in_quotes = true;
    if (i > 0 && outside) {
      // The record that runs into this block belongs to the chunk before; the next one begins behind its newline.
      const std::int64_t cut = i * kScanBlock + first + 1;
      out.chunks.push_back({begin, cut, 0, quotes || f.quotes != 0});
      begin = cut;
      quotes = false;
    }
    out.records += outside;
    quotes |= f.quotes != 0;
    odd ^= (f.quotes & 1) != 0;
  }
  if (begin < size) out.chunks.push_back({begin, size, 0, quotes});
  out.open_quote = odd;
  // Records before each chunk: those of the blocks before, plus the one whose newline was its cut.
  odd = false;
  std::int64_t records = 0;
  std::size_t c = 1;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const BlockFacts& f = facts[std::size_t(i)];
    if (i > 0 && f.newlines[odd]) {
      if (c < out.chunks.size()) out.chunks[c].first_record = records + 1;
      ++c;
    }
    records += f.newlines[odd];
    odd ^= (f.quotes & 1) != 0;
  }
  return out;
}

void index_cells(const char* text, std::int64_t begin, std::int64_t end, char delimiter, bool quotes, CellIndex& out) {
  const __m256i quote = _mm256_set1_epi8('"'), newline = _mm256_set1_epi8('\n'), comma = _mm256_set1_epi8(delimiter);
  if (auto most = std::size_t(end - begin) + 64; out.capacity < most) {  // one a byte at most
    out.at.reset(new std::uint32_t[most]);
    out.capacity = most;
  }
  std::uint32_t* to = out.at.get();
  std::uint64_t carry = 0;  // all ones inside quotes
  for (std::int64_t i = begin; i < end; i += 64) {
    const char* p = text + i;
    std::uint64_t bits = matches64(p, newline) | matches64(p, comma);
    if (end - i < 64) bits &= (std::uint64_t(1) << (end - i)) - 1;
    if (quotes) {
      const std::uint64_t inside = prefix_parity(matches64(p, quote)) ^ carry;
      carry = std::uint64_t(std::int64_t(inside) >> 63);
      bits &= ~inside;
    }
    const auto base = std::uint32_t(i - begin);
    while (bits) {
      *to++ = base + std::uint32_t(std::countr_zero(bits));
      bits &= bits - 1;
    }
  }
  out.size = std::size_t(to - out.at.get());
}

}  // namespace tenon::finance
