/// VCF, read strictly and row by row; what bcftools lets pass silently (a POS that is a word, REF letters that are none, genotypes out of
/// range) is an error that names file, line and record.
///
/// Rows keep their text, so that a writer puts back every byte it does not add to. Positions are 0-based inside.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "genomics/io/genome.hpp"

namespace tenon::genomics {

/// How the header declares an INFO or FORMAT key.
struct VcfField {
  std::string type, number;
};
using VcfFields = std::map<std::string, VcfField, std::less<>>;

struct VcfHeader {
  int minor_version = 0;             ///< 2 of VCFv4.2
  std::vector<std::string> meta;     ///< lines that begin with ##, in order
  std::string columns;               ///< the #CHROM line
  std::vector<std::string> samples;
  std::map<std::string, std::int64_t> contigs;  ///< declared ones; -1 where no length is
  VcfFields info, format;
  std::set<std::string> filter;
};

/// What an ALT entry is.
enum class AltKind { bases, same_as_ref, symbolic, star, missing, breakend };
/// "symbolic", "star", ...: the reasons by which skipped alleles are counted.
const char* name_of(AltKind kind);

/// One row; views into `line`.
struct VcfRecord {
  std::string line;
  std::vector<std::string_view> columns;
  std::string_view contig, ref;
  std::vector<std::string_view> alts;  ///< one entry, ".", where there is none
  std::vector<AltKind> kinds;          ///< one an ALT
  std::int64_t position = 0;           ///< 0-based; -1 for POS 0, the telomere
  std::uint64_t number = 0;            ///< of the record, counted from 1
  std::string where;                   ///< "x.vcf:31: record 4"
};

struct VcfRules {
  const Genome* genome = nullptr;  ///< contigs must be in it, REF must end within
  bool aliases = false;            ///< chr1 = 1
  bool sorted = false;             ///< positions must not go down and contigs must stay together
};

class VcfReader {
 public:
  /// Reads the header. Errors: genomics.vcf_header, and those of ByteInput.
  VcfReader(const std::filesystem::path& path, const VcfRules& rules = {});
  ~VcfReader();
  const VcfHeader& header() const noexcept { return header_; }
  /// The next row, checked; false at the end. Errors: genomics.vcf, genomics.contig, genomics.unsorted.
  bool next(VcfRecord& record);
  /// INFO, FILTER and FORMAT keys that the header does not declare ("INFO XX"), each with the number of rows that use it.
  const std::map<std::string, std::int64_t>& undeclared() const noexcept { return undeclared_; }
  /// What is against the specification and yet has one meaning ("ALT names an allele twice"), each with how often.
  const std::map<std::string, std::int64_t>& warnings() const noexcept { return warnings_; }
  /// Index in the genome of the last row's contig.
  std::size_t contig() const noexcept { return contig_; }

 private:
  void read_header();
  void check_position(VcfRecord& r);
  void check_alleles(VcfRecord& r);
  void check_keys(const VcfRecord& r);
  void check_info(const VcfRecord& r);
  void check_samples(const VcfRecord& r);
  void check_value(const VcfRecord& r, bool in_info, std::string_view key, const VcfField& field, std::string_view value);
  void check_count(const VcfRecord& r, bool in_info, std::string_view key, const VcfField& field, std::string_view value);
  void check_end(const VcfRecord& r, std::string_view value);
  void declare(VcfFields& fields, const char* kind, const std::string& id, VcfField field);
  void check_genotypes(const VcfRecord& r);
  void check_order(const VcfRecord& r);
  [[noreturn]] void fail(const VcfRecord& r, const std::string& what, const std::string& hint) const;

  std::unique_ptr<class TextInput> text_;
  VcfRules rules_;
  VcfHeader header_;
  std::size_t column_count_ = 8, contig_ = 0;
  std::uint64_t number_ = 0;
  std::map<std::string, std::int64_t> undeclared_, warnings_;
  std::set<std::string, std::less<>> contigs_seen_;
  std::string last_contig_;
  std::int64_t last_position_ = -2;
};

}  // namespace tenon::genomics
