#include "genomics/audit/audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "genomics/audit/split.hpp"
#include "genomics/io/bgzf_output.hpp"
#include "genomics/tools/audit_table.hpp"
#include "genomics/tools/common.hpp"
#include "genomics/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::genomics {
namespace {

struct Loaded {
  std::vector<SequenceRecord> records;
  AuditSet set;
  std::vector<std::string> files;  ///< one a record
};

/// Files read; parts are splits where they are told, else the files themselves.
Loaded load(const std::vector<std::string>& inputs, const ParamValues& params) {
  const auto &splits = params.texts("splits"), &labels = params.texts("labels");
  for (const auto* list : {&splits, &labels})
    if (!list->empty() && list->size() != inputs.size())
      throw_usage("audit", fmt::format("--{} has {} values for {} files", list == &splits ? "splits" : "labels", list->size(), inputs.size()), "give one a file, in their order");
  if (std::count(splits.begin(), splits.end(), "") > 0) throw_usage("audit", "--splits holds an empty name", "name the split of each file");
  Loaded out;
  const TableColumns columns{params.text("sequence_column"), params.text("label_column"), params.text("name_column"), params.text("split_column")};
  std::map<std::string, int> numbers;
  for (std::size_t f = 0; f < inputs.size(); ++f) {
    const std::string file = std::filesystem::path(inputs[f]).filename().string();
    for (auto& record : read_sequences(inputs[f], columns)) {
      if (!labels.empty()) record.label = labels[f];
      if (!splits.empty()) record.split = splits[f];
      const std::string part = record.split.empty() ? (inputs.size() > 1 && std::count(inputs.begin(), inputs.end(), inputs[f]) == 1 ? file : inputs[f]) : record.split;
      auto [it, fresh] = numbers.emplace(part, int(out.set.parts.size()));
      if (fresh) {
        if (out.set.parts.size() == kMostParts) throw Error(ErrorKind::data, "genomics.parts", fmt::format("more than {} parts", kMostParts), "is the split column the right one?", inputs[f]);
        out.set.parts.push_back(part);
      }
      out.set.part.push_back(it->second);
      out.files.push_back(file);
      out.records.push_back(std::move(record));
    }
  }
  out.set.records = out.records;
  return out;
}

/// A value as read_sequences takes it back.
std::string cell(const std::string& value) {
  if (value.find_first_of("\"\t") == std::string::npos && value == value.substr(0, value.find_last_not_of(' ') + 1)) return value;
  std::string out = "\"";
  for (char c : value) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

/// What is wrong with the split is told before hours of reading.
void require_split_options(const ParamValues& params) {
  if (params.text("write_split").empty()) {
    for (const char* name : {"sizes", "names", "split_seed", "drop_duplicates", "overwrite"})
      if (params.given(name)) throw_usage("audit", fmt::format("--{} is given, and no split is written", name), "name the file: --write-split FILE");
    return;
  }
  const auto& sizes = params.reals("sizes");
  const auto& names = params.texts("names");
  for (const auto& name : names)
    if (name.empty() || std::count(names.begin(), names.end(), name) > 1)
      throw_usage("audit", name.empty() ? "--names holds an empty name" : fmt::format("--names holds '{}' twice", name), "give each part a name of its own");
  if (sizes.size() != names.size()) throw_usage("audit", fmt::format("{} --sizes and {} --names", sizes.size(), names.size()), "give as many sizes as names");
}

/// One line a record: file, line, name, label, cluster, part; clusters of either strand stay whole. Returns counts by part.
std::vector<std::int64_t> write_split(const Loaded& loaded, const Audit& audit, const ParamValues& params, const std::filesystem::path& output) {
  const auto& sizes = params.reals("sizes");
  const auto& names = params.texts("names");
  std::vector<bool> keep(loaded.records.size(), true);
  if (params.boolean("drop_duplicates")) keep = without_duplicates(loaded.set, audit);
  std::vector<std::int32_t> cluster;
  std::vector<std::string> label;
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    rows.push_back(i);
    cluster.push_back(audit.cluster_both[i]);
    label.push_back(loaded.records[i].label);
  }
  const auto part = split_by_cluster(cluster, label, sizes, std::uint64_t(params.integer("split_seed")));
  std::vector<std::int64_t> counts(sizes.size(), 0);
  TextOutput file(output);
  file.write("file\tline\tname\tlabel\tcluster\tsplit\tsequence\n");
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto& record = loaded.records[rows[r]];
    file.write(fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\n", cell(loaded.files[rows[r]]), record.line, cell(record.name), cell(record.label), cluster[r], cell(names[std::size_t(part[r])]),
                           record.sequence));
    ++counts[std::size_t(part[r])];
  }
  file.commit();
  return counts;
}

int run_audit(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("audit", "no file given", "tenon genomics audit FILE...");
  require_split_options(params);
  const std::filesystem::path output = params.text("write_split");
  if (!output.empty()) require_free(output, params.boolean("overwrite"), {inputs.begin(), inputs.end()});
  const Loaded loaded = load(inputs, params);
  const Audit result = audit(loaded.set, params.real("threshold"));
  auto json = context.json() ? audit_json(loaded.set, result) : nlohmann::ordered_json();
  std::string text = context.json() ? "" : audit_text(loaded.set, result);
  if (!output.empty()) {
    const auto counts = write_split(loaded, result, params, output);
    text += fmt::format("\n{}: seed {},", output.string(), params.integer("split_seed"));
    json["split"] = {{"file", output.string()}, {"seed", params.integer("split_seed")}};
    for (std::size_t p = 0; p < counts.size(); ++p) {
      text += fmt::format(" {} {}", params.texts("names")[p], counts[p]);
      json["split"]["records"][params.texts("names")[p]] = counts[p];
    }
  }
  context.print(context.json() ? json_text(json) : text);
  if (params.boolean("fail_on_leak") && !leaks(result).empty()) {
    std::string what;
    for (const auto& leak : leaks(result)) what += (what.empty() ? "" : "; ") + text_of(leak, loaded.set.parts);
    throw Error(ErrorKind::data, "genomics.leak", what, "split by clusters: --write-split");
  }
  return 0;
}

}  // namespace

ToolEntry audit_tool() {
  ParamSpec spec = {texts_param("labels", {}, "label of each file, in their order"),
                    texts_param("splits", {}, "split of each file, in their order (train,train,test,test): parts are then the splits"),
                    text_param("sequence_column", "", "of a table: name, or number from 1"),
                    text_param("label_column", "", "of a table: name, or number from 1"),
                    text_param("name_column", "", "of a table: name, or number from 1"),
                    text_param("split_column", "", "of a table: name, or number from 1"),
                    real_param("threshold", kNearThreshold, "Jaccard index of the sets of distinct 8-mers from which two sequences are near duplicates", 0.01, 1),
                    path_param("write_split", "", "write a table of records with a split in which clusters stay whole (.gz: BGZF)"),
                    reals_param("sizes", {0.8, 0.2}, "sizes of the parts; their shares count", 1e-9, 1e9),
                    texts_param("names", {"train", "test"}, "names of the parts"),
                    integer_param("split_seed", 0, "seed of the split", 0, 9e15),
                    boolean_param("drop_duplicates", false, "leave redundant records, and groups with two labels, out of the split"),
                    boolean_param("fail_on_leak", false, "end with exit status 3 when a part has a duplicate or near duplicate in another"),
                    boolean_param("overwrite", false, "replace an output that is there already")};
  return {"audit", "duplicates and near duplicates within and across files or splits, on both strands; splits without leaks", "FILE...", spec, run_audit};
}

}  // namespace tenon::genomics
