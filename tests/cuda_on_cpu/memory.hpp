/// "Device" memory: host memory between guards, filled with NaNs when it is given out and when it comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tenon::cuda::on_cpu {

void* take(std::size_t bytes);
void give_back(void* at);
/// What the first stream did with a block, in its count of operations; for streams.cpp.
struct BlockTimes {
  std::size_t bytes = 0;
  std::uint64_t taken = 0, used = 0;
};
/// Of the block that holds `at`; null where none does.
BlockTimes* times_of(const void* at);

/// Told by damaged_guards(), too.
void note_damage(const std::string& text);
/// Which blocks of memory were written outside of their bounds, since the last call; empty: none.
std::string damaged_guards();
std::size_t bytes_in_use();
/// What the device has; `set_memory_size` makes it smaller, for tests of what happens where memory runs out. 0: as at first.
std::size_t memory_size();
void set_memory_size(std::size_t bytes);

}  // namespace tenon::cuda::on_cpu
