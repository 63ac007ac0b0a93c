/// How scores are shown: mean, 95 % interval and worst case of every metric, with the baselines under it.
#pragma once

#include <string>

#include "tenon/task.hpp"

namespace tenon::command {

std::string scores_table(const Evaluation& evaluation);  ///< for people, with the notes below
std::string scores_json(const Evaluation& evaluation);   ///< the same as one JSON object

}  // namespace tenon::command
