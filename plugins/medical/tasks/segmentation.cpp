#include "medical/tasks/segmentation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "medical/tasks/atlas.hpp"
#include "medical/tasks/pictures.hpp"
#include "medical/tasks/segmentation_params.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"

namespace tenon::medical {
namespace {

const ParamValues& section(const TaskContext& context, const std::string& name) {
  const auto found = context.sections.find(name);
  if (found == context.sections.end()) throw_usage("SegmentationTask", "the recipe section [" + name + "] was not given");
  return found->second;
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  return std::isnan(value) ? "not scored" : text;
}

}  // namespace

TaskEntry segmentation_task() {
  TaskEntry entry;
  entry.name = "segmentation";
  entry.help = "label every voxel of a scan, learnt from scans with label images";
  entry.sections = {{"data", data_params()},       {"patch", patch_params()},     {"augment", augment_params()},    {"loss", loss_params()},
                    {"predict", predict_params()}, {"metrics", metrics_params()}, {"baselines", baselines_params()}};
  entry.default_model = "medical.unet3d";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<SegmentationTask>(context); };
  return entry;
}

SegmentationTask::SegmentationTask(const TaskContext& context) : context_(context) {
  const ParamValues& given = section(context_, "data");
  channels_ = given.integer("channels");
  extensions_ = given.texts("extensions");
  const auto& names = given.texts("label_names");
  if (names.size() < 2)
    throw Error(ErrorKind::usage, "medical.label_names", std::to_string(names.size()) + " label names",
                "name the background and each label, e.g. data.label_names = [\"background\", \"tumour\"]", "data.label_names");
  levels_ = section(context_, "loss").integer("levels");
  patch_.size = patch_size(section(context_, "patch"), levels_);
  patch_.foreground = section(context_, "patch").real("foreground");
  patch_.batch = context_.batch_size;
  patch_.shuffle_labels = given.boolean("shuffle_labels");
  spatial_ = spatial_settings(section(context_, "augment"));
  intensity_ = intensity_settings(section(context_, "augment"));
  on_device_ = section(context_, "augment").text("where") == "device";
  window_ = window_settings(section(context_, "predict"), patch_.size, levels_, std::int64_t(names.size()));
  scoring_ = score_settings(section(context_, "metrics"), names);
  published_ = published_baselines(section(context_, "baselines"), score_columns(scoring_).size());
  normalisation_.name = given.text("normalisation");
}

void SegmentationTask::require_inputs() const {
  require_below_root(data_settings(section(context_, "data"), context_.recipe_directory));
}

Dataset& SegmentationTask::data() {
  if (!data_) data_ = std::make_unique<Dataset>(data_settings(section(context_, "data"), context_.recipe_directory));
  return *data_;
}

const Dataset& SegmentationTask::data() const {
  if (!data_) throw_usage("SegmentationTask", "nothing is loaded yet");
  return *data_;
}

std::vector<Problem> SegmentationTask::check(const Monitor& monitor) {
  std::vector<Problem> problems = data().check(monitor);
  const auto train = context_.sections.find("train");  // not there for a task on its own
  const bool validates = train != context_.sections.end() && (train->second.boolean("evaluate") || train->second.integer("validate_every") > 0);
  if (validates && problems.empty() && !data().has_split("validation"))
    problems.push_back({"train.no_validation", "validation", "there is no case to validate on",
                        "give the split a validation part, or set train.evaluate=false and train.validate_every=0"});
  return problems;
}

