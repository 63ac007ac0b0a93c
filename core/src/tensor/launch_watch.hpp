/// Running a kernel under the watch of its thread, if there is one (private; the public face is profile.hpp).
#pragma once

#include "tensor/ranges.hpp"
#include "tenon/kernel.hpp"
#include "tenon/profile.hpp"

namespace tenon {

LaunchWatch* current_launch_watch() noexcept;
void run_watched(LaunchWatch& watch, const char* name, const Kernel& kernel, void* const* operands);

inline void run_kernel(const char* name, const Kernel& kernel, void* const* operands) {
  const Range range(name);
  if (LaunchWatch* watch = current_launch_watch()) [[unlikely]]
    run_watched(*watch, name, kernel, operands);
  else
    kernel(operands);
}

}  // namespace tenon
