#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "finance/tools/common.hpp"
#include "finance/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/run.hpp"

namespace tenon::finance {
namespace {

/// Warnings and errors of the runs reach the user; their progress is that of the folds.
class Quiet final : public RunObserver {
 public:
  explicit Quiet(ToolContext& context) : context_(context) {}
  bool interrupted() override { return context_.interrupted(); }

 private:
  ToolContext& context_;
};

Recipe fold_of(const std::vector<std::string>& inputs, std::int64_t fold) {
  std::vector<std::string> overrides(inputs.begin() + 1, inputs.end());
  overrides.push_back(fmt::format("walk_forward.fold={}", fold));
  overrides.push_back("train.evaluate=true");
  return Recipe::load(inputs[0], overrides);
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.empty()) throw_usage("walk-forward", "takes a recipe", "tenon finance walk-forward RECIPE [KEY=VALUE...]");
  const Recipe plain = Recipe::load(inputs[0], {inputs.begin() + 1, inputs.end()});
  if (!plain.sections.contains("walk_forward")) throw Error(ErrorKind::usage, "finance.walk_forward", "recipes of " + plain.task + " have no folds", "give one of finance.forecast", inputs[0]);
  const std::int64_t folds = plain.section("walk_forward").integer("folds");
  if (folds == 0) throw Error(ErrorKind::usage, "finance.walk_forward", "the recipe has no folds", "set walk_forward.folds, first, step and rows", inputs[0]);
  const Device device = Device::parse(params.text("device"));
  const std::filesystem::path folder = params.text("runs").empty() ? "runs/" + plain.name + "-folds" : params.text("runs");
  for (std::int64_t k = 1; k <= folds; ++k) {
    const auto directory = folder / fmt::format("fold-{}", k);
    if (std::filesystem::exists(directory)) throw Error(ErrorKind::usage, "finance.exists", "the run is there already", "give --runs another folder", directory.string());
    require_trainable(fold_of(inputs, k));
  }
  Quiet observer(context);
  Json rows = Json::array();
  std::vector<std::vector<std::string>> table;
  std::vector<double> sums;
  std::vector<MetricColumn> columns;
  for (std::int64_t k = 1; k <= folds; ++k) {
    context.progress(k - 1, folds);
    RunOptions options;
    options.directory = folder / fmt::format("fold-{}", k);
    options.device = device;
    const TrainResult result = train(fold_of(inputs, k), options, observer);
    if (result.status == TrainStatus::interrupted) return 130;
    const auto summaries = summarise(result.evaluation);
    columns = result.evaluation.columns;
    if (table.empty()) {
      table.push_back({"fold"});
      for (const auto& c : columns) table[0].push_back(c.name);
      sums.assign(columns.size(), 0);
    }
    Json scores;
    table.push_back({std::to_string(k)});
    for (std::size_t c = 0; c < columns.size(); ++c) {
      scores[columns[c].name] = json_number(summaries[c].mean);
      table.back().push_back(number_text(summaries[c].mean, 5));
      sums[c] += summaries[c].mean;
    }
    rows.push_back({{"fold", k}, {"run", options.directory.string()}, {"rows", result.evaluation.notes.front()}, {"scores", scores}});
    if (!context.json()) context.status(result.evaluation.notes.front());
  }
  Json mean;
  table.push_back({"mean"});
  for (std::size_t c = 0; c < columns.size(); ++c) {
    mean[columns[c].name] = json_number(sums[c] / double(folds));
    table.back().push_back(number_text(sums[c] / double(folds), 5));
  }
  if (context.json()) {
    context.print(json_text(Json{{"recipe", inputs[0]}, {"folds", rows}, {"mean", mean}}));
    return 0;
  }
  context.print(table_text(table));
  context.print("runs: " + folder.string());
  return 0;
}

}  // namespace

ToolEntry walk_forward_tool() {
  return {"walk_forward", "train a forecasting recipe on each of its folds before the test rows; scores of each and their mean", "RECIPE [KEY=VALUE...]",
          ParamSpec{path_param("runs", "", "folder of the folds' runs; default: runs/NAME-folds"),
                    text_param("device", "auto", "where the model is trained: auto, cpu, cuda, cuda:1")}, run};
}

}  // namespace tenon::finance
