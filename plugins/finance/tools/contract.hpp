/// The options that `price` and `greeks` share: contract, market and simulation.
#pragma once

#include <initializer_list>
#include <string>

#include "finance/pricing/monte_carlo.hpp"
#include "finance/tools/common.hpp"

namespace tenon::finance {

void add_contract_params(ParamSpec& spec);
Option option_of(const ParamValues& params);
BlackScholes black_scholes_of(const ParamValues& params);
/// Polls `context`, which must outlive it, for an interrupt.
MonteCarlo monte_carlo_of(const ParamValues& params, const ToolContext& context);
/// Throws finance.option for the first of these options that was given: `why` says what it contradicts.
void require_used(const ParamValues& params, std::initializer_list<const char*> names, const std::string& why, const char* hint);
/// An option of the contract that its payoff has no use for is refused.
void require_contract_used(const ParamValues& params);
Json contract_json(const ParamValues& params);
Json pricing_conventions();

}  // namespace tenon::finance
