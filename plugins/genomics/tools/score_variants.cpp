#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "genomics/tasks/sequence_scorer.hpp"
#include "genomics/tools/common.hpp"
#include "genomics/tools/tools.hpp"
#include "genomics/tools/variant_scorer.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/run.hpp"

namespace tenon::genomics {
namespace {

/// A run's model as the scorer of windows; keeps the run alive.
VariantModel model_of(std::shared_ptr<TrainedRun> run, const std::string& path, Device device, const Monitor& monitor, std::int64_t& length) {
  auto* scorer = dynamic_cast<SequenceScorer*>(&run->task->unguarded());
  if (!scorer) throw Error(ErrorKind::usage, "genomics.no_scorer", "the run's task scores no sequences", "give a run of genomics.classification", path);
  if (length != 0 && length != scorer->input_length()) throw_usage("score-variants", fmt::format("--length {} does not fit the model, which reads {} bases", length, scorer->input_length()), "leave --length out");
  length = scorer->input_length();
  VariantModel model;
  model.targets = scorer->targets();
  for (auto& target : model.targets)
    for (auto& other : model.targets)
      if (&target != &other && info_name(target) == info_name(other)) throw Error(ErrorKind::usage, "genomics.target_names", fmt::format("targets '{}' and '{}' give the same INFO key", target, other), "rename a class in the recipe", path);
  model.score = [run, scorer, device, &monitor](const Tensor& codes) {
    DeviceScope on(device);
    NoGrad off;
    Monitor quiet;
    quiet.interrupted = monitor.interrupted;
    return scorer->target_probabilities(*run->model, codes, quiet);
  };
  return model;
}

std::string counts_text(const VariantCounts& counts) {
  std::string text = fmt::format("{} rows, {} alleles, {} scored", counts.rows, counts.alleles, counts.scored);
  for (const auto& [reason, n] : counts.skipped) text += fmt::format("; {} skipped: {}", n, reason);
  if (counts.other_strand) text += fmt::format("; {} read from the other strand", counts.other_strand);
  if (counts.exchanged) text += fmt::format("; {} with REF and ALT exchanged", counts.exchanged);
  if (counts.padded) text += fmt::format("; {} bases of N past contig ends", counts.padded);
  return text;
}

int run_score_variants(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.size() != 2) throw_usage("score-variants", fmt::format("takes a VCF and an output, got {} arguments", inputs.size()), "tenon genomics score-variants IN.vcf OUT.vcf.gz --reference FASTA --run RUN");
  const std::filesystem::path input = inputs[0], output = inputs[1], sequences = params.text("sequences");
  if (params.text("run").empty() && sequences.empty()) throw_usage("score-variants", "neither --run nor --sequences is given", "--run RUN scores with a trained model, --sequences FILE writes the alternative windows");
  if (params.text("run").empty() && params.integer("length") == 0) throw_usage("score-variants", "without a run --length is needed", "for example --length 200");
  const bool overwrite = params.boolean("overwrite");
  if (output.extension() == ".bcf") throw_usage("score-variants", "BCF is not written", "name the output .vcf or .vcf.gz; bcftools view -Ob turns it into BCF");
  require_free(output, overwrite, {input, params.text("reference")});
  if (!sequences.empty()) {
    require_free(sequences, overwrite, {input, params.text("reference")});
    if (same_file(output, sequences)) throw Error(ErrorKind::usage, "genomics.exists", "the scores and --sequences would be written to one file", "give them two names", sequences.string());
  }

  VariantRules rules;
  const auto& mismatch = params.text("ref_mismatch");
  rules.mismatch = mismatch == "skip" ? OnMismatch::skip : mismatch == "flip" ? OnMismatch::flip : OnMismatch::error;
  const auto& edge = params.text("edge");
  rules.edge = edge == "N" ? OnEdge::n : edge == "error" ? OnEdge::error : OnEdge::skip;
  rules.aliases = params.boolean("aliases");
  rules.both_strands = params.text("strands") == "both";
  rules.length = params.integer("length");

  const Monitor monitor = monitor_of(context);
  VariantModel model;
  if (const auto& run = params.text("run"); !run.empty()) {
    const Device device = Device::parse(params.text("device"));
    model = model_of(std::make_shared<TrainedRun>(open_run(run, params.text("checkpoint"), device)), run, device, monitor, rules.length);
  }
  const Genome genome = Genome::read(params.text("reference"));
  const VariantCounts counts = score_variants(input, output, sequences, genome, rules, model, monitor);
  for (const auto& [key, rows] : counts.undeclared) context.status(fmt::format("warning: {}: {} is not declared in the header ({} rows)", input.string(), key, rows));
  for (const auto& [what, times] : counts.warnings) context.status(fmt::format("warning: {}: {} ({} times)", input.string(), what, times));
  if (context.json()) {
    context.print(json_text(nlohmann::ordered_json{{"output", output.string()},
                                                   {"rows", counts.rows},
                                                   {"alleles", counts.alleles},
                                                   {"scored", counts.scored},
                                                   {"skipped", counts.skipped},
                                                   {"other_strand", counts.other_strand},
                                                   {"exchanged", counts.exchanged},
                                                   {"padded_bases", counts.padded},
                                                   {"undeclared", counts.undeclared},
                                                   {"warnings", counts.warnings},
                                                   {"targets", model.targets},
                                                   {"length", rules.length}}));
  } else {
    context.print(output.string() + ": " + counts_text(counts));
  }
  return 0;
}

}  // namespace

ToolEntry score_variants_tool() {
  Param reference = path_param("reference", "", "FASTA that the positions refer to", true);
  ParamSpec spec = {reference,
                    path_param("run", "", "run directory of a trained sequence model"),
                    text_param("checkpoint", "last", "its checkpoint", {"last", "best"}),
                    text_param("device", "cpu", "where the model runs: auto, cpu, cuda, cuda:1"),
                    integer_param("length", 0, "bases of a window, the variant's first at index length/2; 0: as the model reads", 0, 1e8),
                    text_param("strands", "both", "score each window as the mean of both strands, or as it stands", {"both", "forward"}),
                    text_param("ref_mismatch", "error", "where REF is not the genome's: stop; skip the allele; or flip: try the other strand, then REF and ALT exchanged", {"error", "skip", "flip"}),
                    text_param("edge", "skip", "where a window passes its contig's end: skip the allele, fill with N, or stop", {"skip", "N", "error"}),
                    boolean_param("aliases", false, "chr1 and 1 mean the same contig"),
                    path_param("sequences", "", "also write the alternative windows, as FASTA"),
                    boolean_param("overwrite", false, "replace outputs that are there already")};
  return {"score_variants", "effects of a VCF's variants on a model's prediction, added to INFO; every row stays", "IN.vcf OUT.vcf", spec, run_score_variants};
}

}  // namespace tenon::genomics
