/// Direction numbers of Sobol's sequence (private).
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

inline constexpr int kSobolDimensions = 1111;

/// Primitive polynomials over GF(2), bit k the coefficient of x^k, by degree and then by value: the first `count` of them.
TENON_API std::vector<std::uint32_t> primitive_polynomials(int count);

/// The 32 direction numbers of one dimension, from 0: 32 bits after the binary point each. `choice`: see sobol_directions.cpp.
TENON_API void sobol_dimension(int dimension, std::uint32_t polynomial, std::uint32_t choice, std::uint32_t* directions);

/// Those of all dimensions, in a row. Computed once a process.
TENON_API const std::uint32_t* sobol_directions();

}  // namespace tenon
