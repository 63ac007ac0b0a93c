// What a trained forecaster keeps besides its weights: grid, climatology, scale and base forecast.
#include <cmath>
#include <nlohmann/json.hpp>

#include "climate/tasks/forecast.hpp"
#include "climate/tasks/packed.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {

std::string ForecastTask::state() const {
  if (!ready_) throw_usage("ForecastTask::state", "nothing is loaded yet");
  nlohmann::json json;
  json["task"] = "climate.forecast";
  json["variable"] = variable_;
  json["unit"] = unit_;
  json["latitude"] = grid_.latitude;
  json["longitude"] = grid_.longitude;
  json["leads"] = settings_.leads;
  json["scale"] = scale_;
  json["climatology"] = {{"harmonics", climatology_.harmonics()}, {"coefficients", pack(climatology_.coefficients())}};
  if (settings_.base == ForecastBase::damped) json["damping"] = damping_;
  if (linear_) {
    auto& linear = json["linear"];
    linear["eofs"] = linear_->eofs().count();
    linear["days"] = linear_->settings().days;
    linear["damping"] = linear_->damping_factors();
    linear["ridge"] = linear_->chosen_ridge();
    linear["patterns"] = pack(linear_->eofs().patterns.span<double>());
    for (const Tensor& m : linear_->matrices()) linear["matrices"].push_back(pack(m.span<double>()));
  }
  return json.dump(1);
}

void ForecastTask::load_state(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("task") != "climate.forecast")
      throw Error(ErrorKind::data, "climate.state", "the state of another task, " + json.at("task").dump(), "predict with the run's own recipe");
    if (json.at("leads").get<std::vector<std::int64_t>>() != settings_.leads)
      throw Error(ErrorKind::data, "climate.state", "trained for the leads " + json.at("leads").dump() + ", the recipe names others", "predict with the run's own recipe");
    variable_ = json.at("variable").get<std::string>();
    unit_ = json.at("unit").get<std::string>();
    grid_ = {json.at("latitude").get<std::vector<double>>(), json.at("longitude").get<std::vector<double>>()};
    scale_ = json.at("scale").get<double>();
    const auto points = std::size_t(grid_.points());
    if (points == 0) throw Error(ErrorKind::data, "climate.state", "a grid without points", "the run directory is damaged: train again");
    const int harmonics = json.at("climatology").at("harmonics").get<int>();
    climatology_ = HarmonicClimatology(harmonics, std::int64_t(points), unpack(json.at("climatology").at("coefficients").get<std::string>(), std::size_t(2 * harmonics + 1) * points));
    if (settings_.base == ForecastBase::damped) {
      damping_ = json.at("damping").get<std::vector<double>>();
      if (damping_.size() != settings_.leads.size()) throw Error(ErrorKind::data, "climate.state", "factors of other leads", "the run directory is damaged: train again");
    }
    linear_.reset();
    if (settings_.base == ForecastBase::linear) {
      const auto& l = json.at("linear");
      LinearSettings s = settings_.linear;
      s.eofs = l.at("eofs").get<std::int64_t>();
      s.days = l.at("days").get<std::int64_t>();
      if (s.eofs < 1 || s.days < 1 || s.days > 1000 || s.eofs > std::int64_t(points)) throw Error(ErrorKind::data, "climate.state", "a linear model of no sense", "the run directory is damaged: train again");
      const auto count = std::size_t(s.eofs), width = std::size_t(s.days * s.eofs);
      Eofs eofs;
      eofs.patterns = Tensor::from(unpack(l.at("patterns").get<std::string>(), count * points), Shape{s.eofs, std::int64_t(points)});
      for (double w : grid_.row_weights()) eofs.root_weights.insert(eofs.root_weights.end(), grid_.longitude.size(), std::sqrt(w));
      std::vector<Tensor> matrices;
      for (const auto& m : l.at("matrices")) matrices.push_back(Tensor::from(unpack(m.get<std::string>(), width * count), Shape{std::int64_t(width), s.eofs}));
      auto factors = l.at("damping").get<std::vector<double>>();
      if (matrices.size() != settings_.leads.size() || factors.size() != matrices.size())
        throw Error(ErrorKind::data, "climate.state", "a linear model of other leads", "the run directory is damaged: train again");
      settings_.linear = s;
      linear_.emplace(std::move(s), std::move(eofs), std::move(factors), std::move(matrices));
    }
    if (data_settings_.score_unit.empty()) data_settings_.score_unit = unit_;
    ready_ = true;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, "climate.state", std::string("not a task state: ") + e.what(), "the run directory is damaged: train again");
  }
}

}  // namespace tenon::climate
