/// Rows of a table by number.
#pragma once

#include <cstdint>

#include "tenon/tensor.hpp"

namespace tenon {

/// table [V, C], indices [...] (any integer type) -> [..., C]. The gradient adds rows in the order of the indices; row `padding` (none: -1)
/// gets none. An index outside [0, V) throws the data error embedding.index when the step runs.
TENON_API Tensor embedding(const Tensor& table, const Tensor& indices, std::int64_t padding = -1);

/// Sines and cosines of geometric wavelengths, f32 [L, C]: columns 2i and 2i + 1 are sin and cos of l / base^(2i / C). Vaswani et al. 2017.
TENON_API Tensor sinusoidal_positions(std::int64_t length, std::int64_t channels, double base = 10000);

}  // namespace tenon
