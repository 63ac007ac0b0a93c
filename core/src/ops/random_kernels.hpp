/// Kernel slots of the random fills (private).
#pragma once

#include <cmath>

#include "tenon/kernel.hpp"

namespace tenon {

struct RandomFill {
  std::int64_t count;
  std::uint64_t seed, stream;
  float a, b;  ///< low, high; or mean, standard deviation
};
/// The largest number of [a, b), which is b alone where they are equal.
inline float largest_below(const RandomFill& p) {
  return p.a < p.b ? std::nextafterf(p.b, p.a) : p.b;
}
/// -> y f32; element i is a + (b - a) Random(seed, stream).uniform(i), fused where the CPU fuses, at most largest_below
extern TENON_API KernelSlot<const RandomFill&> random_uniform_kernel;
/// -> y f32; element i is a + b Random(seed, stream).normal(i), the last within 5 ulp
extern TENON_API KernelSlot<const RandomFill&> random_normal_kernel;

}  // namespace tenon
