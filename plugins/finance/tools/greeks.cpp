#include "finance/pricing/greeks.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "finance/tools/contract.hpp"
#include "finance/tools/tools.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon::finance {
namespace {

int run(const std::vector<std::string>& inputs, const ParamValues& p, ToolContext& context) {
  if (!inputs.empty()) throw_usage("greeks", fmt::format("takes no files, got '{}'", inputs[0]), "the contract is given by options: tenon finance greeks --strike 105");
  require_output_free(p);
  require_contract_used(p);
  const Option o = option_of(p);
  const BlackScholes m = black_scholes_of(p);
  const MonteCarlo how = monte_carlo_of(p, context);
  const std::int64_t steps = greek_steps(m, o, how);
  const auto begin = std::chrono::steady_clock::now();
  const bool with_bump = p.boolean("bump");
  const auto [pathwise, bump, difference] = compare_greeks(m, o, how, true, with_bump);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (context.interrupted()) return 130;
  const auto exact = exact_greeks(m, o);
  Json conventions = pricing_conventions();
  conventions["vega_rho"] = "for a change of 1.00";
  conventions["theta"] = "a year, as time passes";
  conventions["method"] = o.payoff == Payoff::european ? "pathwise through autograd, the second half of the way in closed form so that second derivatives exist"
                                                           : "pathwise through autograd, the end of the path given its bridge in closed form so that second derivatives exist";
  if (with_bump) conventions["bump"] = "central differences of raw payoffs on the same paths, steps as shares of the distribution's width; differences and their errors path by path";
  Json out;
  out["contract"] = contract_json(p);
  out["contract"]["volatility"] = m.volatility;
  Json rows = Json::array();
  for (int i = 0; i < kGreeks; ++i) {
    const auto g = std::size_t(i);
    const auto estimate = [](const GreekEstimate& e) {
      Json told{{"value", json_number(e.value)}, {"standard_error", json_number(e.standard_error)}};
      if (!e.trouble.empty()) told["no_estimate"] = e.trouble;
      return told;
    };
    Json row{{"name", name_of_greek(i)}};
    row.update(estimate(pathwise[g]));
    if (with_bump) {
      row["bump"] = estimate(bump[g]);
      row["bump"]["difference"] = json_number(difference[g].value);
      row["bump"]["difference_standard_error"] = json_number(difference[g].standard_error);
      if (!difference[g].trouble.empty()) row["bump"]["no_difference"] = difference[g].trouble;
      row["bump"]["difference_in_errors"] = json_number(difference[g].value / difference[g].standard_error);
    }
    row["closed_form"] = json_number(exact[g]);
    rows.push_back(std::move(row));
  }
  out["greeks"] = rows;
  out["paths"] = how.paths;
  out["steps"] = steps;
  out["seed"] = how.seed;
  out["seconds"] = seconds;
  out["conventions"] = conventions;
  const std::string text = json_text(out);
  write_output(p, text + "\n");
  if (context.json()) {
    context.print(text);
    return 0;
  }
  context.print(fmt::format("{} {} under gbm, {} paths x {} steps, {:.3g} s", p.text("payoff"), p.text("type"), how.paths, steps, seconds));
  std::vector<std::vector<std::string>> table = {{"", "pathwise", "+-", "closed form"}};
  if (with_bump) table[0].insert(table[0].end(), {"bump", "+-", "differs by"});
  for (const Json& r : rows) {
    const auto text_of = [](const Json& v, int digits) { return v.is_null() ? std::string("-") : number_text(v.get<double>(), digits); };
    table.push_back({r["name"], text_of(r["value"], 8), text_of(r["standard_error"], 2), text_of(r["closed_form"], 8)});
    if (with_bump) table.back().insert(table.back().end(), {text_of(r["bump"]["value"], 6), text_of(r["bump"]["standard_error"], 2), r["bump"]["difference_in_errors"].is_null() ? std::string("-") : text_of(r["bump"]["difference_in_errors"], 2) + " s.e."});
  }
  context.print(table_text(table));
  for (const Json& r : rows) {
    if (r.contains("no_estimate")) context.print(fmt::format("{}: no pathwise estimate: {}", r["name"].get<std::string>(), r["no_estimate"].get<std::string>()));
    if (with_bump && r["bump"].contains("no_estimate")) context.print(fmt::format("{}: no estimate by bumps: {}", r["name"].get<std::string>(), r["bump"]["no_estimate"].get<std::string>()));
    else if (with_bump && r["bump"].contains("no_difference")) context.print(fmt::format("{}: not to be compared: {}", r["name"].get<std::string>(), r["bump"]["no_difference"].get<std::string>()));
  }
  context.print("conventions: " + one_line(conventions));
  return 0;
}

}  // namespace

ToolEntry greeks_tool() {
  ParamSpec spec;
  add_contract_params(spec);
  spec.add(boolean_param("bump", true, "print central differences on the same paths beside"));
  add_output_params(spec, "JSON of the result");
  return {"greeks", "sensitivities by simulation, first and second order, through autograd", "", spec, run};
}

}  // namespace tenon::finance
