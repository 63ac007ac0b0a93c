/// FASTQ of four lines a record, checked: the '+' line, equal lengths, qualities 33 to 126, letters, an end that is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tenon::genomics {

/// Views into the reader's own memory, valid inside the visit.
struct FastqRecord {
  std::string_view name;      ///< first word of the header
  std::string_view sequence;  ///< letters as in the file
  std::string_view quality;   ///< as in the file: Phred + 33
  std::uint64_t number = 0;   ///< of the record, counted from 1
};

/// Reads once from front to back, plain, gzip or BGZF; returns the number of records. Errors: genomics.fastq with record and line, genomics.letter,
/// and those of ByteInput. An empty file holds no record, which is an error too.
std::uint64_t visit_fastq(const std::filesystem::path& path, const std::function<void(const FastqRecord&)>& visit);

}  // namespace tenon::genomics
