// The 67 files of the brief's table: each is refused with the place, or accepted where it is valid.
#include <catch2/catch.hpp>

#include <fstream>
#include <map>
#include <sstream>

#include "genomics/io/alignment.hpp"
#include "genomics/io/bed.hpp"
#include "genomics/io/fasta.hpp"
#include "genomics/io/fastq.hpp"
#include "genomics/io/genome.hpp"
#include "genomics/io/plink.hpp"
#include "genomics/io/region.hpp"
#include "genomics/io/vcf.hpp"
#include "genomics/shared_data.hpp"
#include "genomics/test_files.hpp"

using namespace tenon;
using namespace tenon::genomics;

namespace {

struct Refusal {
  std::string code, where, what;  ///< where and what: parts of the message
};

const std::map<std::string, Refusal> kRefused = {
    {"fasta/ragged_lines.fa", {"genomics.fasta", "ragged_lines.fa:6", "ragged lines in record 1 ('chrA')"}},
    {"fasta/blank_line_inside.fa", {"genomics.fasta", "blank_line_inside.fa:8", "a blank line inside record 1 ('chrA')"}},
    {"fasta/no_header.fa", {"genomics.fasta", "no_header.fa:1", "the first line is no header"}},
    {"fasta/duplicate_name.fa", {"genomics.name", "duplicate_name.fa:", "the name 'chrB' stands twice, in lines 102 and"}},
    {"fasta/empty_name.fa", {"genomics.name", "empty_name.fa:102", "no name"}},
    {"fasta/nul_byte.fa", {"genomics.letter", "nul_byte.fa:", "byte 200"}},
    {"fasta/illegal_letters.fa", {"genomics.letter", "illegal_letters.fa:4", "'Z' at position 21 is no nucleotide letter (base 141 of the record"}},
    {"fasta/protein.fa", {"genomics.protein", "protein.fa:2", "looks like protein"}},
    {"fasta/stale.fa", {"genomics.stale_index", "stale.fa.fai", "the index does not belong to the file"}},
    {"fasta/index_past_end.fa", {"genomics.stale_index", "index_past_end.fa.fai", "'chrA' has 6000 bases in the index"}},
    {"fasta/truncated.fa.gz", {"genomics.bgzf", "truncated.fa.gz", "virtual offset 0"}},
    {"fasta/bad_gzi.fa.gz", {"genomics.stale_index", "bad_gzi.fa.gz.gzi", "it claims 1152921504606846976 entries"}},
    {"fasta/empty.fa", {"genomics.fasta", "empty.fa", "no sequence"}},
    {"fastq/missing_plus.fastq", {"genomics.fastq", "missing_plus.fastq:11", "record 3: the '+' line repeats another name"}},
    {"fastq/short_quality.fastq", {"genomics.fastq", "short_quality.fastq:12", "record 3: 90 qualities for 100 bases"}},
    {"fastq/truncated.fastq", {"genomics.fastq", "truncated.fastq:", "record 400: the file ends"}},
    {"fastq/truncated.fastq.gz", {"genomics.", "truncated.fastq.gz", ""}},
    {"fastq/quality_out_of_range.fastq", {"genomics.fastq", "quality_out_of_range.fastq:8", "record 2: quality byte 31 in column 51"}},
    {"bed/end_before_start.bed", {"genomics.bed", "end_before_start.bed:1", "end 50 is before start 100"}},
    {"bed/past_contig_end.bed", {"genomics.bed", "past_contig_end.bed:1", "passes the end of the contig, which has 500 bases"}},
    {"bed/too_few_columns.bed", {"genomics.bed", "too_few_columns.bed:1", "2 columns"}},
    {"bed/negative_start.bed", {"genomics.bed", "negative_start.bed:1", "start -5 is negative"}},
    {"bed/not_a_number.bed", {"genomics.bed", "not_a_number.bed:1", "start 'ten' is no whole number"}},
    {"bed/column_count_changes.bed", {"genomics.bed", "column_count_changes.bed:2", "3 columns, line 1 has 6"}},
    {"bed/unknown_contig.bed", {"genomics.contig", "unknown_contig.bed:1", "there is no contig 'chrZ' in the reference"}},
    {"bed/spaces_for_tabs.bed", {"genomics.bed", "spaces_for_tabs.bed:1", "blanks stand between the columns"}},
    {"bed/bad_strand.bed", {"genomics.bed", "bad_strand.bed:1", "strand '?'"}},
    {"vcf/pos_word.vcf", {"genomics.vcf", "record 2", "POS 'abc' is no whole number"}},
    {"vcf/pos_negative.vcf", {"genomics.vcf", "record 2", "POS -5 is negative"}},
    {"vcf/gt_out_of_range.vcf", {"genomics.vcf", "record 1", "genotype '0/9' of sample 's1' names allele 9"}},
    {"vcf/ref_not_iupac.vcf", {"genomics.vcf", "record 1", "REF 'Q'"}},
    {"vcf/unsorted.vcf", {"genomics.unsorted", "record 2", "position 100 of record 2 comes after 300 of record 1"}},
    {"vcf/undeclared_contig.vcf", {"genomics.contig", "record 1", "there is no contig 'chrZ' in the reference"}},
    {"vcf/missing_sample_column.vcf", {"genomics.vcf", "record 1", "10 columns, the #CHROM line has 11"}},
    {"vcf/duplicate_sample.vcf", {"genomics.vcf_header", "duplicate_sample.vcf:", "sample 's1' is named twice"}},
    {"vcf/no_chrom_line.vcf", {"genomics.vcf_header", "no_chrom_line.vcf:", "#CHROM line is missing"}},
    {"vcf/ref_past_end.vcf", {"genomics.vcf", "record 1", "runs past the end of 'chrC', which has 500 bases"}},
    {"vcf/pos_past_end.vcf", {"genomics.vcf", "record 1", "POS 900 is past the end of 'chrC'"}},
    {"vcf/half.vcf.gz", {"genomics.bgzf", "half.vcf.gz", "was cut"}},
    {"bam/cut.bam", {"genomics.bgzf", "cut.bam", "virtual offset"}},
    {"bam/cut_plus_eof.bam", {"genomics.bgzf", "cut_plus_eof.bam", "virtual offset"}},
    {"bam/no_eof.bam", {"genomics.no_end_block", "no_eof.bam", "without its end block"}},
    {"bam/bit_flip.bam", {"genomics.bgzf", "bit_flip.bam", "virtual offset"}},
    {"bam/unknown_reference.sam", {"genomics.alignment", "unknown_reference.sam:6", "record 1: the header has no contig 'chrZ'"}},
    {"bam/cigar_length.sam", {"genomics.alignment", "cigar_length.sam:6", "its CIGAR covers 90 of 100 bases"}},
    {"bam/past_contig_end.sam", {"genomics.alignment", "past_contig_end.sam:6", "past the end of the contig, which has 500 bases"}},
    {"bam/stale_index.bam", {"genomics.stale_index", "stale_index.bam.bai", "the index does not belong"}},
    {"plink/cut.bed", {"genomics.plink", "cut.bed", "233 bytes, 50 variants of 17 samples need 253"}},
    {"plink/too_long.bed", {"genomics.plink", "too_long.bed", "258 bytes, 50 variants of 17 samples need 253"}},
    {"plink/bad_magic.bed", {"genomics.plink", "bad_magic.bed", "magic"}},
    {"plink/sample_major.bed", {"genomics.plink", "sample_major.bed", "sample-major"}},
    {"plink/bim_short.bed", {"genomics.plink", "bim_short.bed", "253 bytes, 40 variants of 17 samples need 203"}},
    {"plink/duplicate_iid.bed", {"genomics.plink", "duplicate_iid.fam:4", "stands twice"}},
    {"plink/bim_bad_position.bed", {"genomics.plink", "bim_bad_position.bim:4", "position 'abc'"}},
    {"vcf/half_many_blocks.vcf.gz", {"genomics.bgzf", "half_many_blocks.vcf.gz", "virtual offset"}},
};

/// Those that a reader takes; what tools do with them is tested there.
const std::map<std::string, std::int64_t> kAccepted = {{"fasta/crlf.fa", 3},          {"fasta/no_final_newline.fa", 3}, {"fasta/plain_gzip.fa.gz", 3},     {"vcf/undeclared_filter_info.vcf", 1},
                                                       {"vcf/skippable_alleles.vcf", 4}, {"vcf/valid_edges.vcf", 5},      {"vcf/ref_mismatch.vcf", 1}, {"vcf/same_ref_alt.vcf", 1}, {"bam/header_only.sam", 0}, {"plink/padding_bits.bed", 50}};

std::int64_t read(const std::filesystem::path& path, const Genome& genome) {
  const auto folder = path.parent_path().filename().string();
  if (folder == "fasta") return std::int64_t(Genome::read(path).contigs());
  if (folder == "fastq") return std::int64_t(visit_fastq(path, nullptr));
  if (folder == "bed") return std::int64_t(read_bed(path, &genome).intervals.size());
  if (folder == "bam") return check_alignments(path).records;
  if (folder == "plink") return check_plink(path).variants;
  VcfReader reader(path, {&genome, false, true});
  VcfRecord record;
  std::int64_t n = 0;
  while (reader.next(record)) ++n;
  return n;
}

}  // namespace

