/// Where tests find the shared data: TENON_DATA, else ../shared/data beside the source tree; empty when absent.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace tenon::test {

inline std::filesystem::path climate_data() {
  std::error_code failed;
  if (const char* root = std::getenv("TENON_DATA"); root && *root)
    if (auto path = std::filesystem::path(root) / "climate"; std::filesystem::is_directory(path, failed)) return path;
  auto path = std::filesystem::path(TENON_SOURCE_DIR) / ".." / "shared" / "data" / "climate";
  return std::filesystem::is_directory(path, failed) ? std::filesystem::weakly_canonical(path) : std::filesystem::path();
}

}  // namespace tenon::test

/// Ends the test case with a line when the data is not there.
#define TENON_NEEDS_CLIMATE_DATA(variable)                              \
  const std::filesystem::path variable = ::tenon::test::climate_data(); \
  if (variable.empty()) {                                               \
    WARN("skipped: needs the shared climate data (set TENON_DATA)");    \
    return;                                                             \
  }
