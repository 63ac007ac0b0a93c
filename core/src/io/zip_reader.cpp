#include <zlib.h>

#include <algorithm>
#include <set>

#include "io/zip.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46, kLocalSize = 30;
constexpr std::uint64_t kMaxComment = 65535;
constexpr std::uint64_t kMaxExpansion = 1032;  ///< a deflated byte holds at most so many (zlib's technical notes)

/// The `bytes`-byte little-endian number at `at`.
std::uint64_t number(const std::uint8_t* at, int bytes) {
  std::uint64_t n = 0;
  for (int i = bytes; i-- > 0;) n = n << 8 | at[i];
  return n;
}

}  // namespace

ZipReader::ZipReader(const std::filesystem::path& path) : path_(path), file_(files().open_read(path)), size_(file_->size()) {
  const Directory directory = find_directory();
  read_directory(directory);
  read_local_headers(directory.offset);
}

void ZipReader::refuse(const char* code, const std::string& what) const {
  throw Error(ErrorKind::data, std::string("npz.") + code, path_.string() + ": " + what,
              "the file is damaged or not a .npz file; write it anew", path_.string());
}

std::vector<std::uint8_t> ZipReader::bytes_at(std::uint64_t offset, std::uint64_t size) {
  if (offset > size_ || size > size_ - offset)
    refuse("truncated", std::to_string(size) + " bytes at " + std::to_string(offset) + " of a file of " + std::to_string(size_));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  if (file_->read_at(offset, bytes.data(), bytes.size()) != bytes.size()) refuse("truncated", "the file ends early");
  return bytes;
}

/// The record at the end, which a comment may follow; it must be what ends the file exactly.
ZipReader::Directory ZipReader::find_directory() {
  if (size_ < kEndSize) refuse("truncated", "only " + std::to_string(size_) + " bytes, fewer than an empty archive has");
  const std::uint64_t start = size_ - std::min(size_, kEndSize + kMaxComment);
  const std::vector<std::uint8_t> tail = bytes_at(start, size_ - start);
  for (std::uint64_t i = tail.size() - kEndSize + 1; i-- > 0;) {
    const std::uint8_t* at = tail.data() + i;
    if (number(at, 4) != kEnd || number(at + 20, 2) != tail.size() - i - kEndSize) continue;
    Directory directory{number(at + 16, 4), number(at + 12, 4), number(at + 10, 2)};
    if (number(at + 4, 2) != 0 || number(at + 6, 2) != 0 || number(at + 8, 2) != directory.count)
      if (number(at + 4, 2) != 0xffff) refuse("split", "the archive is split over several files");
    std::uint64_t end = start + i;
    if (directory.offset == 0xffffffff || directory.size == 0xffffffff || directory.count == 0xffff) {
      if (end < kLocatorSize) refuse("directory", "no place for a ZIP64 record");
      read_end64(end - kLocatorSize, directory);
      end = end - kLocatorSize - kEnd64Size;
    }
    if (directory.offset > end || directory.size != end - directory.offset)
      refuse("directory", "a directory of " + std::to_string(directory.size) + " bytes at " + std::to_string(directory.offset) +
                              " does not end where its end record begins, at " + std::to_string(end));
    return directory;
  }
  refuse("directory", "it does not end as a ZIP archive does");
}

void ZipReader::read_end64(std::uint64_t locator, Directory& directory) {
  const auto link = bytes_at(locator, kLocatorSize);
  if (number(link.data(), 4) != kLocator64) refuse("directory", "the ZIP64 locator is missing");
  if (locator < kEnd64Size || number(&link[8], 8) != locator - kEnd64Size || number(&link[4], 4) != 0)
    refuse("directory", "the ZIP64 record does not stand before its locator");
  const auto end = bytes_at(locator - kEnd64Size, kEnd64Size);
  if (number(end.data(), 4) != kEnd64 || number(&end[4], 8) != kEnd64Size - 12) refuse("directory", "the ZIP64 record is none");
  if (number(&end[16], 4) != 0 || number(&end[20], 4) != 0 || number(&end[24], 8) != number(&end[32], 8))
    refuse("split", "the archive is split over several files");
  directory = {number(&end[48], 8), number(&end[40], 8), number(&end[32], 8)};
}

