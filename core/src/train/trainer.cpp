#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "backend/backend.hpp"
#include "tenon/dropout.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/report.hpp"
#include "tenon/run.hpp"
#include "tenon/storage.hpp"
#include "train/checkpoint.hpp"
#include "train/loader.hpp"
#include "train/pacer.hpp"
#include "train/recipe_changes.hpp"
#include "train/require.hpp"
#include "train/run_directory.hpp"
#include "train/run_state.hpp"
#include "train/weight_average.hpp"

namespace tenon {

RunObserver::~RunObserver() = default;
void RunObserver::message(const std::string&) {}
void RunObserver::step(const TrainProgress&) {}
void RunObserver::stage(const std::string&, std::int64_t, std::int64_t) {}
bool RunObserver::interrupted() { return false; }

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

/// One training, from an opened run directory to its end.
class Trainer {
 public:
  Trainer(const Recipe& recipe, const RunOptions& options, RunObserver& observer, RunDirectory directory)
      : recipe_(recipe), options_(options), observer_(observer), directory_(std::move(directory)), train_(recipe.section("train")),
        checkpoints_(directory_.checkpoints()), schedule_(make_schedule(recipe.section("schedule"))),
        pacer_(train_.integer("steps"), train_.real("minutes") * 60) {}

  TrainResult run() {
    start_ = Clock::now();
    directory_.lock();
    try {
      prepare();
    } catch (...) {
      if (!options_.resume) directory_.discard();
      throw;
    }
    say("run " + directory_.path().string());
    say(recipe_.model + ", " + std::to_string(model_->parameter_count()) + " parameters; " + std::string(name_of(compute_)) + " on " + options_.device.str() + ", " +
        std::to_string(thread_count()) + " threads");
    write_state("running");
    TrainResult result;
    try {
      train_and_score(result);
    } catch (...) {
      note_failure();
      throw;
    }
    result.directory = directory_.path();
    result.steps = info_.step;
    result.seconds = seconds_since(start_);
    if (interrupted_) {
      result.status = TrainStatus::interrupted;
      write_state("interrupted");
      return result;
    }
    write_state("finished");
    check_demands(demands_, result.evaluation, directory_.path());
    return result;
  }

 private:
  void train_and_score(TrainResult& result) {
    try {
      if (!info_.finished) loop();
      if (!interrupted_ && train_.boolean("evaluate")) result.evaluation = final_evaluation();
    } catch (const Error& e) {
      // asked to stop while validating: a resumed run begins with that validation
      if (e.code() != "run.interrupted") throw;
      interrupted_ = true;
      if (!info_.finished) save();
    }
  }

  /// What went wrong matters more than that it could not be written down.
  void note_failure() noexcept {
    try {
      write_state("failed");
    } catch (...) {
    }
  }

  void say(const std::string& text) {
    directory_.log(text);
    observer_.message(text);
  }

  void prepare() {
    if (train_.integer("steps") == 0 && train_.real("minutes") == 0)
      throw Error(ErrorKind::usage, "train.no_length", "the recipe sets neither train.steps nor train.minutes", "set one, for example train.minutes=3");
    require_for_models(options_.device);
    compute_ = compute_type(recipe_, options_.device);
    Monitor monitor = monitor_of(observer_);
    task_ = make_task(recipe_, compute_);
    demands_ = parse_demands(train_.texts("require"), task_->columns());
    if (!demands_.empty() && !train_.boolean("evaluate"))
      throw Error(ErrorKind::usage, "train.require", "train.require demands figures, but train.evaluate is false", "set train.evaluate=true");
    task_->load(monitor);
    require_validation();
    digests_ = task_->input_digests();
    model_ = make_model(recipe_, *task_, compute_);
    optimiser_ = make_optimiser(*model_, recipe_.section("optimizer"));
    if (train_.real("average") > 0) average_ = std::make_unique<WeightAverage>(*model_, train_.real("average"));
    if (options_.resume) {
      resume();
    } else {
      write_atomic(directory_.path() / "recipe.toml", recipe_.resolved());
      write_atomic(directory_.path() / "task.json", task_->state());
    }
  }

