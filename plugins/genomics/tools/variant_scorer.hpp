/// VCF in, VCF out: every row stands in the output, in order, with what was added to its INFO.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "genomics/io/genome.hpp"
#include "genomics/tools/effect.hpp"
#include "tenon/task.hpp"

namespace tenon::genomics {

enum class OnMismatch { error, skip, flip };
enum class OnEdge { skip, n, error };  ///< what to do with a window that passes its contig's end

struct VariantRules {
  OnMismatch mismatch = OnMismatch::error;
  OnEdge edge = OnEdge::skip;
  bool aliases = false, both_strands = true;
  std::int64_t length = 0;  ///< of a window
};

/// A model by what it takes and gives; without one (no targets) rows are only checked and their windows written.
struct VariantModel {
  std::vector<std::string> targets;
  ScoreSequences score;
};

struct VariantCounts {
  std::int64_t rows = 0, alleles = 0, scored = 0;
  std::map<std::string, std::int64_t> skipped;  ///< by reason: symbolic, star, missing, breakend, same_as_ref, ref_mismatch, edge
  std::int64_t other_strand = 0, exchanged = 0; ///< alleles that `flip` put right
  std::int64_t padded = 0;                      ///< bases of N outside contigs, of all windows
  std::map<std::string, std::int64_t> undeclared;  ///< keys that the header does not declare, rows
  std::map<std::string, std::int64_t> warnings;    ///< those of VcfReader
};

/// Reads `input`, writes `output` (BGZF where its name ends in .gz) and, if named, the alternative windows as FASTA. Nothing is left where it throws.
/// Errors: those of VcfReader; genomics.ref_mismatch; genomics.region; genomics.exists where the input has our INFO keys already.
VariantCounts score_variants(const std::filesystem::path& input, const std::filesystem::path& output, const std::filesystem::path& sequences, const Genome& genome,
                             const VariantRules& rules, const VariantModel& model, const Monitor& monitor);

/// The target as part of an INFO key: letters, digits, '_' and '.', all else as '_'.
std::string info_name(const std::string& target);

}  // namespace tenon::genomics
