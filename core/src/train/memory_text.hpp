/// Memory by use, for people (private).
#pragma once

#include <string>

#include "tenon/device.hpp"

namespace tenon {

/// "memory, in use (most), MiB: parameters 5.3 (5.3), ...; all blocks at most 120.0"
std::string memory_text(DeviceType type);

}  // namespace tenon
