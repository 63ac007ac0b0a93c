#include "segmentation.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "classes.hpp"
#include "features.hpp"
#include "picture.hpp"
#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/npz.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

namespace driving_plugin {
namespace {

using namespace tenon;
namespace fs = std::filesystem;

// The same streets in every run, whatever its seed, so that scores of two runs can be compared. No training street comes from these
// streams.
constexpr std::uint64_t kHeldOut = 0x57ee7;
constexpr std::uint64_t kScored = 0, kForRules = 1;

}  // namespace

Segmentation::Segmentation(const TaskContext& context)
    : batch_(context.batch_size),
      compute_(context.compute),
      grid_(grid_of(context.sections.at("data"), "data.")),
      scanner_(scanner_of(context.sections.at("data"))),
      cases_(context.sections.at("data").integer("cases")),
      weights_(context.sections.at("loss").reals("class_weights")) {
  if (weights_.size() != kClasses || std::none_of(weights_.begin(), weights_.end(), [](double w) { return w > 0; })) {
    throw Error(ErrorKind::usage, "driving.class_weights",
                std::to_string(weights_.size()) + " weights for " + std::to_string(kClasses) + " classes",
                "give one a class (ground, vehicle, pedestrian, pole, structure), not all of them 0", "loss.class_weights");
  }
}

void Segmentation::load(const Monitor& monitor) {
  constexpr std::int64_t kRuleScenes = 128;
  std::vector<Scene> for_rules;
  validation_.clear();
  for (std::int64_t i = 0; i < kRuleScenes + cases_; ++i) {
    monitor.turn("making streets", i, kRuleScenes + cases_);  // progress, and the way out for Ctrl-C
    const bool rule = i < kRuleScenes;
    const Random random = Random(kHeldOut, rule ? kForRules : kScored).child(static_cast<std::uint64_t>(rule ? i : i - kRuleScenes));
    (rule ? for_rules : validation_).push_back(simulate(scanner_, random));
  }
  rules_ = {Rule(Rule::Kind::constant), Rule(Rule::Kind::height), Rule(Rule::Kind::height_reflectance)};
  for (Rule& rule : rules_) rule.fit(grid_, for_rules);
}

std::vector<MetricColumn> Segmentation::columns() const {
  std::vector<MetricColumn> columns;
  for (const char* name : kClassNames) columns.push_back({std::string("IoU ") + name, "", true});
  columns.push_back({"mean IoU", "", true});
  return columns;
}

ModelContext Segmentation::model_context() const {
  ModelContext context;
  context.in_channels = grid_.max_points * kPointFeatures;
  context.out_channels = static_cast<std::int64_t>(kClasses);
  context.spatial = {grid_.nx, grid_.ny};
  context.compute = compute_;
  return context;
}

std::vector<TensorSpec> Segmentation::batch_spec() const {
  const std::int64_t nx = grid_.nx, ny = grid_.ny;
  return {{"points", Shape{batch_, nx, ny, grid_.max_points * kPointFeatures}, DType::f32},
          {"classes", Shape{batch_, nx, ny}, DType::u8},
          {"weights", Shape{batch_, nx, ny}, DType::f32}};
}

// Called by several threads at once: reads members, changes none.
void Segmentation::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  const auto cells = static_cast<std::size_t>(grid_.cells());
  const std::size_t values = cells * static_cast<std::size_t>(grid_.max_points * kPointFeatures);
  for (std::int64_t i = 0; i < batch_; ++i) {
    const Scene scene = simulate(scanner_, random.child(static_cast<std::uint64_t>(step * batch_ + i)));
    const auto at = static_cast<std::size_t>(i);
    fill_features(grid_, scene.points, batch.at(0).span<float>().subspan(at * values, values));
    const std::vector<std::uint8_t> truth = cell_classes(grid_, scene.points, scene.classes);
    const std::span<std::uint8_t> classes = batch.at(1).span<std::uint8_t>().subspan(at * cells, cells);
    const std::span<float> weights = batch.at(2).span<float>().subspan(at * cells, cells);
    for (std::size_t c = 0; c < cells; ++c) {
      const bool seen = truth[c] != kUnseen;
      classes[c] = seen ? truth[c] : 0;  // any class: its weight is 0
      weights[c] = seen ? static_cast<float>(weights_[truth[c]]) : 0;
    }
  }
}

// Recorded once and replayed: it may not look at values.
std::vector<std::pair<std::string, Tensor>> Segmentation::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  CrossEntropyOptions each;
  each.reduction = Reduction::none;
  const Tensor& weights = batch.at(2);
  return {{"loss", sum(cross_entropy(model(batch.at(0)), batch.at(1), each) * weights) / (sum(weights) + 1e-6)}};
}

double Segmentation::score(const Evaluation& evaluation) const {
  const double mean_iou = evaluation.totals.back().value;
  return std::isnan(mean_iou) ? 0 : mean_iou;
}

