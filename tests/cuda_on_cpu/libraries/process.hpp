/// A hidden test of this program in a process of its own, for what is remembered from one to the next.
#pragma once

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

namespace under_test {

/// Plans are remembered in `folder`. What the test wrote from `mark` to the line's end.
inline std::string in_a_process(const std::filesystem::path& folder, const std::string& test, const std::string& mark) {
  const std::string command = "TENON_TEST_PLANS='" + folder.string() + "' '" + std::filesystem::read_symlink("/proc/self/exe").string() + "' '" + test + "' 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string said;
  for (char text[4096]; const std::size_t n = std::fread(text, 1, sizeof text, pipe);) said.append(text, n);
  CAPTURE(said);
  REQUIRE(::pclose(pipe) == 0);
  return said.substr(said.find(mark), said.find('\n', said.find(mark)) - said.find(mark));
}

}  // namespace under_test
