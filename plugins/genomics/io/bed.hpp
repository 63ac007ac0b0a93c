/// BED of 3 to 12 columns between tabs: 0-based, half-open intervals, checked line by line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "genomics/io/genome.hpp"

namespace tenon::genomics {

struct BedInterval {
  std::string contig, name;  ///< name: "" with 3 columns, or where it is "."
  std::int64_t begin = 0, end = 0;
  char strand = '.';
  std::uint64_t line = 0;
};

/// What to do with an interval that passes its contig's end: refuse it, take the part inside, or leave it as it is.
enum class PastEnd { refuse, clip, keep };

struct Bed {
  std::vector<BedInterval> intervals;
  std::int64_t clipped = 0, clipped_bases = 0;  ///< intervals that were cut at a contig's end, and what was cut off
};

/// Comments (#), "track" and "browser" lines are passed over. With a genome, contigs must be in it and ends within, but for what
/// `past_end` says; of clipped intervals one wholly outside is an error. Errors: genomics.bed, genomics.contig, and those of ByteInput.
Bed read_bed(const std::filesystem::path& path, const Genome* genome = nullptr, PastEnd past_end = PastEnd::refuse, bool aliases = false);

}  // namespace tenon::genomics
