/// The files of a run directory, and the lock that keeps two trainings out of one (private).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/run.hpp"
#include "tenon/task.hpp"

namespace tenon {

class RunDirectory {
 public:
  /// A fresh one: `wanted`, or runs/<name> made unique. Throws when `wanted` holds more than a run that was killed before
  /// it wrote its recipe leaves: lock, empty checkpoints/, temporary files.
  static RunDirectory create(const std::filesystem::path& wanted, const std::string& name);
  static RunDirectory open(const std::filesystem::path& path);  ///< throws run.not_a_run

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  /// Takes away what was made since create(), folders above the run's included: a run that failed before its first step
  /// leaves nothing, and what was there before stays.
  void discard();
  /// Throws run.read_only where results could not be written: asked before they are worked for.
  void require_writable() const;
  /// Held until the object goes; throws run.locked when another process trains here.
  void lock();
  void log(const std::string& line) const;
  void metrics(const std::string& json_line) const;
  /// Drops metric lines of what comes after `step`: they were made by a run that is resumed from before them. Of `step`
  /// itself the first validation stays if it is `validated`: the run knows its outcome; every other one is made again.
  void trim_metrics(std::int64_t step, bool validated) const;

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  void note_what_is_there();
  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_, kept_;  ///< folders that were not there, innermost first; entries that were
  std::shared_ptr<int> lock_;
};

/// A task's usage error whose `where` is a key of the recipe, at the line that sets the key.
template <class F> auto located_in(const Recipe& recipe, F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const Error& e) {
    const auto origin = e.kind() == ErrorKind::usage ? recipe.origins.find(e.where()) : recipe.origins.end();
    if (origin == recipe.origins.end()) throw;
    throw Error(e.kind(), e.code(), e.message(), e.hint(), origin->second);
  }
}

/// What a recipe names, built.
struct Session {
  Recipe recipe;
  std::unique_ptr<Task> task;
  nn::ModulePtr model;
  DType compute = DType::f32;
  bool tf32 = false;  ///< its products may be rounded to TF32
};
std::unique_ptr<Task> make_task(const Recipe& recipe, DType compute);
nn::ModulePtr make_model(const Recipe& recipe, const Task& task, DType compute);
// The two are exported for their test alone.
TENON_API DType compute_type(const Recipe& recipe, Device device);
TENON_API bool uses_tf32(const Recipe& recipe, Device device);  ///< f32 where a GPU's products may be TF32
Monitor monitor_of(RunObserver& observer);

}  // namespace tenon
