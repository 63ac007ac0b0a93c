#include "climate/tasks/operator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "climate/tasks/model_runner.hpp"
#include "climate/tasks/operator_pictures.hpp"
#include "climate/tasks/params.hpp"
#include "tenon/data/sampler.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/npy.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/kernel.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace fs = std::filesystem;
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const std::vector<std::string> kSymmetries{"transpose", "flip_rows", "flip_columns", "mirror_rows", "mirror_columns"};
constexpr std::int64_t kBatch = 50;  // samples a run of the model outside of training

ParamSpec data_params() {
  return {
      path_param("root", "", "folder of the .npy files", true),
      text_param("train_input", "", "training inputs below root, [N, rows, columns] or [N, rows, columns, channels]"),
      text_param("train_target", "", "their target fields, [N, rows, columns]"),
      texts_param("tests", {}, "test sets, each \"name | input file | target file\"; other grids than the training one are welcome"),
      integer_param("hold_back", 0, "this many of the last training samples are not trained on and make the validation split, for choices; 0: the tests do", 0, 1e9),
      boolean_param("coordinates", true, "give the model each point's place on the unit square, row / rows and column / columns"),
      texts_param("symmetries", {}, "training samples are turned at random by these; name only what the equation and the grid allow (flip: of cells; mirror: of points, the first on one boundary, the last a step before the other)",
                  kSymmetries),
  };
}

ParamSpec loss_params() {
  return {text_param("name", "relative_l2", "mean over samples of ||p - y|| / ||y||; relative_h1 adds the first derivatives; mse is of the scaled fields",
                     {"relative_l2", "relative_h1", "mse"})};
}

ParamSpec predict_params() {
  return {texts_param("symmetries", {}, "predictions of the input turned by these are turned back and averaged", kSymmetries)};
}

ParamSpec baselines_params() {
  return {
      boolean_param("mean_field", true, "score the mean training target beside the model"),
      real_param("ridge", 1, "score a ridge regression of all points on all points of this strength beside the model; 0: none", 0, 1e12),
      published_param(),
  };
}

std::vector<double> relative_errors(const Tensor& guess, const Tensor& truth) {
  const std::int64_t n = truth.size(0), points = truth.numel() / n;
  const float *g = guess.data<float>(), *t = truth.data<float>();
  std::vector<double> errors;
  for (std::int64_t s = 0; s < n; ++s) {
    double e = 0, y = 0;
    for (std::int64_t i = s * points; i < (s + 1) * points; ++i) {
      e += double(g[i] - t[i]) * double(g[i] - t[i]);
      y += double(t[i]) * double(t[i]);
    }
    errors.push_back(y > 0 ? std::sqrt(e / y) : kNaN);
  }
  return errors;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  std::int64_t n = 0;
  for (double v : values)
    if (!std::isnan(v)) sum += v, ++n;
  return n ? sum / double(n) : kNaN;
}

}  // namespace

TaskEntry operator_task() {
  TaskEntry entry;
  entry.name = "operator";
  entry.help = "learn the operator that maps one field onto another; scored by the relative L2 error, also on grids not trained on";
  entry.sections = {{"data", data_params()}, {"loss", loss_params()}, {"predict", predict_params()}, {"baselines", baselines_params()}};
  entry.default_model = "climate.fno2d";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<OperatorTask>(context); };
  return entry;
}

OperatorTask::OperatorTask(const TaskContext& context) : context_(context) {
  const ParamValues& data = section(context_, "data");
  const fs::path root = data.text("root");
  if (data.text("train_input").empty() || data.text("train_target").empty())
    refuse_recipe("data.train_input", "no training pairs", "name data.train_input and data.train_target");
  train_input_ = root / data.text("train_input");
  train_target_ = root / data.text("train_target");
  for (const auto& text : data.texts("tests")) {
    const auto parts = bar_parts("data.tests", text, 3, "name | input file | target file");
    for (const auto& other : tests_)
      if (other.name == parts[0]) refuse_recipe("data.tests", "two sets are named '" + parts[0] + "'", "name each once");
    tests_.push_back({parts[0], root / parts[1], root / parts[2]});
  }
  hold_back_ = data.integer("hold_back");
  coordinates_ = data.boolean("coordinates");
  train_turns_ = turns_of(data.texts("symmetries"));
  predict_turns_ = turns_of(section(context_, "predict").texts("symmetries"));
  loss_ = section(context_, "loss").text("name");
  published_baselines(section(context_, "baselines"), tests_.size());  // refused here if it is refused
}

