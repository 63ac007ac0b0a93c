/// What the dynamic section of a shared library says, read from its bytes with every bound checked.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tenon::command {

struct DynamicFacts {
  std::vector<std::string> needed;    ///< libraries
  std::string run_path;
  std::vector<std::string> exports;   ///< symbols defined for others, but for those of the linker
  bool text_relocations = false;
  bool executable_stack = false;      ///< asked for, or not refused
  bool read_only_relocations = false; ///< PT_GNU_RELRO
};

/// Of a 64-bit little-endian ELF file; throws a plugin error (plugin.bad_elf) for anything that does not lie within it.
DynamicFacts dynamic_facts(std::span<const std::byte> file);

}  // namespace tenon::command
