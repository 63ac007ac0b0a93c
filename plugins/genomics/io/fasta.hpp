/// FASTA, read strictly: what samtools lets pass silently (NUL bytes, letters that are none, empty names, blank and ragged lines) is an
/// error here that names file, line, record and byte.
///
/// Two uses. A *genome* (`random_access`) needs unique names, the first word of each header, and lines of one width, as an index does. A
/// *set* of sequences takes any header that is not empty, the whole of it as the name, and names may repeat: published sets do so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "genomics/io/fasta_index.hpp"

namespace tenon::genomics {

struct FastaRecord {
  std::string name;        ///< of a genome the header's first word, of a set the whole header without blanks at its ends
  std::string sequence;    ///< letters as they stand in the file
  std::uint64_t line = 0;  ///< of the header, counted from 1
};

/// Receives a FASTA file record by record. `bases` comes once a line, with letters checked.
struct FastaVisitor {
  std::function<void(std::string_view name, std::uint64_t line)> record;
  std::function<void(std::string_view letters)> bases;
};

/// Reads the whole file once; returns what its index must say. Errors: genomics.fasta (no header, no sequence, blank or ragged line),
/// genomics.name (empty, repeated), genomics.letter, genomics.protein, genomics.stale_index, and those of ByteInput.
std::vector<FastaIndexEntry> visit_fasta(const std::filesystem::path& path, bool random_access, const FastaVisitor& visitor);

/// A set of sequences, all in memory.
std::vector<FastaRecord> read_fasta(const std::filesystem::path& path);

}  // namespace tenon::genomics