void OperatorTask::require_inputs() const {
  require_file(train_input_, "data.train_input");
  require_file(train_target_, "data.train_target");
  for (const auto& t : tests_) {
    require_file(t.input, "data.tests");
    require_file(t.target, "data.tests");
  }
}

std::vector<Problem> OperatorTask::check(const Monitor& monitor) {
  std::vector<Problem> problems;
  auto attempt = [&](const std::string& where, auto&& work) {
    try {
      work();
      return true;
    } catch (const Error& e) {
      problems.push_back({e.code(), e.where().empty() ? where : e.where(), e.message(), e.hint()});
      return false;
    }
  };
  FieldPairs train;
  const bool whole = attempt("data.train_input", [&] { train = read_pairs("train", train_input_, train_target_); });
  for (std::size_t i = 0; i < tests_.size(); ++i) {
    monitor.turn("checking", std::int64_t(i), std::int64_t(tests_.size()));
    FieldPairs test;
    if (attempt(tests_[i].name, [&] { test = read_pairs(tests_[i].name, tests_[i].input, tests_[i].target); }) && whole)
      attempt(tests_[i].name, [&] { refuse_shared(train, test); });
  }
  return problems;
}

void OperatorTask::load(const Monitor& monitor) {
  monitor.turn("reading", 0, std::int64_t(tests_.size()) + 1);
  const FieldPairs all = read_pairs("train", train_input_, train_target_);
  if (hold_back_ >= all.count())
    refuse_recipe("data.hold_back", std::to_string(hold_back_) + " of " + std::to_string(all.count()) + " samples", "leave some to train on");
  train_ = part_of(all, "train", 0, all.count() - hold_back_);
  const std::string grid = std::to_string(all.rows()) + "x" + std::to_string(all.columns());
  if (hold_back_) held_back_ = part_of(all, grid, all.count() - hold_back_, hold_back_);
  test_sets_.clear();
  for (const auto& t : tests_) {
    test_sets_.push_back(read_pairs(t.name, t.input, t.target));
    if (test_sets_.back().input.size(3) != all.input.size(3))
      throw Error(ErrorKind::data, "climate.fields",
                  std::to_string(test_sets_.back().input.size(3)) + " channels, training has " + std::to_string(all.input.size(3)), "", t.input.string());
    refuse_shared(all, test_sets_.back());
    monitor.turn("reading", std::int64_t(test_sets_.size()), std::int64_t(tests_.size()) + 1);
  }
  if (hold_back_) refuse_shared(train_, held_back_);
  for (const Turn& t : train_turns_)
    if (t.transpose && all.rows() != all.columns())
      refuse_recipe("data.symmetries", "fields of " + grid + " points cannot be transposed", "leave transpose out");
  loaded_ = true;
  if (ready_) return;  // a trained model keeps its scales
  channels_ = all.input.size(3);
  rows_ = all.rows();
  columns_ = all.columns();
  input_mean_.assign(std::size_t(channels_), 0);
  input_scale_.assign(std::size_t(channels_), 0);
  auto moments = [](const float* v, std::int64_t n, std::int64_t stride, double& m, double& scale) {
    double sum = 0, square = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += double(v[i * stride]);
    m = sum / double(n);
    for (std::int64_t i = 0; i < n; ++i) square += (double(v[i * stride]) - m) * (double(v[i * stride]) - m);
    scale = std::sqrt(square / double(n));
    if (scale <= 0) scale = 1;
  };
  const std::int64_t points = train_.target.numel();
  for (std::int64_t c = 0; c < channels_; ++c)
    moments(train_.input.data<float>() + c, points, channels_, input_mean_[std::size_t(c)], input_scale_[std::size_t(c)]);
  moments(train_.target.data<float>(), points, 1, target_mean_, target_scale_);
  ready_ = true;
}

