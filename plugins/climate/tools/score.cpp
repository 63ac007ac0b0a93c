#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "climate/grid/grid.hpp"
#include "climate/io/units.hpp"
#include "climate/tools/alignment.hpp"
#include "climate/tools/common.hpp"
#include "climate/tools/cycle.hpp"
#include "climate/tools/scoring.hpp"
#include "climate/tools/statistics.hpp"
#include "climate/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/indexing.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::climate {
namespace {

using Json = nlohmann::json;

std::optional<int> lead_axis(const LabelledArray& a) {
  static const std::vector<std::string> kNames = {"lead", "leadtime", "lead_time", "forecast_period", "step", "prediction_timedelta"};
  for (std::size_t k = 0; k < a.axes.size(); ++k) {
    auto standard = a.axes[k].attributes.find("standard_name");
    if (standard != a.axes[k].attributes.end() && standard->second == "forecast_period") return int(k);
    if (std::find(kNames.begin(), kNames.end(), a.axes[k].name) != kNames.end()) return int(k);
  }
  return {};
}

Tensor picked(const Tensor& values, int axis, const std::vector<std::int64_t>& order) { return index_select(values, axis, Tensor::from(order, {std::int64_t(order.size())})); }

/// Truth as [time, points] in double, its times, and where each lies.
struct Truth {
  LabelledArray array;
  Calendar calendar;
  std::map<std::int64_t, std::int64_t> row;
  std::vector<double> values, weights;
  std::int64_t points = 0;
};

Truth prepared_truth(const LabelledArray& input) {
  Truth t;
  t.array = without_doubled_meridian(input);
  const int lat = require_axis(t.array, AxisRole::latitude), lon = require_axis(t.array, AxisRole::longitude), time = require_axis(t.array, AxisRole::time);
  std::vector<int> order = {time};
  for (int k = 0; k < int(t.array.axes.size()); ++k)
    if (k != lat && k != lon && k != time) order.push_back(k);
  order.push_back(lat);
  order.push_back(lon);
  t.array = arranged(t.array, order);
  const auto& ticks = t.array.axes[0].time->ticks;
  for (std::size_t i = 0; i < ticks.size(); ++i) t.row[ticks[i]] = std::int64_t(i);
  t.calendar = calendar_from_name(t.array.axes[0].time->calendar);
  t.values = t.array.values.to_vector();
  t.points = ticks.empty() ? 0 : std::int64_t(t.values.size() / ticks.size());
  const auto& lats = t.array.axes[t.array.axes.size() - 2].coordinates;
  const auto rows = latitude_weights(lats);
  const auto columns = std::int64_t(t.array.axes.back().coordinates.size());
  for (std::int64_t p = 0; p < t.points; ++p) t.weights.push_back(rows[std::size_t(p / columns) % rows.size()]);
  return t;
}

/// Forecast as [time, lead, points] in the truth's places and unit.
struct Forecast {
  std::vector<std::int64_t> ticks;        ///< of the time axis
  std::vector<std::int64_t> leads;        ///< ticks
  std::vector<double> values;
  bool by_start = false;                  ///< times are starts, valid ones come from adding the lead
  bool has_leads = false;
};

Forecast prepared_forecast(const LabelledArray& input, const Truth& truth, const std::string& time_is) {
  LabelledArray a = without_doubled_meridian(input);
  const int lat = require_axis(a, AxisRole::latitude), lon = require_axis(a, AxisRole::longitude), time = require_axis(a, AxisRole::time);
  const auto lead = lead_axis(a);
  Forecast out;
  out.has_leads = lead.has_value();
  out.ticks = a.axes[std::size_t(time)].time->ticks;
  if (a.axes[std::size_t(time)].time->calendar != truth.array.axes[0].time->calendar) {
    throw Error(ErrorKind::data, "climate.calendar", fmt::format("the forecast's calendar is {}, the truth's {}", a.axes[std::size_t(time)].time->calendar, truth.array.axes[0].time->calendar), "give files of one calendar");
  }
  auto standard = a.axes[std::size_t(time)].attributes.find("standard_name");
  out.by_start = time_is == "start" || (time_is == "auto" && lead && (standard == a.axes[std::size_t(time)].attributes.end() || standard->second == "forecast_reference_time"));
  if (lead) {
    const Axis& axis = a.axes[std::size_t(*lead)];
    const UnitConversion to_days = unit_conversion(axis.unit.empty() ? "days" : axis.unit, "days");
    for (double x : axis.coordinates) out.leads.push_back(std::llround(x * to_days.factor * double(kTicksPerDay)));
  } else {
    out.leads = {0};
  }
  std::vector<int> order = {time};
  if (lead) order.push_back(*lead);
  for (int k = 0; k < int(a.axes.size()); ++k)
    if (k != lat && k != lon && k != time && (!lead || k != *lead)) order.push_back(k);
  order.push_back(lat);
  order.push_back(lon);
  a = arranged(a, order);
  const auto& axes = truth.array.axes;
  Tensor values = picked(a.values, a.values.rank() - 2, places_in(a.axes[a.axes.size() - 2], axes[axes.size() - 2], "the forecast", "the truth"));
  values = picked(values, values.rank() - 1, places_in(a.axes.back(), axes.back(), "the forecast", "the truth"));
  out.values = values.to_vector();
  const std::size_t rows = out.ticks.size() * out.leads.size();
  if (rows == 0 || out.values.size() != rows * std::size_t(truth.points)) {
    throw Error(ErrorKind::data, "climate.grid", fmt::format("the forecast has {} points a field, the truth {}", rows ? out.values.size() / rows : 0, truth.points), "select one level, or the same ones");
  }
  if (!input.unit.empty() && !truth.array.unit.empty()) {
    const UnitConversion c = unit_conversion(input.unit, truth.array.unit);
    if (!c.same())
      for (double& x : out.values) x = x * c.factor + c.offset;
  }
  return out;
}

Json interval(const Interval& i) { return std::isfinite(i.value) ? Json{{"value", i.value}, {"low", i.low}, {"high", i.high}} : Json(nullptr); }

class Scorer {
 public:
  Scorer(const Truth& truth, const Forecast& forecast, std::optional<Cycle> cycle, std::optional<std::pair<std::int64_t, std::int64_t>> base, const ParamValues& params)
      : truth_(truth), forecast_(forecast), cycle_(std::move(cycle)), base_(base), block_(params.integer("block")), resamples_(params.integer("resamples")), seed_(std::uint64_t(params.integer("seed"))), step_(params.real("lead")) {}

