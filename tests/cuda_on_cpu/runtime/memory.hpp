/// "Device" memory: host memory between guards, filled with NaNs when it is given out (or with zeros: ZeroedMemory) and when it comes back. Where asked for the host cannot touch it: outside of
/// kernels and copies its pages are closed, and a program that reads or writes them ends with a line that says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tenon::cuda::on_cpu {

void* take(std::size_t bytes);
void give_back(void* at);

/// From now on. A launch then costs two calls of the system, whose time grows with the memory in use.
void close_to_host(bool on = true);
/// While one is alive, device memory is open: a kernel runs, or a copy is made. They nest; for all threads at once.
class Open {
 public:
  Open();
  ~Open();
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
};
/// While one is alive, memory is given out full of zeros, as a device's is that nobody used before: what relies on that shows nowhere else.
class ZeroedMemory {
 public:
  ZeroedMemory();
  ~ZeroedMemory();
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;
};
/// What the first stream did with a block, in its count of operations; for streams.cpp.
struct BlockTimes {
  std::size_t bytes = 0;
  std::uint64_t taken = 0, used = 0;
};
/// Of the block that holds `at`; null where none does.
BlockTimes* times_of(const void* at);
/// From `at` to the end of the block that holds it; 0 where none does.
std::size_t bytes_from(const void* at);

/// Told by damaged_guards(), too.
void note_damage(const std::string& text);
/// Which blocks of memory were written outside of their bounds, since the last call; empty: none.
std::string damaged_guards();
std::size_t bytes_in_use();
/// What the device has; `set_memory_size` makes it smaller, for tests of what happens where memory runs out. 0: as at first.
std::size_t memory_size();
void set_memory_size(std::size_t bytes);

}  // namespace tenon::cuda::on_cpu