std::vector<std::string> OperatorTask::splits() const {
  std::vector<std::string> names{"train"};
  if (hold_back_ > 0 || !tests_.empty()) names.push_back("validation");
  if (hold_back_ > 0 && !tests_.empty()) names.push_back("test");
  return names;
}

std::vector<FieldPairs> OperatorTask::sets_of(const std::string& split) const {
  if (!loaded_) throw_usage("OperatorTask", "nothing is loaded yet");
  if (split == "train") return {train_};
  if (split == "validation" && hold_back_ > 0) return {held_back_};
  if ((split == "validation" || split == "test") && !test_sets_.empty()) return test_sets_;
  throw Error(ErrorKind::usage, "climate.no_split", "there is no split '" + split + "'", suggestion(split, splits()));
}

std::vector<MetricColumn> OperatorTask::columns_of(const std::vector<FieldPairs>& sets) const {
  std::vector<MetricColumn> list;
  for (const auto& s : sets) list.push_back({"relative L2 " + s.name, "", false});
  return list;
}

std::vector<MetricColumn> OperatorTask::columns() const {
  std::vector<MetricColumn> list;
  if (hold_back_ > 0) return list;  // named by the grid, which is known when the data is read
  for (const auto& t : tests_) list.push_back({"relative L2 " + t.name, "", false});
  return list;
}

ModelContext OperatorTask::model_context() const {
  return {input_channels(), 1, {rows_, columns_}, context_.compute, 1};
}

std::vector<TensorSpec> OperatorTask::batch_spec() const {
  return {{"input", Shape{context_.batch_size, rows_, columns_, input_channels()}, DType::f32},
          {"target", Shape{context_.batch_size, rows_, columns_, 1}, DType::f32}};
}

Tensor OperatorTask::model_input(const Tensor& fields) const {
  const std::int64_t n = fields.size(0), rows = fields.size(1), columns = fields.size(2), channels = input_channels();
  const Tensor out = Tensor::empty(Shape{n, rows, columns, channels});
  const float* from = fields.data<float>();
  float* to = out.data<float>();
  parallel_for(n, [&](std::int64_t s) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::int64_t point = (s * rows + r) * columns + c;
        float* o = to + point * channels;
        for (std::int64_t h = 0; h < channels_; ++h)
          o[h] = float((double(from[point * channels_ + h]) - input_mean_[std::size_t(h)]) / input_scale_[std::size_t(h)]);
        if (!coordinates_) continue;
        o[channels_] = float(r) / float(rows);
        o[channels_ + 1] = float(c) / float(columns);
      }
  });
  return out;
}

std::int64_t OperatorTask::train_samples() const { return train_.input.defined() ? train_.count() : 0; }

void OperatorTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  if (!loaded_) throw_usage("OperatorTask::fill_batch", "nothing is loaded yet");
  const data::ShuffleSampler order(train_.count(), random.child(1));
  const Random chance = random.child(2);
  const std::int64_t points = rows_ * columns_;
  Tensor turned = Tensor::empty(Shape{context_.batch_size, rows_, columns_, channels_});
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    const std::int64_t position = step * context_.batch_size + j, i = order.at(position);
    const Turn& turn = train_turns_[std::size_t(chance.below(std::uint64_t(position), train_turns_.size()))];
    apply_turn(turn, train_.input.data<float>() + i * points * channels_, rows_, columns_, channels_, turned.data<float>() + j * points * channels_, Boundary::neighbour);
    apply_turn(turn, train_.target.data<float>() + i * points, rows_, columns_, 1, batch.at(1).data<float>() + j * points);
  }
  const Tensor input = model_input(turned);
  std::copy_n(input.data<float>(), input.numel(), batch.at(0).data<float>());
}

