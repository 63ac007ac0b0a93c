#include "tenon/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kDone = 'd';
constexpr std::size_t kMostReport = 60000;  // less than a pipe holds: the child never waits for its reader

void send(int to, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = ::write(to, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    at += std::size_t(n);
  }
}

/// The child's whole life.
[[noreturn]] void live(int report_to, const std::function<std::string()>& work) {
  ::setpgid(0, 0);  // so that whatever it starts ends with it
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (int s : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT}) std::signal(s, SIG_DFL);
  if (const int nowhere = ::open("/dev/null", O_RDWR); nowhere >= 0)
    for (int fd : {0, 1, 2}) ::dup2(nowhere, fd);
  std::string report(1, kDone);
  try {
    report += work().substr(0, kMostReport);
  } catch (...) {
    report.resize(1);
  }
  send(report_to, report);
  ::_exit(0);
}

}  // namespace

std::string ChildEnd::signal_name() const {
  const char* name = sigabbrev_np(number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(number);
}

ChildEnd run_in_child(const std::function<std::string()>& work, double seconds) {
  ChildEnd out;
  const auto begin = Clock::now();
  int ends[2];
  const bool piped = ::pipe2(ends, O_CLOEXEC) == 0;
  const pid_t pid = piped ? ::fork() : -1;
  if (pid < 0) {
    out.how = ChildEnd::How::no_process;
    out.number = errno;
    if (piped) ::close(ends[0]), ::close(ends[1]);
    return out;
  }
  if (pid == 0) {
    ::close(ends[0]);
    live(ends[1], work);
  }
  ::close(ends[1]);

  std::string said;
  char part[4096];
  int status = 0;
  bool ended = false, late = false;
  while (!ended && !late) {
    pollfd p{ends[0], POLLIN, 0};
    if (::poll(&p, 1, 10) > 0) {
      const auto n = ::read(ends[0], part, sizeof part);
      if (n > 0) said.append(part, std::size_t(n));
      else if (n == 0) ended = ::waitpid(pid, &status, 0) == pid;  // every writer is gone
    }
    if (!ended && ::waitpid(pid, &status, WNOHANG) == pid) {
      ended = true;
      ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // what it started may hold the pipe open; a report made before the end counts
      for (ssize_t n; (n = ::read(ends[0], part, sizeof part)) > 0;) said.append(part, std::size_t(n));
    }
    late = !ended && std::chrono::duration<double>(Clock::now() - begin).count() > seconds;
  }
  ::close(ends[0]);
  if (!ended) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  out.left_processes = ::kill(-pid, SIGKILL) == 0;  // the child's group, without the child
  out.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const bool reported = !said.empty() && said[0] == kDone;
  if (reported) {
    out.report = said.substr(1);
  } else if (late) {
    out.how = ChildEnd::How::late;
  } else if (WIFSIGNALED(status)) {
    out.how = ChildEnd::How::signalled;
    out.number = WTERMSIG(status);
  } else {
    out.how = ChildEnd::How::exited;
    out.number = WEXITSTATUS(status);
  }
  return out;
}

}  // namespace tenon
