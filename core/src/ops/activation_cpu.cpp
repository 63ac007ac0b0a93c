#include "ops/activation_loops.hpp"

#define TENON_ISA_FILE "ops/simd/activation.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {

const ActivationLoops& activation_loops() {
  static const ActivationLoops loops{TENON_BY_ISA(gelu_range), TENON_BY_ISA(gelu_gradient_range)};
  return loops;
}

}  // namespace tenon