void SegmentationTask::load(const Monitor& monitor) {
  data().load(monitor, ready_ ? &space_ : nullptr, ready_ ? &normalisation_ : nullptr);
  space_ = data_->space();
  normalisation_ = data_->normalisation();
  ready_ = true;
  atlas_.clear();

  const auto& train = data_->split("train");
  std::vector<SamplerCase> cases(train.size());
  parallel_for(std::int64_t(train.size()), [&](std::int64_t i) {
    const LoadedCase& c = train[std::size_t(i)];
    SamplerCase& s = cases[std::size_t(i)];
    s.scan = {c.image.data<float>(), c.label.data<std::uint8_t>(), c.path.size, int(channels_)};
    s.spacing = {space_.spacing[2], space_.spacing[1], space_.spacing[0]};
    s.foreground = find_foreground(c.label.span<std::uint8_t>(), int(scoring_.label_names.size()));
  });
  sampler_ = std::make_unique<PatchSampler>(std::move(cases), patch_, spatial_, intensity_);
  if (on_device_) device_patches_ = std::make_unique<DevicePatches>(*sampler_, patch_, channels_, levels_);
}

std::int64_t SegmentationTask::train_samples() const {
  return std::int64_t(data().split("train").size());
}

std::vector<std::string> SegmentationTask::splits() const {
  return data().splits();
}

std::vector<MetricColumn> SegmentationTask::columns() const {
  return score_columns(scoring_);
}

/// A score of cases that the model was trained on is no score, whatever the recipe calls them now. Where the user allows them they are counted.
std::int64_t SegmentationTask::leaked_cases(const std::string& split) const {
  if (split == "train") return 0;
  std::int64_t count = 0;
  for (const auto& c : data().split(split))
    if (const auto found = trained_on_.find(c.digest); found != trained_on_.end()) {
      if (!data().settings().allow_leak)
        throw Error(ErrorKind::data, "medical.leak", "the model was trained on this case" + (found->second == c.files.id ? "" : ", there named " + found->second),
                    "score the split that the run held back, or set data.allow_leak=true and mistrust the scores", c.files.id);
      ++count;
    }
  return count;
}

ModelContext SegmentationTask::model_context() const {
  return {channels_, std::int64_t(scoring_.label_names.size()), {patch_.size[0], patch_.size[1], patch_.size[2]}, context_.compute, levels_};
}

std::vector<TensorSpec> SegmentationTask::batch_spec() const {
  if (on_device_) return DevicePatches::spec(patch_, channels_);
  auto [z, y, x] = patch_.size;
  std::vector<TensorSpec> spec{{"image", Shape{context_.batch_size, z, y, x, channels_}, DType::f32}};
  for (std::int64_t level = 0; level < levels_; ++level) {
    spec.push_back({"labels_" + std::to_string(level), Shape{context_.batch_size, z, y, x}, DType::u8});
    z = (z + 1) / 2;
    y = (y + 1) / 2;
    x = (x + 1) / 2;
  }
  return spec;
}

void SegmentationTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  if (!sampler_) throw_usage("SegmentationTask::fill_batch", "nothing is loaded yet");
  if (batch.size() != batch_spec().size())
    throw_usage("SegmentationTask::fill_batch", std::to_string(batch.size()) + " tensors", "as many as batch_spec lists");
  if (on_device_) device_patches_->fill(step, random, batch);
  else fill_patches(step, random, batch);
}

void SegmentationTask::fill_patches(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  auto voxels = [](const std::array<std::int64_t, 3>& s) { return s[0] * s[1] * s[2]; };
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    auto size = patch_.size;
    std::uint8_t* labels = batch[1].data<std::uint8_t>() + j * voxels(size);
    sampler_->fill(step, j, random, batch[0].data<float>() + j * voxels(size) * channels_, labels);
    for (std::int64_t level = 1; level < levels_; ++level) {
      const auto finer = size;
      for (auto& n : size) n = (n + 1) / 2;
      std::uint8_t* coarse = batch[std::size_t(level + 1)].data<std::uint8_t>() + j * voxels(size);
      halve_labels(labels, finer, coarse);
      labels = coarse;
    }
  }
}

