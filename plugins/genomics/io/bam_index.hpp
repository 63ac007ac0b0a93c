/// The .bai beside a BAM file, compared with the file (SAM specification, section 5.2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace tenon::genomics {

struct IndexedCounts {
  std::int64_t mapped = 0, unmapped = 0;  ///< records placed on a contig
};

/// `blocks`: (unpacked offset, file offset) of each BGZF block; `counts`: one a contig. Throws genomics.stale_index where the index of another file
/// lies there: other contigs, chunks that begin where no block does, other counts. Takes no more memory than the index has bytes.
void require_fresh_bam_index(const std::filesystem::path& bam, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& blocks, const std::vector<IndexedCounts>& counts);

}  // namespace tenon::genomics
