#include <zlib.h>

#include <algorithm>
#include <limits>

#include "io/zip.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon {
namespace {

void put(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += char(value >> (8 * i));
}

constexpr std::uint64_t kDate = 0x21, kTime = 0;  // 1980-01-01 00:00
constexpr std::uint64_t kUtf8 = 0x800;

std::string deflated(std::span<const std::span<const std::byte>> parts) {
  z_stream z{};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw Error(ErrorKind::device, "memory.exhausted", "out of memory for deflating", "free some memory");
  std::string out;
  std::vector<char> chunk(std::size_t(1) << 16);
  const auto drain = [&](int flush) {
    do {
      z.next_out = reinterpret_cast<Bytef*>(chunk.data());
      z.avail_out = uInt(chunk.size());
      ::deflate(&z, flush);
      out.append(chunk.data(), chunk.size() - z.avail_out);
    } while (z.avail_out == 0);
  };
  for (const auto& part : parts)
    for (std::size_t at = 0; at < part.size();) {
      const std::size_t piece = std::min(part.size() - at, std::size_t(1) << 30);
      z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(part.data() + at));
      z.avail_in = uInt(piece);
      drain(Z_NO_FLUSH);
      at += piece;
    }
  drain(Z_FINISH);
  deflateEnd(&z);
  return out;
}

}  // namespace

void ZipWriter::write(std::string_view bytes) {
  file_.write(bytes);
  at_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::span<const std::span<const std::byte>> parts, bool deflate) {
  if (name.size() > std::numeric_limits<std::uint16_t>::max())
    throw_usage("ZipWriter", "a name of " + std::to_string(name.size()) + " bytes");
  ZipMember m;
  m.name = name;
  m.deflated = deflate;
  m.header = at_;
  for (const auto& part : parts) {
    m.crc = crc32_of(part, m.crc);
    m.size += part.size();
  }
  std::string packed;
  if (deflate) packed = deflated(parts);
  m.packed = deflate ? packed.size() : m.size;
  const bool wide = m.size >= zip64_from_ || m.packed >= zip64_from_;
  std::string head;
  put(head, 0x04034b50, 4);
  put(head, wide ? 45 : 20, 2);
  put(head, kUtf8, 2);
  put(head, deflate ? 8 : 0, 2);
  put(head, kTime, 2);
  put(head, kDate, 2);
  put(head, m.crc, 4);
  put(head, wide ? 0xffffffffu : m.packed, 4);
  put(head, wide ? 0xffffffffu : m.size, 4);
  put(head, name.size(), 2);
  put(head, wide ? 20 : 0, 2);
  head += name;
  if (wide) {
    put(head, 1, 2);
    put(head, 16, 2);
    put(head, m.size, 8);
    put(head, m.packed, 8);
  }
  write(head);
  if (deflate)
    write(packed);
  else
    for (const auto& part : parts) write({reinterpret_cast<const char*>(part.data()), part.size()});
  members_.push_back(std::move(m));
}

void ZipWriter::finish() {
  const std::uint64_t offset = at_;
  std::string directory;
  for (const ZipMember& m : members_) {
    std::string extra;
    const auto narrow = [&](std::uint64_t value) -> std::uint64_t {
      if (value < zip64_from_) return value;
      put(extra, value, 8);
      return 0xffffffffu;
    };
    // in the order of the ZIP64 field: size, packed size, offset
    const std::uint64_t size = narrow(m.size), packed = narrow(m.packed), header = narrow(m.header);
    put(directory, 0x02014b50, 4);
    put(directory, 0x0300 | (extra.empty() ? 20 : 45), 2);  // made on Unix
    put(directory, extra.empty() ? 20 : 45, 2);
    put(directory, kUtf8, 2);
    put(directory, m.deflated ? 8 : 0, 2);
    put(directory, kTime, 2);
    put(directory, kDate, 2);
    put(directory, m.crc, 4);
    put(directory, packed, 4);
    put(directory, size, 4);
    put(directory, m.name.size(), 2);
    put(directory, extra.empty() ? 0 : extra.size() + 4, 2);
    put(directory, 0, 6);            // comment, disk, internal attributes
    put(directory, 0x81800000u, 4);  // an ordinary file, -rw-------
    put(directory, header, 4);
    directory += m.name;
    if (!extra.empty()) {
      put(directory, 1, 2);
      put(directory, extra.size(), 2);
      directory += extra;
    }
  }
  write(directory);
  const std::uint64_t end = at_;
  if (offset >= zip64_from_ || directory.size() >= zip64_from_ || members_.size() >= std::min<std::uint64_t>(zip64_from_, 0xffff)) {
    std::string wide;
    put(wide, 0x06064b50, 4);
    put(wide, 44, 8);
    put(wide, 0x0300 | 45, 2);
    put(wide, 45, 2);
    put(wide, 0, 8);
    put(wide, members_.size(), 8);
    put(wide, members_.size(), 8);
    put(wide, directory.size(), 8);
    put(wide, offset, 8);
    put(wide, 0x07064b50, 4);
    put(wide, 0, 4);
    put(wide, end, 8);
    put(wide, 1, 4);
    write(wide);
  }
  const bool narrow = end == at_;
  std::string last;
  put(last, 0x06054b50, 4);
  put(last, 0, 4);
  put(last, narrow ? members_.size() : 0xffff, 2);
  put(last, narrow ? members_.size() : 0xffff, 2);
  put(last, narrow ? directory.size() : 0xffffffffu, 4);
  put(last, narrow ? offset : 0xffffffffu, 4);
  put(last, 0, 2);
  write(last);
}

}  // namespace tenon
