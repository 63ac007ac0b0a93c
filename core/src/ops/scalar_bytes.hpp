/// A value as the bytes of an element, for the ops that move bytes (private).
#pragma once

#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon {

/// The bytes of `value` in type `t` (little end first, as memory has them).
std::uint64_t bytes_of(double value, DType t);

}  // namespace tenon