std::vector<std::pair<std::string, Tensor>> OperatorTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  Tensor total;
  const auto outputs = model.forward_all({batch.at(0)});
  for (const Tensor& output : outputs) {
    Tensor term;
    if (loss_ == "mse") {
      term = mse_loss(output, (batch.at(1) - target_mean_) / target_scale_);
    } else {
      const Tensor guess = output * target_scale_ + target_mean_;
      term = loss_ == "relative_l2" ? relative_l2_loss(guess, batch.at(1))
                                    : relative_h1_loss(guess, batch.at(1), {1.0 / double(rows_), 1.0 / double(columns_)});
    }
    total = total.defined() ? total + term : term;
  }
  return {{"loss", total * (1.0 / double(outputs.size()))}};
}

Tensor OperatorTask::forecast(nn::Module& model, const Tensor& fields) const {
  ModelRunner runner(model);
  const std::int64_t n = fields.size(0), rows = fields.size(1), columns = fields.size(2), points = rows * columns;
  const Tensor sum = Tensor::zeros(Shape{n, rows, columns, 1});
  for (const Turn& turn : predict_turns_) {
    const std::int64_t r = turn.transpose ? columns : rows, c = turn.transpose ? rows : columns;
    const Tensor turned = Tensor::empty(Shape{n, r, c, channels_});
    for (std::int64_t s = 0; s < n; ++s)
      apply_turn(turn, fields.data<float>() + s * points * channels_, rows, columns, channels_, turned.data<float>() + s * points * channels_, Boundary::neighbour);
    const Tensor guess = runner.run(model_input(turned), kBatch);
    if (guess.size(3) != 1)
      throw Error(ErrorKind::usage, "climate.model_output", "the model gives " + std::to_string(guess.size(3)) + " fields where the task needs one", "");
    std::vector<float> back(static_cast<std::size_t>(points));
    for (std::int64_t s = 0; s < n; ++s) {
      undo_turn(turn, guess.data<float>() + s * points, rows, columns, 1, back.data());
      float* to = sum.data<float>() + s * points;
      for (std::int64_t i = 0; i < points; ++i) to[i] += back[std::size_t(i)];
    }
  }
  const double share = target_scale_ / double(predict_turns_.size());
  for (float& v : sum.span<float>()) v = float(double(v) * share + target_mean_);
  return sum;
}

Evaluation OperatorTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  const auto sets = sets_of(split);
  Evaluation result;
  result.split = split;
  result.columns = columns_of(sets);
  const bool mean_field = section(context_, "baselines").boolean("mean_field");
  const double ridge = section(context_, "baselines").real("ridge");
  std::optional<FieldBaselines> simple;
  if (mean_field || ridge > 0) simple.emplace(train_, std::max(ridge, 1e-12));
  std::vector<double> mean_scores, ridge_scores;

  std::int64_t cases = 0;
  for (const auto& s : sets) cases = std::max(cases, s.count());
  for (std::int64_t i = 0; i < cases; ++i) result.cases.push_back({"sample " + std::to_string(i), std::vector<double>(sets.size(), kNaN), {}});
  std::vector<Tensor> guesses;
  for (std::size_t k = 0; k < sets.size(); ++k) {
    monitor.turn("scoring", std::int64_t(k), std::int64_t(sets.size()));
    guesses.push_back(forecast(model, sets[k].input));
    const auto errors = relative_errors(guesses.back(), sets[k].target);
    for (std::size_t i = 0; i < errors.size(); ++i) result.cases[i].values[k] = errors[i];
    const bool fits = refinement(train_, sets[k]) > 0;
    mean_scores.push_back(mean_field && fits ? mean_of(relative_errors(simple->mean_field(sets[k]), sets[k].target)) : kNaN);
    ridge_scores.push_back(ridge > 0 && fits ? mean_of(relative_errors(simple->regression(sets[k]), sets[k].target)) : kNaN);
  }
  if (mean_field) result.baselines.push_back({"mean field", mean_scores, "computed: the training targets' mean"});
  if (ridge > 0) result.baselines.push_back({"ridge regression", ridge_scores, "computed: all points on all points"});
  result.notes.push_back("mean field and ridge regression are of the " + std::to_string(train_.count()) + " training samples, on finer grids interpolated linearly");
  if (split != "train" && (split == "test" || hold_back_ == 0))
    for (auto& b : published_baselines(section(context_, "baselines"), sets.size())) result.baselines.push_back(std::move(b));
  result.notes.push_back("relative L2: ||p - y|| / ||y|| of each sample, mean over samples");
  for (const auto& s : sets)
    if (s.rows() != rows_ || s.columns() != columns_)
      result.notes.push_back(s.name + ": zero-shot, the model was trained on " + std::to_string(rows_) + "x" + std::to_string(columns_) + " points alone");
  picture_pairs(result, sets, guesses, pictures);
  return result;
}

