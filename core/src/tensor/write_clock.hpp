/// The clock that orders history and writes (private): each node of the tape takes a tick, and a storage remembers
/// when it was last written. So "was this value written after that op ran?" is one comparison, and costs the tape nothing.
#pragma once

#include <atomic>
#include <cstdint>

namespace tenon {

inline std::atomic<std::uint64_t>& write_clock() noexcept {
  static constinit std::atomic<std::uint64_t> clock{1};
  return clock;
}
/// A tick of its own: writes before it carry at most this number, writes after it a larger one.
inline std::uint64_t take_tick() noexcept { return write_clock().fetch_add(1, std::memory_order_relaxed); }

}  // namespace tenon