TEST_CASE("corrupt: every file of the table is refused with its place, or accepted where it is valid") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "corrupt";
  const Genome genome = Genome::read(folder / "good" / "ref.fa");
  std::ifstream table(folder / "expected.tsv");
  std::string line;
  std::getline(table, line);
  int refused = 0, accepted = 0;
  while (std::getline(table, line)) {
    const auto file = line.substr(0, line.find('\t'));
    const auto kind = file.substr(0, file.find('/'));
    if (kind == "good") continue;  // regions past an end: tools_test
    INFO(file);
    if (auto good = kAccepted.find(file); good != kAccepted.end()) {
      CHECK(read(folder / file, genome) == good->second);
      ++accepted;
      continue;
    }
    auto wanted = kRefused.find(file);
    REQUIRE(wanted != kRefused.end());
    auto error = test::error_of([&] { read(folder / file, genome); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::data);
    CHECK_THAT(error->code(), Catch::StartsWith(wanted->second.code));
    CHECK_THAT(error->where(), Catch::Contains(wanted->second.where));
    CHECK_THAT(error->message(), Catch::Contains(wanted->second.what));
    ++refused;
  }
  CHECK(refused == int(kRefused.size()));
  CHECK(accepted == int(kAccepted.size()));
}

TEST_CASE("corrupt: the malformed files of nucleus are refused") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "corrupt" / "nucleus";
  CHECK(test::code_of([&] { Genome::read(folder / "malformed.fasta"); }) == "genomics.fasta");
  CHECK(test::code_of([&] { visit_fastq(folder / "malformed.fastq", nullptr); }) == "genomics.fastq");
  CHECK(test::code_of([&] { visit_fastq(folder / "malformed2.fastq", nullptr); }) == "genomics.fastq");
  CHECK(test::code_of([&] { read_bed(folder / "malformed.bed"); }) == "genomics.bed");
  CHECK(test::code_of([&] { read_bed(folder / "malformed2.bed"); }) == "genomics.bed");
  CHECK(test::code_of([&] {
          VcfReader reader(folder / "malformed.vcf");
          VcfRecord record;
          while (reader.next(record)) {
          }
        }) != "none");
}

