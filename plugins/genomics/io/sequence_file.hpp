/// What kind of file lies before us: by its first bytes, unpacked, then by its name.
#pragma once

#include <filesystem>

namespace tenon::genomics {

enum class SequenceFile { fasta, fastq, bed, vcf, alignment, plink, table };
const char* name_of(SequenceFile kind);

/// Throws genomics.kind where neither bytes nor name tell, and the errors of ByteInput.
SequenceFile sequence_file_of(const std::filesystem::path& path);

}  // namespace tenon::genomics
