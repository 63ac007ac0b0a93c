/// Counting behind tenon/memory.hpp (private).
#pragma once

#include "tenon/memory.hpp"

namespace tenon {

void count_memory(DeviceType type, MemoryTag tag, std::size_t bytes) noexcept;
void uncount_memory(DeviceType type, MemoryTag tag, std::size_t bytes) noexcept;

}  // namespace tenon
