/// What code that is loaded has no business to change in its process.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <csignal>
#include <exception>
#include <set>
#include <string>

namespace tenon {

struct Surroundings {
  std::string folder, locale;
  std::set<std::string> environment;
  mode_t file_mask = 0;
  int rounding = 0, traps = 0;
  bool denormals = true;  ///< products may be denormal numbers
  std::array<struct sigaction, 32> handlers{};
  sigset_t blocked{};
  std::array<rlimit, RLIM_NLIMITS> limits{};
  std::array<std::array<std::uint64_t, 2>, 3> streams{};  ///< device and inode of the three standard ones; zeros: closed
  bool timer = false;                                     ///< one is running: its signal will come
  std::terminate_handler on_terminate = nullptr;
  std::size_t threads = 0;

  static Surroundings now();
};

/// The first thing that differs, as a sentence about who changed it: "it changes the working folder"; empty: nothing does.
std::string change_between(const Surroundings& before, const Surroundings& after);

}  // namespace tenon