  void require_validation() const {
    if (!train_.boolean("evaluate") && train_.integer("validate_every") == 0) return;
    const auto splits = task_->splits();
    if (std::find(splits.begin(), splits.end(), "validation") == splits.end())
      throw Error(ErrorKind::data, "train.no_validation", "the data has no case to validate on",
                  "give the split a validation part, or set train.evaluate=false and train.validate_every=0");
  }

  /// A resumed run must see what it began with; nothing of it is written before that is sure.
  void require_same_inputs() const {
    const auto before = read_run_inputs(directory_.path());
    std::int64_t count = 0;
    std::string example;
    const auto differs = [&](const std::string& file, const char* how) {
      if (count++ == 0) example = file + " " + how;
    };
    for (const auto& [file, digest] : before) {
      const auto now = digests_.find(file);
      if (now == digests_.end())
        differs(file, "is gone");
      else if (now->second != digest)
        differs(file, "has changed");
    }
    if (!before.empty())
      for (const auto& [file, digest] : digests_)
        if (!before.contains(file)) differs(file, "is new");
    if (count > 0)
      throw Error(ErrorKind::data, "run.data_changed", std::to_string(count) + " input files differ from those that the run began with: " + example + (count > 1 ? ", ..." : ""),
                  "put them back as they were, or start a new run", directory_.path().string());
    if (const auto kept = directory_.path() / "task.json"; file_exists(kept) && read_text(kept) != task_->state())
      throw Error(ErrorKind::usage, "run.task_changed", "classes, grid or grey values would differ from those that the run began with (task.json)",
                  "leave out overrides of the data and the task, or start a new run", directory_.path().string());
  }

  void resume() {
    require_same_inputs();
    const auto kept = directory_.path() / "recipe.toml";
    const std::vector<std::string> changes = recipe_changes(Recipe::load(kept, {}).resolved(), recipe_.resolved());
    std::string remark;
    nn::NamedTensors average;
    auto found = checkpoints_.resume(*model_, *optimiser_, average, remark);
    if (!remark.empty()) say(remark);
    if (found && found->finished && !changes.empty())
      throw Error(ErrorKind::usage, "run.finished", "the run has finished its " + std::to_string(found->step) + " steps; another recipe needs a new run (" + changes.front() + (changes.size() > 1 ? ", ..." : "") + ")",
                  "tenon train " + kept.string() + " --run NEW, with the overrides", directory_.path().string());
    if (!changes.empty()) write_atomic(kept, recipe_.resolved());
    if (!file_exists(directory_.path() / "task.json")) write_atomic(directory_.path() / "task.json", task_->state());
    for (const std::string& change : changes) say("recipe changed at resumption, " + change);
    if (!found) {
      say("no checkpoint to resume from: starting at step 0");
      directory_.trim_metrics(0);
      return;
    }
    info_ = *found;
    schedule_.plateau = info_.plateau;
    if (average_ && average.empty()) average_ = std::make_unique<WeightAverage>(*model_, train_.real("average"));  // it begins here
    if (average_) average_->load(average);
    pacer_.restore(info_.progress, info_.step_seconds);
    elapsed_before_ = info_.elapsed;
    directory_.trim_metrics(info_.step);
    say("resumed at step " + std::to_string(info_.step));
  }

  double elapsed() const { return elapsed_before_ + seconds_since(start_); }

  /// Tensors of the step's inputs, made once; the plan reads them by address.
  void record_step() {
    for (const TensorSpec& s : task_->batch_spec()) inputs_.push_back(Tensor::empty(s.shape, s.dtype, options_.device));
    model_->train();
    random_key_ = random_key(recipe_.seed, options_.device);
    model_->set_random_key(random_key_);
    plan_ = StepPlan::record([&] {
      losses_ = task_->loss(*model_, inputs_);
      if (losses_.empty()) throw_usage("Task::loss", "no loss was returned");
      losses_[0].second.backward();
      optimiser_->step();
      for (auto& [name, t] : losses_) t = t.detach();
    });
    allocator(options_.device.type).trim();
    directory_.log("step plan: " + std::to_string(plan_.launches()) + " launches, arena " + std::to_string(plan_.arena_bytes() >> 20) + " MiB for " + std::to_string(plan_.unshared_bytes() >> 20) + " MiB of buffers");
    if (options_.explain_plan) observer_.message(plan_.explain());
  }

