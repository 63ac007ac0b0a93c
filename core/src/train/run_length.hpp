/// How long a run lasts, and what may end it before its time, as the recipe says (private).
#pragma once

#include <cstdint>

#include "tenon/recipe.hpp"
#include "tenon/task.hpp"

namespace tenon {

/// Paced by the clock: neither steps nor epochs are set.
bool is_timed(const Recipe& recipe);
/// Throws train.no_length where the recipe sets no length.
void require_length(const Recipe& recipe);
/// Optimiser steps of a run by steps or epochs; 0 for a time budget. Throws train.no_epochs. Asked for after Task::load().
std::int64_t steps_of_run(const Recipe& recipe, const Task& task);

/// Throws train.early_stop where there is nothing that train.patience could count, or no such column.
void require_early_stop(const Recipe& recipe, const Task& task);
/// What early stopping looks at, higher is better: the task's score, or the mean of the column that the recipe names.
double stop_value(const Recipe& recipe, const Task& task, const Evaluation& evaluation);

}  // namespace tenon
