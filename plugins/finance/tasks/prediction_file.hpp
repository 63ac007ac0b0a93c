/// Where predictions go, decided before any work.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tenon/task.hpp"

namespace tenon::finance {

/// One output file an input, "<stem><suffix>" in the options' folder. Refuses two inputs of one name (predict.same_name), an output that is an
/// input (predict.over_input) and, without --overwrite, one that is there (predict.exists).
std::vector<std::filesystem::path> plan_prediction_files(const std::vector<std::filesystem::path>& inputs, const PredictOptions& options, const std::string& suffix);

/// A text as a CSV cell: quoted where it holds a comma, a quote or a newline.
std::string csv_cell(const std::string& text);

}  // namespace tenon::finance
