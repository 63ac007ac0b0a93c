#include "tenon/run.hpp"

#include "backend/backend.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/precision.hpp"
#include "tenon/report.hpp"
#include "train/checkpoint.hpp"
#include "train/profiler.hpp"
#include "train/require.hpp"
#include "train/run_directory.hpp"
#include "train/run_length.hpp"

namespace tenon {
namespace {

/// A trained run, opened for use: task with its kept state, model with its weights.
Session open_session(const RunDirectory& directory, const std::string& checkpoint, Device device, const std::vector<std::string>& overrides) {
  require_for_models(device);
  Session s;
  s.recipe = Recipe::load(directory.path() / "recipe.toml", overrides);
  s.compute = compute_type(s.recipe, device);
  s.tf32 = uses_tf32(s.recipe, device);
  s.task = make_task(s.recipe, s.compute);
  s.task->load_state(read_text(directory.path() / "task.json"));
  {
    DeviceScope on(device);
    s.model = make_model(s.recipe, *s.task, s.compute);
  }
  Checkpoints(directory.checkpoints()).load_weights(checkpoint, *s.model);
  s.model->eval();
  return s;
}

/// `work()`, watched where a profile is wanted: written into the run directory, its table told.
template <class F> auto profiled(bool wanted, const RunDirectory& directory, const char* file, RunObserver& observer, F&& work) {
  if (!wanted) return work();
  Profiler profiler;
  auto result = [&] {
    Profiler::Watch watch(profiler);
    return work();
  }();
  profiler.write(directory.path() / file);
  if (const std::string table = profiler.table(10); !table.empty()) observer.message(std::string("profile (") + file + " in the run):\n" + table);
  return result;
}

/// Makes a folder; what of it was made and is still empty at the end goes again.
class OutputFolder {
 public:
  explicit OutputFolder(const std::filesystem::path& path) {
    for (auto p = std::filesystem::absolute(path).lexically_normal(); p.has_relative_path() && !file_exists(p); p = p.parent_path())
      made_.push_back(p);
    files().make_directories(path);
  }
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder() {
    std::error_code not_empty;
    for (const auto& p : made_) std::filesystem::remove(p, not_empty);
  }

 private:
  std::vector<std::filesystem::path> made_;  ///< innermost first
};

void require_fitting(const Recipe& recipe, const Task& task) {
  require_length(recipe);
  demands_of(recipe, task);
  require_early_stop(recipe, task);
  located_in(recipe, [&] { task.require_inputs(); });
}

}  // namespace

void require_trainable(const Recipe& recipe) {
  recipe.require_paths();
  require_fitting(recipe, *make_task(recipe, DType::f32));
}

Findings check(const Recipe& recipe, const Monitor& monitor) {
  recipe.require_paths();
  const auto task = make_task(recipe, DType::f32);
  Findings found;
  try {
    require_fitting(recipe, *task);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    found.refusal = e;
  }
  found.problems = located_in(recipe, [&] { return task->check(monitor); });
  if (found.refusal)
    std::erase_if(found.problems,
                  [&](const Problem& p) { return p.code == found.refusal->code() && p.message == found.refusal->message(); });
  return found;
}

TrainedRun open_run(const std::filesystem::path& run, const std::string& checkpoint, Device device) {
  Session s = open_session(RunDirectory::open(run), checkpoint, device, {});
  return {std::move(s.recipe), std::move(s.task), std::move(s.model)};
}

Evaluation evaluate(const std::filesystem::path& run, const EvaluateOptions& options, RunObserver& observer) {
  RunDirectory directory = RunDirectory::open(run);
  directory.require_writable();
  Session s = open_session(directory, options.checkpoint, options.device, options.overrides);
  Monitor monitor = monitor_of(observer);
  const Tf32Scope products(s.tf32);
  located_in(s.recipe, [&] { s.task->require_inputs(); });
  s.task->load(monitor);
  Evaluation e = profiled(options.profile, directory, "profile-evaluate.json", observer,
                          [&] { return s.task->evaluate(*s.model, options.split, options.pictures, monitor); });
  e.checkpoint = options.checkpoint;
  e.overrides = options.overrides;
  if (!e.overrides.empty()) e.inputs = s.task->input_digests();
  if (!observer.interrupted()) write_evaluation(directory.path(), e);
  return e;
}

std::vector<std::filesystem::path> predict(const std::filesystem::path& run, const std::vector<std::filesystem::path>& inputs, const PredictRunOptions& options,
                                           RunObserver& observer) {
  if (inputs.empty()) throw Error(ErrorKind::usage, "predict.no_input", "no input files", "tenon predict RUN FILES... -o DIR");
  RunDirectory directory = RunDirectory::open(run);
  if (options.profile) directory.require_writable();
  Session s = open_session(directory, options.checkpoint, options.device, {});
  const Tf32Scope products(s.tf32);
  const OutputFolder folder(options.output);
  return profiled(options.profile, directory, "profile-predict.json", observer,
                  [&] { return s.task->predict(*s.model, inputs, {options.output, options.overwrite, monitor_of(observer)}); });
}

}  // namespace tenon
