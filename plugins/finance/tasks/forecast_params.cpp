#include "finance/tasks/forecast_params.hpp"

#include <algorithm>

#include "finance/tasks/published.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

[[noreturn]] void refuse_key(const std::string& key, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "finance.recipe", key + ": " + what, hint, key);
}

template <class T> void require_rising(const std::vector<T>& values, const std::string& key) {
  for (std::size_t i = 1; i < values.size(); ++i)
    if (!(values[i] > values[i - 1])) refuse_key(key, std::to_string(values[i]) + " after " + std::to_string(values[i - 1]), "list them from small to large, each once");
}

}  // namespace

const ParamSpec& window_params() {
  static const ParamSpec spec{
      integer_param("look_back", 96, "steps of history that the model sees", 1, 1 << 20),
      integers_param("horizons", {96}, "steps ahead that are scored, rising; the model forecasts the last", 1, 1 << 20),
      integer_param("origin_step", 1, "steps from one scored forecast to the next; 1: a forecast at every origin", 1),
  };
  return spec;
}

const ParamSpec& forecast_loss_params() {
  static const ParamSpec spec{
      text_param("kind", "mse", "what training minimises, over all steps ahead", {"mse", "mae", "huber", "quantile"}),
      real_param("delta", 1, "huber: error at which the square becomes a line, in training deviations", 1e-6, 1e6),
      reals_param("quantiles", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}, "quantile: those forecast, rising; the one next to 0.5 is the point", 1e-6, 1 - 1e-6),
  };
  return spec;
}

const ParamSpec& forecast_metrics_params() {
  static const ParamSpec spec{
      texts_param("scores", {"mse", "mae"},
                  "mse, mae (of the standardised series); mase, smape (per cent), wql, coverage (of the outermost quantiles; of the series themselves)",
                  {"mse", "mae", "mase", "smape", "wql", "coverage"}),
      integer_param("season", 1, "season of MASE and of the seasonal naive forecast: 24 for hours, 5 for business days", 1, 1 << 20),
  };
  return spec;
}

const ParamSpec& forecast_baselines_params() {
  static const ParamSpec spec{
      integer_param("walk_window", 250, "steps before an origin from which the random walk takes drift and deviation; 0: all", 0),
      boolean_param("walk_logarithms", false, "the random walk is one of the logarithms"),
      published_by_column_param(),
  };
  return spec;
}

ForecastSettings forecast_settings(const ParamValues& window, const ParamValues& loss, const ParamValues& metrics, const ParamValues& baselines) {
  ForecastSettings s;
  s.look_back = window.integer("look_back");
  s.horizons = window.integers("horizons");
  s.origin_step = window.integer("origin_step");
  if (s.horizons.empty()) refuse_key("window.horizons", "empty", "name at least one");
  require_rising(s.horizons, "window.horizons");
  s.loss = loss.text("kind");
  s.delta = loss.real("delta");
  if (s.loss == "quantile") {
    s.quantiles = loss.reals("quantiles");
    if (s.quantiles.empty()) refuse_key("loss.quantiles", "empty", "name at least one, or choose another loss.kind");
    require_rising(s.quantiles, "loss.quantiles");
  }
  s.scores = metrics.texts("scores");
  if (s.scores.empty()) refuse_key("metrics.scores", "empty", "name at least \"mse\"");
  for (const auto& score : s.scores) {
    if (std::count(s.scores.begin(), s.scores.end(), score) > 1) refuse_key("metrics.scores", "'" + score + "' twice", "name each score once");
    if ((score == "wql" || score == "coverage") && s.quantiles.size() < 2)
      refuse_key("metrics.scores", "'" + score + "' needs quantile forecasts", "set loss.kind = \"quantile\" with two quantiles or more");
  }
  s.season = metrics.integer("season");
  s.walk_window = baselines.integer("walk_window");
  s.walk_logarithms = baselines.boolean("walk_logarithms");
  return s;
}

std::vector<MetricColumn> forecast_columns(const ForecastSettings& s) {
  std::vector<MetricColumn> columns;
  for (const auto& score : s.scores) {
    MetricColumn column;
    column.higher_is_better = false;
    std::string name = score == "smape" ? "sMAPE" : score;
    if (name != "sMAPE" && name != "coverage") std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::toupper(c)); });
    if (score == "smape") column.unit = "%";
    if (score == "coverage") column.ideal = s.quantiles.back() - s.quantiles.front();
    for (std::int64_t h : s.horizons) {
      column.name = name + " " + std::to_string(h);
      columns.push_back(column);
    }
    if (s.horizons.size() > 1) {
      column.name = name + " mean";
      columns.push_back(column);
    }
  }
  return columns;
}

}  // namespace tenon::finance
