/// Regions as people write them: "chr1", "chr1:100", "chr1:100-200", counted from 1, both ends included, commas allowed in numbers.
#pragma once

#include <string_view>

#include "genomics/io/genome.hpp"

namespace tenon::genomics {

/// "chr1:100" reaches to the end of the contig, as with samtools. A name with a colon may be put in braces, "{HLA:A}:5-9", and must be where the
/// text could mean a whole contig and a region of another. Errors: genomics.contig, genomics.region. The result may pass the contig's end.
Window parse_region(std::string_view text, const Genome& genome, bool aliases = false);

}  // namespace tenon::genomics
