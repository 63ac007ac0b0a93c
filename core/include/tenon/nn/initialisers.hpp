/// First values of parameters, chosen by name pattern after a model is built:
///
///     model.initialise(seed);                                        // every layer's own
///     nn::initialise(model, "*.weight", "orthogonal", seed);         // then what the user wants otherwise
///     nn::initialise(model, "head.bias", "constant", seed, {.value = -2});
///
/// Values depend on (seed, full name) alone: adding a layer does not change the others'.
#pragma once

#include <string>

#include "tenon/nn/module.hpp"

namespace tenon::nn {

struct InitialiserOptions {
  double gain = 1;                 ///< factor on the deviation or bound of xavier, kaiming and orthogonal
  double slope = 0;                ///< of the leaky ReLU that follows (kaiming)
  bool fan_out = false;            ///< kaiming by outputs: keeps the size of gradients in place of that of values
  double mean = 0, stddev = 0.02;  ///< of normal and trunc_normal (cut at two deviations)
  double low = -0.1, high = 0.1;   ///< of uniform
  double value = 0;                ///< of constant
};

/// Fills every parameter whose full name matches `pattern` (* any run of characters, ? any one) and gives their number; none is a usage
/// error with the names there are. `how`: "kaiming_normal", "kaiming_uniform" (He et al. 2015), "xavier_normal", "xavier_uniform" (Glorot &
/// Bengio 2010), "trunc_normal", "orthogonal" (Saxe et al. 2014), "normal", "uniform", "zeros", "ones" or "constant".
///
/// The weights' layout is [out, kernel..., in]: fan_in is all but the first size, fan_out the first times the kernel. The first five and
/// orthogonal need two axes or more but for trunc_normal; orthogonal has orthonormal rows (or columns, whichever are fewer) of
/// [out, kernel x in], times gain.
TENON_API std::size_t initialise(Module& module, const std::string& pattern, const std::string& how, std::uint64_t seed,
                                 const InitialiserOptions& options = {});

}  // namespace tenon::nn
