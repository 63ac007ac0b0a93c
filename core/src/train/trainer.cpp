#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "backend/backend.hpp"
#include "tenon/callbacks.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/loss_scale.hpp"
#include "tenon/memory.hpp"
#include "tenon/optim.hpp"
#include "tenon/precision.hpp"
#include "tenon/report.hpp"
#include "tenon/run.hpp"
#include "tenon/storage.hpp"
#include "tenon/weight_average.hpp"
#include "train/checkpoint.hpp"
#include "train/early_stop.hpp"
#include "train/loader.hpp"
#include "train/memory_text.hpp"
#include "train/pacer.hpp"
#include "train/profiler.hpp"
#include "train/recipe_changes.hpp"
#include "train/require.hpp"
#include "train/resume_check.hpp"
#include "train/run_directory.hpp"
#include "train/run_length.hpp"
#include "train/run_state.hpp"
#include "train/step_runner.hpp"
#include "train/writers.hpp"

namespace tenon {

RunObserver::~RunObserver() = default;
void RunObserver::message(const std::string&) {}
void RunObserver::step(const TrainProgress&) {}
void RunObserver::stage(const std::string&, std::int64_t, std::int64_t) {}
bool RunObserver::interrupted() { return false; }

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

constexpr double kLeastScale = 1.0 / (1 << 24);  ///< of a loss that is still finite: below it the loss itself is not
constexpr std::int64_t kProfiledSteps = 20;

/// One training, from an opened run directory to its end.
class Trainer {
 public:
  Trainer(const Recipe& recipe, const RunOptions& options, RunObserver& observer, RunDirectory directory)
      : recipe_(recipe), options_(options), observer_(observer), directory_(std::move(directory)), train_(recipe.section("train")),
        checkpoints_(directory_.checkpoints()), schedule_(make_schedule(recipe.section("schedule"))),
        stop_(train_.integer("patience"), train_.real("min_delta")) {}

  TrainResult run() {
    const Tf32Scope products(uses_tf32(recipe_, options_.device));
    start_ = Clock::now();
    try {
      directory_.lock();
      prepare();
    } catch (const Error& e) {
      if (!options_.resume && e.code() != "run.locked") directory_.discard();
      throw;
    } catch (...) {
      if (!options_.resume) directory_.discard();
      throw;
    }
    say("run " + directory_.path().string());
    say(recipe_.model + ", " + std::to_string(model_->parameter_count()) + " parameters; " + precision() + " on " + options_.device.str() + ", " +
        std::to_string(thread_count()) + " threads");
    if (train_.text("precision") == "tf32" && precision() != "tf32") say("train.precision is tf32, which " + options_.device.str() + " does not have: products are in f32");
    write_state("running");
    if (options_.profile) profiler_ = std::make_unique<Profiler>();
    begin();
    TrainResult result;
    try {
      train_and_score(result);
    } catch (...) {
      note_failure();
      throw;
    }
    result.directory = directory_.path();
    result.steps = info_.step;
    result.seconds = elapsed();
    result.stopped_early = !interrupted_ && stop_.due();
    if (interrupted_) result.status = TrainStatus::interrupted;
    write_state(interrupted_ ? "interrupted" : "finished");
    tell([&](TrainCallback& c) { c.on_end(result); });
    if (interrupted_) return result;
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

  template <class F> void tell(F&& event) {
    for (const auto& c : callbacks_) event(*c);
  }

  void prepare() {
    require_length(recipe_);
    require_for_models(options_.device);
    compute_ = compute_type(recipe_, options_.device);
    Monitor monitor = monitor_of(observer_);
    monitor.warning = [this](const std::string& text) { say("warning: " + text); };  // into log.txt too
    task_ = make_task(recipe_, compute_);
    demands_ = demands_of(recipe_, *task_);
    require_early_stop(recipe_, *task_);
    located_in(recipe_, [&] { task_->require_inputs(); });
    {
      MemoryScope tag(MemoryTag::data);
      task_->load(monitor);
    }
    require_validation();
    pacer_ = Pacer(steps_of_run(recipe_, *task_), train_.real("minutes") * 60);
    digests_ = task_->input_digests();
    for (const auto& [input, digest] : digests_)  // a resumed run compares them by these names, which it reads from JSON
      if (!is_utf8(input)) throw Error(ErrorKind::data, "run.input_name", "the input's name is not UTF-8", "rename it", input);
    make_model_and_optimiser();
    if (options_.resume) {
      resume();
    } else {
      write_atomic(directory_.path() / "recipe.toml", recipe_.resolved());
      write_atomic(directory_.path() / "task.json", task_->state());
    }
  }

  void make_model_and_optimiser() {
    DeviceScope on(options_.device);
    {
      MemoryScope tag(MemoryTag::parameters);
      model_ = make_model(recipe_, *task_, compute_);
    }
    {
      MemoryScope tag(MemoryTag::optimiser);
      optimiser_ = make_optimiser(*model_, recipe_.section("optimizer"));
    }
    if (train_.real("average") > 0) average_ = std::make_unique<WeightAverage>(*model_, WeightAverage::share(train_.real("average")));
    if (compute_ == DType::f16)
      scale_ = std::make_unique<LossScale>(LossScaleOptions{.initial = train_.real("loss_scale"), .interval = train_.integer("loss_scale_interval")});
  }

  void require_validation() const {
    if (!train_.boolean("evaluate") && train_.integer("validate_every") == 0) return;
    const auto splits = task_->splits();
    if (std::find(splits.begin(), splits.end(), "validation") == splits.end())
      throw Error(ErrorKind::data, "train.no_validation", "the data has no case to validate on",
                  "give the split a validation part, or set train.evaluate=false and train.validate_every=0");
  }

  void resume() {
    require_same_inputs(directory_.path(), digests_, task_->state());
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
      return;
    }
    info_ = *found;
    note_devices();
    schedule_.plateau = info_.plateau;
    stop_.state = info_.stop;
    if (scale_ && info_.loss_scale.scale > 0) scale_->load(info_.loss_scale);
    if (average_ && average.empty()) average_ = std::make_unique<WeightAverage>(*model_, WeightAverage::share(train_.real("average")));  // it begins here
    else if (average_) average_->load(average);
    pacer_.restore(info_.progress, info_.step_seconds);
    elapsed_before_ = info_.elapsed;
    say("resumed at step " + std::to_string(info_.step));
  }

