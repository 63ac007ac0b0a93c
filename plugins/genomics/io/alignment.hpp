/// SAM and BAM read whole to know that they are sound: blocks and end block, header, each record's lengths, contig and CIGAR, and the .bai beside.
///
/// The SAM specification, sections 1, 4.2 and 5.2. What a sound-looking end does not prove (a cut file with an end block glued on) the records
/// do: every one must be whole. CRAM is not read.
#pragma once

#include <cstdint>
#include <filesystem>

namespace tenon::genomics {

struct AlignmentSummary {
  std::int64_t contigs = 0, records = 0, mapped = 0;
  bool end_block = true;  ///< false: accepted without one
};

/// Errors: genomics.alignment with record and virtual offset (BAM) or line (SAM), genomics.stale_index, and those of ByteInput.
/// `end_block`: whether a BAM that lacks only its end block is refused.
AlignmentSummary check_alignments(const std::filesystem::path& path, bool end_block = true);

}  // namespace tenon::genomics
