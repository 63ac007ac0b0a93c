#include "train/writers.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tenon/io/utf8.hpp"

namespace tenon {

using Json = nlohmann::ordered_json;

TrainCallback::~TrainCallback() = default;
void TrainCallback::on_begin(const BeginEvent&) {}
void TrainCallback::on_step(const TrainProgress&) {}
void TrainCallback::on_log(const LogEvent&) {}
void TrainCallback::on_validation(const ValidationEvent&) {}
void TrainCallback::on_checkpoint(const CheckpointEvent&) {}
void TrainCallback::on_end(const TrainResult&) {}

void MetricsWriter::on_begin(const BeginEvent& e) { directory_.trim_metrics(e.step, validated_ == e.step); }

void MetricsWriter::on_log(const LogEvent& e) {
  Json line{{"kind", "step"}, {"step", e.step}, {"loss", std::isfinite(e.loss) ? Json(e.loss) : Json(nullptr)}, {"learning_rate", e.learning_rate}, {"gradient_norm", std::isfinite(e.gradient_norm) ? Json(e.gradient_norm) : Json(nullptr)}, {"seconds", e.seconds}};
  for (const auto& [name, value] : e.losses) line[name] = value;
  if (e.loss_scale > 0) {
    line["loss_scale"] = e.loss_scale;
    line["skipped"] = e.skipped;
  }
  directory_.metrics(json_text(line, -1));
}

void MetricsWriter::on_validation(const ValidationEvent& e) {
  Json line{{"kind", "validation"}, {"step", e.step}, {"columns", Json::array()}, {"mean", Json::array()}, {"score", e.score}, {"seconds", e.seconds}};
  for (std::size_t i = 0; i < e.columns.size(); ++i) {
    line["columns"].push_back(e.evaluation.columns[i].name);
    line["mean"].push_back(std::isfinite(e.columns[i].mean) ? Json(e.columns[i].mean) : Json(nullptr));
  }
  directory_.metrics(json_text(line, -1));
}

void TensorBoardWriter::on_begin(const BeginEvent& e) { events_.trim(e.step); }

void TensorBoardWriter::on_log(const LogEvent& e) {
  std::vector<std::pair<std::string, double>> values{{"train/learning_rate", e.learning_rate}};
  if (std::isfinite(e.gradient_norm)) values.emplace_back("train/gradient_norm", e.gradient_norm);
  if (std::isfinite(e.loss)) values.emplace_back("train/loss", e.loss);
  for (const auto& [name, value] : e.losses) values.emplace_back("train/" + name, value);
  if (e.loss_scale > 0) values.emplace_back("train/loss_scale", e.loss_scale);
  events_.scalars(e.step, values);
}

void TensorBoardWriter::on_validation(const ValidationEvent& e) {
  std::vector<std::pair<std::string, double>> values{{"validation/score", e.score}};
  for (std::size_t i = 0; i < e.columns.size(); ++i)
    if (std::isfinite(e.columns[i].mean)) values.emplace_back("validation/" + e.evaluation.columns[i].name, e.columns[i].mean);
  events_.scalars(e.step, values);
}

}  // namespace tenon