  /// Another device rounds otherwise: a run that changes is not the one that stays, and says so.
  void note_devices() {
    earlier_devices_ = read_run_devices(directory_.path());
    const std::string here = options_.device.str();
    if (!info_.finished && !earlier_devices_.empty() && earlier_devices_.back() != here)
      say("warning: the run was on " + earlier_devices_.back() + " and goes on on " + here + ", whose last bits are others; --device " + earlier_devices_.back() + " stays where it was");
    std::erase(earlier_devices_, here);
  }

  bool timed() const { return is_timed(recipe_); }
  double elapsed() const { return elapsed_before_ + seconds_since(start_); }

  void record_step() {
    model_->train();
    step_ = std::make_unique<StepRunner>(*task_, *model_, *optimiser_, train_.integer("accumulate"), scale_.get(), recipe_.seed, options_.device);
    allocator(options_.device.type).trim();
    log_news();
    if (options_.explain_plan) observer_.message(step_->explain());
    keep_plan();
  }

  /// Once more at the end, when a GPU's step has been captured. Of batches of several shapes the last one's. A run does not end for want of it.
  void keep_plan() {
    if (!options_.explain_plan) return;
    try {
      write_atomic(directory_.path() / "plan.txt", step_->explain());
    } catch (const Error& e) {
      say("warning: plan.txt was not written: " + e.message());
    }
  }

  void log_news() {
    for (const std::string& text : step_->news()) directory_.log(text);
  }

  void begin() {
    callbacks_.push_back(std::make_shared<MetricsWriter>(directory_, info_.validated));
    if (train_.boolean("tensorboard")) callbacks_.push_back(std::make_shared<TensorBoardWriter>(directory_));
    callbacks_.push_back(std::make_shared<ProgressWriter>(observer_));
    callbacks_.insert(callbacks_.end(), options_.callbacks.begin(), options_.callbacks.end());
    tell([&](TrainCallback& c) { c.on_begin({directory_.path(), info_.step, pacer_.total_steps(info_.step)}); });
  }

