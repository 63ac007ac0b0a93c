#include "train/recipe_changes.hpp"

#include <sstream>
#include <utility>

namespace tenon {
namespace {

/// Section.key and value of each line of a text that Recipe::resolved() made.
std::vector<std::pair<std::string, std::string>> lines_of(const std::string& resolved) {
  constexpr std::string_view mark = "  # default";
  std::vector<std::pair<std::string, std::string>> lines;
  std::istringstream in(resolved);
  std::string section;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('[')) {
      section = line.substr(1, line.find(']') - 1) + ".";
      continue;
    }
    if (line.ends_with(mark)) line.resize(line.size() - mark.size());
    if (const std::size_t at = line.find(" = "); at != std::string::npos) lines.emplace_back(section + line.substr(0, at), line.substr(at + 3));
  }
  return lines;
}

}  // namespace

std::vector<std::string> recipe_changes(const std::string& before, const std::string& after) {
  const auto old_lines = lines_of(before), new_lines = lines_of(after);
  const auto find = [](const auto& lines, const std::string& key) -> const std::string* {
    for (const auto& [k, v] : lines)
      if (k == key) return &v;
    return nullptr;
  };
  std::vector<std::string> changes;
  for (const auto& [key, value] : new_lines)
    if (const std::string* was = find(old_lines, key); !was || *was != value) changes.push_back(key + ": " + (was ? *was : "not there") + " -> " + value);
  for (const auto& [key, value] : old_lines)
    if (!find(new_lines, key)) changes.push_back(key + ": " + value + " -> not there");
  return changes;
}

}  // namespace tenon
