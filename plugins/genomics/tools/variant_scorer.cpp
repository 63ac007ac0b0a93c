#include "genomics/tools/variant_scorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "genomics/io/bgzf_output.hpp"
#include "genomics/io/letters.hpp"
#include "genomics/io/vcf.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {
namespace {

constexpr std::size_t kBatch = 256;  // alleles scored together

/// What was found out about one ALT.
struct AlleleState {
  std::string skip;  ///< the reason; "" when scored
  std::string flip;  ///< "strand", "swap" or ""
  std::size_t number = 0;  ///< in the batch
};

struct Row {
  VcfRecord record;
  std::vector<AlleleState> alleles;
};

struct Field {
  const char* key;
  const char* help;
  double Effect::* value;
};
const Field kFields[] = {{"REF", "probability of the reference window", &Effect::reference},
                         {"ALT", "probability of the alternative window", &Effect::alternative},
                         {"DIFF", "alternative minus reference", &Effect::difference},
                         {"LOGODDS", "difference of the log-odds, probabilities clipped to [1e-6, 1-1e-6]", &Effect::log_odds}};

std::string key_of(const char* field, const std::string& target) { return fmt::format("TENON_{}_{}", field, info_name(target)); }

class Scorer {
 public:
  Scorer(const std::filesystem::path& input, const std::filesystem::path& output, const std::filesystem::path& sequences, const Genome& genome, const VariantRules& rules,
         const VariantModel& model, const Monitor& monitor)
      : genome_(genome), rules_(rules), model_(model), monitor_(monitor), reader_(input, {&genome, rules.aliases, false}), out_(output),
        batch_(rules.length, std::int64_t(model.targets.size()), rules.both_strands) {
    if (!sequences.empty()) fasta_.emplace(sequences);
    write_header(input);
  }

  VariantCounts run() {
    while (true) {
      Row row;
      if (!reader_.next(row.record)) break;
      rows_.push_back(std::move(row));
      reindex(rows_.back().record);
      prepare(rows_.back());
      ++counts_.rows;
      if (waiting_ >= kBatch || rows_.size() >= 16 * kBatch) flush();
      if (counts_.rows % 256 == 0) monitor_.turn("records", counts_.rows, 0);
    }
    flush();
    counts_.undeclared = reader_.undeclared();
    counts_.warnings = reader_.warnings();
    if (fasta_) fasta_->commit();
    out_.commit();
    return std::move(counts_);
  }

 private:
  void write_header(const std::filesystem::path& input) {
    for (const auto& line : reader_.header().meta) out_.write(line + "\n");
    auto declare = [&](const std::string& key, const std::string& type, const std::string& help) {
      if (reader_.header().info.count(key)) throw Error(ErrorKind::data, "genomics.exists", "the file has an INFO key '" + key + "' already", "remove it: bcftools annotate -x INFO/" + key, input.string());
      out_.write(fmt::format("##INFO=<ID={},Number=A,Type={},Description=\"{}\">\n", key, type, help));
    };
    const char* strands = rules_.both_strands ? ", mean of both strands" : ", forward strand";
    for (const auto& target : model_.targets)
      for (const auto& field : kFields) declare(key_of(field.key, target), "Float", fmt::format("Tenon: {}, window of {} bases{}", field.help, rules_.length, strands));
    declare("TENON_SKIP", "String", "Tenon: why the allele was not scored; . where it was");
    if (rules_.mismatch == OnMismatch::flip) declare("TENON_FLIP", "String", "Tenon: how the alleles were put right: strand (read from the other strand), swap (REF and ALT exchanged), .");
    out_.write(reader_.header().columns + "\n");
  }

  /// The views of a record that was moved point into its line again.
  static void reindex(VcfRecord& r) {
    const char* base = r.line.data();
    std::size_t at = 0;
    for (auto& column : r.columns) {
      const std::size_t size = column.size();
      column = std::string_view(base + at, size);
      at += size + 1;
    }
    r.contig = r.columns[0];
    r.ref = r.columns[3];
    at = 0;
    for (auto& alt : r.alts) {
      const std::size_t size = alt.size();
      alt = r.columns[4].substr(at, size);
      at += size + 1;
    }
  }

  void prepare(Row& row) {
    const auto& r = row.record;
    for (std::size_t a = 0; a < r.alts.size(); ++a) {
      auto& state = row.alleles.emplace_back();
      ++counts_.alleles;
      if (r.kinds[a] != AltKind::bases && r.kinds[a] != AltKind::same_as_ref) state.skip = name_of(r.kinds[a]);
      else prepare_bases(row, a, state);
      if (state.skip.empty()) ++counts_.scored;
      else ++counts_.skipped[state.skip];
    }
  }