  void loop() {
    record_step();
    Random random(recipe_.seed, 0x7ea1);
    MemoryScope loaded(MemoryTag::data);
    BatchLoader loader(task_->batch_spec(), info_.step * train_.integer("accumulate"), loader_threads(), prefetch(),
                       [&](std::int64_t index, std::vector<Tensor>& batch) {
                         const double start = steady_seconds();
                         task_->fill_batch(index, random, batch);
                         if (profiling_) profiler_->event("fill batch " + std::to_string(index), "data", start, steady_seconds() - start);
                       },
                       [&](const TensorSpec& s) { return step_->host_tensor(s); });
    const std::int64_t log_every = train_.integer("log_every"), checkpoint_every = train_.integer("checkpoint_every");
    double compute_seconds = 0;
    CheckpointInfo::Pending& pending = info_.pending;
    const std::int64_t first = info_.step;
    if (!pacer_.finished(info_.step, elapsed())) validate_if_due();
    double learning_rate = 0, next_rate = 0;  // of the step to be finished, and of the one that was started after it
    while (!stop_.due() && (started() || !pacer_.finished(info_.step, elapsed()))) {
      auto step_start = Clock::now();
      learning_rate = started() ? next_rate : start_step(info_.step, loader, info_.step - first);
      if (may_run_ahead(info_.step - first, loader)) next_rate = start_step(info_.step + 1, loader, info_.step + 1 - first);
      const bool good = finish_step();
      log_news();
      ++info_.step;
      if (average_ && good && scale_) average_->update(info_.step);
      const double loss = step_->losses()[0].second;
      if (good ? !std::isfinite(loss) : scale_->value() < kLeastScale) fail_not_finite(loss);
      double step_seconds = seconds_since(step_start);
      pacer_.after_step(step_seconds);
      compute_seconds += step_seconds;
      if (good) {
        pending.loss_sum += loss;
        ++pending.losses;
        ++taken_;
      } else {
        ++pending.skipped;
      }
      const TrainProgress progress{info_.step, pacer_.total_steps(info_.step), loss, learning_rate, pacer_.step_seconds() > 0 ? 1 / pacer_.step_seconds() : 0,
                                   double(pacer_.total_steps(info_.step) - info_.step) * pacer_.step_seconds(), loader.waited_seconds() / std::max(compute_seconds, 1e-9), !good};
      tell([&](TrainCallback& c) { c.on_step(progress); });
      if (info_.step % log_every == 0 || (!started() && pacer_.finished(info_.step, elapsed()))) {
        log_step(pending.losses > 0 ? pending.loss_sum / double(pending.losses) : std::nan(""), learning_rate, pending.skipped);
        pending = {};
      }
      interrupted_ = interrupted_ || observer_.interrupted();
      if (started()) continue;  // nothing is due in between
      if (interrupted_ || pacer_.finished(info_.step, elapsed())) break;
      validate_if_due();  // before saving: a checkpoint knows the best score up to its step
      if (!stop_.due() && info_.step % checkpoint_every == 0) save();
    }
    waiting_share_ = compute_seconds > 0 ? loader.waited_seconds() / compute_seconds : 0;
    if (stop_.due())
      say("stopped early at step " + std::to_string(info_.step) + ": no validation since step " + std::to_string(stop_.state.best_step) + " was better");
    if (taken_ == 0 && info_.step > first)
      say("warning: each of " + std::to_string(info_.step - first) + " steps was left out, for the gradients of the scaled loss were too large for f16: the weights are what they were; lower train.loss_scale, or set train.precision=bf16");
    info_.finished = !interrupted_;
    save();
    report_memory();
    keep_plan();
    step_.reset();  // the arena is not needed for evaluation
  }

  bool on_cpu() const { return options_.device.type == DeviceType::cpu; }
  /// What a batch holds does not depend on these.
  int loader_threads() const {
    const int given = int(train_.integer("loader_threads"));
    return given > 0 ? given : on_cpu() ? 1 : std::clamp(thread_count() - 1, 1, 64);
  }
  int prefetch() const {
    const int given = int(train_.integer("prefetch"));
    return on_cpu() ? given : std::max(given, 2 * loader_threads());
  }

  bool started() const { return step_->started() > 0; }

