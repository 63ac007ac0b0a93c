#include "climate/tasks/params.hpp"

#include <algorithm>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::climate {
namespace {

std::string trimmed(const std::string& text) {
  const auto from = text.find_first_not_of(" \t"), to = text.find_last_not_of(" \t");
  return from == std::string::npos ? std::string() : text.substr(from, to - from + 1);
}

}  // namespace

const ParamValues& section(const TaskContext& context, const std::string& name) {
  const auto found = context.sections.find(name);
  if (found == context.sections.end()) throw_usage("climate", "the recipe section [" + name + "] was not given");
  return found->second;
}

void refuse_recipe(const std::string& key, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "climate.recipe", key + ": " + what, hint, key);
}

std::vector<std::string> bar_parts(const std::string& key, const std::string& text, std::size_t parts, const std::string& form) {
  std::vector<std::string> list;
  for (std::size_t at = 0; at <= text.size();) {
    const auto bar = std::min(text.find('|', at), text.size());
    list.push_back(trimmed(text.substr(at, bar - at)));
    at = bar + 1;
  }
  if (list.size() != parts || std::any_of(list.begin(), list.end(), [](const auto& t) { return t.empty(); }))
    refuse_recipe(key, "'" + text + "'", "write \"" + form + "\"");
  return list;
}

std::filesystem::path require_file(const std::filesystem::path& file, const std::string& key) {
  const auto info = files().stat(file);
  if (!info || !info->is_regular)
    throw Error(ErrorKind::usage, "climate.no_file", "there is no file " + file.string(), "correct " + key + " or get the data", key);
  return file;
}

}  // namespace tenon::climate
