/// Kernel slots of the samplings (private). Each writes `count` elements.
#pragma once

#include "kernels/sampling.hpp"
#include "tenon/kernel.hpp"

namespace tenon {

extern TENON_API KernelSlot<std::int64_t, const BernoulliDraw&> random_bernoulli_kernel;
extern TENON_API KernelSlot<std::int64_t, const IntegerDraw&> random_integers_kernel;
extern TENON_API KernelSlot<std::int64_t, const PermutationDraw&> random_permutation_kernel;
extern TENON_API KernelSlot<std::int64_t, const ExponentialDraw&> random_exponential_kernel;
extern TENON_API KernelSlot<std::int64_t, const GammaDraw&> random_gamma_kernel;

struct SobolPoints {
  std::int64_t count, dimensions, first;
  std::uint64_t seed, stream;
  bool scrambled;
  DType dtype;  ///< f32 or f64
};
/// -> y [count, dimensions]
extern TENON_API KernelSlot<const SobolPoints&> sobol_kernel;

}  // namespace tenon
