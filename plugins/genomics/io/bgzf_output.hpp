/// Text output that is plain or BGZF by the file's name (.gz, .bgz), whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tenon/io/file.hpp"

namespace tenon::genomics {

/// BGZF through htslib's compressor, in blocks of 65,280 bytes with the end block; the same bytes for the same text and library. One thread.
class TextOutput {
 public:
  explicit TextOutput(const std::filesystem::path& path);
  void write(std::string_view text);
  /// Writes what is left and the end block, and puts the file in its place. Without it nothing is left behind.
  void commit();

 private:
  void flush_block();
  AtomicFile file_;
  std::filesystem::path path_;
  bool packed_;
  std::string pending_;
};

}  // namespace tenon::genomics
