/// FASTA indexes (.fai of samtools, .gzi of bgzip), which are believed only where they describe the file beside them.
///
/// File times prove nothing after a copy or a checkout, so an index is compared with the file itself: its names, lengths, offsets and
/// line widths must be those that the whole file has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tenon::genomics {

/// One line of a .fai: letters and offsets in bytes of the unpacked text.
struct FastaIndexEntry {
  std::string name;
  std::int64_t length = 0, offset = 0, line_bases = 0, line_width = 0;
};

/// Throws genomics.index where the text is no .fai. `path`: the .fai itself.
std::vector<FastaIndexEntry> read_fasta_index(const std::filesystem::path& path);

/// Compares the .fai beside `fasta`, if there is one, with what the file holds; throws genomics.stale_index with the first difference.
void require_fresh_index(const std::filesystem::path& fasta, const std::vector<FastaIndexEntry>& found);

/// The same for a .gzi: `blocks` are (unpacked offset, file offset) of the file's BGZF blocks, `length` is its unpacked size. Takes no more
/// memory than the .gzi has bytes.
void require_fresh_block_index(const std::filesystem::path& fasta, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& blocks, std::uint64_t length);

}  // namespace tenon::genomics
