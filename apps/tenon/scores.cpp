#include "scores.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tenon/io/utf8.hpp"
#include "tenon/run.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

nlohmann::ordered_json number(double v) { return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr); }

}  // namespace

std::string scores_table(const Evaluation& evaluation) {
  const std::vector<Summary> summaries = summarise(evaluation);
  const bool totals = std::any_of(summaries.begin(), summaries.end(), [](const Summary& s) { return s.total; });
  Table table({evaluation.split, totals ? "score" : "mean", "95 % interval", "worst", "worst case", "cases"});
  table.left(4);
  for (std::size_t c = 0; c < evaluation.columns.size(); ++c) {
    const MetricColumn& column = evaluation.columns[c];
    const Summary& s = summaries.at(c);
    const std::string unit = column.unit.empty() ? "" : " (" + column.unit + ")";
    const bool alone = !column.per_case;
    std::string cases = std::to_string(alone ? s.scored + s.not_scored : s.scored);
    if (s.not_scored && !alone) cases += " (" + std::to_string(s.not_scored) + " not scored)";
    table.row({column.name + unit, format_number(s.mean), format_interval(s.low, s.high), alone ? "" : format_number(s.worst),
               s.worst_case, cases});
    for (const Baseline& b : evaluation.baselines)
      if (c < b.values.size()) table.row({"  " + b.name, format_number(b.values[c]), "", "", b.source});
  }
  std::string out = table.str();
  for (const std::string& note : evaluation.notes) out += "note: " + note + "\n";
  return out;
}

std::string scores_json(const Evaluation& evaluation) {
  using nlohmann::ordered_json;
  const std::vector<Summary> summaries = summarise(evaluation);
  ordered_json out{{"split", evaluation.split}, {"metrics", ordered_json::array()}};
  for (std::size_t c = 0; c < evaluation.columns.size(); ++c) {
    const Summary& s = summaries.at(c);
    ordered_json metric{{"name", evaluation.columns[c].name}, {"unit", evaluation.columns[c].unit}, {"mean", number(s.mean)},
                        {"low", number(s.low)}, {"high", number(s.high)}, {"worst", number(s.worst)}, {"worst_case", s.worst_case},
                        {"scored", s.scored}, {"not_scored", s.not_scored}, {"total", s.total}, {"baselines", ordered_json::array()}};
    for (const Baseline& b : evaluation.baselines)
      if (c < b.values.size()) metric["baselines"].push_back({{"name", b.name}, {"value", number(b.values[c])}, {"source", b.source}});
    out["metrics"].push_back(std::move(metric));
  }
  out["notes"] = evaluation.notes;
  return json_text(out);
}

}  // namespace tenon::command
