#include "tenon/surroundings.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <thread>

#include "tenon/device.hpp"

extern char** environ;

namespace tenon {
namespace {

namespace fs = std::filesystem;

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", failed)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    const std::string to = fs::read_symlink(entry.path(), failed).string();
    if (fd > 2 && !failed && !to.ends_with("/fd") && !to.ends_with(".tenon.so")) out[fd] = to;  // but for this look itself, and files that the host holds
  }
  return out;
}

std::size_t thread_total() {
  std::size_t n = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/proc/self/task", failed)) n += !entry.path().empty();
  return n;
}

bool timer_set() {
  for (auto which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval t{};
    if (::getitimer(which, &t) == 0 && (t.it_value.tv_sec || t.it_value.tv_usec)) return true;
  }
  std::ifstream posix("/proc/self/timers");
  return posix.peek() != std::ifstream::traits_type::eof();
}

bool keeps_denormals() {
  volatile double tiny = 1e-300, product = tiny * 1e-10;
  return product > 0;
}

std::string signal_text(int n) {
  const char* name = sigabbrev_np(n);
  return name ? std::string("SIG") + name : "signal " + std::to_string(n);
}

/// The name of the first variable ("HOME=/a") of a set that the other lacks.
std::string first_of(const std::set<std::string>& a, const std::set<std::string>& b) {
  for (const std::string& x : a)
    if (!b.contains(x)) return x.substr(0, x.find('='));
  return {};
}

}  // namespace

Surroundings::Surroundings()
    : descriptors(open_descriptors()), threads(thread_total()), locale(std::setlocale(LC_ALL, nullptr)), rounding(std::fegetround()), traps(::fegetexcept()), priority(::getpriority(PRIO_PROCESS, 0)),
      denormals(keeps_denormals()), timer(timer_set()), terminate(std::get_terminate()), out_of_memory(std::get_new_handler()) {
  std::error_code failed;
  folder = fs::current_path(failed).string();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    struct stat s {};
    if (::fstat(int(i), &s) == 0) streams[i] = {s.st_dev, s.st_ino};
  }
  for (char** e = environ; *e; ++e) environment.insert(*e);
  mask = ::umask(0);
  ::umask(mask);
  for (int n = 1; n < int(handlers.size()); ++n) ::sigaction(n, nullptr, &handlers[std::size_t(n)]);
  ::sigemptyset(&blocked);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  for (std::size_t i = 0; i < limits.size(); ++i) ::getrlimit(decltype(RLIMIT_NOFILE)(i), &limits[i]);
}

std::size_t threads_of_core() { return 2 * std::size_t(std::max(thread_count(), 4) - 1); }  // neither counts the caller

Surroundings settled(const Surroundings& before, std::size_t more) {
  using Clock = std::chrono::steady_clock;
  for (const auto until = Clock::now() + std::chrono::milliseconds(300); thread_total() > before.threads + more && Clock::now() < until;) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return {};
}

std::vector<Change> changes(const Surroundings& before, const Surroundings& after, std::size_t may_leave, std::size_t more_threads) {
  std::vector<Change> out;
  const auto add = [&](Aspect aspect, std::string text) { out.push_back({aspect, std::move(text)}); };
  std::size_t more = 0;
  std::string which;
  for (const auto& [fd, to] : after.descriptors) {
    const auto found = before.descriptors.find(fd);
    if (found == before.descriptors.end() && ++more == 1) which = "descriptor " + std::to_string(fd) + " (" + to + ")";
    if (found != before.descriptors.end() && found->second != to) add(Aspect::descriptors, "descriptor " + std::to_string(fd) + " (" + found->second + ") is another one now (" + to + ")");
  }
  if (more > may_leave) add(Aspect::descriptors, which + (more > 1 ? " and " + std::to_string(more - 1) + " more stay open" : " stays open"));
  for (const auto& [fd, to] : before.descriptors)
    if (!after.descriptors.contains(fd)) add(Aspect::descriptors, "descriptor " + std::to_string(fd) + " (" + to + ") was closed, and belongs to somebody else");
  for (std::size_t i = 0; i < before.streams.size(); ++i)
    if (before.streams[i] != after.streams[i])
      add(Aspect::streams, std::string("standard ") + (i == 0 ? "input" : i == 1 ? "output" : "error") + (after.streams[i] == std::pair<dev_t, ino_t>{} ? " was closed" : " leads elsewhere"));
  if (after.threads > before.threads + more_threads) add(Aspect::threads, std::to_string(after.threads - before.threads) + " threads are there that were not before");
  if (before.environment != after.environment) {
    const std::string changed = first_of(after.environment, before.environment), gone = first_of(before.environment, after.environment);
    add(Aspect::environment, "the environment variable " + (changed.empty() ? gone : changed) + " is changed");
  }
  if (before.folder != after.folder) add(Aspect::environment, "the working folder is changed to " + after.folder);
  if (before.locale != after.locale) add(Aspect::environment, "the locale is changed to " + after.locale + ": numbers would be read and written otherwise");
  if (before.mask != after.mask) add(Aspect::environment, "the mask of new files is changed");
  if (before.rounding != after.rounding) add(Aspect::floating_point, "how floating-point results are rounded is changed");
  if (before.traps != after.traps) add(Aspect::floating_point, "which floating-point operations trap is changed");
  if (before.denormals && !after.denormals)
    add(Aspect::floating_point, "denormal numbers are flushed to zero (-ffast-math at link time does that): results of the whole process change");
  for (std::size_t n = 1; n < before.handlers.size(); ++n)
    if (std::memcmp(&before.handlers[n].sa_handler, &after.handlers[n].sa_handler, sizeof before.handlers[n].sa_handler) != 0) add(Aspect::signals, signal_text(int(n)) + " is taken over");
  for (int n = 1; n < int(before.handlers.size()); ++n)
    if (::sigismember(&before.blocked, n) != ::sigismember(&after.blocked, n)) add(Aspect::signals, "whether " + signal_text(n) + " is blocked is changed");
  static constexpr const char* kLimits[] = {"CPU time", "size of files", "data", "stack", "core dumps", "resident memory", "processes", "open files", "locked memory", "address space", "locks", "pending signals", "message queues", "nice", "real-time priority", "real-time run"};
  for (std::size_t i = 0; i < before.limits.size(); ++i)
    if (before.limits[i].rlim_cur != after.limits[i].rlim_cur || before.limits[i].rlim_max != after.limits[i].rlim_max)
      add(Aspect::limits, std::string("the process's limit of ") + (i < std::size(kLimits) ? kLimits[i] : "something") + " is changed");
  if (before.priority != after.priority) add(Aspect::limits, "the process's priority is changed");
  if (!before.timer && after.timer) add(Aspect::limits, "an alarm or timer is set: its signal ends the process later");
  if (before.terminate != after.terminate) add(Aspect::handlers, "std::set_terminate is called: what ends the process would not be told");
  if (before.out_of_memory != after.out_of_memory) add(Aspect::handlers, "std::set_new_handler is called");
  return out;
}

std::string joined(const std::vector<Change>& changes) {
  std::string out;
  for (const Change& c : changes) out += (out.empty() ? "" : "; ") + c.text;
  return out;
}

}  // namespace tenon
