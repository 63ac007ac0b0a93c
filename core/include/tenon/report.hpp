/// Evaluations on disk: what `evaluate` leaves in a run directory and `write_report` (run.hpp) reads back.
///
///     evaluation.json     columns, cases, baselines, notes, summary; a value that was not scored is null
///     pictures/<case>.png
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "tenon/task.hpp"

namespace tenon {

/// File name, relative to the run directory, of the `index`-th picture of a case: "pictures/<case>.png",
/// "pictures/<case>-2.png"... A case id that is no plain file name is reduced to one and told apart by a digest.
TENON_API std::string picture_file_name(const std::string& case_id, std::size_t index);

/// Writes the pictures, then evaluation.json, each atomically; pictures of an earlier evaluation are removed last.
TENON_API void write_evaluation(const std::filesystem::path& run, const Evaluation& evaluation);

}  // namespace tenon
