/// How many blocks hold all items (private).
#pragma once

#include <cstdint>

namespace tenon::cpu {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace tenon::cpu