  void prepare_bases(const Row& row, std::size_t a, AlleleState& state) {
    const auto& r = row.record;
    Allele allele{reader_.contig(), r.position, std::string(r.ref), std::string(r.alts[a])};
    switch (match_reference(genome_, allele, rules_.mismatch == OnMismatch::flip)) {
      case RefMatch::equal: break;
      case RefMatch::strand: state.flip = "strand", ++counts_.other_strand; break;
      case RefMatch::swap: state.flip = "swap", ++counts_.exchanged; break;
      case RefMatch::none:
        if (rules_.mismatch == OnMismatch::error) {
          throw Error(ErrorKind::data, "genomics.ref_mismatch",
                      fmt::format("REF is '{}', the reference has '{}' at {}:{}", r.ref, genome_.letters(allele.contig, r.position, r.position + std::int64_t(r.ref.size())), r.contig, r.position + 1),
                      "is it the right reference? --ref-mismatch=skip or flip goes on, counted", r.where);
        }
        state.skip = "ref_mismatch";
        return;
    }
    if (r.kinds[a] == AltKind::same_as_ref) {
      state.skip = name_of(r.kinds[a]);
      return;
    }
    const Window w = window_about(allele.contig, allele.position, rules_.length);
    // The alternative window may need bases past the reference window's end, but no more than the deletion has.
    const std::int64_t right = w.end + std::max<std::int64_t>(0, std::int64_t(allele.ref.size()) - std::int64_t(allele.alt.size()));
    if (rules_.edge == OnEdge::skip && (w.begin < 0 || right > genome_.length(allele.contig))) {
      state.skip = "edge";
      return;
    }
    try {
      const Pad pad = rules_.edge == OnEdge::n ? Pad::n : Pad::error;
      const auto reference = reference_window(genome_, allele, rules_.length, pad, &counts_.padded);
      const auto alternative = alternative_window(genome_, allele, rules_.length, pad, &counts_.padded);
      if (fasta_) fasta_->write(fmt::format(">{}:{}:{}:{}\n{}\n", r.contig, r.position + 1, r.ref, r.alts[a], alternative));
      if (!model_.targets.empty()) {
        state.number = batch_.add(reference, alternative);
        names_.push_back(fmt::format("{}, ALT '{}'", r.where, r.alts[a]));
        ++waiting_;
      }
    } catch (const Error& e) {
      throw Error(e.kind(), e.code(), e.message(), "--edge=N fills with N, --edge=skip passes over", r.where);
    }
  }

  void flush() {
    const auto effects = waiting_ > 0 ? batch_.score(model_.score, [&](std::size_t i) { return names_[i]; }) : std::vector<std::vector<Effect>>();
    for (const auto& row : rows_) write_row(row, effects);
    rows_.clear();
    names_.clear();
    waiting_ = 0;
  }

  void write_row(const Row& row, const std::vector<std::vector<Effect>>& effects) {
    std::string added;
    auto list = [&](const std::string& key, auto&& value) {
      added += (added.empty() ? "" : ";") + key + "=";
      for (std::size_t a = 0; a < row.alleles.size(); ++a) added += (a ? "," : "") + value(row.alleles[a]);
    };
    const bool any = std::any_of(row.alleles.begin(), row.alleles.end(), [](const AlleleState& s) { return s.skip.empty(); });
    for (std::size_t t = 0; any && t < model_.targets.size(); ++t)
      for (const auto& field : kFields)
        list(key_of(field.key, model_.targets[t]), [&](const AlleleState& s) { return s.skip.empty() ? fmt::format("{:.6g}", effects[s.number][t].*field.value) : std::string("."); });
    if (std::any_of(row.alleles.begin(), row.alleles.end(), [](const AlleleState& s) { return !s.skip.empty(); })) list("TENON_SKIP", [](const AlleleState& s) { return s.skip.empty() ? "." : s.skip; });
    if (std::any_of(row.alleles.begin(), row.alleles.end(), [](const AlleleState& s) { return !s.flip.empty(); })) list("TENON_FLIP", [](const AlleleState& s) { return s.flip.empty() ? "." : s.flip; });
    const auto& columns = row.record.columns;
    std::string line;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      line += c ? "\t" : "";
      if (c != 7 || added.empty()) line += columns[c];
      else line += columns[c] == "." ? added : std::string(columns[c]) + (columns[c].ends_with(';') ? "" : ";") + added;
    }
    out_.write(line + "\n");
  }

  const Genome& genome_;
  VariantRules rules_;
  const VariantModel& model_;
  const Monitor& monitor_;
  VcfReader reader_;
  TextOutput out_;
  std::optional<TextOutput> fasta_;
  EffectBatch batch_;
  std::size_t waiting_ = 0;
  std::deque<Row> rows_;  // rows stay where they are: records hold views of their own line
  std::vector<std::string> names_;
  VariantCounts counts_;
};

}  // namespace

std::string info_name(const std::string& target) {
  std::string out = target;
  for (char& c : out)
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.')) c = '_';
  return out;
}

VariantCounts score_variants(const std::filesystem::path& input, const std::filesystem::path& output, const std::filesystem::path& sequences, const Genome& genome,
                             const VariantRules& rules, const VariantModel& model, const Monitor& monitor) {
  return Scorer(input, output, sequences, genome, rules, model, monitor).run();
}

}  // namespace tenon::genomics
