#include "finance/tasks/published.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kForm = "write \"name | column = value, column = value... | source\", columns as the result table names them: \"MSE 96 = 0.081\"";

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

[[noreturn]] void refuse(const std::string& what, const std::string& hint = kForm) {
  throw Error(ErrorKind::usage, "finance.published", "baselines.published: " + what, hint, "baselines.published");
}

/// Puts the mean over a score's columns, in order, where each has a figure.
void add_means(std::vector<double>& values, const std::vector<MetricColumn>& columns) {
  for (std::size_t mean = 0; mean < columns.size(); ++mean) {
    if (!columns[mean].name.ends_with(" mean")) continue;
    const std::string score = columns[mean].name.substr(0, columns[mean].name.size() - 4);
    double sum = 0;
    int count = 0;
    for (std::size_t c = 0; c < columns.size(); ++c)
      if (c != mean && columns[c].name.starts_with(score)) sum += values[c], ++count;
    values[mean] = count ? sum / count : kNaN;
  }
}

}  // namespace

Param published_by_column_param() {
  return texts_param("published", {}, "reference scores, each \"name | column = value, column = value... | source\"; figures of columns that the run does not have are left out");
}

std::vector<Baseline> published_by_column(const ParamValues& baselines, const std::vector<MetricColumn>& columns, const std::vector<std::string>& scores) {
  std::vector<Baseline> list;
  for (const std::string& text : baselines.texts("published")) {
    const auto first = text.find('|'), second = first == std::string::npos ? first : text.find('|', first + 1);
    if (second == std::string::npos) refuse("'" + text + "'");
    Baseline b{trimmed(text.substr(0, first)), std::vector<double>(columns.size(), kNaN), trimmed(text.substr(second + 1))};
    const std::string figures = text.substr(first + 1, second - first - 1);
    std::set<std::string> seen;
    bool shown = false;
    for (std::size_t at = 0; at <= figures.size();) {
      const auto comma = std::min(figures.find(',', at), figures.size());
      const std::string item = trimmed(figures.substr(at, comma - at));
      at = comma + 1;
      const auto equals = item.find('=');
      if (equals == std::string::npos) refuse("'" + item + "' of '" + b.name + "' names no column");
      const std::string name = trimmed(item.substr(0, equals)), number = trimmed(item.substr(equals + 1));
      char* end = nullptr;
      const double value = std::strtod(number.c_str(), &end);
      if (number.empty() || *end || !std::isfinite(value)) refuse("'" + number + "' of '" + b.name + "' is no number");
      if (std::none_of(scores.begin(), scores.end(), [&](const std::string& s) { return name == s || name.starts_with(s + " "); }))
        refuse("'" + b.name + "' has a figure of '" + name + "', which no run of this task scores", suggestion(name, scores));
      if (!seen.insert(name).second) refuse("'" + b.name + "' has two figures of '" + name + "'");
      if (name.ends_with(" mean")) refuse("'" + b.name + "' has a mean", "give the figure of each horizon: the mean is made from them");
      for (std::size_t c = 0; c < columns.size(); ++c)
        if (columns[c].name == name) b.values[c] = value, shown = true;
    }
    if (!shown) continue;
    add_means(b.values, columns);
    list.push_back(std::move(b));
  }
  return list;
}

}  // namespace tenon::finance
