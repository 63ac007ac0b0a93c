#include "genomics/tasks/sequence_set.hpp"
#include "tenon/error.hpp"

namespace tenon::genomics {

const ParamSpec& data_params() {
  static const ParamSpec spec{
      path_param("root", "", "folder of the data set", true),
      texts_param("classes", {}, "names of the classes, in the order of their numbers; of two the second is the positive one"),
      texts_param("files", {}, "FASTA files below root, one a class, in the order of data.classes"),
      texts_param("test_files", {}, "the same for the part that is scored; none: the split is drawn"),
      text_param("table", "", "in place of files: a table of class, name, sequence below root (separated by commas or tabs)"),
      text_param("test_table", "", "the same for the part that is scored; none: the split is drawn"),
      text_param("duplicates", "keep", "keep; or drop: of equal sequences the first stays, and none where their labels differ", {"keep", "drop"}),
      text_param("pad", "error", "sequences shorter than others: refused, or (N) set in the middle of unknown bases", {"error", "N"}),
      integer_param("length", 0, "length of what the model reads, in bases; 0: the longest sequence's", 0, 10000000),
      text_param("split", "homology", "of a drawn split: homology, clusters of near duplicates stay whole; or random, sequence by sequence after duplicates = drop, as most published figures", {"homology", "random"}),
      real_param("test_share", 0.2, "share of the sequences that is scored, where the split is drawn", 0.001, 0.999),
      integer_param("split_seed", -1, "of the drawn split; -1: the run's seed"),
      boolean_param("choose", false, "for choices: score a part that is held back from the training part, drawn alike; the test part stays unseen"),
      text_param("allow_leak", "", "why a split may be used whose scored part has duplicates or near duplicates in training; empty: it is refused"),
  };
  return spec;
}

namespace {

[[noreturn]] void refuse(const std::string& key, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "genomics.recipe", "data." + key + ": " + what, hint, "data." + key);
}

}  // namespace

SetSettings set_settings(const ParamValues& v, const std::filesystem::path& recipe_directory, std::uint64_t run_seed) {
  SetSettings s;
  s.root = v.text("root");
  if (s.root.is_relative()) s.root = recipe_directory / s.root;
  s.classes = v.texts("classes");
  s.files = v.texts("files");
  s.test_files = v.texts("test_files");
  s.table = v.text("table");
  s.test_table = v.text("test_table");
  s.drop_duplicates = v.text("duplicates") == "drop";
  s.pad = v.text("pad") == "N";
  s.random_split = v.text("split") == "random";
  s.choose = v.boolean("choose");
  s.length = v.integer("length");
  s.test_share = v.real("test_share");
  s.seed = v.integer("split_seed") < 0 ? run_seed : std::uint64_t(v.integer("split_seed"));
  s.allow_leak = v.text("allow_leak");

  if (s.classes.size() < 2) refuse("classes", std::to_string(s.classes.size()) + " classes", "name at least two, e.g. classes = [\"background\", \"promoter\"]");
  for (std::size_t i = 0; i < s.classes.size(); ++i) {
    if (s.classes[i].empty() || s.classes[i].find_first_of("\t\n\r") != std::string::npos) refuse("classes", "'" + s.classes[i] + "' is no name", "use plain text");
    for (std::size_t j = 0; j < i; ++j)
      if (s.classes[i] == s.classes[j]) refuse("classes", "'" + s.classes[i] + "' twice", "name each class once");
  }
  if (s.files.empty() == s.table.empty()) refuse("files", s.files.empty() ? "neither files nor a table" : "files and a table", "give one of data.files and data.table");
  if (!s.allow_leak.empty() && s.allow_leak.find_first_not_of(" \t\r\n") == std::string::npos) refuse("allow_leak", "blanks are no reason", "say why the split may leak");
  if (s.random_split && !s.drop_duplicates) refuse("split", "a random split of sequences that may be repeated", "set data.duplicates = \"drop\"");
  if (s.random_split && !(s.test_files.empty() && s.test_table.empty())) refuse("split", "random, and a test part is given", "leave out data.split, or the test part");
  if (!s.table.empty() && !s.test_files.empty()) refuse("test_files", "beside data.table", "give data.test_table");
  if (!s.files.empty() && !s.test_table.empty()) refuse("test_table", "beside data.files", "give data.test_files");
  for (const auto& [key, list] : {std::pair<std::string, const std::vector<std::string>&>{"files", s.files}, {"test_files", s.test_files}})
    if (!list.empty() && list.size() != s.classes.size())
      refuse(key, std::to_string(list.size()) + " files for " + std::to_string(s.classes.size()) + " classes", "give one a class, in the order of data.classes");
  return s;
}

std::vector<std::string> files_of(const SetSettings& s) {
  std::vector<std::string> all = s.files;
  all.insert(all.end(), s.test_files.begin(), s.test_files.end());
  for (const auto& table : {s.table, s.test_table})
    if (!table.empty()) all.push_back(table);
  return all;
}

}  // namespace tenon::genomics
