/// Figures that a recipe demands of its final evaluation: "Dice anterior >= 0.85", "RMSE <= 4.4".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tenon/task.hpp"

namespace tenon {

/// Throws an acceptance error naming each demand that the mean of its column misses; a usage error for a malformed one.
void check_requirements(const std::vector<std::string>& demands, const Evaluation& evaluation, const std::filesystem::path& run);

}  // namespace tenon
