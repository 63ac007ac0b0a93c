#include "climate/tasks/super_resolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "climate/tasks/params.hpp"
#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"

namespace tenon::climate {
namespace fs = std::filesystem;
namespace {

ParamSpec data_params() {
  return {
      path_param("file", "", "NetCDF file with one fine field of latitude and longitude", true),
      text_param("variable", "", "its name in the file; empty: the only one"),
      text_param("unit", "", "the unit that the file must give it in; empty: any"),
      integer_param("factor", 4, "fine points along either side of a coarse cell; cells are their means", 2, 16),
      reals_param("score", {}, "longitudes that are scored and never trained on, [west, east]", -360, 720, "degrees"),
      reals_param("hold_back", {}, "longitudes that are not trained on either and make the validation split, for choices, [west, east]; empty: the scored ones do", -360, 720, "degrees"),
  };
}

ParamSpec patch_params() {
  return {
      integer_param("size", 24, "coarse cells of a training sample along either axis", 4, 1024),
      integer_param("margin", 3, "cells at its edges that do not count in the loss, as the network and the interpolation see no neighbours there", 0, 64),
      texts_param("symmetries", {"flip_rows", "flip_columns"}, "training samples are turned at random by these", {"transpose", "flip_rows", "flip_columns"}),
  };
}

ParamSpec predict_params() {
  return {
      texts_param("symmetries", {}, "predictions of the input turned by these are turned back and averaged", {"transpose", "flip_rows", "flip_columns"}),
      integer_param("tile", 90, "coarse cells of a run of the network along either axis, beside its context", 4, 4096),
  };
}

ParamSpec baselines_params() {
  return {integer_param("block", 15, "degrees of latitude and longitude of a case: a block that a resample of the intervals keeps together", 1, 180), published_param()};
}

}  // namespace

TaskEntry super_resolution_task() {
  TaskEntry entry;
  entry.name = "super_resolution";
  entry.help = "find the fine field of which a coarse one holds the box means; learnt on one part of the globe, scored on another";
  entry.sections = {{"data", data_params()}, {"patch", patch_params()}, {"predict", predict_params()}, {"baselines", baselines_params()}};
  entry.default_model = "climate.resnet";
  entry.make = [](const TaskContext& context) -> std::unique_ptr<Task> { return std::make_unique<SuperResolutionTask>(context); };
  return entry;
}

SuperResolutionTask::SuperResolutionTask(const TaskContext& context) : context_(context) {
  const ParamValues& data = section(context_, "data");
  file_ = data.text("file");
  variable_ = data.text("variable");
  wanted_unit_ = data.text("unit");
  factor_ = data.integer("factor");
  for (const std::string key : {"score", "hold_back"}) {
    const auto& r = data.reals(key);
    if (r.empty() && key == "hold_back") continue;
    if (r.size() != 2 || !(r[0] < r[1]) || r[1] - r[0] >= 360)
      refuse_recipe("data." + key, std::to_string(r.size()) + " values", "give the western and the eastern longitude, less than 360 degrees apart, e.g. [270, 360]");
  }
  patch_ = section(context_, "patch").integer("size");
  margin_ = section(context_, "patch").integer("margin");
  if (2 * margin_ >= patch_) refuse_recipe("patch.margin", fmt::format("{} at either side of {} cells leave none", margin_, patch_), "lower it, or raise patch.size");
  turns_ = turns_of(section(context_, "patch").texts("symmetries"));
  predict_turns_ = turns_of(section(context_, "predict").texts("symmetries"));
  tile_ = section(context_, "predict").integer("tile");
  published_baselines(section(context_, "baselines"), columns().size());  // refused here if it is refused
}

void SuperResolutionTask::require_inputs() const { require_file(file_, "data.file"); }

FineField SuperResolutionTask::read_described() const {
  FineField f = read_fine_field(file_, variable_);
  if (!wanted_unit_.empty() && f.unit != wanted_unit_)
    throw Error(ErrorKind::data, "climate.unit", "'" + f.variable + "' is in '" + f.unit + "', the recipe says '" + wanted_unit_ + "'", "correct data.unit, or convert the file", file_.string());
  trim_to_cells(f, factor_);
  return f;
}

std::vector<Problem> SuperResolutionTask::check(const Monitor& monitor) {
  monitor.turn("checking", 0, 1);
  try {
    read_described();
  } catch (const Error& e) {
    return {{e.code(), e.where().empty() ? file_.string() : e.where(), e.message(), e.hint()}};
  }
  return {};
}

CellColumns SuperResolutionTask::region(const std::string& key) const {
  const auto& r = section(context_, "data").reals(key);
  CellColumns cells;
  if (r.empty()) return cells;
  bool open = false;
  for (std::int64_t c = 0; c < std::int64_t(cell_longitude_.size()); ++c) {
    double east = std::fmod(cell_longitude_[std::size_t(c)] - r[0], 360);
    if (east < 0) east += 360;
    const bool inside = east < r[1] - r[0];
    if (inside && !open && cells.count() > 0)
      throw Error(ErrorKind::data, "climate.region", fmt::format("the longitudes {:g} to {:g} of data.{} are two stretches of the file's columns", r[0], r[1], key),
                  "give a region that does not cross the file's edge, or turn the file's longitudes (tenon climate select)", file_.string());
    if (inside && !open) cells.first = c;
    if (inside) cells.last = c + 1;
    open = inside;
  }
  if (cells.count() < patch_)
    throw Error(ErrorKind::data, "climate.region", fmt::format("data.{} holds {} columns of cells, less than a patch of {}", key, cells.count(), patch_), "give a wider region", file_.string());
  return cells;
}

std::vector<CellColumns> SuperResolutionTask::training_regions() const {
  std::vector<CellColumns> kept{region("score")};
  if (const CellColumns held = region("hold_back"); held.count() > 0) {
    if (held.first < kept[0].last && kept[0].first < held.last)
      throw Error(ErrorKind::usage, "climate.leak", "data.hold_back and data.score overlap", "give regions that share no longitude", "data.hold_back");
    kept.push_back(held);
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<CellColumns> free;
  std::int64_t at = 0;
  for (const auto& k : kept) {
    if (k.first - at >= patch_) free.push_back({at, k.first});
    at = k.last;
  }
  if (const auto width = std::int64_t(cell_longitude_.size()); width - at >= patch_) free.push_back({at, width});
  if (free.empty())
    throw Error(ErrorKind::data, "climate.region", "no longitudes are left to train on", "score and hold back less", file_.string());
  return free;
}

void SuperResolutionTask::load(const Monitor& monitor) {
  monitor.turn("reading", 0, 2);
  field_ = read_described();
  const std::int64_t rows = field_->grid.rows() / factor_, columns = field_->grid.columns() / factor_, f = factor_, width = columns * f;
  if (rows < patch_)
    throw Error(ErrorKind::data, "climate.region", fmt::format("the field has {} rows of cells, less than a patch of {}", rows, patch_), "give a taller field or lower patch.size", file_.string());
  coarse_.resize(std::size_t(rows * columns));
  box_means(field_->values.data(), width, rows, columns, f, coarse_.data());
  auto centres = [&](const std::vector<double>& fine) {
    std::vector<double> list;
    for (std::size_t i = 0; i + std::size_t(f) <= fine.size(); i += std::size_t(f)) {
      double sum = 0;
      for (std::size_t k = 0; k < std::size_t(f); ++k) sum += fine[i + k];
      list.push_back(sum / double(f));
    }
    return list;
  };
  cell_latitude_ = centres(field_->grid.latitude);
  cell_longitude_ = centres(field_->grid.longitude);
  regions_ = training_regions();
  monitor.turn("measuring", 1, 2);
  // First fine row of a sample: by the area that its middle stands for.
  origin_weights_.clear();
  double sum = 0;
  for (std::int64_t r = 0; r + patch_ * f <= rows * f; ++r)
    origin_weights_.push_back(sum += std::max(1e-6, std::cos(field_->grid.latitude[std::size_t(r + patch_ * f / 2)] * std::numbers::pi / 180)));
  if (ready_) {
    if (unit_ != field_->unit)
      throw Error(ErrorKind::data, "climate.unit", "'" + field_->variable + "' is in '" + field_->unit + "', the model was trained on '" + unit_ + "'", "convert the file", file_.string());
    return;
  }
  unit_ = field_->unit;
  double n = 0, mean = 0, square = 0, detail = 0, correction = 0, fine_points = 0;
  for (const auto& part : regions_) {
    const std::int64_t w = part.count();
    std::vector<float> c(std::size_t(rows * w)), base(std::size_t(rows * w * f * f)), truth(base.size());
    for (std::int64_t r = 0; r < rows; ++r) std::copy_n(coarse_.data() + r * columns + part.first, w, c.data() + r * w);
    upsample(c.data(), rows, w, f, Upsampling::cubic, base.data());
    keep_means(c.data(), rows * w, f, base.data());
    by_cell(field_->values.data() + part.first * f, width, rows, w, f, truth.data());
    for (std::int64_t r = 1; r + 1 < rows; ++r) {
      const double area = std::cos(cell_latitude_[std::size_t(r)] * std::numbers::pi / 180);
      for (std::int64_t i = 1; i + 1 < w; ++i) {
        const float* v = c.data() + r * w + i;
        const double around = (double(v[-w]) + double(v[w]) + double(v[-1]) + double(v[1])) / 4;
        n += area;
        mean += area * double(*v);
        square += area * double(*v) * double(*v);
        detail += area * (double(*v) - around) * (double(*v) - around);
        for (std::int64_t k = 0; k < f * f; ++k) {
          const double e = double(truth[std::size_t((r * w + i) * f * f + k)] - base[std::size_t((r * w + i) * f * f + k)]);
          correction += area * e * e;
          fine_points += area;
        }
      }
    }
  }
  auto positive = [](double v) { return v > 0 ? std::sqrt(v) : 1.0; };
  scale_ = positive(square / n);
  detail_ = positive(detail / n);
  correction_ = positive(correction / fine_points);
  ready_ = true;
}

std::vector<std::string> SuperResolutionTask::splits() const {
  if (section(context_, "data").reals("hold_back").empty()) return {"validation"};
  return {"validation", "test"};
}

std::vector<MetricColumn> SuperResolutionTask::columns() const { return {{"RMSE", wanted_unit_.empty() ? unit_ : wanted_unit_, false}, {"RMSE over bicubic's", "", false}}; }

ModelContext SuperResolutionTask::model_context() const { return {channels(), factor_ * factor_, {patch_, patch_}, context_.compute, 1}; }

std::vector<TensorSpec> SuperResolutionTask::batch_spec() const {
  const std::int64_t b = context_.batch_size, p = patch_, n = factor_ * factor_;
  return {{"cells", Shape{b, p, p, channels()}, DType::f32}, {"target", Shape{b, p, p, n}, DType::f32}, {"weight", Shape{b, p, p, 1}, DType::f32}};
}

void SuperResolutionTask::put_input(const float* coarse, std::int64_t rows, std::int64_t columns, const std::vector<double>& latitude, float* out) const {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      auto at = [&](std::int64_t i, std::int64_t j) { return coarse[std::clamp<std::int64_t>(i, 0, rows - 1) * columns + std::clamp<std::int64_t>(j, 0, columns - 1)]; };
      const float v = at(r, c), around = (at(r - 1, c) + at(r + 1, c) + at(r, c - 1) + at(r, c + 1)) / 4;
      float* o = out + (r * columns + c) * channels();
      o[0] = float(double(v) / scale_);
      o[1] = float(double(v - around) / detail_);
      o[2] = float(std::cos(latitude[std::size_t(r)] * std::numbers::pi / 180));
    }
}

void SuperResolutionTask::fill_batch(std::int64_t step, const Random& random, std::vector<Tensor>& batch) const {
  if (!field_) throw_usage("SuperResolutionTask::fill_batch", "nothing is loaded yet");
  const auto& regions = regions_;
  const std::int64_t f = factor_, p = patch_, side = p * f, width = field_->grid.columns(), n = f * f;
  std::vector<std::int64_t> starts{0};  // places for the first fine column, region after region
  for (const auto& r : regions) starts.push_back(starts.back() + r.count() * f - side + 1);
  const Random chance = random.child(1);
  std::vector<float> fine(std::size_t(side * side)), turned(fine.size()), cells(std::size_t(p * p)), base(std::size_t(p * p * n));
  for (std::int64_t j = 0; j < context_.batch_size; ++j) {
    const auto position = std::uint64_t(step * context_.batch_size + j);
    const double u = double(chance.uniform(4 * position)) * origin_weights_.back();
    const auto row = std::min<std::int64_t>(std::upper_bound(origin_weights_.begin(), origin_weights_.end(), u) - origin_weights_.begin(), std::int64_t(origin_weights_.size()) - 1);
    const auto place = std::int64_t(chance.below(4 * position + 1, std::uint64_t(starts.back())));
    const auto k = std::size_t(std::upper_bound(starts.begin(), starts.end(), place) - starts.begin() - 1);
    const std::int64_t column = regions[k].first * f + place - starts[k];
    const Turn& turn = turns_[std::size_t(chance.below(4 * position + 2, turns_.size()))];
    for (std::int64_t r = 0; r < side; ++r) std::copy_n(field_->values.data() + (row + r) * width + column, side, fine.data() + r * side);
    apply_turn(turn, fine.data(), side, side, 1, turned.data());
    box_means(turned.data(), side, p, p, f, cells.data());
    std::vector<double> latitude;
    for (std::int64_t r = 0; r < p; ++r) {
      const std::int64_t from = turn.flip_rows ? p - 1 - r : r;
      latitude.push_back((field_->grid.latitude[std::size_t(row + from * f)] + field_->grid.latitude[std::size_t(row + from * f + f - 1)]) / 2);
    }
    // Transposed, rows are longitudes: the middle's latitude stands for all.
    const double middle = latitude[std::size_t(p / 2)];
    if (turn.transpose) std::fill(latitude.begin(), latitude.end(), middle);
    put_input(cells.data(), p, p, latitude, batch.at(0).data<float>() + j * p * p * channels());
    upsample(cells.data(), p, p, f, Upsampling::cubic, base.data());
    keep_means(cells.data(), p * p, f, base.data());
    float* target = batch.at(1).data<float>() + j * p * p * n;
    by_cell(turned.data(), side, p, p, f, target);
    for (std::int64_t i = 0; i < p * p * n; ++i) target[i] = float(double(target[i] - base[std::size_t(i)]) / correction_);
    // Samples are drawn by the area of their middle; a row of another latitude counts by the ratio.
    float* weight = batch.at(2).data<float>() + j * p * p;
    const double at_middle = std::max(0.05, std::cos(middle * std::numbers::pi / 180));
    for (std::int64_t r = 0; r < p; ++r)
      for (std::int64_t c = 0; c < p; ++c) {
        const bool counts = r >= margin_ && r < p - margin_ && c >= margin_ && c < p - margin_;
        weight[r * p + c] = counts ? float(std::max(0.0, std::cos(latitude[std::size_t(r)] * std::numbers::pi / 180)) / at_middle) : 0.0f;
      }
  }
}

std::vector<std::pair<std::string, Tensor>> SuperResolutionTask::loss(nn::Module& model, const std::vector<Tensor>& batch) {
  const double counted = double((patch_ - 2 * margin_) * (patch_ - 2 * margin_)) / double(patch_ * patch_);
  Tensor total;
  const auto outputs = model.forward_all({batch.at(0)});
  for (const Tensor& output : outputs) {
    const Tensor correction = output - mean(output, {3}, true);  // box means are kept
    const Tensor term = mean(square(correction - batch.at(1)) * batch.at(2)) * (1 / counted);
    total = total.defined() ? total + term : term;
  }
  return {{"loss", total * (1.0 / double(outputs.size()))}};
}

double SuperResolutionTask::score(const Evaluation& e) const { return e.totals.empty() ? -INFINITY : -e.totals[0].value; }

std::string SuperResolutionTask::state() const {
  if (!ready_) throw_usage("SuperResolutionTask::state", "nothing is loaded yet");
  return nlohmann::json{{"task", "climate.super_resolution"}, {"unit", unit_}, {"factor", factor_}, {"scale", scale_}, {"detail", detail_}, {"correction", correction_}}.dump(2);
}

void SuperResolutionTask::load_state(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("task") != "climate.super_resolution")
      throw Error(ErrorKind::data, "climate.state", "the state of another task, " + json.at("task").dump(), "predict with the run's own recipe");
    if (json.at("factor").get<std::int64_t>() != factor_)
      throw Error(ErrorKind::data, "climate.state", "trained for cells of " + json.at("factor").dump() + " points, the recipe says " + std::to_string(factor_), "predict with the run's own recipe");
    unit_ = json.at("unit").get<std::string>();
    scale_ = json.at("scale").get<double>();
    detail_ = json.at("detail").get<double>();
    correction_ = json.at("correction").get<double>();
    ready_ = true;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "climate.state", std::string("not a task state: ") + e.what(), "the run directory is damaged: train again");
  }
}

std::map<std::string, std::string> SuperResolutionTask::input_digests() const { return {{file_.filename().string(), sha256_of_file(file_)}}; }

}  // namespace tenon::climate