std::vector<std::pair<std::string, Tensor>> SegmentationTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  if (on_device_ && !device_patches_) throw_usage("SegmentationTask::loss", "nothing is loaded yet");
  const PatchBatch patches = on_device_ ? device_patches_->make(batch) : PatchBatch{batch.at(0), {batch.begin() + 1, batch.end()}};
  const auto heads = model.forward_all({patches.image});
  const std::size_t levels = std::min(heads.size(), std::size_t(levels_));
  if (levels == 0) throw_usage("SegmentationTask::loss", "the model gives no output");
  double all = 0;
  for (std::size_t i = 0; i < levels; ++i) all += std::ldexp(1.0, -int(i));
  Tensor total;
  for (std::size_t i = 0; i < levels; ++i) {
    const Tensor& labels = patches.labels.at(i);
    Shape expected = labels.shape();
    expected.push_back(std::int64_t(scoring_.label_names.size()));
    if (!(heads[i].shape() == expected))
      throw_usage("SegmentationTask::loss",
                  "output " + std::to_string(i) + " of the model is " + heads[i].shape().str() + ", its labels need " + expected.str(),
                  "the model must halve every axis from one output to the next, or set loss.levels = 1");
    const Tensor term = mul(dice_cross_entropy(heads[i], labels), std::ldexp(1.0, -int(i)) / all);
    total = i == 0 ? term : add(total, term);
  }
  return {{"loss", total}};
}

Tensor SegmentationTask::truth_of(const LoadedCase& c) const {
  return c.path.identity() ? c.label : read_labels(c.files.label).values.contiguous();
}

Evaluation SegmentationTask::evaluate(nn::Module& model, const std::string& split, int pictures, const Monitor& monitor) {
  const auto& cases = data().split(split);
  const std::int64_t leaked = leaked_cases(split);
  Evaluation result;
  result.split = split;
  result.columns = score_columns(scoring_);
  result.notes = score_notes(scoring_);
  if (leaked > 0) {
    result.notes.push_back("the model was trained on " + std::to_string(leaked) + " of these " + std::to_string(cases.size()) +
                           " cases (data.allow_leak): the scores flatter it");
    monitor.warn(result.notes.back());
  }
  result.cases.resize(cases.size());

  // The predictions of the worst cases so far, by rising mean Dice, then by place: what will be pictured.
  std::map<std::pair<double, std::size_t>, Tensor> worst;
  std::vector<std::array<std::int64_t, 3>> sizes;
  for (const auto& c : cases) sizes.push_back(c.path.size);
  WindowPlans plans;
  run_windows(
      model, window_, sizes, [&](std::size_t i) { return cases[i].image; },
      [&](std::size_t i, const Tensor& scores) {
        const LoadedCase& c = cases[i];
        const Tensor prediction = labels_from_scores(scores, c.path);
        CaseResult& r = result.cases[i];
        r.id = c.files.id;
        r.values = score_case(scoring_, prediction, truth_of(c), c.geometry);
        if (pictures <= 0) return;
        worst.emplace(std::pair{mean_dice(result.columns, r.values), i}, prediction);
        if (worst.size() > std::size_t(pictures)) worst.erase(std::prev(worst.end()));
      },
      monitor, plans);

  for (const auto& [place, prediction] : worst) {
    const LoadedCase& c = cases[place.second];
    CaseResult& r = result.cases[place.second];
    std::string caption;
    for (std::size_t k = 0; k < result.columns.size(); ++k) caption += (k ? ", " : "") + result.columns[k].name + " " + shown(r.values[k]);
    r.pictures.push_back(picture_case(read_volume(c.files.images.front()).values, truth_of(c), prediction, c.geometry, caption));
  }
  if (!worst.empty()) {
    result.picture_key = picture_key(scoring_.label_names);
    result.notes.push_back(
        "pictures: axial, coronal and sagittal plane through the largest disagreement; truth, prediction, difference (blue: both, "
        "vermilion: missed, purple: added)");
  }
  result.baselines = baselines(split, result.columns);
  return result;
}

