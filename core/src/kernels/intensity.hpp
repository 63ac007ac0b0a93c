/// The maths of changing a patch's grey values (patches.hpp); shared by every executor.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

// ---- along a line ----------------------------------------------------------------------------------------------

inline constexpr int kLargestBlurRadius = 64;

TENON_MATHS int blur_radius(float sigma) {
  const float wanted = std::ceil(3 * sigma), most = float(kLargestBlurRadius);
  const int radius = int(wanted < most ? wanted : most);
  return radius > 1 ? radius : 1;
}
/// Of the voxel k away; to be divided by the sum of all, in their order.
TENON_MATHS float blur_weight(int k, float sigma) {
  return std::exp(-0.5f * float(k * k) / (sigma * sigma));
}

/// A line of n voxels as m coarser ones would have shown it: nearest down, linear back up. The line is as it was where m == n.
struct CoarseLine {
  std::int64_t n, m;
  float down, up;

  TENON_MATHS CoarseLine(std::int64_t length, float share) : n(length) {
    m = std::llround(double(n) * double(share));
    m = m > 1 ? m : 1;
    down = float(n) / float(m);
    up = float(m) / float(n);
  }
  /// The voxel that coarse voxel k shows.
  TENON_MATHS std::int64_t source(std::int64_t k) const {
    const auto at = std::int64_t((float(k) + 0.5f) * down);
    return at < n - 1 ? at : n - 1;
  }
  /// Voxel k, where coarse(i) is the value of coarse voxel i.
  template <class Coarse>
  TENON_MATHS float value(std::int64_t k, const Coarse& coarse) const {
    float at = (float(k) + 0.5f) * up - 0.5f;
    at = at > 0 ? at : 0;
    at = at < float(m - 1) ? at : float(m - 1);
    const auto low = std::int64_t(at), high = low + 1 < m - 1 ? low + 1 : m - 1;
    return coarse(low) + (at - float(low)) * (coarse(high) - coarse(low));
  }
};

// ---- voxel by voxel --------------------------------------------------------------------------------------------

struct Moments {
  double mean = 0, deviation = 0;
  float low = 0, high = 0;
};
TENON_MATHS Moments moments_of(double sum, double squares, float low, float high, std::int64_t n) {
  Moments m;
  m.mean = sum / double(n);
  const double variance = squares / double(n) - m.mean * m.mean;
  m.deviation = std::sqrt(variance > 0 ? variance : 0.0);
  m.low = low;
  m.high = high;
  return m;
}

TENON_MATHS float contrasted(float v, float mean, float low, float high, float factor) {
  v = mean + (v - mean) * factor;
  return v < low ? low : high < v ? high : v;
}

/// ((v - low) / range)^exponent, of a value whose moments are `before`.
TENON_MATHS float raised(float v, float low, float range, float exponent) {
  const float share = (v - low) / range;
  return std::pow(share > 0 ? share : 0.0f, exponent);
}
/// Brings powers with the moments `after` back to the mean and deviation there were before.
struct Restored {
  double mean, factor, target;
  TENON_MATHS Restored(const Moments& before, const Moments& after)
      : mean(after.mean), factor(before.deviation / (after.deviation > 1e-8 ? after.deviation : 1e-8)), target(before.mean) {}
  TENON_MATHS float operator()(float v) const { return float((double(v) - mean) * factor + target); }
};

/// A Box-Muller pair of normal numbers, the first or second (`pair` 0 or 1) of a Philox block. `cos_sin(turns, c, s)` gives the cosine and
/// sine of a share of a full turn.
template <class CosSin>
TENON_MATHS void normal_pair(const std::array<std::uint32_t, 4>& bits, int pair, float deviation, float (&z)[2], const CosSin& cos_sin) {
  constexpr float kUnit = 5.9604644775390625e-08f;
  const std::uint32_t first = pair ? bits[2] : bits[0], second = pair ? bits[3] : bits[1];
  const float radius = deviation * std::sqrt(-2.0f * std::log((float(first >> 8) + 0.5f) * kUnit));
  cos_sin(float(second >> 8) * kUnit, z[0], z[1]);
  z[0] *= radius;
  z[1] *= radius;
}
/// One of a block's four.
template <class CosSin>
TENON_MATHS float normal_of(const std::array<std::uint32_t, 4>& bits, unsigned which, float deviation, const CosSin& cos_sin) {
  float z[2];
  normal_pair(bits, int(which / 2), deviation, z, cos_sin);
  return which % 2 ? z[1] : z[0];
}

}  // namespace tenon
