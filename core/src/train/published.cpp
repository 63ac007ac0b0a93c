#include <algorithm>
#include <cstdlib>

#include "tenon/error.hpp"
#include "tenon/task.hpp"

namespace tenon {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

[[noreturn]] void refuse(const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "recipe.published", "baselines.published: " + what, hint, "baselines.published");
}

}  // namespace

Param published_param() {
  return texts_param("published", {}, "reference scores, each \"name | value, value... | source\", values in the order of the columns");
}

std::vector<Baseline> published_baselines(const ParamValues& baselines, std::size_t columns) {
  std::vector<Baseline> list;
  for (const std::string& text : baselines.texts("published")) {
    const auto first = text.find('|'), second = first == std::string::npos ? first : text.find('|', first + 1);
    if (second == std::string::npos) refuse("'" + text + "'", "write \"name | value, value... | source\"");
    Baseline b{trimmed(text.substr(0, first)), {}, trimmed(text.substr(second + 1))};
    const std::string values = text.substr(first + 1, second - first - 1);
    for (std::size_t at = 0; at <= values.size();) {
      const auto comma = std::min(values.find(',', at), values.size());
      const std::string item = trimmed(values.substr(at, comma - at));
      char* end = nullptr;
      b.values.push_back(std::strtod(item.c_str(), &end));
      if (item.empty() || *end) refuse("'" + item + "' in '" + text + "' is no number", "write \"name | value, value... | source\"");
      at = comma + 1;
    }
    if (b.values.size() > columns)
      refuse("'" + b.name + "' has " + std::to_string(b.values.size()) + " values for " + std::to_string(columns) + " columns", "give one a column");
    list.push_back(std::move(b));
  }
  return list;
}

}  // namespace tenon