  void loop() {
    record_step();
    Random random(recipe_.seed, 0x7ea1);
    BatchLoader loader(task_->batch_spec(), info_.step, int(train_.integer("loader_threads")), int(train_.integer("prefetch")),
                       [&](std::int64_t step, std::vector<Tensor>& batch) { task_->fill_batch(step, random, batch); });
    const std::int64_t log_every = train_.integer("log_every"), checkpoint_every = train_.integer("checkpoint_every");
    double loss_sum = 0, compute_seconds = 0;
    std::int64_t loss_count = 0;
    validate_if_due();
    while (!pacer_.finished(info_.step, elapsed())) {
      auto step_start = Clock::now();
      double progress = pacer_.before_step(info_.step, elapsed());
      double learning_rate = schedule_.at(progress);
      const std::vector<Tensor>& batch = loader.next();
      for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].copy_from_host(batch[i].raw(), batch[i].nbytes());
      optimiser_->begin_step(learning_rate);
      set_random_step(random_key_, info_.step);
      plan_.run();
      ++info_.step;
      if (average_) average_->update(info_.step);
      double loss = losses_[0].second.item();
      if (!std::isfinite(loss)) fail_not_finite(loss);
      double step_seconds = seconds_since(step_start);
      pacer_.after_step(step_seconds);
      compute_seconds += step_seconds;
      loss_sum += loss;
      ++loss_count;
      observer_.step({info_.step, pacer_.total_steps(info_.step), loss, learning_rate, pacer_.step_seconds() > 0 ? 1 / pacer_.step_seconds() : 0,
                      double(pacer_.total_steps(info_.step) - info_.step) * pacer_.step_seconds(), loader.waited_seconds() / std::max(compute_seconds, 1e-9)});
      if (info_.step % log_every == 0 || pacer_.finished(info_.step, elapsed())) {
        log_step(loss_sum / double(loss_count), learning_rate);
        loss_sum = 0;
        loss_count = 0;
      }
      if (observer_.interrupted()) {
        interrupted_ = true;
        break;
      }
      if (pacer_.finished(info_.step, elapsed())) break;
      validate_if_due();  // before saving: a checkpoint knows the best score up to its step
      if (info_.step % checkpoint_every == 0) save();
    }
    waiting_share_ = compute_seconds > 0 ? loader.waited_seconds() / compute_seconds : 0;
    info_.finished = !interrupted_;
    save();
    plan_ = {};  // the arena is not needed for evaluation
  }

  void log_step(double loss, double learning_rate) {
    Json line{{"kind", "step"}, {"step", info_.step}, {"loss", loss}, {"learning_rate", learning_rate}, {"gradient_norm", optimiser_->gradient_norm().item()}, {"seconds", elapsed()}};
    for (std::size_t i = 1; i < losses_.size(); ++i) line[losses_[i].first] = losses_[i].second.item();
    directory_.metrics(line.dump());
  }

  [[noreturn]] void fail_not_finite(double loss) {
    const bool saved = file_exists(directory_.checkpoints() / "last.safetensors");
    throw Error(ErrorKind::data, "train.not_finite", "the loss became " + std::to_string(loss) + " at step " + std::to_string(info_.step),
                std::string("lower schedule.learning_rate, or set train.precision=f32") + (saved ? "; the last checkpoint is good" : ""), directory_.path().string());
  }

