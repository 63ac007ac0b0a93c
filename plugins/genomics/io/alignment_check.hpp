/// What must hold of one alignment, in SAM as in BAM (private to alignment*.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "genomics/io/alignment.hpp"

namespace tenon::genomics {

struct AlignmentContig {
  std::string name;
  std::int64_t length = 0;
};

struct AlignedRecord {
  std::int64_t contig = -1, position = -1;  ///< position 0-based
  std::int64_t mate_contig = -1, mate_position = -1;
  std::int64_t bases = 0;                   ///< of SEQ; 0: not stored
  std::int64_t query = 0, reference = 0;    ///< bases that the CIGAR covers in read and contig
  std::uint32_t flag = 0;
  bool has_cigar = false, bad_operation = false;
};

void add_cigar(AlignedRecord& record, char operation, std::int64_t length);
/// On a contig, at a position, and not flagged as unmapped: what lacks one of them other programs take for unmapped, too.
bool is_mapped(const AlignedRecord& record);
/// "" when sound.
std::string defect_of(const AlignedRecord& record, const std::vector<AlignmentContig>& contigs);
/// The contig of an @SQ line of the header; "" or why it is none.
std::string read_contig(std::string_view line, AlignmentContig& contig);
/// "" or what is wrong: of one TAG:TYPE:VALUE of SAM; of all that stand behind the qualities of a BAM record.
std::string defect_of_tag(std::string_view field);
std::string defect_of_tags(std::string_view bytes);
AlignmentSummary check_sam(const std::filesystem::path& path);

}  // namespace tenon::genomics
