/// The step loops of simulation (private): from counters to what payoffs look at.
#pragma once

#include <cstdint>
#include <vector>

#include "finance/pricing/monte_carlo.hpp"

namespace tenon::finance {

/// What a block of paths leaves: one value a path. Means are over the fixings.
struct PathBlock {
  std::vector<double> terminal, mean, log_mean;  ///< S_T, arithmetic mean, mean of ln S; the latter two empty unless asked for
};

struct PathWants {
  bool means = false;
  std::int64_t stride = 1;  ///< steps from fixing to fixing
};

/// Paths [first, first + n), n a multiple of 8, in n / 8 groups.
void simulate_block(const BlackScholes& model, double years, std::int64_t steps, std::uint64_t seed, PathWants wants, std::int64_t first, std::int64_t n, PathBlock& out);
void simulate_block(const Heston& model, double years, std::int64_t steps, std::uint64_t seed, PathWants wants, HestonScheme scheme, std::int64_t first, std::int64_t n, PathBlock& out);

/// Philox stream of a step (GBM: of four steps) and factor.
constexpr std::uint64_t path_stream(std::uint64_t step, std::uint64_t factor) { return factor << 32 | step; }

}  // namespace tenon::finance