  void save() {
    info_.progress = pacer_.progress();
    info_.step_seconds = pacer_.step_seconds();
    info_.elapsed = elapsed();
    info_.timed = train_.integer("steps") == 0;
    info_.plateau = schedule_.plateau;
    nn::NamedTensors average;
    if (average_) average = average_->weights();
    checkpoints_.save_last(*model_, *optimiser_, average, info_);
  }

  Evaluation evaluate_now(int pictures) {
    WeightAverage::Scope averaged(average_.get());
    model_->eval();
    Evaluation e = task_->evaluate(*model_, "validation", pictures, monitor_of(observer_));
    model_->train();
    double score = task_->score(e);
    if (score > info_.best_score) {
      info_.best_score = score;
      nn::NamedTensors weights = model_->parameters();
      for (auto& b : model_->buffers()) weights.push_back(std::move(b));
      checkpoints_.save_best(weights, info_);
    }
    Json line{{"kind", "validation"}, {"step", info_.step}, {"columns", Json::array()}, {"mean", Json::array()}, {"score", score}, {"seconds", elapsed()}};
    std::string text = "validation at step " + std::to_string(info_.step) + ":";
    std::vector<Summary> summaries = summarise(e);
    for (std::size_t i = 0; i < summaries.size(); ++i) {
      line["columns"].push_back(e.columns[i].name);
      line["mean"].push_back(std::isfinite(summaries[i].mean) ? Json(summaries[i].mean) : Json(nullptr));
      char number[32];
      std::snprintf(number, sizeof number, "%.4f", summaries[i].mean);
      text += " " + e.columns[i].name + " " + number;
    }
    directory_.metrics(line.dump());
    say(text);
    return e;
  }

  /// A resumed run validates first where the one before it stopped between its step and that step's validation.
  void validate_if_due() {
    const std::int64_t every = train_.integer("validate_every");
    if (every == 0 || info_.step == 0 || info_.step % every || info_.validated == info_.step) return;
    schedule_.observe(task_->score(evaluate_now(0)));
    info_.validated = info_.step;
  }

  /// Scores the last weights, not the best ones: choosing by the split that is reported would flatter the figure.
  Evaluation final_evaluation() {
    Evaluation e = evaluate_now(int(train_.integer("pictures")));
    write_evaluation(directory_.path(), e);
    return e;
  }

  void write_state(const char* status) {
    RunState s;
    s.status = status;
    s.device = options_.device.str();
    s.precision = std::string(name_of(compute_));
    s.steps = info_.step;
    s.seconds = elapsed();
    s.parameters = model_->parameter_count();
    s.model = recipe_.model;
    s.task = recipe_.task;
    s.seed = recipe_.seed;
    s.waiting_share = waiting_share_;
    s.timed = train_.integer("steps") == 0;
    s.inputs = &digests_;
    write_run_state(directory_.path(), s);
  }

  const Recipe& recipe_;
  const RunOptions& options_;
  RunObserver& observer_;
  RunDirectory directory_;
  const ParamValues& train_;
  Checkpoints checkpoints_;
  Schedule schedule_;
  Pacer pacer_;
  CheckpointInfo info_;
  DType compute_ = DType::f32;
  std::unique_ptr<Task> task_;
  nn::ModulePtr model_;
  std::unique_ptr<Optimiser> optimiser_;
  std::unique_ptr<WeightAverage> average_;
  std::vector<Demand> demands_;
  std::map<std::string, std::string> digests_;
  std::vector<Tensor> inputs_;
  Tensor random_key_;  ///< {seed, step}: what layers draw from
  std::vector<std::pair<std::string, Tensor>> losses_;
  StepPlan plan_;
  Clock::time_point start_;
  double elapsed_before_ = 0, waiting_share_ = 0;
  bool interrupted_ = false;
};

}  // namespace

TrainResult train(const Recipe& recipe, const RunOptions& options, RunObserver& observer) {
  RunDirectory directory = options.resume ? RunDirectory::open(options.directory) : RunDirectory::create(options.directory, recipe.name);
  return Trainer(recipe, options, observer, std::move(directory)).run();
}

}  // namespace tenon
