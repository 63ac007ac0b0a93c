/// Dense f32 loops of activations that cost much a value, for this CPU (private).
#pragma once

#include <cstdint>

namespace tenon {

struct ActivationLoops {
  void (*gelu)(std::int64_t n, const float* x, float* y);
  void (*gelu_gradient)(std::int64_t n, const float* x, const float* dy, float* dx);
};
const ActivationLoops& activation_loops();

}  // namespace tenon
