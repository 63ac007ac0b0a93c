#include "plugin_check/runner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "tenon/error.hpp"

namespace tenon::command {
namespace {

using Clock = std::chrono::steady_clock;

void report(int to, char state, const std::string& text) {
  const std::string all = state + text.substr(0, 60000);  // less than a pipe holds
  for (std::size_t at = 0; at < all.size();) {
    const auto n = ::write(to, all.data() + at, all.size() - at);
    if (n <= 0) break;
    at += std::size_t(n);
  }
}

[[noreturn]] void child(int to, const std::function<void()>& body) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (const int nowhere = ::open("/dev/null", O_RDWR); nowhere >= 0)
    for (int fd : {0, 1, 2}) ::dup2(nowhere, fd);
  try {
    body();
    report(to, 'p', "");
  } catch (const CheckFailed& e) {
    report(to, 'f', e.text);
  } catch (const CheckSkipped& e) {
    report(to, 's', e.text);
  } catch (const Error& e) {
    report(to, 'f', e.code() + ": " + e.message() + (e.where().empty() ? "" : " (" + e.where() + ")"));
  } catch (const std::exception& e) {
    report(to, 'f', std::string("it threw ") + e.what());
  } catch (...) {
    report(to, 'f', "it threw something that is no exception of the standard library");
  }
  ::_exit(0);
}

std::string signal_text(int number) {
  const char* name = sigabbrev_np(number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace

CheckOutcome run_check(const std::function<void()>& body, double limit) {
  CheckOutcome out;
  const auto begin = Clock::now();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {CheckOutcome::State::failed, std::string("no pipe: ") + std::strerror(errno), 0};
  const pid_t pid = ::fork();
  if (pid < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return {CheckOutcome::State::failed, std::string("no process: ") + std::strerror(errno), 0};
  }
  if (pid == 0) {
    ::close(ends[0]);
    child(ends[1], body);
  }
  ::close(ends[1]);
  std::string said;
  int status = 0;
  bool ended = false, late = false;
  while (!ended && !late) {
    pollfd p{ends[0], POLLIN, 0};
    if (::poll(&p, 1, 20) > 0) {
      char part[4096];
      const auto n = ::read(ends[0], part, sizeof part);
      if (n > 0) said.append(part, std::size_t(n));
      else if (n == 0) ended = ::waitpid(pid, &status, 0) == pid;
    }
    if (!ended && ::waitpid(pid, &status, WNOHANG) == pid) {
      ended = true;
      ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // what it started may hold the pipe open
      char part[4096];
      for (ssize_t n; (n = ::read(ends[0], part, sizeof part)) > 0;) said.append(part, std::size_t(n));
    }
    late = !ended && std::chrono::duration<double>(Clock::now() - begin).count() > limit;
  }
  ::close(ends[0]);
  if (!ended) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  const bool stray = ::kill(-pid, SIGKILL) == 0;
  out.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto fail = [&](std::string text) {
    out.state = CheckOutcome::State::failed;
    out.text = std::move(text);
    return out;
  };
  if (late) return fail("not done after " + std::to_string(int(limit)) + " s");
  if (WIFSIGNALED(status)) return fail("the process was ended by " + signal_text(WTERMSIG(status)));
  if (said.empty()) return fail("the process left with status " + std::to_string(WEXITSTATUS(status)) + " before the check was done");
  if (stray) return fail("a process is left behind");
  out.text = said.substr(1);
  out.state = said[0] == 'p' ? CheckOutcome::State::passed : said[0] == 's' ? CheckOutcome::State::skipped : CheckOutcome::State::failed;
  return out;
}

}  // namespace tenon::command
