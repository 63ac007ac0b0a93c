/// ZIP archives, as far as .npz needs them: stored and deflated members, ZIP64 (PKWARE's APPNOTE 6.3.10) (private).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/io/file.hpp"

namespace tenon {

struct ZipMember {
  std::string name;
  bool deflated = false;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0, size = 0;  ///< bytes in the file, and unpacked
  std::uint64_t header = 0, data = 0;  ///< offsets of the local header and of the bytes
};

/// The directory of an archive, checked: every member lies within the file, none overlaps another, names differ.
class TENON_API ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path);

  const std::vector<ZipMember>& members() const { return members_; }
  File& file() { return *file_; }
  [[noreturn]] void refuse(const char* code, const std::string& what) const;

 private:
  struct Directory {
    std::uint64_t offset = 0, size = 0, count = 0;
  };
  Directory find_directory();
  void read_end64(std::uint64_t locator, Directory& directory);
  void read_directory(const Directory& directory);
  void read_local_headers(std::uint64_t end);
  std::vector<std::uint8_t> bytes_at(std::uint64_t offset, std::uint64_t size);

  std::filesystem::path path_;
  std::unique_ptr<File> file_;
  std::uint64_t size_;
  std::vector<ZipMember> members_;
};

/// The unpacked bytes of one member, once through; finish() compares length and CRC-32.
class TENON_API ZipStream {
 public:
  ZipStream(ZipReader& reader, const ZipMember& member);
  ~ZipStream();
  std::size_t read(void* data, std::size_t size);
  void finish();

 private:
  struct Inflate;
  ZipReader& reader_;
  const ZipMember& member_;
  std::uint64_t taken_ = 0;  ///< packed bytes read so far
  std::uint32_t crc_ = 0;
  std::unique_ptr<Inflate> inflate_;
};

/// Writes members one after another, then the directory. All timestamps are 1980-01-01.
class TENON_API ZipWriter {
 public:
  /// Numbers from `zip64_from` on are written in 64 bits; tests lower it.
  explicit ZipWriter(AtomicFile& file, std::uint64_t zip64_from = 0xffffffffu) : file_(file), zip64_from_(zip64_from) {}
  /// One member made of `parts` in a row.
  void add(const std::string& name, std::span<const std::span<const std::byte>> parts, bool deflate);
  void finish();

 private:
  void write(std::string_view bytes);

  AtomicFile& file_;
  std::uint64_t zip64_from_, at_ = 0;
  std::vector<ZipMember> members_;
};

}  // namespace tenon
