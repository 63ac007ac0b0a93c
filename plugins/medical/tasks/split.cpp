#include "medical/tasks/split.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/random.hpp"

namespace tenon::medical {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::data, "medical.split", what, hint, file.string());
}

[[noreturn]] void refuse_fold(const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "medical.fold", what, hint, "data.fold");
}

std::vector<std::string> ids_of(const Json& list, const std::string& key, const std::filesystem::path& file) {
  if (!list.is_array()) refuse(file, "'" + key + "' is not a list", "give a list of case ids");
  std::vector<std::string> ids;
  for (const Json& item : list) {
    const Json* id = item.is_object() && item.contains("id") ? &item["id"] : &item;
    if (!id->is_string())
      refuse(file, "'" + key + "' holds " + item.dump() + ", which is no case id", "give ids as text, or objects with \"id\"");
    const auto& text = id->get_ref<const std::string&>();
    if (text.empty() || text.find('/') != std::string::npos || text == "." || text == "..")
      refuse(file, "'" + key + "' holds the case id '" + text + "'", "an id is a file name without folder and extension");
    ids.push_back(text);
  }
  return ids;
}

}  // namespace

Split read_split(const std::filesystem::path& file, std::int64_t fold) {
  Json json;
  try {
    json = Json::parse(read_text(file, std::uint64_t(64) << 20));
  } catch (const Json::exception& e) {
    refuse(file, std::string("not JSON: ") + e.what(), "mend the file, or leave data.folds empty to draw folds");
  }
  if (!json.is_object()) refuse(file, "not a JSON object", "write {\"fold_0\": [ids], ...} or {\"train\": [ids], \"validation\": [ids]}");

  std::map<std::int64_t, std::string> folds;
  for (const auto& [key, value] : json.items())
    if (key.starts_with("fold_") && key.size() > 5 && key.size() < 10 && key.find_first_not_of("0123456789", 5) == std::string::npos)
      folds[std::stoll(key.substr(5))] = key;
  Split split;
  if (!folds.empty()) {
    if (!folds.contains(fold)) {
      std::string known;
      for (const auto& [k, key] : folds) known += (known.empty() ? "" : ", ") + std::to_string(k);
      refuse_fold("there is no fold " + std::to_string(fold) + " in " + file.string(), "set data.fold to one of " + known);
    }
    for (const auto& [k, key] : folds) {
      auto ids = ids_of(json[key], key, file);
      auto& into = split[k == fold ? "validation" : "train"];
      into.insert(into.end(), ids.begin(), ids.end());
    }
  } else {
    if (fold > 0)
      refuse_fold("there is no fold " + std::to_string(fold) + " in " + file.string() + ": it names no folds", "leave data.fold out");
    for (const char* key : {"train", "validation", "test"})
      if (json.contains(key)) split[key] = ids_of(json[key], key, file);
  }
  if (split["train"].empty())
    refuse(file, "no cases to train on", "write {\"fold_0\": [ids], ...} or {\"train\": [ids], \"validation\": [ids]}");
  return split;
}

Split draw_split(std::vector<std::string> ids, std::int64_t fold, std::int64_t count) {
  if (count < 2 || fold < 0 || fold >= count)
    refuse_fold("there is no fold " + std::to_string(fold) + " of " + std::to_string(count),
                "folds count from 0: lower data.fold, or raise data.fold_count");
  std::sort(ids.begin(), ids.end());
  const Random random(0, 0x666f6c64);  // "fold"
  for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[std::size_t(random.below(i, i))]);
  Split split;
  for (std::size_t i = 0; i < ids.size(); ++i) split[std::int64_t(i) % count == fold ? "validation" : "train"].push_back(ids[i]);
  for (auto& [name, list] : split) std::sort(list.begin(), list.end());
  return split;
}

std::vector<Problem> split_problems(const Split& split, bool allow_leak) {
  std::vector<Problem> problems;
  if (const auto train = split.find("train"); train == split.end() || train->second.empty())
    problems.push_back({"medical.no_cases", "train", "there is no case to train on",
                        "check data.root, data.images and data.extensions, and the split file where there is one"});
  std::map<std::string, std::string> first_part;
  for (const auto& [part, ids] : split) {
    std::set<std::string> seen;
    for (const auto& id : ids) {
      if (!seen.insert(id).second) {
        problems.push_back({"medical.duplicate_id", id, "listed more than once in '" + part + "'", "list each case once"});
      } else if (const auto [at, fresh] = first_part.emplace(id, part); !fresh && !allow_leak) {
        problems.push_back({"medical.leak", id, "the same case is in '" + at->second + "' and in '" + part + "'",
                            "take it out of one of them, or set data.allow_leak = true and mistrust the scores"});
      }
    }
  }
  return problems;
}

}  // namespace tenon::medical
