/// Dense ranges of f16, converted by the widest instructions: bit by bit a number takes as long as ten additions (private).
#pragma once

#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon::cpu {

struct HalfLoops {
  void (*to_float)(std::int64_t n, const f16* from, float* to);
  void (*from_float)(std::int64_t n, const float* from, f16* to);
};
const HalfLoops& half_loops();

}  // namespace tenon::cpu
