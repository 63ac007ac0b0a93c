/// The options that `price` and `greeks` share: contract, market and simulation.
#pragma once

#include "finance/pricing/monte_carlo.hpp"
#include "finance/tools/common.hpp"

namespace tenon::finance {

void add_contract_params(ParamSpec& spec);
Option option_of(const ParamValues& params);
BlackScholes black_scholes_of(const ParamValues& params);
/// Polls `context`, which must outlive it, for an interrupt.
MonteCarlo monte_carlo_of(const ParamValues& params, const ToolContext& context);
Json contract_json(const ParamValues& params);
Json pricing_conventions();

}  // namespace tenon::finance
