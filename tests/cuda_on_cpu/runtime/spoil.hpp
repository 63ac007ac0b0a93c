/// What a library may overwrite with anything is overwritten with NaN by its stand-in (f32 and f64), unlike the NaN of a block's guards (memory.hpp), so that
/// what lies behind the block's end is told.
#pragma once

#include <cstddef>

namespace tenon::cuda::on_cpu {

inline void spoil(void* at, std::size_t bytes) {
  constexpr unsigned char kNan[] = {0xff, 0xff, 0xff, 0x7f};
  for (std::size_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(at)[i] = kNan[i % 4];
}

}  // namespace tenon::cuda::on_cpu
