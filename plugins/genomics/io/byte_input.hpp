/// Bytes of a file that may be plain, gzip or BGZF (SAM specification, section 4.1), read once from front to back.
///
/// All of it goes through the core's file seam. Every BGZF block is checked (size, CRC-32), and a BGZF file must end with the empty end
/// block: without it the file was cut. A gzip stream must end, with its CRC-32 and length right. Memory: one block, or 128 KB. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tenon/io/file.hpp"

namespace tenon::genomics {

enum class Packing { plain, gzip, bgzf };

/// Throws genomics.url for a name that htslib would take for a URL ("https:", "s3:", "mem:" ...): files only.
void require_file_name(const std::filesystem::path& path);

class ByteInput {
 public:
  /// Errors: genomics.url, io.*, genomics.bgzf (block broken or cut), genomics.no_end_block, genomics.gzip.
  /// `end_block`: whether a BGZF file without its end block is refused.
  explicit ByteInput(const std::filesystem::path& path, bool end_block = true);
  ~ByteInput();
  ByteInput(const ByteInput&) = delete;
  ByteInput& operator=(const ByteInput&) = delete;

  /// Appends the next piece, of at least one byte, to `out`; false at the end of the file.
  bool next(std::string& out);
  /// Where in the file the last piece began: of BGZF the offset of its block.
  std::uint64_t piece_offset() const noexcept { return piece_offset_; }
  Packing packing() const noexcept { return packing_; }
  bool has_end_block() const noexcept { return last_block_empty_; }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  bool next_plain(std::string& out);
  bool next_gzip(std::string& out);
  bool next_block(std::string& out);
  std::size_t fill(std::size_t wanted);  ///< makes at least `wanted` bytes available in packed_, fewer at the end

  struct Inflater;
  std::filesystem::path path_;
  std::unique_ptr<File> file_;
  std::unique_ptr<Inflater> inflater_;
  Packing packing_ = Packing::plain;
  bool end_block_ = true, last_block_empty_ = false;
  std::vector<unsigned char> packed_;
  std::size_t used_ = 0;
  std::uint64_t offset_ = 0, piece_offset_ = 0;  ///< of packed_[used_]
};

}  // namespace tenon::genomics
