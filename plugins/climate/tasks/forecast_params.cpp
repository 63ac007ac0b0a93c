#include "climate/tasks/forecast_params.hpp"

#include "climate/tasks/params.hpp"

namespace tenon::climate {

ParamSpec forecast_params() {
  return {
      integers_param("leads", {1, 2, 3, 5, 7, 10}, "steps ahead that are forecast and scored, rising", 1, 10000),
      integer_param("days", 3, "fields that the network sees: the newest and those before it", 1, 64),
      text_param("mode", "direct", "direct: all leads from one run of the network; rollout: one step, fed its own output", {"direct", "rollout"}),
      integer_param("rollout_steps", 1, "rollout: steps that a training sample is rolled out and learnt from", 1, 64),
      text_param("base", "linear", "the forecast that the network corrects (direct): nothing, persistence, damped persistence, or a linear model that shrinks towards it. In a rollout the step before",
                 {"none", "persistence", "damped", "linear"}),
      integer_param("base_eofs", 80, "patterns of the linear base", 1, 10000),
      integer_param("base_days", 3, "fields that the linear base sees", 1, 64),
      integer_param("corrected", 0, "the network corrects the first so many leads, the others are the base's alone; 0: all (direct)", 0, 1000),
      boolean_param("show_base", true, "show the network the base forecasts that it corrects"),
      boolean_param("season", true, "show the network the time of year"),
      boolean_param("position", true, "show the network each point's latitude and place along the axes"),
  };
}

ParamSpec forecast_augment_params() {
  return {
      real_param("noise", 0, "standard deviation of noise added to the network's input fields, as a share of the anomalies' own", 0, 10),
      real_param("mixup", 0, "share of training samples that are blended with another one, by a weight drawn evenly from 0 to 1", 0, 1),
  };
}

ParamSpec forecast_loss_params() {
  return {reals_param("lead_weights", {}, "weight of each corrected lead in the loss; empty: 1 each", 0, 1e6)};
}

ParamSpec forecast_baselines_params() {
  return {
      integer_param("eofs", 40, "patterns of the linear inverse models", 1, 10000),
      integer_param("days", 3, "fields that the second of them sees; the first sees the last one alone", 1, 64),
      real_param("ridge", 1e-5, "their ridge, as a share of the mean variance of the amplitudes", 0, 1e6),
      integer_param("block", 10, "verification times that a resample of the intervals keeps together", 1, 100000),
      published_param(),
  };
}

ForecastSettings forecast_settings(const TaskContext& context) {
  const ParamValues& v = section(context, "forecast");
  ForecastSettings s;
  s.mode = v.text("mode") == "rollout" ? ForecastMode::rollout : ForecastMode::direct;
  s.leads = v.integers("leads");
  if (s.leads.empty()) refuse_recipe("forecast.leads", "empty", "give at least one, e.g. [1, 2, 3]");
  for (std::size_t i = 1; i < s.leads.size(); ++i)
    if (s.leads[i] <= s.leads[i - 1]) refuse_recipe("forecast.leads", "the leads do not rise", "write them in order, each once");
  s.days = v.integer("days");
  s.rollout_steps = v.integer("rollout_steps");
  const std::string& base = v.text("base");
  s.base = base == "none" ? ForecastBase::none : base == "persistence" ? ForecastBase::persistence : base == "damped" ? ForecastBase::damped : ForecastBase::linear;
  if (s.mode == ForecastMode::rollout) s.base = ForecastBase::persistence;
  s.linear.eofs = v.integer("base_eofs");
  s.linear.days = v.integer("base_days");
  s.linear.leads = s.leads;
  s.linear.damped = s.linear.choose_ridge = true;
  s.corrected = std::size_t(v.integer("corrected"));
  if (s.corrected > s.leads.size()) refuse_recipe("forecast.corrected", std::to_string(s.corrected) + " of " + std::to_string(s.leads.size()) + " leads", "give at most as many as there are");
  if (s.corrected == 0) s.corrected = s.leads.size();
  if (s.corrected < s.leads.size() && (s.base == ForecastBase::none || s.mode == ForecastMode::rollout))
    refuse_recipe("forecast.corrected", "there is no base for the leads that the network does not correct", "choose a base in mode direct, or let it correct all");
  s.show_base = v.boolean("show_base") && s.base != ForecastBase::none && s.mode == ForecastMode::direct;
  s.season = v.boolean("season");
  s.position = v.boolean("position");
  s.noise = section(context, "augment").real("noise");
  s.mixup = section(context, "augment").real("mixup");
  s.lead_weights = section(context, "loss").reals("lead_weights");
  const std::size_t terms = s.mode == ForecastMode::rollout ? std::size_t(s.rollout_steps) : s.corrected;
  if (s.lead_weights.empty()) s.lead_weights.assign(terms, 1.0);
  if (s.lead_weights.size() != terms)
    refuse_recipe("loss.lead_weights", std::to_string(s.lead_weights.size()) + " weights for " + std::to_string(terms) + " leads", "give one for each");
  return s;
}

}  // namespace tenon::climate
