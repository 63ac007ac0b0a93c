#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "report/page.hpp"

namespace tenon::report {

void Page::curves() {
  section("curves", "Training");
  if (run_.steps.empty() && run_.validations.empty()) {
    body_ += "<p class=\"soft\">No training step is recorded.</p>";
    return end_section();
  }
  Points loss, rate, norm;
  std::int64_t lost = 0;
  for (const auto& [step, row] : run_.steps) {
    loss.emplace_back(double(step), row.loss);
    rate.emplace_back(double(step), row.learning_rate);
    norm.emplace_back(double(step), row.gradient_norm);
    if (!std::isfinite(row.loss)) ++lost;
  }
  auto recorded = [](const Points& points) {
    return std::any_of(points.begin(), points.end(), [](const auto& p) { return std::isfinite(p.second); });
  };
  // A line of metrics.jsonl is the mean of the steps since the one before.
  const std::int64_t every = run_.steps.size() > 1 ? std::next(run_.steps.begin())->first - run_.steps.begin()->first : 1;
  const std::string spacing = every == 1 ? "each step" : "every " + std::to_string(every) + " steps";
  std::size_t span = loss.size() / 25;
  if (recorded(loss)) {
    LineChart c{"Loss", "step", 260, {}, {}};
    c.series.push_back({spacing, 0, thinned(loss, 1200), true, false});
    c.series.push_back({"loss", 0, thinned(smoothed(loss, span), 600), false, loss.size() < 3});
    chart(c, "Loss",
          legend_item("moving average", "var(--series-0)", "none") +
              legend_item(spacing, "color-mix(in srgb,var(--series-0) 35%,transparent)", "none"));
    if (lost > 0)
      body_ += fmt::format("<p class=\"remarks\">{} of {} steps have no finite loss; the curve leaves them out.</p>", lost, loss.size());
  }
  validation_charts();
  body_ += "<div class=\"pair\">";
  if (recorded(rate))
    chart(LineChart{"Learning rate", "step", 170, {{"learning rate", 2, thinned(rate, 400), false, false}}, {}}, "Learning rate", "");
  if (recorded(norm))
    chart(LineChart{"Gradient norm",
                    "step",
                    170,
                    {{spacing, 3, thinned(norm, 800), true, false},
                     {"gradient norm", 3, thinned(smoothed(norm, span), 400), false, false}},
                    {}},
          "Gradient norm", "");
  body_ += "</div>";
  end_section();
}

void Page::validation_charts() {
  // Series by name: a run whose metrics changed on resume still draws what it has.
  std::vector<std::string> names;
  for (const auto& [step, row] : run_.validations)
    for (const std::string& name : row.columns)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  if (names.empty()) return;

  // Metrics share a chart when the evaluation says that they share a unit.
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::string> units;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string unit;
    if (run_.evaluation)
      for (const MetricColumn& c : run_.evaluation->columns)
        if (c.name == names[i]) unit = c.unit;
    auto at = std::find(units.begin(), units.end(), unit);
    if (at == units.end()) {
      units.push_back(unit);
      groups.emplace_back();
      at = units.end() - 1;
    }
    groups[std::size_t(at - units.begin())].push_back(i);
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    LineChart c{"Validation", "step", 260, {}, {}};
    std::string legend;
    for (std::size_t i : groups[g]) {
      Points points;
      for (const auto& [step, row] : run_.validations)
        for (std::size_t k = 0; k < row.columns.size(); ++k)
          if (row.columns[k] == names[i]) points.emplace_back(double(step), row.mean[k]);
      c.series.push_back({names[i], int(i), points, false, points.size() <= 200});
      legend += legend_item(names[i], fmt::format("var(--series-{})", i % kSeriesColours), "none");
      if (!run_.evaluation) continue;
      for (std::size_t k = 0; k < run_.evaluation->columns.size(); ++k)
        if (run_.evaluation->columns[k].name == names[i])
          for (std::size_t b = 0; b < run_.evaluation->baselines.size(); ++b)
            if (double v = run_.evaluation->baselines[b].values[k]; std::isfinite(v))
              c.rules.push_back({run_.evaluation->baselines[b].name, int(i), int(b), v});
    }
    if (!c.rules.empty()) legend += baseline_legend();
    chart(c, "Validation" + (units[g].empty() ? "" : ", " + units[g]), legend);
  }
}

}  // namespace tenon::report
