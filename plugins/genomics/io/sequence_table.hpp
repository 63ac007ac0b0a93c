/// Labelled sequences from FASTA, CSV or TSV: what the audit and the training read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tenon::genomics {

/// One sequence of a set, with where it stands.
struct SequenceRecord {
  std::string name;
  std::string label;        ///< "" where the file holds none
  std::string split;        ///< "" where the file holds none
  std::string sequence;     ///< upper case, U as T, IUPAC codes kept
  std::uint64_t line = 0;   ///< in its file, counted from 1
};

/// Columns by header name or by number from 1; "" leaves them to be found.
struct TableColumns {
  std::string sequence, label, name, split;
};

/// Reads FASTA (a file whose first letter is '>') or a table with commas or tabs between columns, blanks around values dropped, plain,
/// gzip or BGZF. A table's first line is a header when one of its values is "sequence" or "seq" (any case) or one of `columns` is no
/// number; without a header the sequence column is the one that holds nucleotides in every line, and a label column, a name column come
/// from `columns` (default: of three columns label, name, sequence, as UCI's splice junctions; of two label, sequence).
/// Errors: genomics.table (column count, unknown column, no sequence), genomics.letter, genomics.protein, and those of read_fasta.
std::vector<SequenceRecord> read_sequences(const std::filesystem::path& path, const TableColumns& columns = {});

}  // namespace tenon::genomics
