#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "finance/pricing/closed_form.hpp"
#include "finance/pricing/monte_carlo.hpp"
#include "finance/tools/common.hpp"
#include "finance/tools/contract.hpp"
#include "finance/tools/tools.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::finance {

void add_contract_params(ParamSpec& spec) {
  spec.add(text_param("payoff", "european", "what is paid on", {"european", "asian", "asian-geometric"}));
  spec.add(text_param("type", "call", "call or put", {"call", "put"}));
  spec.add(real_param("spot", 100, "price of the underlying today", kLeastPrice, kMostPrice));
  spec.add(real_param("strike", 100, "strike", kLeastPrice, kMostPrice));
  spec.add(real_param("years", 1, "time to expiry", kLeastYears, kMostYears, "years"));
  spec.add(integer_param("fixings", 12, "of an Asian option, at equal distances, the last at expiry", 1, kMostSteps));
  spec.add(real_param("rate", 0, "risk-free, continuous, a year, as a fraction", -kMostRate, kMostRate));
  spec.add(real_param("dividend", 0, "dividend yield, continuous, a year, as a fraction", -kMostRate, kMostRate));
  spec.add(real_param("volatility", 0.2, "of geometric Brownian motion, a year, as a fraction", kLeastVolatility, kMostVolatility));
  spec.add(integer_param("paths", 100000, "paths to simulate", 2, kMostPaths));
  spec.add(integer_param("steps", 0, "steps of a path; 0 for the model's own choice", 0, kMostSteps));
  spec.add(integer_param("random_seed", 0, "seed of the counters", 0));
}

Option option_of(const ParamValues& p) {
  Option o;
  o.payoff = p.text("payoff") == "european" ? Payoff::european : p.text("payoff") == "asian" ? Payoff::asian_arithmetic : Payoff::asian_geometric;
  o.call = p.text("type") == "call";
  o.strike = p.real("strike");
  o.years = p.real("years");
  o.fixings = p.integer("fixings");
  return o;
}

BlackScholes black_scholes_of(const ParamValues& p) { return {p.real("spot"), p.real("rate"), p.real("dividend"), p.real("volatility")}; }

void require_used(const ParamValues& p, std::initializer_list<const char*> names, const std::string& why, const char* hint) {
  for (const char* name : names)
    if (p.given(name)) throw Error(ErrorKind::usage, "finance.option", fmt::format("--{} {}", name, why), hint);
}

void require_contract_used(const ParamValues& p) {
  if (p.text("payoff") == "european") require_used(p, {"fixings"}, "belongs to an Asian option, and the payoff is european", "leave it out, or add --payoff asian");
}

MonteCarlo monte_carlo_of(const ParamValues& p, const ToolContext& context) {
  MonteCarlo how;
  how.paths = p.integer("paths");
  how.steps = p.integer("steps");
  how.seed = std::uint64_t(p.integer("random_seed"));
  how.interrupted = [&context] { return context.interrupted(); };
  return how;
}

Json contract_json(const ParamValues& p) {
  Json c{{"payoff", p.text("payoff")}, {"type", p.text("type")}, {"spot", p.real("spot")}, {"strike", p.real("strike")}, {"years", p.real("years")}, {"rate", p.real("rate")}, {"dividend", p.real("dividend")}};
  if (p.text("payoff") != "european") c["fixings"] = p.integer("fixings");
  return c;
}

Json pricing_conventions() { return {{"rates", "continuous, a year"}, {"time", "years, as given (Actual/365F from dates)"}, {"volatility", "a year"}, {"errors", "one standard error"}}; }

