/// What the memory behind tensors is used for, counted as it is taken and given back.
///
///     { MemoryScope tag(MemoryTag::parameters); model = make_model(); }
///     memory_use(DeviceType::cpu)[int(MemoryTag::parameters)].in_use
///
/// A buffer belongs to the tag that was in force on its thread when the buffer was made (in a parallel loop: on the loop's caller); counting costs two atomic additions a buffer,
/// nothing in a replayed step. Bytes are those asked for: the allocator rounds up, and keeps freed blocks (Allocator::stats).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tenon/device.hpp"
#include "tenon/export.hpp"

namespace tenon {

enum class MemoryTag : std::uint8_t { other, parameters, gradients, optimiser, activations, workspace, data };
inline constexpr std::size_t kMemoryTags = 7;

TENON_API std::string_view name_of(MemoryTag tag) noexcept;

/// While one is alive on a thread, buffers made there carry its tag. They nest.
class TENON_API MemoryScope {
 public:
  explicit MemoryScope(MemoryTag tag) noexcept;
  ~MemoryScope();
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;
  static MemoryTag current() noexcept;

 private:
  MemoryTag before_;
};

struct MemoryUse {
  std::size_t in_use = 0, peak = 0;  ///< bytes; the peaks of several tags need not have met
};
/// By tag. Thread-safe; figures of different tags may be some buffers apart while other threads allocate.
TENON_API std::array<MemoryUse, kMemoryTags> memory_use(DeviceType type) noexcept;

}  // namespace tenon
