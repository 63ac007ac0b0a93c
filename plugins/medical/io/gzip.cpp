#include "medical/io/gzip.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "tenon/error.hpp"

namespace tenon::medical {
namespace {

constexpr std::size_t kSmallestMember = 18;
constexpr std::uint64_t kMostPacked = 1032;
const char kCopyAgain[] = "copy or download the file again";

[[noreturn]] void fail(const char* code, const std::string& what, const char* hint = kCopyAgain) {
  throw Error(ErrorKind::data, code, what, hint);
}

struct Inflater {
  z_stream stream{};
  explicit Inflater(std::span<const std::byte> file) {
    if (inflateInit2(&stream, 15 + 16) != Z_OK) throw Error(ErrorKind::internal, "gzip.init", "zlib could not start");
    feed(file);
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  void feed(std::span<const std::byte> file) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(file.data()));
    stream.avail_in = uInt(std::min<std::size_t>(file.size(), 1u << 30));
  }
};

/// Why the fast decoder refused: the slow road through the same bytes, which stops at `expected` + 1 bytes.
[[noreturn]] void diagnose(std::span<const std::byte> file, std::uint64_t expected) {
  std::size_t at = 0;
  std::uint64_t produced = 0;
  std::array<Bytef, 1 << 15> buffer;
  while (true) {
    Inflater z(file.subspan(at));
    std::uint64_t member = 0;
    while (true) {
      std::size_t used = std::size_t(reinterpret_cast<const std::byte*>(z.stream.next_in) - (file.data() + at));
      if (z.stream.avail_in == 0) z.feed(file.subspan(at + used));
      z.stream.next_out = buffer.data();
      z.stream.avail_out = uInt(buffer.size());
      int rc = inflate(&z.stream, Z_NO_FLUSH);
      member += buffer.size() - z.stream.avail_out;
      used = std::size_t(reinterpret_cast<const std::byte*>(z.stream.next_in) - (file.data() + at));
      if (produced + member > expected) {
        fail("gzip.size", fmt::format("the compressed content is longer than the {} bytes that its header announces", expected),
             "the header is inconsistent with the data: export the file again");
      }
      if (rc == Z_STREAM_END) {
        produced += member;
        at += used;
        break;
      }
      if (rc == Z_DATA_ERROR) {
        std::string why = z.stream.msg ? z.stream.msg : "";
        if (why == "incorrect data check") {
          fail("gzip.crc", fmt::format("the checksum of the compressed content is wrong ({} bytes unpacked)", produced + member));
        }
        if (why == "incorrect length check") {
          fail("gzip.length", fmt::format("the length in the gzip trailer is not that of the content ({} bytes unpacked)", produced + member));
        }
        fail("gzip.corrupt", fmt::format("the compressed stream is damaged near byte {} ({})", at + used, why.empty() ? "invalid data" : why));
      }
      if (rc != Z_OK && rc != Z_BUF_ERROR) fail("gzip.corrupt", fmt::format("the compressed stream is damaged near byte {}", at + used));
      if (at + used == file.size() && z.stream.avail_out != 0) {
        if (produced + member == expected) {
          fail("gzip.truncated", fmt::format("the file is cut inside the gzip trailer: {} bytes found, content complete but its checksum is missing",
                                             file.size()));
        }
        fail("gzip.truncated",
             fmt::format("the file is cut: {} of {} bytes could be unpacked from its {} bytes", produced + member, expected, file.size()));
      }
    }
    if (at == file.size() && produced == expected) fail("gzip.corrupt", "the gzip header is not valid");
    if (at == file.size()) {
      fail("gzip.size", fmt::format("the content has {} bytes where {} are expected", produced, expected),
           "the header is inconsistent with the data: export the file again");
    }
    if (!is_gzip(file.subspan(at))) {
      fail("gzip.trailing", fmt::format("{} bytes follow the end of the gzip stream at byte {}", file.size() - at, at));
    }
  }
}

}  // namespace

bool is_gzip(std::span<const std::byte> head) {
  return head.size() >= 3 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b} && head[2] == std::byte{8};
}

std::vector<std::byte> gunzip_head(std::span<const std::byte> file, std::size_t size) {
  Inflater z(file);
  std::vector<std::byte> out(size);
  z.stream.next_out = reinterpret_cast<Bytef*>(out.data());
  z.stream.avail_out = uInt(size);
  int rc = inflate(&z.stream, Z_SYNC_FLUSH);
  // Damage behind the first bytes is for the full read to name.
  if ((rc == Z_DATA_ERROR || rc == Z_NEED_DICT) && z.stream.total_out == 0) {
    fail("gzip.corrupt", fmt::format("the compressed stream is damaged within its first {} bytes", z.stream.total_in));
  }
  out.resize(size - z.stream.avail_out);
  return out;
}

Tensor gunzip(std::span<const std::byte> file, std::uint64_t expected) {
  if (file.size() < kSmallestMember) fail("gzip.truncated", fmt::format("the file has {} bytes, fewer than the smallest gzip file", file.size()));
  if (expected > kMostPacked * file.size()) {
    fail("gzip.size", fmt::format("the header announces {} bytes, more than {} compressed bytes can hold", expected, file.size()));
  }
  Tensor out = Tensor::empty({std::int64_t(std::max<std::uint64_t>(expected, 1))}, DType::u8);
  auto* to = static_cast<char*>(out.raw());
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> d(libdeflate_alloc_decompressor(),
                                                                                      &libdeflate_free_decompressor);
  if (!d) throw Error(ErrorKind::device, "io.memory", "no memory for the decompressor");
  std::size_t at = 0, made = 0;
  do {
    std::size_t used = 0, got = 0;
    auto rc = libdeflate_gzip_decompress_ex(d.get(), file.data() + at, file.size() - at, to + made, std::size_t(expected) - made, &used, &got);
    if (rc != LIBDEFLATE_SUCCESS) diagnose(file, expected);
    at += used;
    made += got;
  } while (at < file.size() && is_gzip(file.subspan(at)));
  if (at != file.size() || made != expected) diagnose(file, expected);
  return out;
}

std::vector<std::byte> gzip(std::span<const std::byte> content, int level) {
  std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> c(libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!c) throw Error(ErrorKind::device, "io.memory", "no memory for the compressor");
  std::vector<std::byte> out(libdeflate_gzip_compress_bound(c.get(), content.size()));
  std::size_t size = libdeflate_gzip_compress(c.get(), content.data(), content.size(), out.data(), out.size());
  if (size == 0) throw Error(ErrorKind::internal, "gzip.compress", "the compressor refused its own bound");
  out.resize(size);
  return out;
}

}  // namespace tenon::medical