std::vector<Baseline> SegmentationTask::baselines(const std::string& split, const std::vector<MetricColumn>& columns) {
  std::vector<Baseline> list;
  if (section(context_, "baselines").boolean("atlas")) {
    auto known = atlas_.find(split);
    if (known == atlas_.end()) {
      std::vector<Tensor> labels;
      for (const auto& c : data().split("train")) labels.push_back(c.label);
      const Tensor atlas = build_atlas(labels, std::int64_t(scoring_.label_names.size()));
      const auto& cases = data().split(split);
      std::vector<CaseResult> results(cases.size());
      parallel_for(std::int64_t(cases.size()), [&](std::int64_t i) {
        const LoadedCase& c = cases[std::size_t(i)];
        const Tensor guess = labels_from_scores(stretch_atlas(atlas, c.path.size), c.path);
        results[std::size_t(i)].values = score_case(scoring_, guess, truth_of(c), c.geometry);
      });
      Baseline b{
          "image-blind atlas", column_means(results, columns.size()),
          "computed on this split: label frequencies of " + std::to_string(labels.size()) + " training cases, never looks at the scan"};
      known = atlas_.emplace(split, std::move(b)).first;
    }
    list.push_back(known->second);
  }
  for (Baseline b : published_) {
    b.values.resize(columns.size(), std::numeric_limits<double>::quiet_NaN());
    list.push_back(std::move(b));
  }
  return list;
}

double SegmentationTask::score(const Evaluation& e) const {
  return mean_dice(e.columns, column_means(e.cases, e.columns.size()));
}

std::string SegmentationTask::state() const {
  if (!ready_) throw_usage("SegmentationTask::state", "nothing is loaded yet");
  nlohmann::json json;
  json["task"] = "medical.segmentation";
  json["labels"] = scoring_.label_names;
  json["channels"] = channels_;
  json["orientation"] = space_.orientation;
  json["spacing"] = space_.spacing;
  json["patch"] = patch_.size;
  json["levels"] = levels_;
  json["normalisation"]["rule"] = normalisation_.name;
  if (data_)
    for (const auto& c : data_->split("train")) json["trained_on"][c.files.id] = c.digest;
  for (const auto& n : normalisation_.fixed)
    json["normalisation"]["channels"].push_back({{"low", n.low}, {"high", n.high}, {"shift", n.shift}, {"scale", n.scale}});
  return json.dump(2);
}

void SegmentationTask::load_state(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("task") != "medical.segmentation")
      throw Error(ErrorKind::data, "medical.state", "the state of another task, " + json.at("task").dump(),
                  "predict with the run's own recipe");
    const auto labels = json.at("labels").get<std::vector<std::string>>();
    const auto channels = json.at("channels").get<std::int64_t>();
    if (labels.size() != scoring_.label_names.size() || channels != channels_)
      throw Error(ErrorKind::data, "medical.state",
                  "trained with " + std::to_string(labels.size()) + " labels and " + std::to_string(channels) +
                      " channels, the recipe says " + std::to_string(scoring_.label_names.size()) + " and " + std::to_string(channels_),
                  "predict with the run's own recipe");
    trained_on_.clear();
    if (json.contains("trained_on"))
      for (const auto& [id, digest] : json["trained_on"].items()) trained_on_[digest.get<std::string>()] = id;
    space_.orientation = json.at("orientation").get<std::string>();
    space_.spacing = json.at("spacing").get<std::array<double, 3>>();
    normalisation_.name = json.at("normalisation").at("rule").get<std::string>();
    normalisation_.fixed.clear();
    if (json.at("normalisation").contains("channels"))
      for (const auto& n : json["normalisation"]["channels"])
        normalisation_.fixed.push_back(
            {n.at("low").get<double>(), n.at("high").get<double>(), n.at("shift").get<double>(), n.at("scale").get<double>()});
    if (normalisation_.name == "ct" && std::int64_t(normalisation_.fixed.size()) != channels_)
      throw Error(ErrorKind::data, "medical.state",
                  "CT windows for " + std::to_string(normalisation_.fixed.size()) + " of " + std::to_string(channels_) + " channels",
                  "train again");
    ready_ = true;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "medical.state", std::string("not a task state: ") + e.what(),
                "the run directory is damaged: train again");
  }
}

std::map<std::string, std::string> SegmentationTask::input_digests() const {
  return data().digests();
}

}  // namespace tenon::medical
