#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "genomics/io/bed.hpp"
#include "genomics/io/bgzf_output.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/io/region.hpp"
#include "genomics/tools/common.hpp"
#include "genomics/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::genomics {
namespace {

struct Wanted {
  Window window;
  std::string header;
  bool reverse = false;
};

/// Regions of the command line keep their text as the header, as samtools writes it; those of a BED file get contig:start-end, their name
/// and, on the minus strand, the mark that `samtools faidx -i` appends.
std::vector<Wanted> wanted_regions(const std::vector<std::string>& inputs, const ParamValues& params, const Genome& genome, Bed& bed) {
  std::vector<Wanted> out;
  const bool reverse = params.boolean("reverse_complement"), aliases = params.boolean("aliases");
  for (std::size_t i = 1; i < inputs.size(); ++i) out.push_back({parse_region(inputs[i], genome, aliases), inputs[i] + (reverse ? "/rc" : ""), reverse});
  if (const auto& path = params.text("bed"); !path.empty()) {
    bed = read_bed(path, &genome, params.boolean("clip") ? PastEnd::clip : params.text("pad") == "N" ? PastEnd::keep : PastEnd::refuse, aliases);
    for (const auto& b : bed.intervals) {
      const bool other = (b.strand == '-') != reverse;
      out.push_back({{genome.find(b.contig), b.begin, b.end}, fmt::format("{}:{}-{}{}{}", b.contig, b.begin + 1, b.end, other ? "/rc" : "", b.name.empty() ? "" : " " + b.name), other});
    }
  }
  return out;
}

std::string fasta_text(const Wanted& wanted, std::string letters, std::int64_t width) {
  if (wanted.reverse) letters = reverse_complement(letters);
  std::string out = ">" + wanted.header + "\n";
  for (std::size_t at = 0; at < letters.size(); at += std::size_t(width)) out += letters.substr(at, std::size_t(width)) + "\n";
  return out;
}

int run_fetch(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("fetch", "no FASTA file given", "tenon genomics fetch FASTA REGION...");
  if (inputs.size() < 2 && params.text("bed").empty()) throw_usage("fetch", "no region given", "contig:start-end after the file, or --bed FILE");
  if (params.boolean("clip") && params.text("pad") == "N") throw_usage("fetch", "--clip and --pad=N contradict each other", "--clip takes what lies inside, --pad=N fills what lies outside");
  if (params.boolean("clip") && params.text("bed").empty()) throw_usage("fetch", "--clip is for intervals of --bed", "ask for a region that ends within its contig, or give --pad=N");
  const std::filesystem::path output = params.text("output");
  if (!output.empty()) require_free(output, params.boolean("overwrite"), {inputs[0], params.text("bed")});
  const Genome genome = Genome::read(inputs[0]);
  const Pad pad = params.text("pad") == "N" ? Pad::n : Pad::error;
  std::int64_t padded = 0, bases = 0;
  std::string text;
  auto list = nlohmann::json::array();
  Bed bed;
  const auto regions = wanted_regions(inputs, params, genome, bed);
  std::int64_t empty = 0;
  for (const auto& wanted : regions) {  // each is checked before anything is written
    if (wanted.window.begin == wanted.window.end) {  // a BED interval between two bases: a record without a sequence is no FASTA
      ++empty;
      continue;
    }
    auto letters = genome.letters(wanted.window.contig, wanted.window.begin, wanted.window.end, pad, &padded);
    if (params.boolean("upper"))
      for (char& c : letters) c = char(c & ~32);
    bases += std::int64_t(letters.size());
    if (context.json() && output.empty()) list.push_back({{"name", wanted.header}, {"contig", genome.name(wanted.window.contig)}, {"begin", wanted.window.begin}, {"end", wanted.window.end},
                                                          {"sequence", wanted.reverse ? reverse_complement(letters) : letters}});
    else text += fasta_text(wanted, std::move(letters), params.integer("width"));
  }
  if (empty > 0) context.status(fmt::format("{} intervals of no length were left out", empty));
  if (bed.clipped > 0) context.status(fmt::format("{} intervals were cut at their contig's end, by {} bases", bed.clipped, bed.clipped_bases));
  if (padded > 0) context.status(fmt::format("{} bases outside the contigs were filled with N", padded));
  if (!output.empty()) {
    TextOutput file(output);
    file.write(text);
    file.commit();
  }
  if (context.json()) {
    nlohmann::json result{{"regions", std::int64_t(regions.size()) - empty}, {"empty", empty}, {"bases", bases}, {"padded", padded}, {"clipped", bed.clipped}, {"clipped_bases", bed.clipped_bases}};
    if (output.empty()) result["sequences"] = list;
    else result["output"] = output.string();
    context.print(json_text(result));
  } else if (output.empty()) {
    if (text.ends_with('\n')) text.pop_back();
    context.print(text);
  } else {
    context.print(fmt::format("{}: {} regions, {} bases", output.string(), std::int64_t(regions.size()) - empty, bases));
  }
  return 0;
}

}  // namespace

ToolEntry fetch_tool() {
  ParamSpec spec = {path_param("bed", "", "take the intervals of this BED file; its minus strand is reverse-complemented"),
                    boolean_param("reverse_complement", false, "the other strand of every region"),
                    text_param("pad", "error", "where a region passes the end of its contig", {"error", "N"}),
                    boolean_param("clip", false, "take the inner part of BED intervals that pass a contig's end"),
                    boolean_param("upper", false, "letters in upper case; without it as in the file"),
                    boolean_param("aliases", false, "chr1 and 1 mean the same contig"),
                    integer_param("width", 60, "letters a line", 1, 1e9),
                    path_param("output", "", "file to write, BGZF where its name ends in .gz; else to standard output"),
                    boolean_param("overwrite", false, "replace an output that is there already")};
  return {"fetch", "cut regions out of a FASTA file, counted from 1, both ends included", "FASTA [REGION...]", spec, run_fetch};
}

}  // namespace tenon::genomics
