/// Where tests find the shared genomics data: TENON_DATA, else ../shared/data beside the source tree; empty when absent.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace tenon::test {

inline std::filesystem::path genomics_data() {
  std::error_code failed;
  if (const char* root = std::getenv("TENON_DATA"); root && *root)
    if (auto path = std::filesystem::path(root) / "genomics"; std::filesystem::is_directory(path, failed)) return path;
  auto path = std::filesystem::path(TENON_SOURCE_DIR) / ".." / "shared" / "data" / "genomics";
  return std::filesystem::is_directory(path, failed) ? std::filesystem::weakly_canonical(path) : std::filesystem::path();
}

}  // namespace tenon::test

/// Ends the test case with a line when the data is not there.
#define TENON_NEEDS_GENOMICS_DATA(variable)                              \
  const std::filesystem::path variable = ::tenon::test::genomics_data(); \
  if (variable.empty()) {                                                \
    WARN("skipped: needs the shared genomics data (set TENON_DATA)");    \
    return;                                                              \
  }
