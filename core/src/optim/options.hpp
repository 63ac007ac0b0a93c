/// What an optimiser's options must keep to (private). Errors open with the maker's name.
#pragma once

#include <cmath>
#include <string>

#include "tenon/error.hpp"
#include "tenon/optim.hpp"

namespace tenon {

inline void check_least(const char* op, const char* name, double value, double least = 0) {
  if (!(value >= least) || !std::isfinite(value)) throw_usage(op, std::string(name) + " is " + std::to_string(value), "a number of " + std::to_string(least) + " or more");
}

/// The share of the past that a running mean keeps.
inline void check_share(const char* op, const char* name, double value) {
  if (!(value >= 0 && value < 1)) throw_usage(op, std::string(name) + " is " + std::to_string(value), "0 or more, below 1");
}

/// What all of them have.
template <class Options>
const Options& checked_options(const char* op, const Options& o) {
  check_least(op, "clip", o.clip);
  check_least(op, "clip_value", o.clip_value);
  check_least(op, "weight_decay", o.weight_decay);
  for (const ParameterGroup& g : o.groups) {
    check_least(op, ("rate of group '" + g.match + "'").c_str(), g.rate);
    check_least(op, ("decay of group '" + g.match + "'").c_str(), g.decay);
  }
  if constexpr (requires { o.beta1; }) {
    check_share(op, "beta1", o.beta1);
    check_share(op, "beta2", o.beta2);
  }
  if constexpr (requires { o.eps; }) check_least(op, "eps", o.eps);
  if constexpr (requires { o.momentum; }) check_least(op, "momentum", o.momentum);
  if constexpr (requires { o.nesterov; })
    if (o.nesterov && !(o.momentum > 0)) throw_usage(op, "nesterov with momentum " + std::to_string(o.momentum), "it looks ahead along the momentum: give one above 0");
  return o;
}

}  // namespace tenon
