/// Rows and cases that have no kernel on the device yet (error device.no_kernel). A test fails when one of them works, and when another one
/// lacks its kernel; it then prints the lines to take out or to put in.
#pragma once

#include <set>
#include <string>

namespace under_test {

inline const std::set<std::string> kKnownGaps{};

}  // namespace under_test
