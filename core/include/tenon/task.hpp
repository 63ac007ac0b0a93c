/// Task: what a domain adds to the trainer. The trainer knows steps, optimisers, checkpoints and clocks; the task
/// knows cases, losses, metrics, and how a prediction is written and pictured.
///
/// One Task object serves one run. `fill_batch` is called from loader threads and must depend on its arguments
/// alone; everything else is called from one thread.
#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tenon/metrics.hpp"
#include "tenon/nn/module.hpp"
#include "tenon/params.hpp"
#include "tenon/random.hpp"

namespace tenon {

struct ModelContext;

/// Given to a task when it is made.
struct TaskContext {
  std::map<std::string, ParamValues> sections;  ///< by recipe section: "data", "augment", ...
  std::filesystem::path recipe_directory;       ///< relative paths of the recipe start here
  std::uint64_t seed = 0;
  std::int64_t batch_size = 1;
  DType compute = DType::f32;
};

/// One defect found in the data, as `tenon check` lists it.
struct Problem {
  std::string code;     ///< "medical.label_value"
  std::string where;    ///< case or file
  std::string message;  ///< what, with values
  std::string remedy;
};

struct TensorSpec {
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
};

/// One column of a result table.
struct MetricColumn {
  std::string name;  ///< "Dice anterior"
  std::string unit;
  bool higher_is_better = true;
  bool per_case = true;  ///< false: a score of all cases together (an area under a curve); no case has a value of it
  /// A number: neither higher nor lower is better, but nearer to it (5, of exceedances in per cent at the level of 5 %).
  double ideal = std::numeric_limits<double>::quiet_NaN();

  /// Greater for the better of two values; NaN of NaN.
  double merit(double value) const noexcept { return std::isfinite(ideal) ? -std::abs(value - ideal) : higher_is_better ? value : -value; }
};

/// A picture for the report.
struct Picture {
  std::string caption;  ///< shown after the case's id
  std::vector<std::uint8_t> png;
};

/// What a colour of the pictures means.
struct ColourKey {
  std::string name;
  std::array<std::uint8_t, 3> rgb{};
};

struct CaseResult {
  std::string id;
  std::vector<double> values;  ///< one a column; NaN: not scored (counted)
  std::vector<Picture> pictures;
};

/// One curve of a chart; NaN leaves a gap.
struct Curve {
  enum class Kind : std::uint8_t { line, points, bars };
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};  ///< a band around it, as long as y; empty: none
  Kind kind = Kind::line;
  bool reference = false;  ///< a baseline: dashed, in the colour of the text
};

/// A chart of an evaluation, in the field's language: an ROC curve, skill by lead time, a forecast with its band.
struct Chart {
  std::string title;
  std::string x, y;  ///< what the axes show, with its unit: "lead (days)"
  std::vector<Curve> curves;
  std::string note = {};  ///< a sentence below it
};

/// A reference score beside the model's: a floor, a published figure.
struct Baseline {
  std::string name;            ///< "image-blind atlas"
  std::vector<double> values;  ///< one a column
  std::string source;          ///< how obtained: "computed on this split", or the citation
};

/// The parameter "published" of a task's [baselines] section, and its reading: a figure of the literature beside each score. Throws a usage
/// error for text that is not "name | value, value... | source" and for more values than columns.
TENON_API Param published_param();
TENON_API std::vector<Baseline> published_baselines(const ParamValues& baselines, std::size_t columns);

struct Evaluation {
  std::string split;  ///< "validation"
  std::vector<MetricColumn> columns;
  std::vector<CaseResult> cases;
  std::vector<Baseline> baselines;
  std::vector<std::string> notes;  ///< declared rules: empty masks, what was not scored
  std::vector<ColourKey> picture_key;  ///< of the cases' pictures
  /// Scores that are no mean of the cases' values (an area under a curve, a root taken after the mean), with intervals whose rule a note
  /// gives: one a column, NaN where the column is the mean over cases after all. Empty: means over cases, percentile bootstrap.
  std::vector<Interval> totals = {};
  std::vector<Chart> charts = {};
  std::vector<Picture> pictures = {};  ///< of the whole split: a map of the error, a logo
  /// Filled in by evaluate() (run.hpp): the checkpoint that was scored, what was changed of the run's recipe, and where something was, the
  /// SHA-256 of the files that were read.
  std::string checkpoint = {};
  std::vector<std::string> overrides = {};
  std::map<std::string, std::string> inputs = {};
};

