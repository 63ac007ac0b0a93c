#include "train/memory_text.hpp"

#include <cstdio>

#include "tenon/memory.hpp"
#include "tenon/storage.hpp"

namespace tenon {

std::string memory_text(DeviceType type) {
  constexpr double mebibyte = 1 << 20;
  std::string text = "memory, in use (most), MiB:";
  char part[96];
  const auto use = memory_use(type);
  for (std::size_t i = 0; i < use.size(); ++i) {
    std::snprintf(part, sizeof part, "%s %s %.1f (%.1f)", i ? "," : "", std::string(name_of(MemoryTag(i))).c_str(), double(use[i].in_use) / mebibyte, double(use[i].peak) / mebibyte);
    text += part;
  }
  std::snprintf(part, sizeof part, "; all blocks at most %.1f", double(allocator(type).stats().peak) / mebibyte);
  return text + part;
}

}  // namespace tenon
