/// Values of every path, a row a sensitivity (private): what greeks.cpp sums, and compares path by path.
#pragma once

#include <array>
#include <vector>

#include "finance/pricing/greeks.hpp"

namespace tenon::finance {

using GreekRows = std::array<std::vector<double>, kGreeks>;

/// Paths [first, first + n), derivatives through autograd. Runs in parallel inside.
void pathwise_rows(const BlackScholes& model, const Option& option, std::uint64_t seed, std::int64_t first, std::int64_t n, std::int64_t steps, GreekRows& rows);
/// The same paths, central differences of raw payoffs. `all`: of how many paths in the whole, which decides the steps of the second order.
void bump_rows(const BlackScholes& model, const Option& option, std::uint64_t seed, std::int64_t first, std::int64_t n, std::int64_t steps, std::int64_t all, GreekRows& rows);

}  // namespace tenon::finance
