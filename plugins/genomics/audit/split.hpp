/// Homology-aware splits: clusters of near duplicates stay whole, the classes are balanced, and the seed decides the rest.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tenon::genomics {

/// Deals clusters out to parts of the given sizes (any positive numbers; their shares count). The largest clusters first, equal ones in an order
/// drawn from the seed, each to the part that needs it most, so that every part comes near its share of every class.
/// `cluster` (from 0) and `label`: one a record. Returns the part of each record. The same for any number of threads.
std::vector<int> split_by_cluster(std::span<const std::int32_t> cluster, std::span<const std::string> label, std::span<const double> sizes, std::uint64_t seed);

}  // namespace tenon::genomics
