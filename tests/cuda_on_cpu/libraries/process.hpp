/// A choice as the next process finds it: what this one knows it knows, too, and what it learns this one finds in the memory of plans alone.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <exception>
#include <string>
#include <type_traits>

namespace under_test {

/// What `ask` gives as text, if anything, in another process. A check that fails there is lost: what is to be checked is given back, or thrown.
template <class Ask>
std::string in_another_process(const Ask& ask) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string said;
    int status = 1;
    try {
      if constexpr (std::is_void_v<decltype(ask())>) ask();
      else said = ask();
      status = 0;
    } catch (const std::exception& e) {
      said = e.what();
    } catch (...) {
      said = "a check failed";
    }
    const bool told = ::write(ends[1], said.data(), said.size()) == ssize_t(said.size());
    ::_exit(told ? status : 1);
  }
  ::close(ends[1]);
  std::string said;
  char text[256];
  for (ssize_t n; (n = ::read(ends[0], text, sizeof text)) > 0;) said.append(text, std::size_t(n));
  ::close(ends[0]);
  int status = 0;
  CAPTURE(said);
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  return said;
}

}  // namespace under_test
