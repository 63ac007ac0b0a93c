/// Lines of a text file that may be plain, gzip or BGZF, each with its number and place.
///
/// LF and CRLF end a line; the last one may lack its end. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "genomics/io/byte_input.hpp"

namespace tenon::genomics {

class TextInput {
 public:
  /// Errors: those of ByteInput.
  explicit TextInput(const std::filesystem::path& path);

  /// The next line without its end; valid until the next call. False at the end of the file.
  bool next(std::string_view& line);

  std::uint64_t line_number() const noexcept { return number_; }  ///< of the last line, counted from 1
  std::uint64_t line_offset() const noexcept { return start_; }   ///< of its first byte in the unpacked text
  std::size_t line_end() const noexcept { return end_; }          ///< bytes of its end: 2 for CRLF, 1, or 0 for the last line
  bool ended_by_lf() const noexcept { return end_ > 0; }
  /// "x.vcf:12".
  std::string where() const { return where(number_); }
  std::string where(std::uint64_t line) const;
  /// "byte 512", or of BGZF "virtual offset 123456" too: place of a byte of the last line.
  std::string place(std::size_t column = 0) const;

  Packing packing() const noexcept { return input_.packing(); }
  const std::filesystem::path& path() const noexcept { return input_.path(); }
  /// Unpacked text offset and file offset of each BGZF block so far; kept when asked for before the first line (to check a .gzi).
  void keep_blocks() { keep_blocks_ = true; }
  const std::vector<std::pair<std::uint64_t, std::uint64_t>>& blocks() const noexcept { return blocks_; }

 private:
  void refuse_mark(std::string_view line) const;
  ByteInput input_;
  std::string buffer_;
  std::size_t position_ = 0;      ///< of the next line in buffer_
  std::uint64_t base_ = 0;        ///< text offset of buffer_[0]
  std::uint64_t number_ = 0, start_ = 0;
  std::size_t end_ = 0;
  bool keep_blocks_ = false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks_;
};

/// What stands between the tabs of a line, one empty part at least; valid as long as `line` is.
std::vector<std::string_view> columns_of(std::string_view line);

}  // namespace tenon::genomics
