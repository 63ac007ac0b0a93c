/// gzip of unknown length, read strictly: every member's CRC-32 and length are checked, nothing may follow the last one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tenon::finance {

bool is_gzip(std::span<const std::byte> head);

/// A block of bytes that is not zeroed first, with room behind its end for wide loads.
struct Bytes {
  std::unique_ptr<char[]> data;
  std::size_t size = 0;
  static constexpr std::size_t kPadding = 64;  ///< zero bytes after `size`
  static Bytes of_size(std::size_t n);
};

/// Asks the kernel for huge pages in memory that is about to be written for the first time; small ranges are left alone.
void prefer_huge_pages(void* memory, std::size_t bytes) noexcept;

/// The content. Throws data errors gzip.truncated, gzip.corrupt, gzip.trailing, and gzip.too_large past `limit` bytes.
Bytes gunzip(std::span<const std::byte> file, std::uint64_t limit);

}  // namespace tenon::finance
