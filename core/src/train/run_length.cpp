#include "train/run_length.hpp"

#include <algorithm>
#include <cmath>

#include "tenon/error.hpp"
#include "tenon/run.hpp"

namespace tenon {
namespace {

/// Where the recipe sets a key, for messages.
std::string origin(const Recipe& recipe, const std::string& key) {
  const auto found = recipe.origins.find(key);
  return found == recipe.origins.end() ? recipe.name : found->second;
}

/// The column's index; throws with the nearest names where there is none.
std::size_t find_column(const Recipe& recipe, const std::vector<MetricColumn>& columns) {
  const std::string& metric = recipe.section("train").text("stop_metric");
  std::vector<std::string> names;
  for (const MetricColumn& c : columns) names.push_back(c.name);
  const auto found = std::find(names.begin(), names.end(), metric);
  if (found == names.end())
    throw Error(ErrorKind::usage, "train.early_stop", "no column '" + metric + "' in the evaluation", suggestion(metric, names), origin(recipe, "train.stop_metric"));
  return std::size_t(found - names.begin());
}

}  // namespace

bool is_timed(const Recipe& recipe) {
  const ParamValues& train = recipe.section("train");
  return train.integer("steps") == 0 && train.real("epochs") == 0;
}

void require_length(const Recipe& recipe) {
  if (is_timed(recipe) && recipe.section("train").real("minutes") == 0)
    throw Error(ErrorKind::usage, "train.no_length", "the recipe sets none of train.steps, train.epochs and train.minutes", "set one, for example train.minutes=3");
}

std::int64_t steps_of_run(const Recipe& recipe, const Task& task) {
  const ParamValues& train = recipe.section("train");
  const std::int64_t steps = train.integer("steps");
  const double epochs = train.real("epochs");
  if (steps > 0 || epochs == 0) return steps;
  const std::int64_t samples = task.train_samples();
  if (samples < 1)
    throw Error(ErrorKind::usage, "train.no_epochs", recipe.task + " does not say how many samples an epoch has", "set train.steps or train.minutes", origin(recipe, "train.epochs"));
  const double count = std::ceil(epochs * double(samples) / double(train.integer("batch") * train.integer("accumulate")));
  if (!(count < 9007199254740992.0)) throw Error(ErrorKind::usage, "train.no_epochs", "train.epochs asks for more steps than can be counted", "set fewer", origin(recipe, "train.epochs"));
  return std::max<std::int64_t>(1, std::int64_t(count));
}

void require_early_stop(const Recipe& recipe, const Task& task) {
  const ParamValues& train = recipe.section("train");
  if (train.integer("patience") > 0 && train.integer("validate_every") == 0)
    throw Error(ErrorKind::usage, "train.early_stop", "train.patience counts validations, but train.validate_every is 0", "set train.validate_every, for example to 500", origin(recipe, "train.patience"));
  if (const auto columns = task.columns(); !columns.empty() && !train.text("stop_metric").empty()) find_column(recipe, columns);
}

double stop_value(const Recipe& recipe, const Task& task, const Evaluation& evaluation) {
  if (recipe.section("train").text("stop_metric").empty()) return task.score(evaluation);
  const std::size_t i = find_column(recipe, evaluation.columns);
  const double mean = summarise(evaluation)[i].mean;
  return evaluation.columns[i].merit(mean);
}

}  // namespace tenon
