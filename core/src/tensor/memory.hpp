/// Counting behind tenon/memory.hpp (private).
#pragma once

#include "tenon/export.hpp"
#include "tenon/memory.hpp"

namespace tenon {

TENON_API void count_memory(DeviceType type, MemoryTag tag, std::size_t bytes) noexcept;
TENON_API void uncount_memory(DeviceType type, MemoryTag tag, std::size_t bytes) noexcept;

/// memory.exhausted: what was asked for, what holds the `in_use` bytes that are taken, and what to change, by who holds most.
[[noreturn]] TENON_API void throw_out_of_memory(DeviceType type, std::size_t asked, std::size_t in_use);

}  // namespace tenon