  Json of_lead(std::size_t l) {
    const std::int64_t lead = forecast_.has_leads ? forecast_.leads[l] : std::llround(step_ * double(kTicksPerDay));
    collect(l, lead);
    if (rows_ == 0) throw Error(ErrorKind::data, "climate.times", fmt::format("no time of the forecast (lead {} days) is in the truth", double(lead) / double(kTicksPerDay)), "give files that share times; --time-is says whether times are starts or valid times");
    Json out = {{"lead_days", forecast_.has_leads || step_ > 0 ? Json(double(lead) / double(kTicksPerDay)) : Json(nullptr)}, {"times", rows_}, {"first", date_text(truth_.calendar, first_)}, {"last", date_text(truth_.calendar, last_)}};
    out["share"] = keep_common();
    put(out, "forecast", forecast_fields_);
    if (cycle_) put(out, "climatology", climatology_);
    if (!persistence_.empty()) put(out, "persistence", persistence_);
    return out;
  }

 private:
  /// Times with a truth; for a fair comparison, where persistence is asked for, only those that it has too.
  void collect(std::size_t l, std::int64_t lead) {
    for (auto* v : {&forecast_fields_, &observed_, &climatology_, &persistence_}) v->clear();
    rows_ = 0;
    const auto n = std::size_t(truth_.points);
    const bool persists = lead > 0;
    std::vector<double> mean(n), before(n);
    for (std::size_t i = 0; i < forecast_.ticks.size(); ++i) {
      const std::int64_t valid = forecast_.ticks[i] + (forecast_.by_start ? lead : 0);
      auto now = truth_.row.find(valid), start = truth_.row.find(valid - lead);
      if (now == truth_.row.end() || (persists && start == truth_.row.end())) continue;
      if (base_ && valid >= base_->first && valid <= base_->second) {
        throw Error(ErrorKind::data, "climate.leak", fmt::format("{} is scored and lies in the base period of the climatology", date_text(truth_.calendar, valid)), "choose a --base that ends before the forecasts begin");
      }
      const double* f = forecast_.values.data() + (i * forecast_.leads.size() + l) * n;
      const double* o = truth_.values.data() + std::size_t(now->second) * n;
      forecast_fields_.insert(forecast_fields_.end(), f, f + n);
      observed_.insert(observed_.end(), o, o + n);
      if (cycle_) {
        cycle_->at(valid, mean.data());
        climatology_.insert(climatology_.end(), mean.begin(), mean.end());
      }
      if (persists) {
        const double* s = truth_.values.data() + std::size_t(start->second) * n;
        if (cycle_) cycle_->at(valid - lead, before.data());
        for (std::size_t p = 0; p < n; ++p) persistence_.push_back(cycle_ ? mean[p] + s[p] - before[p] : s[p]);
      }
      first_ = rows_ ? std::min(first_, valid) : valid;
      last_ = rows_ ? std::max(last_, valid) : valid;
      ++rows_;
    }
  }

