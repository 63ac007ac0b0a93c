#include "finance/io/gzip.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

const char kCopyAgain[] = "copy or download the file again";

}  // namespace

bool is_gzip(std::span<const std::byte> head) {
  return head.size() >= 3 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b} && head[2] == std::byte{8};
}

void prefer_huge_pages(void* memory, std::size_t bytes) noexcept {
  constexpr std::size_t kPage = 4096, kHuge = std::size_t(1) << 21;
  if (bytes < 2 * kHuge) return;
  const auto begin = (reinterpret_cast<std::uintptr_t>(memory) + kPage - 1) / kPage * kPage, end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // a wish: its failure changes nothing
}

Bytes Bytes::of_size(std::size_t n) {
  Bytes out{std::unique_ptr<char[]>(new char[n + kPadding]), n};
  prefer_huge_pages(out.data.get(), n);
  std::memset(out.data.get() + n, 0, kPadding);
  return out;
}

Bytes gunzip(std::span<const std::byte> file, std::uint64_t limit) {
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> d(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!d) throw Error(ErrorKind::device, "io.memory", "no memory for the decompressor");
  // The last four bytes hold the length modulo 2^32 of the last member: right for nearly every file, a first guess for the rest.
  std::uint32_t tail = 0;
  if (file.size() >= 18) std::memcpy(&tail, file.data() + file.size() - 4, 4);
  std::uint64_t most = std::min<std::uint64_t>(limit, 1032 * std::uint64_t(file.size()));
  std::uint64_t room = std::min<std::uint64_t>(std::max<std::uint64_t>(tail, 64), most);
  Bytes out = Bytes::of_size(std::size_t(room));
  std::size_t at = 0, made = 0;
  while (at < file.size()) {
    if (!is_gzip(file.subspan(at))) {
      if (at == 0) throw Error(ErrorKind::data, "gzip.corrupt", "the file does not begin as gzip", kCopyAgain);
      throw Error(ErrorKind::data, "gzip.trailing", fmt::format("{} bytes follow the end of the gzip stream at byte {}", file.size() - at, at), kCopyAgain);
    }
    std::size_t used = 0, got = 0;
    auto rc = libdeflate_gzip_decompress_ex(d.get(), file.data() + at, file.size() - at, out.data.get() + made, out.size - made, &used, &got);
    if (rc == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (out.size >= most) {
        if (most == limit) throw Error(ErrorKind::data, "gzip.too_large", fmt::format("the content is longer than {} bytes", limit), "unpack the file and read parts of it");
        throw Error(ErrorKind::data, "gzip.corrupt", "the content is longer than deflate can pack", kCopyAgain);
      }
      Bytes more = Bytes::of_size(std::size_t(std::min<std::uint64_t>(most, 2 * std::uint64_t(out.size) + 4096)));
      std::memcpy(more.data.get(), out.data.get(), made);
      out = std::move(more);
      continue;  // this member again
    }
    if (rc != LIBDEFLATE_SUCCESS) {
      throw Error(ErrorKind::data, "gzip.truncated",
                  fmt::format("the gzip stream is cut or damaged: {} of {} compressed bytes are whole members, {} bytes unpacked", at, file.size(), made), kCopyAgain);
    }
    at += used;
    made += got;
  }
  if (at == 0) throw Error(ErrorKind::data, "gzip.truncated", "the file is empty", kCopyAgain);
  out.size = made;
  std::memset(out.data.get() + made, 0, Bytes::kPadding);
  return out;
}

}  // namespace tenon::finance
