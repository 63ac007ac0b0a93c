#include <algorithm>
#include <cctype>
#include <cstddef>

#include "tenon/params.hpp"

namespace tenon {
namespace {

std::string lowered(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each of cost 1.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& candidates) {
  // Letter case is the cheapest slip, so it costs nothing. A third of the length, rounded up: "lr" may be one away.
  const std::string wanted = lowered(name);
  const std::size_t limit = (wanted.size() + 2) / 3;
  std::vector<std::pair<std::size_t, const std::string*>> found;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(candidate.size(), wanted.size()), shorter = std::min(candidate.size(), wanted.size());
    if (longer - shorter > limit) continue;
    const std::size_t distance = edit_distance(wanted, lowered(candidate));
    if (distance <= limit && distance < longer) found.emplace_back(distance, &candidate);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (const auto& [distance, candidate] : found) {
    if (names.size() == 3) break;
    if (std::find(names.begin(), names.end(), *candidate) == names.end()) names.push_back(*candidate);
  }
  return names;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  if (const auto near = nearest_names(name, candidates); !near.empty()) {
    std::string text = "did you mean '" + near[0] + "'";
    for (std::size_t i = 1; i < near.size(); ++i) text += (i + 1 == near.size() ? " or '" : ", '") + near[i] + "'";
    return text + "?";
  }
  if (candidates.empty()) return "none are known";
  constexpr std::size_t kShown = 24;  // a hint stays a line or two
  std::string text = "known: ";
  for (std::size_t i = 0; i < std::min(candidates.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + candidates[i];
  if (candidates.size() > kShown) text += ", ... (" + std::to_string(candidates.size()) + " in all)";
  return text;
}

}  // namespace tenon