namespace {

std::string text_of(double value, double error, const std::string& trouble) { return trouble.empty() ? fmt::format("{:.8g} +- {:.2g}", value, error) : "no estimate: " + trouble; }

/// How far the steps of Heston's paths move the price, beside what chance does.
struct Discretisation {
  double error = NAN, noise = NAN;  ///< `noise`: one standard error of `error`
  std::string against;
  bool exceeds() const { return std::abs(error) > 3 * noise; }
};

/// The closed form where there is one (`exact`), else a simulation of half the steps (of twice the steps where they are odd in number a fixing).
Discretisation discretisation_of(const Heston& m, const Option& o, const MonteCarlo& how, const Estimate& e, double exact) {
  if (!e.trouble.empty()) return {};
  if (!std::isnan(exact)) return {e.value - exact, e.standard_error, "the closed form"};
  MonteCarlo other = how;
  const bool even = e.steps / o.fixings % 2 == 0;
  other.steps = even ? e.steps / 2 : 2 * e.steps;
  if (other.steps > kMostSteps) return {};
  const Estimate f = simulate_price(m, o, other);
  if (!f.trouble.empty()) return {};
  return {even ? f.value - e.value : e.value - f.value, std::hypot(e.standard_error, f.standard_error), fmt::format("{} steps", other.steps)};
}

int run(const std::vector<std::string>& inputs, const ParamValues& p, ToolContext& context) {
  if (!inputs.empty()) throw_usage("price", fmt::format("takes no files, got '{}'", inputs[0]), "the contract is given by options: tenon finance price --strike 105");
  require_output_free(p);
  const bool heston = p.text("model") == "heston";
  require_contract_used(p);
  if (heston) require_used(p, {"volatility"}, "belongs to geometric Brownian motion, and the model is heston", "leave it out; Heston's are --v0, --theta (variances) and --sigma");
  else require_used(p, {"v0", "kappa", "theta", "sigma", "rho", "scheme"}, "belongs to Heston's model, and the model is gbm", "leave it out, or add --model heston");
  const Option o = option_of(p);
  MonteCarlo how = monte_carlo_of(p, context);
  how.control = p.boolean("control");
  how.scheme = p.text("scheme") == "qe" ? HestonScheme::quadratic_exponential : HestonScheme::full_truncation;
  const BlackScholes bs = black_scholes_of(p);
  const Heston hm{p.real("spot"), p.real("rate"), p.real("dividend"), p.real("v0"), p.real("kappa"), p.real("theta"), p.real("sigma"), p.real("rho")};
  const auto begin = std::chrono::steady_clock::now();
  const Estimate e = heston ? simulate_price(hm, o, how) : simulate_price(bs, o, how);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double exact = NAN;
  const char* formula = "none";
  if (heston && o.payoff == Payoff::european) exact = heston_price(hm, o), formula = "Heston, Lewis's integral";
  if (!heston && o.payoff == Payoff::european) exact = black_scholes(bs, o).price, formula = "Black-Scholes";
  if (!heston && o.payoff == Payoff::asian_geometric) exact = geometric_asian(bs, o).price, formula = "lognormal geometric mean";
  const Discretisation steps_error = heston ? discretisation_of(hm, o, how, e, exact) : Discretisation{};
  if (context.interrupted()) return 130;
  const double implied = o.payoff == Payoff::european ? implied_volatility(heston ? exact : e.value, bs, o) : NAN;
  Json conventions = pricing_conventions();
  conventions["control_variate"] = e.control == ControlUse::none     ? "none"
                                   : e.control == ControlUse::parity ? "parity: the put's payoff and the known forward"
                                   : o.payoff == Payoff::asian_arithmetic && !heston ? "geometric Asian payoff"
                                                                                     : "spot at expiry";
  if (heston) conventions["scheme"] = p.text("scheme") == "qe" ? "quadratic-exponential" : "full-truncation Euler";
  Json out;
  out["contract"] = contract_json(p);
  out["model"] = p.text("model");
  if (heston) out["parameters"] = {{"v0", hm.v0}, {"kappa", hm.kappa}, {"theta", hm.theta}, {"sigma", hm.sigma}, {"rho", hm.rho}, {"feller", 2 * hm.kappa * hm.theta >= hm.sigma * hm.sigma}};
  else out["parameters"] = {{"volatility", bs.volatility}};
  out["price"] = json_number(e.value);
  out["standard_error"] = json_number(e.standard_error);
  if (!e.trouble.empty()) out["no_estimate"] = e.trouble;
  out["without_control"] = {{"price", json_number(e.raw_value)}, {"standard_error", json_number(e.raw_standard_error)}};
  if (!e.raw_trouble.empty()) out["without_control"]["no_estimate"] = e.raw_trouble;
  out["closed_form"] = {{"price", json_number(exact)}, {"formula", formula}};
  out["deviation_in_errors"] = json_number((e.value - exact) / e.standard_error);
  if (heston) {
    out["discretisation"] = {{"error", json_number(steps_error.error)}, {"standard_error", json_number(steps_error.noise)}, {"against", steps_error.against}, {"exceeds_statistical", steps_error.exceeds()}};
  }
  out["implied_volatility"] = json_number(implied);
  out["paths"] = e.paths;
  out["steps"] = e.steps;
  out["seed"] = how.seed;
  out["seconds"] = seconds;
  out["path_steps_per_second"] = double(e.paths) * double(e.steps) / seconds;
  out["threads"] = thread_count();
  out["conventions"] = conventions;
  const std::string text = json_text(out);
  write_output(p, text + "\n");
  if (steps_error.exceeds()) {
    context.status(fmt::format("warning: {} steps are too few: against {} the price is off by {:.2g}, {:.1f} standard errors; give more --steps", e.steps, steps_error.against, steps_error.error,
                               std::abs(steps_error.error) / steps_error.noise));
  }
  if (context.json()) {
    context.print(text);
    return 0;
  }
  context.print(fmt::format("{} {} under {}: {} ({} paths x {} steps)", p.text("payoff"), p.text("type"), p.text("model"), text_of(e.value, e.standard_error, e.trouble), e.paths, e.steps));
  if (!e.trouble.empty()) context.print("more --paths may reach it; the closed form, where it stands below, needs none");
  if (e.control != ControlUse::none) context.print("without the control variate: " + text_of(e.raw_value, e.raw_standard_error, e.raw_trouble));
  if (!std::isnan(exact)) context.print(fmt::format("{}: {:.10g}", formula, exact) + (e.trouble.empty() ? fmt::format(" ({:+.2f} standard errors away)", (e.value - exact) / e.standard_error) : ""));
  if (!std::isnan(implied)) context.print(fmt::format("implied volatility {:.6f}", implied));
  context.print(fmt::format("{:.3g} s, {:.4g} million path-steps a second on {} threads", seconds, 1e-6 * double(e.paths) * double(e.steps) / seconds, thread_count()));
  context.print("conventions: " + one_line(conventions));
  return 0;
}

}  // namespace

ToolEntry price_tool() {
  ParamSpec spec = {text_param("model", "gbm", "of the underlying: geometric Brownian motion, or Heston's stochastic variance", {"gbm", "heston"})};
  add_contract_params(spec);
  spec.add(real_param("v0", 0.04, "Heston: variance today, a year", 0, kMostVariance));
  spec.add(real_param("kappa", 2, "Heston: rate of reversion, a year", kLeastHeston, kMostKappa));
  spec.add(real_param("theta", 0.04, "Heston: long-run variance, a year", kLeastHeston, kMostVariance));
  spec.add(real_param("sigma", 0.5, "Heston: volatility of the variance", kLeastHeston, kMostSigma));
  spec.add(real_param("rho", -0.7, "Heston: correlation of spot and variance", -kMostRho, kMostRho));
  spec.add(text_param("scheme", "qe", "Heston: Andersen's quadratic-exponential, or full-truncation Euler", {"qe", "euler"}));
  spec.add(boolean_param("control", true, "use a control variate of known mean"));
  add_output_params(spec, "JSON of the result");
  return {"price", "European and Asian options by Monte Carlo, the closed form beside it", "", spec, run};
}

}  // namespace tenon::finance
