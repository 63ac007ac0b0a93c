#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tenon/error.hpp"

extern char** environ;

namespace tenon::command {
namespace {

constexpr std::size_t kKept = 1u << 20;

[[noreturn]] void failed(const std::string& what, int number) {
  throw Error(ErrorKind::internal, "process.failed", what + ": " + std::strerror(number), "free processes, memory or file handles, and try again");
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) failed("cannot make a pipe", errno);
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int i) {
    if (ends[i] >= 0) ::close(ends[i]);
    ends[i] = -1;
  }
};

// False at the end of the stream.
bool drain(int from, std::string& into) {
  char buffer[4096];
  const ssize_t n = ::read(from, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (into.size() < kKept) into.append(buffer, std::size_t(n));
  return n > 0;
}

// 0 where the program is not installed.
pid_t start(const std::vector<std::string>& arguments, int output, int errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  const int spawned = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned == ENOENT) return 0;
  if (spawned != 0) failed("cannot start " + arguments[0], spawned);
  return child;
}

int exit_status_of(pid_t child) {
  int wait_status = 0;
  while (::waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

int show_process(const std::vector<std::string>& arguments) {
  const pid_t child = start(arguments, STDERR_FILENO, STDERR_FILENO);
  return child == 0 ? 127 : exit_status_of(child);
}

ProcessResult run_process(const std::vector<std::string>& arguments, const std::function<bool()>& poll_user) {
  Pipe out, err;
  const pid_t child = start(arguments, out.ends[1], err.ends[1]);
  ProcessResult result;
  if (child == 0) {
    result.status = 127;
    return result;
  }
  out.close_end(1);
  err.close_end(1);

  bool stop_sent = false;
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd waiting[2] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};  // poll() skips negative descriptors
    ::poll(waiting, 2, 200);
    if (waiting[0].revents && !drain(out.ends[0], result.output)) out.close_end(0);
    if (waiting[1].revents && !drain(err.ends[0], result.errors)) err.close_end(0);
    if (poll_user && !stop_sent && !poll_user()) {
      ::kill(child, SIGTERM);
      stop_sent = true;
    }
  }
  result.status = exit_status_of(child);
  return result;
}

}  // namespace tenon::command
