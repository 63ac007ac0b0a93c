/// One number of a distribution: functors from an element's index to its value (private).
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"
#include "tenon/permutation.hpp"
#include "tenon/random.hpp"

namespace tenon {

/// Uniform in (0, 1), so that its logarithm is finite.
TENON_MATHS float open_uniform(std::uint32_t bits) {
  return (float(bits >> 8) + 0.5f) * 5.9604644775390625e-08f;
}

struct BernoulliDraw {
  Random random;
  std::uint64_t threshold;  ///< p 2^32
  using value_type = bool;
  TENON_MATHS bool operator()(std::uint64_t i) const { return random.bits(i)[0] < threshold; }
};

struct IntegerDraw {
  Random random;
  std::int64_t low;
  std::uint64_t width;
  using value_type = std::int64_t;
  TENON_MATHS std::int64_t operator()(std::uint64_t i) const {
    const auto words = random.bits(i);
    __extension__ using u128 = unsigned __int128;
    return std::int64_t(std::uint64_t(low) + std::uint64_t((u128(std::uint64_t(words[0]) << 32 | words[1]) * width) >> 64));
  }
};

struct PermutationDraw {
  Permutation permutation;
  using value_type = std::int64_t;
  TENON_MATHS std::int64_t operator()(std::uint64_t i) const { return permutation(std::int64_t(i)); }
};

struct ExponentialDraw {
  Random random;
  float mean;
  using value_type = float;
  TENON_MATHS float operator()(std::uint64_t i) const { return -mean * std::log(open_uniform(random.bits(i)[0])); }
};

/// Attempts of one element are the streams after its own; each has a normal and a uniform number. An attempt fails less than one time in
/// twenty.
struct GammaDraw {
  std::uint64_t seed, stream;
  float k, scale;
  using value_type = float;
  TENON_MATHS float operator()(std::uint64_t i) const {
    const float boosted = k < 1 ? k + 1 : k, d = boosted - 1.0f / 3.0f, c = 1.0f / std::sqrt(9.0f * d);
    float value = d;
    float boost = 1;
    for (std::uint64_t attempt = 0; attempt < 64; ++attempt) {
      const auto words = Random(seed, stream + attempt * 0x9E3779B97F4A7C15u).bits(i);
      const float x = std::sqrt(-2.0f * std::log(open_uniform(words[0]))) * std::cos(6.28318530717958647692f * uniform_from_bits(words[1]));
      const float u = open_uniform(words[2]);
      if (attempt == 0 && k < 1) boost = std::pow(open_uniform(words[3]), 1.0f / k);  // gamma(k) = gamma(k + 1) U^(1/k)
      float v = 1 + c * x;
      if (v <= 0) continue;
      v = v * v * v;
      if (std::log(u) < 0.5f * x * x + d - d * v + d * std::log(v)) {
        value = d * v;
        break;
      }
    }
    return value * boost * scale;
  }
};

}  // namespace tenon