Segmentation::Guess Segmentation::guess(nn::Module& model, const std::vector<Point>& points) const {
  const NoGrad off;
  std::vector<float> features(static_cast<std::size_t>(grid_.cells() * grid_.max_points * kPointFeatures));
  fill_features(grid_, points, features);
  const bool training = model.training();
  model.eval();
  const Tensor x = Tensor::from(features, Shape{1, grid_.nx, grid_.ny, grid_.max_points * kPointFeatures});
  const Tensor shares = softmax(model(x)).to(kCpu).contiguous();
  model.train(training);

  Guess out;
  out.classes.assign(static_cast<std::size_t>(grid_.cells()), kUnseen);
  out.probability.assign(out.classes.size(), 0);
  for (const Point& p : points) {
    const std::int64_t cell = grid_.cell_of(p);
    if (cell < 0 || out.classes[static_cast<std::size_t>(cell)] != kUnseen) continue;
    const auto c = static_cast<std::size_t>(cell);
    const auto row = shares.span<float>().subspan(c * kClasses, kClasses);
    const auto best = std::max_element(row.begin(), row.end());
    out.classes[c] = static_cast<std::uint8_t>(best - row.begin());
    out.probability[c] = *best;
  }
  return out;
}

std::vector<fs::path> Segmentation::predict(nn::Module& model, const std::vector<fs::path>& inputs, const PredictOptions& options) {
  // What cannot be written is found before anything is computed.
  std::vector<fs::path> outputs;
  for (const fs::path& input : inputs) {
    for (const char* ending : {"_classes.npz", "_classes.png"}) {
      const fs::path output = options.output / (input.stem().string() + ending);
      if (std::find(outputs.begin(), outputs.end(), output) != outputs.end())
        throw Error(ErrorKind::usage, "predict.same_name", "two inputs would be written to it", "use two folders", output.string());
      if (!options.overwrite && file_exists(output))
        throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "say --overwrite, or another folder",
                    output.string());
      outputs.push_back(output);
    }
  }
  std::vector<double> x, y;
  for (std::int64_t i = 0; i < grid_.nx; ++i) x.push_back(grid_.x_of(i));
  for (std::int64_t i = 0; i < grid_.ny; ++i) y.push_back(grid_.y_of(i));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    options.monitor.turn("predicting", static_cast<std::int64_t>(i), static_cast<std::int64_t>(inputs.size()));
    const Guess seen = guess(model, read_cloud(inputs[i]));
    if (std::all_of(seen.classes.begin(), seen.classes.end(), [](std::uint8_t c) { return c == kUnseen; }))
      throw Error(ErrorKind::data, "driving.out_of_range", "no point of it lies within the grid", "is it in metres, x forward, z up?",
                  inputs[i].string());
    files().make_directories(options.output);
    const Shape map{grid_.nx, grid_.ny};
    save_npz(outputs[2 * i], {{"classes", Tensor::from(seen.classes, map)},
                              {"probability", Tensor::from(seen.probability, map)},
                              {"x", Tensor::from(x, Shape{grid_.nx})},
                              {"y", Tensor::from(y, Shape{grid_.ny})}});
    const std::vector<std::uint8_t> picture = draw_classes(grid_, std::span(&seen.classes, 1));
    write_atomic(outputs[2 * i + 1], std::as_bytes(std::span(picture)));
  }
  return outputs;
}

/// A model knows the grid that it was trained on and the order of its classes. The recipe of the run has both; here they are held against
/// it.
std::string Segmentation::state() const {
  std::string classes, numbers;
  for (const char* name : kClassNames) classes += (classes.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  for (const double v :
       {grid_.x[0], grid_.x[1], grid_.y[0], grid_.y[1], grid_.z[0], grid_.z[1], grid_.size, static_cast<double>(grid_.max_points)})
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(v);
  return "{\"classes\": [" + classes + "], \"grid\": [" + numbers + "]}";
}

void Segmentation::load_state(const std::string& json) {
  if (json != state())
    throw Error(ErrorKind::usage, "driving.state", "the model was trained with " + json + ", this is " + state(),
                "leave [data] as the run has it");
}

TaskEntry segmentation_task() {
  TaskEntry entry;
  entry.name = "segmentation";
  entry.help = "what stands in each pillar: ground, vehicle, pedestrian, pole, structure; made streets, scored by IoU";
  ParamSpec data;
  for (Param& p : grid_params()) data.add(std::move(p));
  for (Param& p : scanner_params()) data.add(std::move(p));
  data.add(integer_param("cases", 64, "streets of the validation split", 2, 100000));
  entry.sections = {{"data", data},
                    {"loss",
                     {reals_param("class_weights", {1, 1, 1.5, 1.5, 1},
                                  "of a pillar in the loss: ground, vehicle, pedestrian, pole, structure", 0, 1000)}}};
  entry.default_model = "driving.pillars";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<Segmentation>(context); };
  return entry;
}

}  // namespace driving_plugin