double OperatorTask::score(const Evaluation& e) const {
  double sum = 0;
  int n = 0;
  for (std::size_t k = 0; k < e.columns.size(); ++k) {
    std::vector<double> values;
    for (const auto& c : e.cases) values.push_back(c.values[k]);
    if (const double m = mean_of(values); !std::isnan(m)) sum += m, ++n;
  }
  return n ? -sum / n : -std::numeric_limits<double>::infinity();
}

std::vector<fs::path> OperatorTask::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  if (!ready_) throw_usage("OperatorTask::predict", "neither trained nor told what training saw");
  std::vector<fs::path> outputs;
  for (const auto& input : inputs) {
    const fs::path output = options.output / (input.stem().string() + "_prediction.npy");
    if (std::find(outputs.begin(), outputs.end(), output) != outputs.end())
      throw Error(ErrorKind::usage, "predict.same_name", "two inputs would be written to " + output.string(), "predict them into different folders");
    if (!options.overwrite && file_exists(output))
      throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "choose another output folder, or say --overwrite", output.string());
    outputs.push_back(output);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    options.monitor.turn("predicting", std::int64_t(i), std::int64_t(inputs.size()));
    const Tensor fields = read_fields(inputs[i]);
    if (fields.size(3) != channels_)
      throw Error(ErrorKind::data, "climate.fields", std::to_string(fields.size(3)) + " channels, the model was trained on " + std::to_string(channels_),
                  "give the fields that it was trained on", inputs[i].string());
    const Tensor guess = forecast(model, fields);
    files().make_directories(options.output);
    save_npy(outputs[i], guess.squeeze(3).contiguous());
  }
  return outputs;
}

std::string OperatorTask::state() const {
  if (!ready_) throw_usage("OperatorTask::state", "nothing is loaded yet");
  nlohmann::json json;
  json["task"] = "climate.operator";
  json["grid"] = {rows_, columns_};
  json["input"] = {{"mean", input_mean_}, {"scale", input_scale_}};
  json["target"] = {{"mean", target_mean_}, {"scale", target_scale_}};
  return json.dump(2);
}

void OperatorTask::load_state(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("task") != "climate.operator")
      throw Error(ErrorKind::data, "climate.state", "the state of another task, " + json.at("task").dump(), "predict with the run's own recipe");
    rows_ = json.at("grid").at(0).get<std::int64_t>();
    columns_ = json.at("grid").at(1).get<std::int64_t>();
    input_mean_ = json.at("input").at("mean").get<std::vector<double>>();
    input_scale_ = json.at("input").at("scale").get<std::vector<double>>();
    target_mean_ = json.at("target").at("mean").get<double>();
    target_scale_ = json.at("target").at("scale").get<double>();
    channels_ = std::int64_t(input_mean_.size());
    if (rows_ < 1 || columns_ < 1 || channels_ < 1 || input_scale_.size() != input_mean_.size())
      throw Error(ErrorKind::data, "climate.state", "scales of " + std::to_string(channels_) + " channels on " + std::to_string(rows_) + "x" + std::to_string(columns_) + " points",
                  "the run directory is damaged: train again");
    ready_ = true;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "climate.state", std::string("not a task state: ") + e.what(), "the run directory is damaged: train again");
  }
}

std::map<std::string, std::string> OperatorTask::input_digests() const {
  std::map<std::string, std::string> digests;
  auto add = [&](const fs::path& file) { digests[file.filename().string()] = sha256_of_file(file); };
  add(train_input_);
  add(train_target_);
  for (const auto& t : tests_) add(t.input), add(t.target);
  return digests;
}

}  // namespace tenon::climate
