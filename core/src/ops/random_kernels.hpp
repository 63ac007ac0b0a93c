/// Kernel slots of the random fills (private).
#pragma once

#include "tenon/kernel.hpp"

namespace tenon {

struct RandomFill {
  std::int64_t count;
  std::uint64_t seed, stream;
  float a, b;  ///< low, high; or mean, standard deviation
};
/// -> y f32; element i is a + (b - a) Random(seed, stream).uniform(i), fused where the CPU fuses
extern TENON_API KernelSlot<const RandomFill&> random_uniform_kernel;
/// -> y f32; element i is a + b Random(seed, stream).normal(i)
extern TENON_API KernelSlot<const RandomFill&> random_normal_kernel;

}  // namespace tenon
