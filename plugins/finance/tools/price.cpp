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
  spec.add(real_param("spot", 100, "price of the underlying today", 0));
  spec.add(real_param("strike", 100, "strike", 0));
  spec.add(real_param("years", 1, "time to expiry", 0, {}, "years"));
  spec.add(integer_param("fixings", 12, "of an Asian option, at equal distances, the last at expiry", 1, 1e6));
  spec.add(real_param("rate", 0, "risk-free, continuous, a year, as a fraction"));
  spec.add(real_param("dividend", 0, "dividend yield, continuous, a year, as a fraction"));
  spec.add(real_param("volatility", 0.2, "a year, as a fraction", 0));
  spec.add(integer_param("paths", 100000, "paths to simulate", 2, 1e12));
  spec.add(integer_param("steps", 0, "steps of a path; 0 for the model's own choice", 0, 1e6));
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

MonteCarlo monte_carlo_of(const ParamValues& p) {
  MonteCarlo how;
  how.paths = p.integer("paths");
  how.steps = p.integer("steps");
  how.seed = std::uint64_t(p.integer("random_seed"));
  return how;
}

Json contract_json(const ParamValues& p) {
  Json c{{"payoff", p.text("payoff")}, {"type", p.text("type")}, {"spot", p.real("spot")}, {"strike", p.real("strike")}, {"years", p.real("years")}, {"rate", p.real("rate")}, {"dividend", p.real("dividend")}};
  if (p.text("payoff") != "european") c["fixings"] = p.integer("fixings");
  return c;
}

Json pricing_conventions() { return {{"rates", "continuous, a year"}, {"time", "years, as given (Actual/365F from dates)"}, {"volatility", "a year"}, {"errors", "one standard error"}}; }

namespace {

int run(const std::vector<std::string>& inputs, const ParamValues& p, ToolContext& context) {
  if (!inputs.empty()) throw_usage("price", fmt::format("takes no files, got '{}'", inputs[0]), "the contract is given by options: tenon finance price --strike 105");
  require_output_free(p);
  const Option o = option_of(p);
  MonteCarlo how = monte_carlo_of(p);
  how.control = p.boolean("control");
  how.scheme = p.text("scheme") == "qe" ? HestonScheme::quadratic_exponential : HestonScheme::full_truncation;
  const bool heston = p.text("model") == "heston";
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
  const double implied = o.payoff == Payoff::european ? implied_volatility(heston ? exact : e.value, bs, o) : NAN;
  Json conventions = pricing_conventions();
  conventions["control_variate"] = !how.control ? "none" : o.payoff == Payoff::asian_arithmetic && !heston ? "geometric Asian payoff" : "spot at expiry";
  if (heston) conventions["scheme"] = p.text("scheme") == "qe" ? "quadratic-exponential" : "full-truncation Euler";
  Json out;
  out["contract"] = contract_json(p);
  out["model"] = p.text("model");
  if (heston) out["parameters"] = {{"v0", hm.v0}, {"kappa", hm.kappa}, {"theta", hm.theta}, {"sigma", hm.sigma}, {"rho", hm.rho}, {"feller", 2 * hm.kappa * hm.theta >= hm.sigma * hm.sigma}};
  else out["parameters"] = {{"volatility", bs.volatility}};
  out["price"] = e.value;
  out["standard_error"] = e.standard_error;
  out["without_control"] = {{"price", e.raw_value}, {"standard_error", e.raw_standard_error}};
  out["closed_form"] = {{"price", json_number(exact)}, {"formula", formula}};
  out["deviation_in_errors"] = json_number((e.value - exact) / e.standard_error);
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
  if (context.json()) {
    context.print(text);
    return 0;
  }
  context.print(fmt::format("{} {} under {}: {:.8g} +- {:.2g} ({} paths x {} steps)", p.text("payoff"), p.text("type"), p.text("model"), e.value, e.standard_error, e.paths, e.steps));
  if (how.control) context.print(fmt::format("without the control variate: {:.8g} +- {:.2g}", e.raw_value, e.raw_standard_error));
  if (!std::isnan(exact)) context.print(fmt::format("{}: {:.10g} ({:+.2f} standard errors away)", formula, exact, (e.value - exact) / e.standard_error));
  if (!std::isnan(implied)) context.print(fmt::format("implied volatility {:.6f}", implied));
  context.print(fmt::format("{:.3g} s, {:.4g} million path-steps a second on {} threads", seconds, 1e-6 * double(e.paths) * double(e.steps) / seconds, thread_count()));
  context.print("conventions: " + one_line(conventions));
  return 0;
}

}  // namespace

ToolEntry price_tool() {
  ParamSpec spec = {text_param("model", "gbm", "of the underlying: geometric Brownian motion, or Heston's stochastic variance", {"gbm", "heston"})};
  add_contract_params(spec);
  spec.add(real_param("v0", 0.04, "Heston: variance today, a year", 0));
  spec.add(real_param("kappa", 2, "Heston: rate of reversion, a year", 0));
  spec.add(real_param("theta", 0.04, "Heston: long-run variance, a year", 0));
  spec.add(real_param("sigma", 0.5, "Heston: volatility of the variance", 0));
  spec.add(real_param("rho", -0.7, "Heston: correlation of spot and variance", -1, 1));
  spec.add(text_param("scheme", "qe", "Heston: Andersen's quadratic-exponential, or full-truncation Euler", {"qe", "euler"}));
  spec.add(boolean_param("control", true, "use a control variate of known mean"));
  add_output_params(spec, "JSON of the result");
  return {"price", "European and Asian options by Monte Carlo, the closed form beside it", "", spec, run};
}

}  // namespace tenon::finance