/// Whether the user wants to stop, progress and warnings, for long calls.
struct TENON_API Monitor {
  std::function<void(const std::string& what, std::int64_t done, std::int64_t total)> progress;
  std::function<bool()> interrupted;
  std::function<void(const std::string& text)> warning = {};  ///< what is odd in the data but no defect; one file, one line

  /// One turn of a long loop: shows progress, and throws run.interrupted when the user asked to stop.
  void turn(const std::string& what, std::int64_t done, std::int64_t total) const;
  void warn(const std::string& text) const;
};

struct PredictOptions {
  std::filesystem::path output;  ///< folder
  bool overwrite = false;
  Monitor monitor;
};

class TENON_API Task {
 public:
  virtual ~Task();

  /// Every defect of the data set in one pass; empty when clean. Where require_inputs() throws: what can be found for all that.
  virtual std::vector<Problem> check(const Monitor& monitor) = 0;
  /// Reads the data; throws on the first defect (data error that mentions `tenon check`).
  virtual void load(const Monitor& monitor) = 0;

  /// Names of the splits that hold cases; asked after load().
  virtual std::vector<std::string> splits() const = 0;
  /// The columns that evaluate() will give; empty where they are not known before.
  virtual std::vector<MetricColumn> columns() const = 0;

  virtual ModelContext model_context() const = 0;
  /// Tensors of one training batch, with the shapes that fill_batch finds.
  virtual std::vector<TensorSpec> batch_spec() const = 0;
  /// Fills host tensors for step `step`; `random` is keyed by the run's seed. Thread-safe, depends on its arguments alone. A batch is often
  /// filled well before its step; what is thrown is thrown at that step.
  /// A tensor may be replaced by one of another shape, for sequences of varying length say: of the same type, contiguous, in the CPU's
  /// memory. A view of fewer elements costs nothing: batch[0] = batch[0].reshape({-1}).narrow(0, 0, n * length).reshape({n, length}).
  /// The next time the batch has the shapes of batch_spec again. Each set of shapes is a recorded step of its own, of which the last few
  /// are kept (plan_cache.hpp): let lengths be multiples of a number, so that there are few.
  virtual void fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const = 0;
  /// Scalar loss of a batch; the first is minimised, the others are only logged, by the same names each time. Recorded once for each set of
  /// shapes and replayed (see plan.hpp): it may not read values or move tensors between devices. Tensors that it makes of host values
  /// (Tensor::from, Tensor::full) are constants of the step, made where the run computes when it is recorded; what changes from step to step
  /// is a tensor of the batch.
  virtual std::vector<std::pair<std::string, Tensor>> loss(nn::Module& model, const std::vector<Tensor>& batch) = 0;

  /// Scores a split. `pictures`: how many cases to picture (worst first); 0 in training.
  virtual Evaluation evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) = 0;
  /// The score that picks the best checkpoint, from an evaluation; higher is better.
  virtual double score(const Evaluation& evaluation) const = 0;
  /// Predicts files and writes results beside each other in `options.output`; returns what was written.
  virtual std::vector<std::filesystem::path> predict(nn::Module& model, const std::vector<std::filesystem::path>& inputs,
                                                     const PredictOptions& options) = 0;
  /// What a trained model needs of the task besides its weights (normalisation, class names), kept in the run
  /// directory so that prediction needs no training data. JSON text.
  virtual std::string state() const = 0;
  virtual void load_state(const std::string& json) = 0;
  /// Digests of the input files: path relative to the data root -> SHA-256.
  virtual std::map<std::string, std::string> input_digests() const = 0;
  /// Samples of an epoch, asked for after load(): what train.epochs counts by. 0, the default: the task has no epochs.
  virtual std::int64_t train_samples() const;

  /// Throws a usage error for what the recipe names of the data and that is not there, a file or folder below the data's folder
  /// or a part of its split, with its key ("data.folds") as `where`. Asked before load() and in a dry run: reads no data. Default: nothing.
  virtual void require_inputs() const;

  /// The plugin's own object: the host hands out tasks behind a guard that names the plugin in what they throw. For tools of the same
  /// plugin, which know its class. Default: itself.
  virtual Task& unguarded();
};

}  // namespace tenon
