#include "train/run_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/plugin.hpp"

namespace tenon {
namespace fs = std::filesystem;

namespace {

/// What a run leaves that was killed before it began: nothing to resume from, and nothing to lose.
bool holds_nothing(const fs::path& folder) {
  for (const fs::path& entry : files().list(folder)) {
    const std::string name = entry.filename().string();
    const bool empty_checkpoints = name == "checkpoints" && fs::is_directory(entry) && fs::is_empty(entry);
    if (name != ".lock" && !empty_checkpoints && name.find(".tmp-") == std::string::npos) return false;
  }
  return true;
}

[[noreturn]] void refuse_existing(const fs::path& path) {
  std::string hint = "choose another folder with --run";
  if (file_exists(path / "recipe.toml")) hint += ", or go on with: tenon train --resume " + path.string();
  throw Error(ErrorKind::usage, "run.exists", fs::is_directory(path) ? "the folder is not empty; nothing was changed" : "this is not a folder; nothing was changed", hint, path.string());
}

}  // namespace

RunDirectory RunDirectory::create(const fs::path& wanted, const std::string& name) {
  fs::path path = wanted;
  if (path.empty()) {
    path = fs::path("runs") / name;
    for (int i = 2; fs::exists(path); ++i) path = fs::path("runs") / (name + "-" + std::to_string(i));
  } else if (fs::exists(path) && !(fs::is_directory(path) && holds_nothing(path))) {
    refuse_existing(path);
  }
  RunDirectory run(fs::absolute(path).lexically_normal());
  run.note_what_is_there();
  try {
    files().make_directories(run.checkpoints());
  } catch (...) {
    run.discard();
    throw;
  }
  return run;
}

RunDirectory RunDirectory::open(const fs::path& path) {
  require_run(path);
  return RunDirectory(fs::absolute(path).lexically_normal());
}

void RunDirectory::note_what_is_there() {
  for (fs::path p = path_; !fs::exists(p) && p.has_relative_path(); p = p.parent_path()) made_.push_back(p);
  if (made_.empty()) kept_ = files().list(path_);
}

void RunDirectory::discard() {
  std::error_code ignored;
  if (made_.empty()) {
    std::error_code failed;
    for (fs::directory_iterator it(path_, failed), end; !failed && it != end; it.increment(failed))
      if (std::find(kept_.begin(), kept_.end(), it->path()) == kept_.end()) fs::remove_all(it->path(), ignored);
    return;
  }
  fs::remove_all(path_, ignored);
  for (const fs::path& folder : made_) fs::remove(folder, ignored);  // only when it is empty
}

void require_run(const fs::path& path) {
  if (file_exists(path / "recipe.toml")) return;
  if (!files().stat(path)) throw Error(ErrorKind::usage, "run.not_a_run", "there is no such folder", "give the folder that 'tenon train' printed", path.string());
  // what a run makes first, its folder of checkpoints and then its lock
  const bool begun = files().stat(path / ".lock").has_value() || files().stat(path / "checkpoints").has_value();
  throw Error(ErrorKind::usage, "run.not_a_run", "not a run: it has no recipe.toml",
              begun ? "the run was stopped before anything was saved: start it anew with tenon train RECIPE --run " + path.string() : "give the folder that 'tenon train' printed", path.string());
}

void RunDirectory::require_writable() const {
  for (const fs::path& folder : {path_, path_ / "pictures"})
    if (file_exists(folder) || folder == path_)
      if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
        throw Error(ErrorKind::usage, "run.read_only", std::string("the run cannot be written to: ") + std::strerror(errno),
                    "give this user the right to it, or copy the run to a place of yours and name the copy", folder.string());
}

void RunDirectory::lock() {
  fs::path file = path_ / ".lock";
  int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) throw_io_error(errno, "create", file);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    throw Error(ErrorKind::usage, "run.locked", "another process is training in this run directory", "wait for it, or stop it first", path_.string());
  }
  lock_ = std::shared_ptr<int>(new int(fd), [](int* p) {
    ::close(*p);
    delete p;
  });
}

void RunDirectory::log(const std::string& line) const {
  char stamp[32];
  std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ ", &utc);
  append_line(path_ / "log.txt", stamp + line);
}

void RunDirectory::metrics(const std::string& json_line) const { append_line(path_ / "metrics.jsonl", json_line); }

void RunDirectory::trim_metrics(std::int64_t step, bool validated) const {
  fs::path file = path_ / "metrics.jsonl";
  if (!file_exists(file)) return;
  std::string text = read_text(file), kept;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find('\n', at), text.size());
    nlohmann::json line = nlohmann::json::parse(text.begin() + std::ptrdiff_t(at), text.begin() + std::ptrdiff_t(end), nullptr, false);
    bool keep = line.is_object() && line.value("step", std::int64_t(0)) <= step;
    if (keep && line.value("step", std::int64_t(0)) == step && line.value("kind", "") == "validation") keep = std::exchange(validated, false);
    if (keep) kept.append(text, at, end - at) += '\n';
    at = end + 1;
  }
  if (kept != text) write_atomic(file, kept);
}

DType compute_type(const Recipe& recipe, Device device) {
  const std::string& wanted = recipe.section("train").text("precision");
  if (wanted == "f32" || wanted == "tf32") return DType::f32;
  if (wanted == "bf16") return DType::bf16;
  if (wanted == "f16") return DType::f16;
  const std::vector<DType>& computes = PluginHost::instance().model(recipe.model).computes;
  const bool pays = device.type != DeviceType::cpu || cpu_has_bf16();
  return pays && std::find(computes.begin(), computes.end(), DType::bf16) != computes.end() ? DType::bf16 : DType::f32;
}

bool uses_tf32(const Recipe& recipe, Device device) {
  return device.type != DeviceType::cpu && recipe.section("train").text("precision") == "tf32";
}

std::unique_ptr<Task> make_task(const Recipe& recipe, DType compute) {
  TaskContext context;
  context.sections = recipe.sections;
  context.recipe_directory = recipe.directory;
  context.seed = recipe.seed;
  context.batch_size = recipe.section("train").integer("batch");
  context.compute = compute;
  return located_in(recipe, [&] { return PluginHost::instance().task(recipe.task).make(context); });
}

nn::ModulePtr make_model(const Recipe& recipe, const Task& task, DType compute) {
  ModelContext context = task.model_context();
  context.compute = compute;
  nn::ModulePtr model = PluginHost::instance().model(recipe.model).make(recipe.section("model"), context);
  model->initialise(recipe.seed);
  return model;
}

void Monitor::turn(const std::string& what, std::int64_t done, std::int64_t total) const {
  if (progress) progress(what, done, total);
  if (interrupted && interrupted()) throw Error(ErrorKind::usage, "run.interrupted", "stopped while " + what + ", at " + std::to_string(done) + " of " + std::to_string(total), "run the same command again");
}

void Monitor::warn(const std::string& text) const {
  if (warning) warning(text);
}

Monitor monitor_of(RunObserver& observer) {
  return {[&observer](const std::string& what, std::int64_t done, std::int64_t total) { observer.stage(what, done, total); },
          [&observer] { return observer.interrupted(); }, [&observer](const std::string& text) { observer.message("warning: " + text); }};
}

}  // namespace tenon
