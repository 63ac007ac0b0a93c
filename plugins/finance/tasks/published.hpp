/// Published scores beside a run's own, matched by the name of the column: a figure for 96 steps never stands in the column of 5.
#pragma once

#include <string>
#include <vector>

#include "tenon/params.hpp"
#include "tenon/task.hpp"

namespace tenon::finance {

/// The parameter "published" of [baselines]: "name | column = value, column = value... | source".
Param published_by_column_param();

/// One value a column of `columns`, NaN where none was given. A figure for a column that this run does not have is left out, and so is a baseline
/// without any. A column "SCORE mean" is the mean of that score's other columns where all of them have figures. `scores`: the first words of the
/// columns that a run of the task may have, such as "MSE". Throws a usage error finance.published for text of another form, a column of none of these
/// scores, a column twice, and a mean that is given.
std::vector<Baseline> published_by_column(const ParamValues& baselines, const std::vector<MetricColumn>& columns, const std::vector<std::string>& scores);

}  // namespace tenon::finance
