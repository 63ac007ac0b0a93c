#include "tenon/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostReport = 60000;  // less than a pipe holds: the child never waits for its reader
constexpr char kLeft = 'l', kAlone = '-';

void send(int to, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = ::write(to, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    at += std::size_t(n);
  }
}

/// What a report begins with, so that nothing else that is written to its pipe is taken for one.
std::string report_mark() {
  std::array<unsigned char, 8> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), GRND_NONBLOCK) != ssize_t(bytes.size())) bytes.fill(0xa5);
  std::string out;
  for (const unsigned char b : bytes) out += {"0123456789abcdef"[b >> 4], "0123456789abcdef"[b & 15]};
  return out;
}

void kill_children() {
  std::error_code failed;
  for (std::filesystem::directory_iterator task("/proc/self/task", failed), end; !failed && task != end; task.increment(failed)) {
    std::ifstream children(task->path() / "children");
    for (pid_t pid = 0; children >> pid;) ::kill(pid, SIGKILL);
  }
}

/// Ends what the work started and left running, also what it sent away: this process adopts orphans. Whether there was any.
bool end_descendants() {
  bool any = false;
  for (int round = 0; round < 1000; ++round) {
    const pid_t ended = ::waitpid(-1, nullptr, WNOHANG);
    if (ended > 0) continue;
    if (ended < 0) break;
    any = true;
    kill_children();
    ::usleep(1000);
  }
  return any;
}

/// The child's whole life.
[[noreturn]] void live(int report_to, const std::string& mark, const std::function<std::string()>& work) {
  const pid_t self = ::getpid();
  ::setpgid(0, 0);  // so that whatever it starts ends with it
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (int s : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT}) std::signal(s, SIG_DFL);
  if (const int nowhere = ::open("/dev/null", O_RDWR); nowhere >= 0)
    for (int fd : {0, 1, 2}) ::dup2(nowhere, fd);
  std::string report;
  try {
    report = work().substr(0, kMostReport);
  } catch (...) {
    report.clear();
  }
  if (::getpid() != self) ::_exit(0);  // a copy that the work made of this process: the report is not its own
  send(report_to, mark + (end_descendants() ? kLeft : kAlone) + report);
  ::_exit(0);
}

/// A pipe whose ends are none of the three standard streams, which may be closed here and are opened anew in the child.
bool pipe_of(int (&ends)[2]) {
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  for (int& end : ends) {
    if (end > 2) continue;
    const int higher = ::fcntl(end, F_DUPFD_CLOEXEC, 3), error = errno;
    ::close(end);
    end = higher;
    if (higher >= 0) continue;
    for (const int other : ends)
      if (other >= 0) ::close(other);
    errno = error;
    return false;
  }
  return true;
}

/// Children that end are waited for, whatever the process was told to do about them, while one of these is alive.
class ChildrenWaitedFor {
 public:
  ChildrenWaitedFor() {
    ::sigaction(SIGCHLD, nullptr, &before_);
    ignored_ = before_.sa_handler == SIG_IGN || (before_.sa_flags & SA_NOCLDWAIT) != 0;
    if (!ignored_) return;
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &usual, nullptr);
  }
  ~ChildrenWaitedFor() {
    if (ignored_) ::sigaction(SIGCHLD, &before_, nullptr);
  }
  ChildrenWaitedFor(const ChildrenWaitedFor&) = delete;
  ChildrenWaitedFor& operator=(const ChildrenWaitedFor&) = delete;

 private:
  struct sigaction before_ {};
  bool ignored_ = false;
};

}  // namespace

std::string ChildEnd::signal_name() const {
  const char* name = sigabbrev_np(number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(number);
}

ChildEnd run_in_child(const std::function<std::string()>& work, double seconds) {
  ChildEnd out;
  const auto begin = Clock::now();
  const ChildrenWaitedFor waited_for;
  const std::string mark = report_mark();
  int ends[2];
  const bool piped = pipe_of(ends);
  const pid_t pid = piped ? ::fork() : -1;
  if (pid < 0) {
    out.how = ChildEnd::How::no_process;
    out.number = errno;
    if (piped) ::close(ends[0]), ::close(ends[1]);
    return out;
  }
  if (pid == 0) {
    ::close(ends[0]);
    live(ends[1], mark, work);
  }
  ::close(ends[1]);

  std::string said;
  char part[4096];
  int status = 0;
  bool ended = false, late = false, open = true;  // open: somebody may still write
  while (!ended && !late) {
    pollfd p{ends[0], POLLIN, 0};
    if (::poll(&p, open ? 1 : 0, open ? 10 : 1) > 0) {  // after its last word it ends soon
      const auto n = ::read(ends[0], part, sizeof part);
      if (n > 0) said.append(part, std::size_t(n));
      else if (n == 0) open = false;
    }
    const pid_t done = ::waitpid(pid, &status, WNOHANG);
    if (done == pid || (done < 0 && errno == ECHILD)) {
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
  if (said.size() > mark.size() && said.starts_with(mark)) {
    out.left_processes = out.left_processes || said[mark.size()] == kLeft;
    out.report = said.substr(mark.size() + 1);
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
