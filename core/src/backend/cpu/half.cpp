#include "backend/cpu/half.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/half.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon::cpu {

const HalfLoops& half_loops() {
  static const HalfLoops loops{TENON_BY_ISA(half_to_float), TENON_BY_ISA(float_to_half)};
  return loops;
}

}  // namespace tenon::cpu