  /// Leaves out, for all forecasters, the values that one of them or the truth lacks: they are rated on the same ones. Returns the share kept, by area.
  double keep_common() {
    double kept = 0, all = 0;
    const auto n = std::size_t(truth_.points);
    for (std::size_t i = 0; i < observed_.size(); ++i) {
      const double w = truth_.weights[i % n];
      all += w;
      for (const auto* v : {&forecast_fields_, &climatology_, &persistence_})
        if (!v->empty() && std::isnan((*v)[i])) observed_[i] = std::nan("");
      if (!std::isnan(observed_[i])) kept += w;
    }
    return all > 0 ? kept / all : 0;
  }

  void put(Json& out, const char* name, const std::vector<double>& fields) const {
    const FieldScores s = scores_of(field_errors(fields, observed_, climatology_, truth_.weights), block_, resamples_, seed_);
    out[name] = {{"rmse", interval(s.rmse)}, {"acc", interval(s.acc)}, {"bias", interval(s.bias)}, {"times", s.times}};
  }

  const Truth& truth_;
  const Forecast& forecast_;
  std::optional<Cycle> cycle_;
  std::optional<std::pair<std::int64_t, std::int64_t>> base_;
  std::int64_t block_, resamples_;
  std::uint64_t seed_;
  double step_;
  std::vector<double> forecast_fields_, observed_, climatology_, persistence_;
  std::int64_t rows_ = 0, first_ = 0, last_ = 0;
};

std::string shown(const Json& scores, const char* what) {
  const Json& s = scores[what];
  if (s.is_null()) return "";
  return fmt::format("{:.4g} [{:.4g}, {:.4g}]", s["value"].get<double>(), s["low"].get<double>(), s["high"].get<double>());
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  if (inputs.size() != 2) throw_usage("score", fmt::format("takes a forecast and the truth, got {} arguments", inputs.size()), "tenon climate score FORECAST TRUTH");
  const LabelledArray forecast_array = read_input(inputs[0], params, context);
  const auto truth_file = open_input(inputs[1], params, context);
  const std::string name = truth_file->find(forecast_array.name) ? forecast_array.name : only_variable(*truth_file);
  const LabelledArray truth_array = read_variable(*truth_file, name, read_options(params, inputs[1], context));
  require_no_infinity(forecast_array, inputs[0]);
  require_no_infinity(truth_array, inputs[1]);
  for (const auto& [array, path] : {std::pair{&forecast_array, &inputs[0]}, std::pair{&truth_array, &inputs[1]}}) {
    const Statistics s = statistics_of(array->values);
    if (s.values == s.missing) throw Error(ErrorKind::data, "climate.missing", fmt::format("every value of '{}' is missing", array->name), "there is nothing to score", *path);
  }
  const Truth truth = prepared_truth(truth_array);
  const Forecast forecast = prepared_forecast(forecast_array, truth, params.text("time_is"));

  std::optional<Cycle> cycle;
  std::optional<std::pair<std::int64_t, std::int64_t>> base;
  if (!params.text("base").empty()) {
    CycleOptions o;
    o.kind = cycle_from_name(params.text("kind"));
    o.harmonics = int(params.integer("harmonics"));
    base = o.base = parse_period(params.text("base"), truth.calendar, "base");
    try {
      cycle.emplace(truth.array, o);
    } catch (const Error& e) {
      throw e.at(inputs[1]);
    }
    for (const auto& note : cycle->notes()) context.status("note: " + inputs[1] + ": " + note);
  } else {
    context.status("note: no --base: without a climatology there is no ACC, and persistence is of the field, not of the anomaly");
  }
  Scorer scorer(truth, forecast, std::move(cycle), base, params);
  Json all = {{"forecast", inputs[0]}, {"truth", inputs[1]}, {"variable", name}, {"units", truth.array.unit}, {"block", params.integer("block")}, {"resamples", params.integer("resamples")}, {"leads", Json::array()}};
  bool any = false;
  const std::int64_t block = params.integer("block");
  for (std::size_t l = 0; l < forecast.leads.size(); ++l) {
    stop_if_asked(context);
    const Json& lead = all["leads"].emplace_back(scorer.of_lead(l));
    const double share = lead["share"];
    const std::string name_of_lead = forecast.has_leads ? fmt::format("lead {:.6g} days: ", lead["lead_days"].get<double>()) : std::string();
    any |= share > 0;
    if (share == 0) context.status(fmt::format("note: {}: {}no value is there in the forecast, the truth and what they are compared with: nothing is scored", inputs[0], name_of_lead));
    else if (share < 1) context.status(fmt::format("note: {}: {}scored on {:.2f} % of the area and times: where the forecast, the truth and what they are compared with all have values", inputs[0], name_of_lead, 100 * share));
    const std::int64_t times = lead["forecast"]["times"];
    if (share > 0 && block >= times) context.status(fmt::format("note: {}blocks of {} times are no shorter than the {} scored: the intervals have no width and say nothing", name_of_lead, block, times));
  }
  if (!any) throw Error(ErrorKind::data, "climate.missing", "no value is there in the forecast, the truth and what they are compared with", "`tenon climate info` counts the missing ones", inputs[0]);
  if (context.json()) {
    context.print(json_text(all));
    return 0;
  }
  context.print(fmt::format("{} in {}, weighed by cos(latitude); 95 % intervals over blocks of {} times", name, truth.array.unit.empty() ? "no unit" : truth.array.unit, params.integer("block")));
  for (const auto& lead : all["leads"]) {
    context.print(fmt::format("{}{} times, {} to {}{}", lead["lead_days"].is_null() ? std::string() : fmt::format("lead {:.6g} days: ", lead["lead_days"].get<double>()), lead["times"].get<std::int64_t>(), lead["first"].get<std::string>(),
                              lead["last"].get<std::string>(), lead["share"] < 1.0 ? fmt::format(", {:.2f} % of the values", 100 * lead["share"].get<double>()) : ""));
    context.print(fmt::format("  {:<12} {:<28} {:<28} {}", "", "RMSE", "ACC", "bias"));
    for (const char* who : {"forecast", "persistence", "climatology"})
      if (lead.contains(who)) context.print(fmt::format("  {:<12} {:<28} {:<28} {}", who, shown(lead[who], "rmse"), shown(lead[who], "acc"), shown(lead[who], "bias")));
  }
  return 0;
}

}  // namespace

ToolEntry score_tool() {
  ParamSpec spec = reading_params();
  spec.add(text_param("base", "", "period of the truth to take the climatology from: 2001/2006; it may not hold a time that is scored"));
  spec.add(text_param("kind", "harmonics", "of the climatology", {"monthly", "daily", "harmonics"}));
  spec.add(integer_param("harmonics", 3, "harmonics of the year, of kind harmonics", 0, 12));
  spec.add(text_param("time_is", "auto", "what the forecast's times are: start (the lead is added) or valid; auto: start where there is a lead axis and time is no valid time by its standard_name", {"auto", "start", "valid"}));
  spec.add(real_param("lead", 0, "lead of a forecast without a lead axis, for persistence; 0: no persistence", 0, 3660, "days"));
  spec.add(integer_param("block", 10, "consecutive times that a resample draws together", 1, 10000));
  spec.add(integer_param("resamples", 2000, "resamples of the bootstrap", 10, 1000000));
  spec.add(integer_param("seed", 0, "of the bootstrap"));
  return {"score", "area-weighted RMSE, ACC and bias of a forecast, with intervals, beside persistence and climatology", "FORECAST TRUTH [--base PERIOD]", spec, run};
}

}  // namespace tenon::climate