  StepRunner::Batches batches_of(BatchLoader& loader) {
    const auto next = [&]() -> const std::vector<Tensor>& {
      if (!profiling_) return loader.next();
      const double asked = steady_seconds();
      const std::vector<Tensor>& batch = loader.next();
      profiler_->event("wait for batch", "wait", asked, steady_seconds() - asked);
      return batch;
    };
    return {next, [&] { return loader.next_if_ready(); }};
  }

  /// `step`: steps before it; `done`: of this session. Some are watched where a profile was asked for: not the first, which meet cold memory. Gives the
  /// learning rate.
  double start_step(std::int64_t step, BatchLoader& loader, std::int64_t done) {
    const double learning_rate = schedule_.at(pacer_.before_step(step, elapsed()));
    const std::int64_t of_session = pacer_.total_steps(step) - (step - done);
    const std::int64_t from = timed() ? 3 : std::clamp<std::int64_t>(of_session - 1, 0, 3);
    profiling_ = profiler_ && done >= from && profiled_ < kProfiledSteps;
    const bool more = !pacer_.finished(step + 1, elapsed() + pacer_.step_seconds());
    if (profiling_) {
      ++profiled_;
      profile_start_ = steady_seconds();
      watch_ = std::make_unique<Profiler::Watch>(*profiler_);
    }
    step_->start(learning_rate, step, batches_of(loader), more);
    if (average_ && !scale_) average_->update(step + 1);
    return learning_rate;
  }

  bool finish_step() {
    const bool good = step_->finish();
    watch_.reset();
    if (profiling_) profiler_->event("step " + std::to_string(info_.step + 1), "step", profile_start_, steady_seconds() - profile_start_);
    return good;
  }

  /// Whether the step after the one under way may be started before that one's losses are read: nothing is due between the two.
  bool may_run_ahead(std::int64_t done, BatchLoader& loader) {
    const std::int64_t after = info_.step + 1, validate_every = train_.integer("validate_every");
    if (profiler_ || interrupted_ || done < 3 || pacer_.finished(after, elapsed() + pacer_.step_seconds())) return false;
    if ((validate_every > 0 && after % validate_every == 0) || after % train_.integer("checkpoint_every") == 0) return false;
    return step_->may_start_next(batches_of(loader));
  }

  void report_memory() {
    const std::string text = memory_text(options_.device.type);
    if (!profiler_) {
      directory_.log(text);
      return;
    }
    profiler_->write(directory_.path() / "profile.json");
    if (const std::string table = profiler_->table(10); !table.empty()) say("profile of " + std::to_string(profiled_) + " steps (profile.json: chrome://tracing or ui.perfetto.dev):\n" + table);
    say(text);
  }

  void log_step(double loss, double learning_rate, std::int64_t skipped) {
    LogEvent e;
    e.step = info_.step, e.loss = loss, e.learning_rate = learning_rate, e.skipped = skipped;
    e.gradient_norm = step_->gradient_norm();
    e.seconds = elapsed();
    e.losses.assign(step_->losses().begin() + 1, step_->losses().end());
    if (scale_) e.loss_scale = scale_->value();
    tell([&](TrainCallback& c) { c.on_log(e); });
  }

  [[noreturn]] void fail_not_finite(double loss) {
    const bool saved = file_exists(directory_.checkpoints() / "last.safetensors");
    throw Error(ErrorKind::data, "train.not_finite", "the loss became " + std::to_string(loss) + " at step " + std::to_string(info_.step),
                std::string("lower schedule.learning_rate, or set train.precision=f32") + (saved ? "; the last checkpoint is good" : ""), directory_.path().string());
  }

  /// What a checkpoint says of the run, as of now.
  void note_state() {
    info_.progress = pacer_.progress();
    info_.step_seconds = pacer_.step_seconds();
    info_.elapsed = elapsed();
    info_.timed = timed();
    info_.plateau = schedule_.plateau;
    info_.stop = stop_.state;
    if (scale_) info_.loss_scale = scale_->state();
  }

  void save() {
    note_state();
    nn::NamedTensors average;
    if (average_) average = average_->weights();
    checkpoints_.save_last(*model_, *optimiser_, average, info_);
    tell_checkpoint("last");
  }

