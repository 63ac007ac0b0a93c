#include "climate/io/filters.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <bit>
#include <cstring>
#include <new>
#include <type_traits>

namespace tenon::climate {
namespace {

static_assert(std::endian::native == std::endian::little);

/// Written for the vectoriser: a load of each plane, widened, shifted and joined.
template <class Word, bool swapped> void join_planes(const std::byte* planes, std::size_t n, std::byte* out) {
  constexpr std::size_t size = sizeof(Word);
  const auto* p = reinterpret_cast<const std::uint8_t*>(planes);
  for (std::size_t i = 0; i < n; ++i) {
    Word word = 0;
    for (std::size_t k = 0; k < size; ++k) word = Word(word | Word(Word(p[k * n + i]) << 8 * (swapped ? size - 1 - k : k)));
    std::memcpy(out + i * size, &word, size);
  }
}

std::uint16_t turned(std::uint16_t x) { return __builtin_bswap16(x); }
std::uint32_t turned(std::uint32_t x) { return __builtin_bswap32(x); }
std::uint64_t turned(std::uint64_t x) { return __builtin_bswap64(x); }

template <class Word> void turn(std::byte* data, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    Word word;
    std::memcpy(&word, data + i * sizeof word, sizeof word);
    word = turned(word);
    std::memcpy(data + i * sizeof word, &word, sizeof word);
  }
}

}  // namespace

void unshuffle(const std::byte* planes, std::size_t bytes, std::size_t size, bool swapped, std::byte* out) {
  const std::size_t n = bytes / size;
  auto join = [&](auto zero) {
    using Word = decltype(zero);
    if (swapped) join_planes<Word, true>(planes, n, out);
    else join_planes<Word, false>(planes, n, out);
  };
  if (size == 2) join(std::uint16_t{});
  else if (size == 4) join(std::uint32_t{});
  else if (size == 8) join(std::uint64_t{});
  else std::memcpy(out, planes, n * size);
  std::memcpy(out + n * size, planes + n * size, bytes - n * size);
}

void swap_bytes(std::byte* data, std::size_t bytes, std::size_t size) {
  if (size == 2) turn<std::uint16_t>(data, bytes / 2);
  else if (size == 4) turn<std::uint32_t>(data, bytes / 4);
  else if (size == 8) turn<std::uint64_t>(data, bytes / 8);
}

std::uint32_t fletcher32(const std::byte* data, std::size_t bytes) {
  std::uint32_t low = 0, high = 0;
  auto fold = [](std::uint32_t x) { return (x & 0xffff) + (x >> 16); };
  std::size_t words = bytes / 2;
  while (words > 0) {
    std::size_t run = words < 360 ? words : 360;  // as many as cannot overflow 32 bits
    words -= run;
    for (; run > 0; --run, data += 2) {
      low += std::uint32_t(data[0]) << 8 | std::uint32_t(data[1]);
      high += low;
    }
    low = fold(low);
    high = fold(high);
  }
  if (bytes % 2) {
    low += std::uint32_t(data[0]) << 8;
    high += low;
    low = fold(low);
    high = fold(high);
  }
  return fold(high) << 16 | fold(low);
}

bool fletcher32_holds(const std::byte* data, std::size_t bytes) {
  if (bytes < 4) return false;
  std::uint32_t stored;
  std::memcpy(&stored, data + bytes - 4, 4);
  const std::uint32_t sum = fletcher32(data, bytes - 4);
  const std::uint32_t old = (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
  return stored == sum || stored == old;
}

Inflater::Inflater() : inflate_(libdeflate_alloc_decompressor()) {
  if (!inflate_) throw std::bad_alloc();
}

void Inflater::Free::operator()(libdeflate_decompressor* d) const noexcept { libdeflate_free_decompressor(d); }

std::string Inflater::operator()(const std::byte* stream, std::size_t stored, std::byte* out, std::size_t size) {
  std::size_t used = 0, made = 0;
  switch (libdeflate_zlib_decompress_ex(inflate_.get(), stream, stored, out, size, &used, &made)) {
    case LIBDEFLATE_SUCCESS: return made == size ? std::string() : fmt::format("it inflates to {} bytes, {} are wanted", made, size);
    case LIBDEFLATE_INSUFFICIENT_SPACE: return fmt::format("it inflates to more than {} bytes", size);
    default: return "its deflate stream is damaged";
  }
}

}  // namespace tenon::climate
