/// The files of a run directory, and the lock that keeps two trainings out of one (private).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tenon/run.hpp"
#include "tenon/task.hpp"

namespace tenon {

class RunDirectory {
 public:
  /// A fresh one: `wanted`, or runs/<name> made unique. Throws when `wanted` exists and is not empty.
  static RunDirectory create(const std::filesystem::path& wanted, const std::string& name);
  static RunDirectory open(const std::filesystem::path& path);  ///< throws run.not_a_run

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  /// Takes a directory that create() made away again: a run that failed before its first step leaves nothing.
  void discard();
  /// Held until the object goes; throws run.locked when another process trains here.
  void lock();
  void log(const std::string& line) const;
  void metrics(const std::string& json_line) const;
  /// Drops metric lines of steps after `step`: they were made by a run that is resumed from before them.
  void trim_metrics(std::int64_t step) const;

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  std::shared_ptr<int> lock_;
};

/// What a recipe names, built.
struct Session {
  std::unique_ptr<Task> task;
  nn::ModulePtr model;
  DType compute = DType::f32;
};
std::unique_ptr<Task> make_task(const Recipe& recipe, DType compute);
nn::ModulePtr make_model(const Recipe& recipe, const Task& task, DType compute);
DType compute_type(const Recipe& recipe, Device device);
Monitor monitor_of(RunObserver& observer);

}  // namespace tenon
