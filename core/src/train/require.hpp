/// Figures that a recipe demands of its final evaluation: "Dice anterior >= 0.85", "RMSE <= 4.4".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tenon/recipe.hpp"
#include "tenon/task.hpp"

namespace tenon {

struct Demand {
  std::string column;
  bool at_least = true;
  double bound = 0;
};

/// Throws train.require for a malformed one, and for a column that is not among `columns` (empty: not known yet).
std::vector<Demand> parse_demands(const std::vector<std::string>& texts, const std::vector<MetricColumn>& columns);

/// Those of the recipe's train.require, for the task's columns; throws train.require as well where nothing is evaluated.
std::vector<Demand> demands_of(const Recipe& recipe, const Task& task);

/// Throws an acceptance error naming each demand that the mean of its column misses.
void check_demands(const std::vector<Demand>& demands, const Evaluation& evaluation, const std::filesystem::path& run);

}  // namespace tenon
