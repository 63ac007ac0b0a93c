/// Whether a run may be resumed on what there is now (private).
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace tenon {

/// A resumed run must see the inputs and the task's state that it began with: throws run.data_changed or run.task_changed.
void require_same_inputs(const std::filesystem::path& run, const std::map<std::string, std::string>& digests, const std::string& task_state);

}  // namespace tenon
