/// Where tests find the shared finance data: TENON_DATA, else ../shared/data beside the source tree; empty when absent.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "tenon/error.hpp"

namespace tenon::test {

inline std::filesystem::path finance_data() {
  std::error_code failed;
  if (const char* root = std::getenv("TENON_DATA"); root && *root)
    if (auto path = std::filesystem::path(root) / "finance"; std::filesystem::is_directory(path, failed)) return path;
  auto path = std::filesystem::path(TENON_SOURCE_DIR) / ".." / "shared" / "data" / "finance";
  return std::filesystem::is_directory(path, failed) ? std::filesystem::weakly_canonical(path) : std::filesystem::path();
}

/// "code | message | hint | where" of the Error that `f` throws; "" when it throws none. Any other exception passes.
inline std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code() + " | " + e.message() + " | " + e.hint() + " | " + e.where();
  }
  return {};
}

}  // namespace tenon::test

/// Ends the test case with a line when the data is not there.
#define TENON_NEEDS_FINANCE_DATA(variable)                              \
  const std::filesystem::path variable = ::tenon::test::finance_data(); \
  if (variable.empty()) {                                               \
    WARN("skipped: needs the shared finance data (set TENON_DATA)");    \
    return;                                                             \
  }
