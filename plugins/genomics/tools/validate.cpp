#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "genomics/io/alignment.hpp"
#include "genomics/io/bed.hpp"
#include "genomics/io/fastq.hpp"
#include "genomics/io/plink.hpp"
#include "genomics/io/sequence_file.hpp"
#include "genomics/io/sequence_table.hpp"
#include "genomics/io/vcf.hpp"
#include "genomics/tools/common.hpp"
#include "genomics/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::genomics {
namespace {

struct Verdict {
  std::string kind, summary;
  std::vector<std::string> warnings;
  std::optional<Error> error;
};

Verdict judge_vcf(const std::filesystem::path& path, const Genome* genome, bool aliases) {
  Verdict v;
  VcfReader reader(path, {genome, aliases, true});
  VcfRecord record;
  std::int64_t rows = 0, mismatches = 0;
  for (; reader.next(record); ++rows) {
    if (!genome || record.position < 0 || record.position + std::int64_t(record.ref.size()) > genome->length(reader.contig())) continue;
    auto letters = genome->letters(reader.contig(), record.position, record.position + std::int64_t(record.ref.size()));
    if (!std::equal(letters.begin(), letters.end(), record.ref.begin(), [](char a, char b) { return (a & ~32) == (b & ~32); })) {
      if (mismatches++ == 0) v.error = Error(ErrorKind::data, "genomics.ref_mismatch", fmt::format("REF is '{}', the reference has '{}'", record.ref, letters), "is it the right reference?", record.where);
    }
  }
  for (const auto& [key, n] : reader.undeclared()) v.warnings.push_back(fmt::format("{} is not declared in the header ({} rows)", key, n));
  for (const auto& [what, n] : reader.warnings()) v.warnings.push_back(fmt::format("{} ({} times)", what, n));
  v.summary = fmt::format("{} records, {} samples", rows, reader.header().samples.size());
  if (mismatches > 1) v.warnings.push_back(fmt::format("{} records whose REF is not the reference's", mismatches));
  return v;
}

Verdict judge(const std::filesystem::path& path, const Genome* genome, const ParamValues& params) {
  Verdict v;
  const SequenceFile kind = sequence_file_of(path);
  try {
    switch (kind) {
      case SequenceFile::fasta: {
        if (params.boolean("set")) {
          v.summary = fmt::format("{} sequences", read_sequences(path).size());
          break;
        }
        const Genome g = Genome::read(path);
        std::int64_t bases = 0;
        for (std::size_t c = 0; c < g.contigs(); ++c) bases += g.length(c);
        v.summary = fmt::format("{} sequences, {} bases", g.contigs(), bases);
        break;
      }
      case SequenceFile::fastq: v.summary = fmt::format("{} records", visit_fastq(path, nullptr)); break;
      case SequenceFile::bed: v.summary = fmt::format("{} intervals", read_bed(path, genome, PastEnd::refuse, params.boolean("aliases")).intervals.size()); break;
      case SequenceFile::vcf: v = judge_vcf(path, genome, params.boolean("aliases")); break;
      case SequenceFile::alignment: {
        const auto a = check_alignments(path, !params.boolean("allow_no_end_block"));
        v.summary = fmt::format("{} records, {} mapped, {} contigs", a.records, a.mapped, a.contigs);
        if (!a.end_block) v.warnings.push_back("the end block is missing: the file may have been cut between records");
        break;
      }
      case SequenceFile::plink: {
        const auto p = check_plink(path);
        v.summary = fmt::format("{} samples, {} variants", p.samples, p.variants);
        break;
      }
      case SequenceFile::table: v.summary = fmt::format("{} sequences", read_sequences(path).size()); break;
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::data) throw;
    v.error = e;
  }
  v.kind = name_of(kind);
  return v;
}

int run_validate(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("validate", "no file given", "tenon genomics validate FILE...");
  std::optional<Genome> genome;
  if (!params.text("reference").empty()) genome = Genome::read(params.text("reference"));
  std::int64_t bad = 0, seen = 0;
  auto list = nlohmann::ordered_json::array();
  for (const auto& input : inputs) {
    if (context.interrupted()) throw Error(ErrorKind::usage, "run.interrupted", fmt::format("stopped after {} of {} files", seen, inputs.size()), "run the same command again");
    Verdict v;
    try {
      v = judge(input, genome ? &*genome : nullptr, params);
    } catch (const Error& e) {
      v.error = e;
    }
    bad += v.error.has_value();
    nlohmann::ordered_json entry{{"file", input}, {"kind", v.kind}, {"good", !v.error}, {"summary", v.summary}, {"warnings", v.warnings}};
    if (v.error) {
      entry["code"] = v.error->code();
      entry["where"] = v.error->where();
      entry["message"] = v.error->message();
      entry["remedy"] = v.error->hint();
    }
    if (context.json()) list.push_back(entry);
    else if (v.error) context.print(fmt::format("bad   {}: {} [{}]{}", v.error->where().empty() ? input : v.error->where(), v.error->message(), v.error->code(), v.error->hint().empty() ? "" : "; " + v.error->hint()));
    else context.print(fmt::format("good  {}: {}, {}", input, v.kind, v.summary));
    if (!context.json())
      for (const auto& w : v.warnings) context.print(fmt::format("      warning: {}", w));
    context.progress(++seen, std::int64_t(inputs.size()));
  }
  if (context.json()) context.print(json_text(nlohmann::ordered_json{{"files", inputs.size()}, {"bad", bad}, {"findings", list}}));
  return bad ? int(ErrorKind::data) : 0;
}

}  // namespace

ToolEntry validate_tool() {
  ParamSpec spec = {path_param("reference", "", "FASTA against which contigs, ends and REF are checked"),
                    boolean_param("set", false, "FASTA files are sets of sequences: names may repeat"),
                    boolean_param("allow_no_end_block", false, "accept a BAM file that lacks its end block, with a warning"),
                    boolean_param("aliases", false, "chr1 and 1 mean the same contig")};
  return {"validate", "read FASTA, FASTQ, BED, VCF, SAM, BAM, PLINK and tables whole, with their indexes, and say what is wrong; status 3 if anything is", "FILE...", spec, run_validate};
}

}  // namespace tenon::genomics
