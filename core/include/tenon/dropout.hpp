/// Dropout whose numbers come from a key that lives on the device, so that a recorded step draws new ones each time it is replayed.
#pragma once

#include <cstdint>

#include "tenon/tensor.hpp"

namespace tenon {

/// A random key: i64 [2] on `device`, {seed, step}. Whoever runs the steps writes the step's number before each (set_random_step).
TENON_API Tensor random_key(std::uint64_t seed, Device device = kCpu);
TENON_API void set_random_step(const Tensor& key, std::int64_t step);

/// Each element is 0 with probability `p`, else x / (1 - p) (Srivastava et al. 2014). Element i depends on (seed, stream, step, i) alone:
/// words 0 to 3 of Philox block i / 4 of Random(seed, stream).child(step). The key's value when the forward pass ran counts for the
/// gradient too.
TENON_API Tensor dropout(const Tensor& x, double p, const Tensor& key, std::uint64_t stream);

}  // namespace tenon
