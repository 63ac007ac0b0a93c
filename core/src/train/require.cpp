#include "train/require.hpp"

#include <cstdio>
#include <cstdlib>

#include "tenon/error.hpp"
#include "tenon/params.hpp"
#include "tenon/run.hpp"

namespace tenon {

void check_requirements(const std::vector<std::string>& demands, const Evaluation& evaluation, const std::filesystem::path& run) {
  if (demands.empty()) return;
  std::vector<Summary> summaries = summarise(evaluation);
  std::vector<std::string> names;
  for (const MetricColumn& c : evaluation.columns) names.push_back(c.name);
  std::string missed;
  for (const std::string& demand : demands) {
    std::size_t at = demand.find(">="), lower = demand.find("<=");
    bool at_least = at != std::string::npos;
    if (!at_least) at = lower;
    char* end = nullptr;
    double bound = at == std::string::npos ? 0 : std::strtod(demand.c_str() + at + 2, &end);
    if (at == std::string::npos || end == demand.c_str() + at + 2 || *end)
      throw Error(ErrorKind::usage, "train.require", "'" + demand + "' is not a demand", "write for example require = [\"" + (names.empty() ? "Dice" : names[0]) + " >= 0.8\"]");
    std::string name = demand.substr(0, at);
    while (!name.empty() && name.back() == ' ') name.pop_back();
    std::size_t i = 0;
    while (i < names.size() && names[i] != name) ++i;
    if (i == names.size()) throw Error(ErrorKind::usage, "train.require", "no column '" + name + "' in the evaluation", suggestion(name, names));
    double mean = summaries[i].mean;
    if (at_least ? mean >= bound : mean <= bound) continue;
    char text[64];
    std::snprintf(text, sizeof text, " reached %.4f, demanded %s %g", mean, at_least ? ">=" : "<=", bound);
    missed += (missed.empty() ? "" : "; ") + name + text;
  }
  if (!missed.empty()) throw Error(ErrorKind::acceptance, "train.acceptance", missed, "train longer, or lower train.require", run.string());
}

}  // namespace tenon