void ZipReader::read_directory(const Directory& directory) {
  if (directory.count > directory.size / kCentralSize)
    refuse("directory", std::to_string(directory.count) + " members in a directory of " + std::to_string(directory.size) + " bytes");
  const auto bytes = bytes_at(directory.offset, directory.size);
  std::set<std::string> names;
  std::uint64_t at = 0;
  for (std::uint64_t k = 0; k < directory.count; ++k) {
    if (bytes.size() - at < kCentralSize || number(&bytes[at], 4) != kCentral)
      refuse("directory", "entry " + std::to_string(k) + " is none");
    const std::uint8_t* entry = &bytes[at];
    const std::uint64_t name = number(entry + 28, 2), extra = number(entry + 30, 2), comment = number(entry + 32, 2);
    if (name + extra + comment > bytes.size() - at - kCentralSize) refuse("directory", "entry " + std::to_string(k) + " is cut off");
    ZipMember m;
    m.name.assign(reinterpret_cast<const char*>(entry) + kCentralSize, name);
    if (!names.insert(m.name).second) refuse("duplicate", "the name '" + m.name + "' stands twice");
    const std::uint64_t flags = number(entry + 8, 2), method = number(entry + 10, 2);
    if (flags & 0x2041) refuse("encrypted", "'" + m.name + "' is encrypted");
    if (method != 0 && method != 8)
      refuse("method", "'" + m.name + "' is packed by method " + std::to_string(method) + "; stored (0) and deflated (8) are read");
    m.deflated = method == 8;
    m.crc = std::uint32_t(number(entry + 16, 4));
    m.packed = number(entry + 20, 4);
    m.size = number(entry + 24, 4);
    m.header = number(entry + 42, 4);
    // the ZIP64 field gives, in this order, those of the three that are all ones
    for (std::uint64_t e = 0; extra - e >= 4;) {
      const std::uint8_t* field = entry + kCentralSize + name + e;
      const std::uint64_t length = number(field + 2, 2);
      if (length > extra - e - 4) refuse("directory", "'" + m.name + "' has a cut-off extra field");
      std::uint64_t used = 0;
      if (number(field, 2) == 1)
        for (std::uint64_t* value : {&m.size, &m.packed, &m.header})
          if (*value == 0xffffffff) {
            if (length - used < 8) refuse("directory", "'" + m.name + "' has a short ZIP64 field");
            *value = number(field + 4 + used, 8);
            used += 8;
          }
      e += 4 + length;
    }
    if (!m.deflated && m.packed != m.size)
      refuse("size", "'" + m.name + "' is stored, yet " + std::to_string(m.packed) + " bytes in the file are " + std::to_string(m.size));
    if (m.deflated && m.size / kMaxExpansion > m.packed)
      refuse("size", "'" + m.name + "': " + std::to_string(m.packed) + " deflated bytes cannot hold " + std::to_string(m.size));
    members_.push_back(std::move(m));
    at += kCentralSize + name + extra + comment;
  }
  if (at != bytes.size()) refuse("directory", "the directory has more bytes than entries");
}

void ZipReader::read_local_headers(std::uint64_t end) {
  std::vector<ZipMember*> by_place;
  for (ZipMember& m : members_) by_place.push_back(&m);
  std::sort(by_place.begin(), by_place.end(), [](const ZipMember* a, const ZipMember* b) { return a->header < b->header; });
  std::uint64_t free_from = 0;
  for (ZipMember* m : by_place) {
    if (m->header < free_from) refuse("overlap", "'" + m->name + "' begins inside the member before it");
    if (m->header > end || end - m->header < kLocalSize) refuse("truncated", "'" + m->name + "' begins past the members");
    const auto local = bytes_at(m->header, kLocalSize);
    const std::uint64_t name = number(&local[26], 2), extra = number(&local[28], 2);
    if (number(local.data(), 4) != kLocal || number(&local[8], 2) != (m->deflated ? 8 : 0) || name != m->name.size())
      refuse("header", "'" + m->name + "' has another header than the directory says");
    if (name + extra > end - m->header - kLocalSize) refuse("truncated", "'" + m->name + "' ends past the members");
    const auto stored_name = bytes_at(m->header + kLocalSize, name);
    if (!std::equal(stored_name.begin(), stored_name.end(), m->name.begin(), [](std::uint8_t a, char b) { return a == std::uint8_t(b); }))
      refuse("header", "'" + m->name + "' has another name in its header");
    m->data = m->header + kLocalSize + name + extra;
    if (m->packed > end - m->data) refuse("truncated", "'" + m->name + "' ends past the members");
    free_from = m->data + m->packed;
  }
}

struct ZipStream::Inflate {
  z_stream z{};
  std::vector<std::uint8_t> in = std::vector<std::uint8_t>(std::size_t(1) << 16);
  bool ended = false;
  Inflate() {
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
      throw Error(ErrorKind::device, "memory.exhausted", "out of memory for inflating", "free some memory");
  }
  ~Inflate() { inflateEnd(&z); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
};

ZipStream::ZipStream(ZipReader& reader, const ZipMember& member) : reader_(reader), member_(member) {
  if (member.deflated) inflate_ = std::make_unique<Inflate>();
}
ZipStream::~ZipStream() = default;

std::size_t ZipStream::read(void* data, std::size_t size) {
  std::size_t done = 0;
  if (!inflate_) {
    done = std::size_t(std::min<std::uint64_t>(size, member_.packed - taken_));
    if (reader_.file().read_at(member_.data + taken_, data, done) != done) reader_.refuse("truncated", "'" + member_.name + "' ends early");
    taken_ += done;
  } else {
    z_stream& z = inflate_->z;
    while (done < size && !inflate_->ended) {
      if (z.avail_in == 0) {
        const auto want = std::size_t(std::min<std::uint64_t>(inflate_->in.size(), member_.packed - taken_));
        if (want == 0 || reader_.file().read_at(member_.data + taken_, inflate_->in.data(), want) != want)
          reader_.refuse("truncated", "the deflated bytes of '" + member_.name + "' end early");
        taken_ += want;
        z.next_in = inflate_->in.data();
        z.avail_in = uInt(want);
      }
      const auto piece = uInt(std::min<std::size_t>(size - done, std::size_t(1) << 30));
      z.next_out = static_cast<Bytef*>(data) + done;
      z.avail_out = piece;
      const int status = ::inflate(&z, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END) reader_.refuse("deflate", "the deflated bytes of '" + member_.name + "' are damaged");
      inflate_->ended = status == Z_STREAM_END;
      done += piece - z.avail_out;
    }
  }
  crc_ = crc32_of({static_cast<const std::byte*>(data), done}, crc_);
  return done;
}

void ZipStream::finish() {
  std::byte more{};
  const std::uint32_t crc = crc_;
  if (read(&more, 1) != 0 || taken_ != member_.packed || (inflate_ && inflate_->z.avail_in != 0))
    reader_.refuse("size", "'" + member_.name + "' holds more than its " + std::to_string(member_.size) + " bytes");
  if (crc != member_.crc) reader_.refuse("checksum", "'" + member_.name + "' does not have its CRC-32");
}

}  // namespace tenon
