/// What a run directory says of itself, read tolerantly: a part that is missing or broken is reported, never invented.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/html.hpp"
#include "tenon/run.hpp"

namespace tenon::report {

struct StepRow {
  double loss = 0, learning_rate = 0, gradient_norm = 0, seconds = 0;  ///< NaN: not recorded
};

struct ValidationRow {
  std::vector<std::string> columns;
  std::vector<double> mean;
  double score = 0;
};

struct RunRecord {
  std::string name;
  std::string folder;  ///< last part of the run's path
  std::string path;    ///< absolute, without a slash at its end: commands that name it run from anywhere
  std::string date;    ///< when the run was last recorded
  std::string recipe;  ///< text of recipe.toml
  Json state = Json::object();
  std::map<std::int64_t, StepRow> steps;  ///< by step; a resumed run's later line wins
  std::map<std::int64_t, ValidationRow> validations;
  std::optional<Evaluation> evaluation;
  std::vector<std::string> remarks;  ///< what is missing or could not be read, for the reader
};

/// Throws only when `run` is no folder (run.not_found).
RunRecord read_run(const std::filesystem::path& run);

}  // namespace tenon::report
