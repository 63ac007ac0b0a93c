#include "train/require.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tenon/error.hpp"
#include "tenon/params.hpp"
#include "tenon/run.hpp"

namespace tenon {
namespace {

std::vector<std::string> names_of(const std::vector<MetricColumn>& columns) {
  std::vector<std::string> names;
  for (const MetricColumn& c : columns) names.push_back(c.name);
  return names;
}

void require_known(const std::string& column, const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), column) == names.end())
    throw Error(ErrorKind::usage, "train.require", "no column '" + column + "' in the evaluation", suggestion(column, names));
}

}  // namespace

std::vector<Demand> parse_demands(const std::vector<std::string>& texts, const std::vector<MetricColumn>& columns) {
  const std::vector<std::string> names = names_of(columns);
  std::vector<Demand> demands;
  for (const std::string& text : texts) {
    const std::size_t at = std::min(text.find(">="), text.find("<="));
    char* end = nullptr;
    const double bound = at == std::string::npos ? 0 : std::strtod(text.c_str() + at + 2, &end);
    std::string column = text.substr(0, std::min(at, text.size()));
    while (!column.empty() && column.back() == ' ') column.pop_back();
    if (at == std::string::npos || column.empty() || end == text.c_str() + at + 2 || *end)
      throw Error(ErrorKind::usage, "train.require", "'" + text + "' is not a demand",
                  "write for example require = [\"" + (names.empty() ? "Dice" : names[0]) + " >= 0.8\"]");
    if (!names.empty()) require_known(column, names);
    demands.push_back({std::move(column), text[at] == '>', bound});
  }
  return demands;
}

std::vector<Demand> demands_of(const Recipe& recipe, const Task& task) {
  const ParamValues& train = recipe.section("train");
  const auto origin = recipe.origins.find("train.require");
  try {
    std::vector<Demand> demands = parse_demands(train.texts("require"), task.columns());
    if (!demands.empty() && !train.boolean("evaluate"))
      throw Error(ErrorKind::usage, "train.require", "train.require demands figures, but train.evaluate is false", "set train.evaluate=true");
    return demands;
  } catch (const Error& e) {
    throw origin == recipe.origins.end() ? e : e.at(origin->second);
  }
}

void check_demands(const std::vector<Demand>& demands, const Evaluation& evaluation, const std::filesystem::path& run) {
  if (demands.empty()) return;
  const std::vector<Summary> summaries = summarise(evaluation);
  const std::vector<std::string> names = names_of(evaluation.columns);
  std::string missed;
  for (const Demand& d : demands) {
    require_known(d.column, names);
    const double mean = summaries[std::size_t(std::find(names.begin(), names.end(), d.column) - names.begin())].mean;
    if (d.at_least ? mean >= d.bound : mean <= d.bound) continue;
    char text[64];
    std::snprintf(text, sizeof text, " reached %.4f, demanded %s %g", mean, d.at_least ? ">=" : "<=", d.bound);
    missed += (missed.empty() ? "" : "; ") + d.column + text;
  }
  if (!missed.empty()) throw Error(ErrorKind::acceptance, "train.acceptance", missed, "train longer, or lower train.require", run.string());
}

}  // namespace tenon
