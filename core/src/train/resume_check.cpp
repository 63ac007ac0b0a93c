#include "train/resume_check.hpp"

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "train/run_state.hpp"

namespace tenon {

void require_same_inputs(const std::filesystem::path& run, const std::map<std::string, std::string>& digests, const std::string& task_state) {
  const auto before = read_run_inputs(run);
  std::int64_t count = 0;
  std::string example;
  const auto differs = [&](const std::string& file, const char* how) {
    if (count++ == 0) example = file + " " + how;
  };
  for (const auto& [file, digest] : before) {
    const auto now = digests.find(file);
    if (now == digests.end())
      differs(file, "is gone");
    else if (now->second != digest)
      differs(file, "has changed");
  }
  if (!before.empty())
    for (const auto& [file, digest] : digests)
      if (!before.contains(file)) differs(file, "is new");
  if (count > 0)
    throw Error(ErrorKind::data, "run.data_changed", std::to_string(count) + " input files differ from those that the run began with: " + example + (count > 1 ? ", ..." : ""),
                "put them back as they were, or start a new run", run.string());
  if (const auto kept = run / "task.json"; file_exists(kept) && read_text(kept) != task_state)
    throw Error(ErrorKind::usage, "run.task_changed", "classes, grid or grey values would differ from those that the run began with (task.json)",
                "leave out overrides of the data and the task, or start a new run", run.string());
}

}  // namespace tenon
