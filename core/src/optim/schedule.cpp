#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include "tenon/error.hpp"
#include "tenon/optim.hpp"

namespace tenon {

namespace {

const std::vector<std::string> kNames = {"constant", "poly", "cosine", "one_cycle", "step", "multi_step", "plateau", "chained"};
constexpr double kRounding = 1e-9;  ///< a share such as 3/10 of 1/10s is a whole number that a double may just miss

[[noreturn]] void refuse(const std::string& what, const std::string& hint) { throw Error(ErrorKind::usage, "schedule.value", what, hint); }

/// "0.5 cosine 1 0.1": a part that ends at 0.5, shaped as a cosine from 1 to 0.1 times the learning rate.
Schedule::Part part_of(const std::string& text, double base) {
  std::istringstream in(text);
  double end = 0, from = 1, to = 0;
  auto part = std::make_shared<Schedule>();
  if (!(in >> end >> part->name)) refuse("schedule.parts: '" + text + "'", "write \"END SHAPE [FROM [TO]]\", for example \"0.5 cosine 1 0.1\"");
  if (in >> from) in >> to;
  if (part->name == "constant") to = 0;
  if (part->name == "plateau" || part->name == "chained" || std::find(kNames.begin(), kNames.end(), part->name) == kNames.end())
    refuse("schedule.parts: no shape '" + part->name + "' in '" + text + "'", suggestion(part->name, {"constant", "poly", "cosine", "one_cycle", "step", "multi_step"}));
  if (!(from > 0) || to < 0 || to > from) refuse("schedule.parts: from " + std::to_string(from) + " to " + std::to_string(to) + " in '" + text + "'", "rates fall, from above 0");
  part->base = base * from;
  part->floor = to / from;
  part->power = 1;
  return {end, part};
}

}  // namespace

const ParamSpec& schedule_params() {
  static const ParamSpec spec{
      text_param("name", "poly", "shape of the learning rate over the run", kNames),
      real_param("learning_rate", 0.01, "largest learning rate", 0),
      real_param("power", 0.9, "poly: exponent of (1 - progress)", 0),
      real_param("warmup", 0, "share of the run with linearly rising rate", 0, 1),
      real_param("floor", 0, "smallest rate, as a share of the largest", 0, 1),
      real_param("every", 1.0 / 3, "step: share of the run between two falls", 1e-6, 1),
      reals_param("milestones", {0.5, 0.75}, "multi_step: shares of the run at which the rate falls", 0, 1),
      real_param("factor", 0.1, "step, multi_step, plateau: what the rate is multiplied by", 0, 1),
      integer_param("patience", 5, "plateau: validations without a better score before the rate falls", 1, 1000000),
      texts_param("parts", {}, "chained: parts in order, each \"END SHAPE [FROM [TO]]\": where it ends, and factors on the learning rate, e.g. \"0.5 cosine 1 0.1\""),
  };
  return spec;
}

Schedule make_schedule(const ParamValues& v) {
  Schedule s{v.text("name"), v.real("learning_rate"), v.real("power"), v.real("warmup"), v.real("floor")};
  s.every = v.real("every"), s.factor = v.real("factor"), s.milestones = v.reals("milestones"), s.patience = v.integer("patience");
  for (const std::string& text : v.texts("parts")) {
    s.parts.push_back(part_of(text, s.base));
    const double end = s.parts.back().end, before = s.parts.size() > 1 ? s.parts[s.parts.size() - 2].end : 0;
    if (!(end > before) || end > 1) refuse("schedule.parts: a part ends at " + std::to_string(end) + " after " + std::to_string(before), "ends rise, the last is 1");
  }
  if (s.name == "chained" && (s.parts.empty() || s.parts.back().end != 1)) refuse("schedule.parts does not reach the end of the run", "the last part ends at 1");
  return s;
}

void Schedule::observe(double score) {
  if (name != "plateau") return;
  if (score > plateau.best) {
    plateau.best = score;
    plateau.waited = 0;
  } else if (++plateau.waited > patience) {
    plateau.reduction *= factor;
    plateau.waited = 0;
  }
}

double Schedule::at(double progress) const {
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) throw_usage("Schedule", "unknown schedule '" + name + "'", suggestion(name, kNames));
  if (std::isnan(progress)) throw_usage("Schedule", "progress is not a number", "the share of the run that is done");
  constexpr double pi = std::numbers::pi;
  const double p = std::clamp(progress, 0.0, 1.0);
  if (warmup > 0 && p < warmup) return base * std::max(p / warmup, 1e-3);
  const double q = warmup < 1 ? (p - warmup) / (1 - warmup) : 1.0;
  if (name == "chained") {
    double begin = 0;
    for (const Part& part : parts) {
      if (!part.schedule) throw_usage("Schedule", "the part that ends at " + std::to_string(part.end) + " of a chained schedule is null");
      if (q < part.end || part.end >= 1) return part.schedule->at((q - begin) / (part.end - begin));
      begin = part.end;
    }
    throw_usage("Schedule", "chained without parts");
  }
  double share = 1;
  if (name == "poly") share = std::pow(1 - q, power);
  if (name == "cosine") share = 0.5 * (1 + std::cos(q * pi));
  if (name == "one_cycle") share = q < 0.3 ? 0.04 + 0.96 * 0.5 * (1 - std::cos(q / 0.3 * pi)) : 0.5 * (1 + std::cos((q - 0.3) / 0.7 * pi));
  const bool falls = name == "step" || name == "multi_step" || name == "plateau";
  if (name == "step" && !(every > 0)) throw_usage("Schedule", "every is " + std::to_string(every), "a share of the run above 0");
  if (name == "step") share = std::pow(factor, std::floor(q / every + kRounding));
  if (name == "multi_step")
    for (double m : milestones) share *= q + kRounding >= m ? factor : 1;
  if (name == "plateau") share = plateau.reduction;
  return base * (falls ? std::max(floor, share) : floor + (1 - floor) * share);
}

}  // namespace tenon
