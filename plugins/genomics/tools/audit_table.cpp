#include "genomics/tools/audit_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tenon::genomics {
namespace {

std::string pair_name(const AuditSet& set, const std::pair<int, int>& parts) { return set.parts[std::size_t(parts.first)] + " x " + set.parts[std::size_t(parts.second)]; }

/// Records of each part that have a copy in each part, of each label: "100 of 200 positives".
struct LabelLeak {
  int from, to;
  std::string label;
  std::int64_t records = 0, exact = 0, near = 0;
};

std::vector<LabelLeak> leaks_by_label(const AuditSet& set, const Audit& audit) {
  std::vector<LabelLeak> out;
  for (const auto& leak : leaks(audit)) {
    std::map<std::string, LabelLeak> labels;
    for (std::size_t i = 0; i < audit.part.size(); ++i) {
      if (audit.part[i] != leak.to) continue;
      const auto& label = set.records[i].label;
      auto& counts = labels.try_emplace(label, LabelLeak{leak.from, leak.to, label}).first->second;
      ++counts.records;
      counts.exact += std::int64_t(audit.exact_in[i] >> leak.from & 1);
      counts.near += std::int64_t(audit.near_in[i] >> leak.from & 1);
    }
    for (auto& [label, counts] : labels) out.push_back(std::move(counts));
  }
  return out;
}

}  // namespace

std::string audit_text(const AuditSet& set, const Audit& audit) {
  std::string out;
  std::size_t width = 4;
  for (const auto& part : set.parts) width = std::max(width, part.size());
  out += fmt::format("{:<{}}  {:>9}  {:>15}\n", "part", width, "records", "with neighbour");
  for (std::size_t p = 0; p < set.parts.size(); ++p) out += fmt::format("{:<{}}  {:>9}  {:>15}\n", set.parts[p], width, audit.part_records[p], audit.part_with_neighbour[p]);
  out += fmt::format("\n{} records, {} distinct sequences, {} redundant; {} with letters other than A C G T\n", audit.records, audit.distinct, audit.redundant, audit.ambiguous);
  out += fmt::format("{} groups of identical records ({} records), {} of them with two labels\n", audit.identical_groups, audit.in_identical_groups, audit.two_label_groups);
  out += fmt::format("{} clusters of near duplicates on the same strand, {} on either strand (single linkage, 8-mer Jaccard >= {})\n", audit.clusters, audit.clusters_both, audit.threshold);
  if (!audit.pairs.empty()) {
    std::size_t wide = 5;
    for (const auto& [parts, counts] : audit.pairs) wide = std::max(wide, pair_name(set, parts).size());
    out += fmt::format("\n{:<{}}  {:>8}  {:>14}  {:>8}  {:>14}  {:>15}\n", "pairs", wide, "exact", "exact reverse", "near", "near reverse", "labels disagree");
    for (const auto& [parts, c] : audit.pairs)
      out += fmt::format("{:<{}}  {:>8}  {:>14}  {:>8}  {:>14}  {:>15}\n", pair_name(set, parts), wide, c.exact, c.exact_reverse, c.near, c.near_reverse, c.near_disagree);
  }
  const auto found = leaks(audit);
  out += found.empty() ? "\nno part has a duplicate or near duplicate in another\n" : "\nacross parts:\n";
  for (const auto& leak : found) out += "  " + text_of(leak, set.parts) + "\n";
  for (const auto& leak : leaks_by_label(set, audit))
    if (!leak.label.empty())
      out += fmt::format("    label '{}': {} of {} records of '{}' are in '{}' letter for letter, {} near\n", leak.label, leak.exact, leak.records, set.parts[std::size_t(leak.to)],
                         set.parts[std::size_t(leak.from)], leak.near);
  out.pop_back();
  return out;
}

nlohmann::ordered_json audit_json(const AuditSet& set, const Audit& audit) {
  nlohmann::ordered_json j;
  for (std::size_t p = 0; p < set.parts.size(); ++p) j["records"][set.parts[p]] = audit.part_records[p];
  j["distinct_sequences"] = audit.distinct;
  j["redundant_records"] = audit.redundant;
  j["records_with_ambiguity_codes"] = audit.ambiguous;
  j["groups_of_identical_records"] = audit.identical_groups;
  j["records_in_those_groups"] = audit.in_identical_groups;
  j["groups_with_two_labels"] = audit.two_label_groups;
  j["single_linkage_clusters"] = audit.clusters;
  j["single_linkage_clusters_either_strand"] = audit.clusters_both;
  auto counts = [&](const char* key, std::int64_t PairCounts::* count) {
    j[key] = nlohmann::ordered_json::object();
    for (const auto& [parts, c] : audit.pairs)
      if (c.*count > 0) j[key][pair_name(set, parts)] = c.*count;
  };
  counts("exact_pairs", &PairCounts::exact);
  counts("exact_reverse_complement_pairs", &PairCounts::exact_reverse);
  counts("near_pairs", &PairCounts::near);
  counts("near_pairs_reverse_complement", &PairCounts::near_reverse);
  counts("near_pairs_with_two_labels", &PairCounts::near_disagree);
  j["with_neighbour"] = nlohmann::ordered_json::object();
  for (std::size_t p = 0; p < set.parts.size(); ++p)
    if (audit.part_with_neighbour[p] > 0) j["with_neighbour"][set.parts[p]] = audit.part_with_neighbour[p];
  j["leaks"] = nlohmann::ordered_json::array();
  auto name = [&](int part) { return set.parts[std::size_t(part)]; };
  for (const auto& leak : leaks(audit)) {
    nlohmann::ordered_json entry{{"from", name(leak.from)}, {"to", name(leak.to)}, {"records", leak.records}, {"exact", leak.exact}, {"near", leak.near}};
    for (const auto& l : leaks_by_label(set, audit))
      if (l.from == leak.from && l.to == leak.to && !l.label.empty()) entry["labels"][l.label] = {{"records", l.records}, {"exact", l.exact}, {"near", l.near}};
    j["leaks"].push_back(std::move(entry));
  }
  return j;
}

}  // namespace tenon::genomics