  void tell_checkpoint(const char* name) {
    const CheckpointEvent e{info_.step, name, directory_.checkpoints() / (std::string(name) + ".safetensors")};
    tell([&](TrainCallback& c) { c.on_checkpoint(e); });
  }

  Evaluation evaluate_now(int pictures, bool last) {
    WeightAverage::Scope averaged(average_.get());
    model_->eval();
    Evaluation e = task_->evaluate(*model_, "validation", pictures, monitor_of(observer_));
    model_->train();
    double score = task_->score(e);
    const bool best = score > info_.best_score;
    if (best) {
      info_.best_score = score;
      note_state();
      nn::NamedTensors weights = model_->parameters();
      for (auto& b : model_->buffers()) weights.push_back(std::move(b));
      checkpoints_.save_best(weights, info_);
      tell_checkpoint("best");
    }
    std::string text = "validation at step " + std::to_string(info_.step) + ":";
    std::vector<Summary> summaries = summarise(e);
    for (std::size_t i = 0; i < summaries.size(); ++i) {
      char number[32];
      std::snprintf(number, sizeof number, "%.4f", summaries[i].mean);
      text += " " + e.columns[i].name + " " + number;
    }
    tell([&](TrainCallback& c) { c.on_validation({info_.step, e, summaries, score, elapsed(), best, last}); });
    say(text);
    return e;
  }

  /// A resumed run validates first where the one before it stopped between its step and that step's validation.
  void validate_if_due() {
    const std::int64_t every = train_.integer("validate_every");
    if (every == 0 || info_.step == 0 || info_.step % every || info_.validated == info_.step) return;
    const Evaluation e = evaluate_now(0, false);
    schedule_.observe(task_->score(e));
    if (stop_.used()) stop_.observe(stop_value(recipe_, *task_, e), info_.step);
    info_.validated = info_.step;
  }

  /// Scores the last weights, not the best ones: choosing by the split that is reported would flatter the figure.
  Evaluation final_evaluation() {
    Evaluation e = evaluate_now(int(train_.integer("pictures")), true);
    write_evaluation(directory_.path(), e);
    return e;
  }

  std::string precision() const { return uses_tf32(recipe_, options_.device) ? "tf32" : std::string(name_of(compute_)); }

  void write_state(const char* status) {
    RunState s;
    s.status = status;
    s.device = options_.device.str();
    s.precision = precision();
    s.steps = info_.step;
    s.seconds = elapsed();
    s.parameters = model_->parameter_count();
    s.model = recipe_.model;
    s.task = recipe_.task;
    s.seed = recipe_.seed;
    s.waiting_share = waiting_share_;
    s.timed = timed();
    s.stopped_early = stop_.due();
    s.earlier_devices = earlier_devices_;
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
  EarlyStop stop_;
  Pacer pacer_{0, 0};
  CheckpointInfo info_;
  DType compute_ = DType::f32;
  std::unique_ptr<Task> task_;
  nn::ModulePtr model_;
  std::unique_ptr<Optimiser> optimiser_;
  std::unique_ptr<WeightAverage> average_;
  std::vector<Demand> demands_;
  std::map<std::string, std::string> digests_;
  std::unique_ptr<LossScale> scale_;
  std::unique_ptr<StepRunner> step_;
  std::vector<std::shared_ptr<TrainCallback>> callbacks_;
  std::unique_ptr<Profiler> profiler_;
  std::atomic<bool> profiling_{false};
  std::int64_t profiled_ = 0, taken_ = 0;  ///< steps of this session: profiled, and not left out
  std::vector<std::string> earlier_devices_;
  double profile_start_ = 0;
  std::unique_ptr<Profiler::Watch> watch_;
  Clock::time_point start_;
  double elapsed_before_ = 0, waiting_share_ = 0;
  bool interrupted_ = false;
};

}  // namespace

TrainResult train(const Recipe& recipe, const RunOptions& options, RunObserver& observer) {
  (void)make_schedule(recipe.section("schedule"));  // refused before there is a folder
  RunDirectory directory = options.resume ? RunDirectory::open(options.directory) : RunDirectory::create(options.directory, recipe.name);
  return Trainer(recipe, options, observer, std::move(directory)).run();
}

}  // namespace tenon
