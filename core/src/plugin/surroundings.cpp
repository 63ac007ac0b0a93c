#include "plugin/surroundings.hpp"

#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cfenv>
#include <clocale>
#include <cstring>
#include <filesystem>
#include <system_error>

extern char** environ;

namespace tenon {

namespace fs = std::filesystem;

Surroundings Surroundings::now() {
  Surroundings s;
  std::error_code ignored;  // a folder that was removed has no name before and after
  s.folder = fs::current_path(ignored).string();
  s.locale = std::setlocale(LC_ALL, nullptr);
  for (char** e = environ; e && *e; ++e) s.environment.insert(*e);
  s.file_mask = ::umask(0);
  ::umask(s.file_mask);
  s.rounding = std::fegetround();
  s.traps = ::fegetexcept();
  volatile double tiny = 1e-300;
  volatile float small = 1e-30f;
  s.denormals = tiny * 1e-10 > 0 && small * 1e-10f > 0;
  for (int n = 1; n < 32; ++n) ::sigaction(n, nullptr, &s.handlers[std::size_t(n)]);
  ::sigprocmask(SIG_SETMASK, nullptr, &s.blocked);
  for (int i = 0; i < RLIM_NLIMITS; ++i) ::getrlimit(static_cast<__rlimit_resource>(i), &s.limits[std::size_t(i)]);
  for (int fd = 0; fd < 3; ++fd) {
    struct stat status {};
    if (::fstat(fd, &status) == 0) s.streams[std::size_t(fd)] = {status.st_dev, status.st_ino};
  }
  for (const auto which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval timer{};
    if (::getitimer(which, &timer) == 0) s.timer = s.timer || timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0;
  }
  s.on_terminate = std::get_terminate();
  for (fs::directory_iterator task("/proc/self/task", ignored), end; !ignored && task != end; task.increment(ignored)) ++s.threads;
  return s;
}

std::string change_between(const Surroundings& before, const Surroundings& after) {
  if (before.folder != after.folder) return "it changes the working folder";
  if (before.environment != after.environment) return "it changes environment variables";
  if (before.locale != after.locale) return "it changes the locale to " + after.locale + ": numbers would be read and written otherwise";
  if (before.file_mask != after.file_mask) return "it changes the mask of new files";
  if (before.rounding != after.rounding) return "it changes how floating-point results are rounded";
  if (before.traps != after.traps) return "it changes which floating-point operations trap";
  if (before.denormals && !after.denormals)
    return "it makes the processor flush denormal numbers to zero (-ffast-math at link time does): results of the whole process change";
  for (std::size_t n = 1; n < before.handlers.size(); ++n) {
    if (std::memcmp(&before.handlers[n].sa_handler, &after.handlers[n].sa_handler, sizeof before.handlers[n].sa_handler) == 0) continue;
    const char* name = sigabbrev_np(int(n));
    return std::string("it takes over SIG") + (name ? name : std::to_string(n));
  }
  for (int n = 1; n < 32; ++n)
    if (::sigismember(&before.blocked, n) != ::sigismember(&after.blocked, n)) return "it changes which signals are blocked";
  for (std::size_t i = 0; i < before.limits.size(); ++i)
    if (before.limits[i].rlim_cur != after.limits[i].rlim_cur || before.limits[i].rlim_max != after.limits[i].rlim_max) return "it changes a limit of the process (setrlimit)";
  if (before.streams != after.streams) return "it closes or replaces a standard stream";
  if (!before.timer && after.timer) return "it starts a timer (alarm, setitimer)";
  if (before.on_terminate != after.on_terminate) return "it takes over std::terminate";
  if (before.threads < after.threads) return "it starts threads";
  return "";
}

}  // namespace tenon
