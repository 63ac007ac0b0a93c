/// Random and quasi-random tensors beyond the uniform and the normal (ops.hpp): element i depends on (seed, stream, i) alone, so it is the
/// same for any shape, thread count and restart. On default_device(). No gradients. Wrong parameters throw a usage error.
#pragma once

#include <cstdint>

#include "tenon/tensor.hpp"

namespace tenon {

/// bool: true with probability p (a multiple of 2^-32).
TENON_API Tensor random_bernoulli(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double p);
/// i64 in [low, high), all equally likely (within (high - low) / 2^64).
TENON_API Tensor random_integers(const Shape& shape, std::uint64_t seed, std::uint64_t stream, std::int64_t low, std::int64_t high);
/// i64 [n]: the numbers 0 .. n - 1 in random order (permutation.hpp).
TENON_API Tensor random_permutation(std::int64_t n, std::uint64_t seed, std::uint64_t stream);
/// f32: density rate exp(-rate x), x > 0.
TENON_API Tensor random_exponential(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double rate = 1);
/// f32: density x^(k - 1) exp(-x / scale) / (gamma(k) scale^k), k > 0: Marsaglia and Tsang (ACM TOMS 26, 2000).
TENON_API Tensor random_gamma(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double k, double scale = 1);

enum class Scrambling {
  none,
  owen,  ///< each point is uniform in the cube, and the set stays as even (Owen 1995)
};
inline constexpr int kMaxSobolDimensions = 1111;

/// Points first .. first + count - 1 of Sobol's sequence in [0, 1)^dimensions: [count, dimensions], f32 (24 digits) or f64 (32 digits).
/// Each 2^m points from a multiple of 2^m on fall one into each interval [a, a + 1) / 2^m of every axis. Seed and stream count only for
/// scrambling. The direction numbers are our own (ops/sobol_directions.cpp): the values are not those of libraries that use Joe and Kuo's.
/// first + count <= 2^32.
TENON_API Tensor sobol(std::int64_t count, std::int64_t dimensions, std::uint64_t seed = 0, std::uint64_t stream = 0,
                       Scrambling scrambling = Scrambling::owen, std::int64_t first = 0, DType dtype = DType::f32);

}  // namespace tenon
