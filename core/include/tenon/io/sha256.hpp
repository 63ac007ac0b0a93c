/// Digests: SHA-256 (FIPS 180-4) of bytes and files, and the CRC-32 of gzip and PNG.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tenon/export.hpp"

namespace tenon {

/// Incremental SHA-256; a cheap value.
class TENON_API Sha256 {
 public:
  void update(const void* data, std::size_t size);
  /// The digest of everything so far; the object is spent.
  std::array<std::uint8_t, 32> digest();
  std::string hex_digest();

 private:
  void block(const std::uint8_t* data);
  std::array<std::uint32_t, 8> state_{0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  std::array<std::uint8_t, 64> pending_{};
  std::uint64_t length_ = 0;
};

/// 64 lower-case hexadecimal digits.
TENON_API std::string sha256_hex(std::span<const std::byte> bytes);
TENON_API std::string sha256_hex(std::string_view text);
/// Streams the file: memory does not grow with it.
TENON_API std::string sha256_of_file(const std::filesystem::path& path);

/// CRC-32 (zlib's), continued from `start`.
TENON_API std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t start = 0);

}  // namespace tenon