TEST_CASE("corrupt: the good files hold what samtools and bcftools count") {
  TENON_NEEDS_GENOMICS_DATA(data);
  const auto folder = data / "corrupt" / "good";
  const Genome genome = Genome::read(folder / "ref.fa");
  CHECK(visit_fastq(folder / "reads.fastq", nullptr) == visit_fastq(folder / "reads.fastq.gz", nullptr));
  for (const char* file : {"vars.vcf", "vars.vcf.gz"}) {
    VcfReader reader(folder / file, {&genome, false, true});
    VcfRecord record;
    std::int64_t n = 0;
    while (reader.next(record)) ++n;
    CHECK(n == 691);
    CHECK(reader.header().samples == std::vector<std::string>{"s1", "s2"});
    CHECK(reader.undeclared().empty());
  }
  CHECK(read_bed(folder / "regions.bed", &genome).intervals.size() == 4);
  CHECK(check_alignments(folder / "reads.bam").records == 3000);
  CHECK(check_alignments(data / "hg19-chr20" / "NA12878_small.bam").records == 973);
  CHECK(check_alignments(data / "corrupt" / "bam" / "no_eof.bam", false).records == 3000);
  CHECK(check_plink(folder / "geno.bed").samples == 17);
  CHECK(check_plink(data / "hapmap3-1kg" / "HM3_thinned_autosomal_overlap.bed").variants == 14079);
}

TEST_CASE("corrupt: a URL as a file name is refused before anything is opened") {
  for (const char* name : {"https://example.org/x.fa", "s3:bucket/x.fa", "gs://x", "mem:x", "HTTP://x", "ftp://x", "odd-scheme://x"})
    CHECK(test::code_of([&] { Genome::read(name); }) == "genomics.url");
  CHECK(test::code_of([&] { Genome::read("/nowhere/chr1:5.fa"); }) == "io.not_found");
}

TEST_CASE("corrupt: flipped bits and cuts of a BGZF file never pass") {
  TENON_NEEDS_GENOMICS_DATA(data);
  test::TestFolder folder;
  const auto whole = test::read_whole(data / "corrupt" / "good" / "vars.vcf.gz");
  int passed = 0;
  auto read_all = [&](const std::string& bytes) {
    VcfReader reader(folder.write("x.vcf.gz", bytes));
    VcfRecord record;
    while (reader.next(record)) {
    }
    ++passed;
  };
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    CHECK(test::code_of([&] { read_all(whole.substr(0, at)); }) != "none");
    auto flipped = whole;
    flipped[at] = char(flipped[at] ^ 0x10);
    // Bytes of a gzip header that say nothing (time, system) may differ.
    if (test::code_of([&] { read_all(flipped); }) == "none") CHECK((at % 65536 < 10 || at > whole.size() - 28));
  }
  read_all(whole);
  CHECK(passed >= 1);
  auto no_end = whole.substr(0, whole.size() - 28);
  CHECK(test::code_of([&] { read_all(no_end); }) == "genomics.no_end_block");
}
