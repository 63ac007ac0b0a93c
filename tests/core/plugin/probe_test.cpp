#include "plugin/probe.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <catch2/catch.hpp>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <thread>

#include "core/plugin/plugin_files.hpp"
#include "tenon/child_process.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using namespace tenon::test;

namespace {

std::string code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return "";
}

/// A file, and how often the trial of it ran.
struct Tried {
  TemporaryFolder folder;
  fs::path file = folder / "x.tenon.so", count = folder / "count";
  Tried() {
    ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
    write_text(file, "some bytes");
  }
  ~Tried() { ::unsetenv("XDG_CACHE_HOME"); }
  /// What the trial does once the plugin is there, if there is one; without `loaded` it never gets there.
  void run(const std::function<void()>& trial = [] {}, bool loaded = true) const {
    CheckedFile checked;
    checked.descriptor = Descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const fs::path to = count;
    require_tried(checked, [&](const std::function<void()>& done) {
      const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      [[maybe_unused]] const auto n = ::write(fd, "x", 1);
      ::close(fd);
      trial();
      if (loaded) done();
    });
  }
  std::size_t times() const { return fs::exists(count) ? std::size_t(fs::file_size(count)) : 0; }
};

}  // namespace

TEST_CASE("a trial that comes to its end, by whatever way, is passed", "[plugin]") {
  CHECK(try_in_child([](const auto& loaded) { loaded(); }).loaded);
  CHECK_FALSE(try_in_child([](const auto&) { throw std::runtime_error("the caller will see"); }).loaded);
}

TEST_CASE("a trial that takes its process along is told from others", "[plugin]") {
  CHECK(code_of([] { try_in_child([](const auto&) { std::raise(SIGKILL); }); }) == "plugin.crashed");
  CHECK(code_of([] { try_in_child([](const auto&) { std::abort(); }); }) == "plugin.crashed");
  CHECK(code_of([] { try_in_child([](const auto&) { ::_exit(0); }); }) == "plugin.exited");
  CHECK(code_of([] { try_in_child([](const auto&) { ::_exit(3); }); }) == "plugin.exited");
  ::setenv("TENON_PLUGIN_SECONDS", "0.2", 1);
  CHECK(code_of([] {
          try_in_child([](const auto&) {
            while (true) ::pause();
          });
        }) == "plugin.hung");
  ::unsetenv("TENON_PLUGIN_SECONDS");
  CHECK(code_of([] {
          try_in_child([](const auto&) {
            if (::fork() == 0)
              while (true) ::pause();
          });
        }) == "plugin.forked");
}

TEST_CASE("a file is tried once, until its bytes change", "[plugin]") {
  const Tried t;
  t.run();
  t.run();
  CHECK(t.times() == 1);
  fs::copy_file(t.file, t.folder / "copy");
  fs::rename(t.folder / "copy", t.file);  // another file with the same bytes
  t.run();
  t.run();
  CHECK(t.times() == 1);
  write_text(t.file, "other bytes");
  t.run();
  CHECK(t.times() == 2);
}

TEST_CASE("what was not well, or did not get as far as loading, is tried again", "[plugin]") {
  const Tried t;
  CHECK(code_of([&] { t.run([] { ::_exit(7); }); }) == "plugin.exited");
  t.run([] { throw std::runtime_error("a library is missing"); });
  t.run([] {}, false);
  CHECK(t.times() == 3);
  t.run();
  t.run();
  CHECK(t.times() == 4);
}

TEST_CASE("a file is tried again when a library that came with it changes", "[plugin]") {
  const Tried t;
  const fs::path library = t.folder / "libcompanion.so";
  fs::copy_file(built_plugin("good"), library);
  const auto trial = [&] { CHECK(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr); };
  t.run(trial);
  t.run(trial);
  CHECK(t.times() == 1);
  fs::remove(library);
  fs::copy_file(built_plugin("throws"), library);
  t.run(trial);
  t.run(trial);
  CHECK(t.times() == 2);
}

TEST_CASE("a trial that changes its surroundings is told what it changed", "[plugin]") {
  const auto said = [](const std::function<void()>& change) -> std::string {
    try {
      try_in_child([&](const auto& loaded) { change(), loaded(); });
    } catch (const Error& e) {
      CHECK(e.code() == "plugin.meddles");
      return e.message();
    }
    return "";
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(said([] { std::puts("welcome"); }), Contains("when it is loaded, it prints"));
  CHECK_THAT(said([] { std::cerr << "welcome\n"; }), Contains("it prints"));
  CHECK_THAT(said([] { ::close(1); }), Contains("standard output was closed"));
  CHECK_THAT(said([] { std::signal(SIGINT, SIG_IGN); }), Contains("SIGINT is taken over"));
  CHECK_THAT(said([] { std::signal(SIGCHLD, SIG_IGN); }), Contains("SIGCHLD is taken over"));
  CHECK_THAT(said([] { ::alarm(100); }), Contains("alarm or timer is set"));
  CHECK_THAT(said([] { rlimit few{16, 16}; ::setrlimit(RLIMIT_NOFILE, &few); }), Contains("limit of open files is changed"));
  CHECK_THAT(said([] { ::setenv("TENON_TEST_MEDDLES", "1", 1); }), Contains("environment variable TENON_TEST_MEDDLES is changed"));
  CHECK_THAT(said([] { CHECK(::chdir("/") == 0); }), Contains("working folder is changed to /"));
  CHECK_THAT(said([] { std::fesetround(FE_UPWARD); }), Contains("rounded"));
  CHECK_THAT(said([] { ::umask(0777); }), Contains("mask of new files is changed"));
  CHECK_THAT(said([] { std::set_terminate([] { ::_exit(0); }); }), Contains("std::set_terminate is called"));
  CHECK_THAT(said([] { std::thread([] { ::pause(); }).detach(); }), Contains("threads are there that were not before"));
#if defined(__x86_64__)
  CHECK_THAT(said([] { _mm_setcsr(_mm_getcsr() | 0x8040); }), Contains("denormal"));
#endif
  CHECK(said([] { std::fflush(stdout); }).empty());
}

namespace {

struct AbortsAtItsEnd {
  bool on = false;
  ~AbortsAtItsEnd() {
    if (on) std::abort();
  }
};
thread_local AbortsAtItsEnd of_thread;

}  // namespace

TEST_CASE("what happens while a plugin is taken down counts as well", "[plugin]") {
  CHECK(code_of([] { try_in_child([](const auto& loaded) { of_thread.on = true, loaded(); }); }) == "plugin.crashed");
  const auto afterwards = [](const std::function<void()>& change) -> std::string {
    try {
      try_in_child([&](const auto& loaded) { loaded(), change(); });
    } catch (const Error& e) {
      return e.code() + ": " + e.message();
    }
    return "";
  };
  CHECK_THAT(afterwards([] { std::puts("bye"); }), Catch::StartsWith("plugin.meddles: when it is taken down, it prints"));
  CHECK_THAT(afterwards([] { ::close(1); }), Catch::Contains("when it is taken down, standard output was closed"));
  CHECK(afterwards([] {}).empty());
}

TEST_CASE("threads that end while a plugin is loaded are no reason to refuse it", "[plugin]") {
  for (int i = 0; i < 20; ++i)
    CHECK(try_in_child([](const auto& loaded) {
            std::vector<std::thread> threads;
            for (int k = 0; k < 8; ++k) threads.emplace_back([] {});
            for (std::thread& t : threads) t.join();
            loaded();
          }).loaded);
}

TEST_CASE("a trial that takes memory without end is ended", "[plugin]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  WARN("skipped: the address sanitizer ends the process itself");
#else
  CHECK(code_of([] {
          try_in_child([](const auto&) {
            try {
              for (std::vector<std::unique_ptr<char[]>> all;;) all.emplace_back(new char[std::size_t(256) << 20]);
            } catch (const std::bad_alloc&) {
              std::abort();  // as in a constructor of a global
            }
          });
        }) == "plugin.crashed");
#endif
}

TEST_CASE("trials hold where the process that makes them is in an odd state", "[plugin]") {
  // Each in a child of its own, whose report is what came of it.
  const auto in_child = [](const std::function<std::string()>& work) { return run_in_child(work, 20).report; };
  const auto outcome = [](const Trial& trial) {
    const auto begin = std::chrono::steady_clock::now();
    std::string out;
    if (const std::string code = code_of([&] { out = try_in_child(trial).loaded ? "well" : "thrown"; }); !code.empty()) out = code;
    return std::chrono::steady_clock::now() - begin < std::chrono::seconds(5) ? out : out + ", late";
  };
  const Trial well = [](const auto& loaded) { loaded(); }, exits = [](const auto&) { ::_exit(0); };
  for (const auto& [what, before] : std::vector<std::pair<const char*, std::function<void()>>>{
           {"no standard streams", [] { for (int fd : {0, 1, 2}) ::close(fd); }},
           {"standard input closed", [] { ::close(0); }},
           {"children are not waited for", [] { std::signal(SIGCHLD, SIG_IGN); }}}) {
    INFO(what);
    CHECK(in_child([&] { return before(), outcome(well); }) == "well");
    CHECK(in_child([&] { return before(), outcome(exits); }) == "plugin.exited");
  }
  CHECK(in_child([&] {
          const rlimit few{3, 3};
          ::setrlimit(RLIMIT_NOFILE, &few);
          return outcome(well);
        }) == "plugin.no_trial");
}

TEST_CASE("verdicts that others may write, or that are no verdicts, are not believed", "[plugin]") {
  const Tried t;
  t.run();
  REQUIRE(::chmod(verdict_file().c_str(), 0622) == 0);
  t.run();
  CHECK(t.times() == 2);
  write_text(verdict_file(), "\t\t\n\n\xff\xff\t1\nx");
  t.run();
  CHECK(t.times() == 3);
  t.run();
  CHECK(t.times() == 3);
}

TEST_CASE("a cache that cannot be written costs trials and nothing else", "[plugin]") {
  const Tried t;
  write_text(t.folder / "cache", "a file where the folder should be");
  t.run();
  t.run();
  CHECK(t.times() == 2);
}

TEST_CASE("work in a child process: its report, and each way of not coming to one") {
  using How = ChildEnd::How;
  ChildEnd end = run_in_child([] { return std::string("seven"); }, 10);
  CHECK((end.how == How::returned && end.report == "seven" && !end.left_processes && end.seconds < 10));
  end = run_in_child([] { return std::string(100000, 'x'); }, 10);  // more than a pipe holds
  CHECK((end.how == How::returned && end.report == std::string(60000, 'x')));
  end = run_in_child([]() -> std::string { throw std::runtime_error("its own affair"); }, 10);
  CHECK((end.how == How::returned && end.report.empty()));
  end = run_in_child([]() -> std::string { ::raise(SIGFPE); return {}; }, 10);
  CHECK((end.how == How::signalled && end.signal_name() == "SIGFPE"));
  end = run_in_child([]() -> std::string { ::_exit(9); }, 10);
  CHECK((end.how == How::exited && end.number == 9));
  end = run_in_child([]() -> std::string { for (;;) ::pause(); }, 0.2);
  CHECK((end.how == How::late && end.seconds >= 0.2));
  end = run_in_child([] {
    if (::fork() == 0)
      for (;;) ::pause();
    return std::string("parent");
  }, 10);
  CHECK((end.how == How::returned && end.report == "parent" && end.left_processes));
}

TEST_CASE("a child that closes what it could report by and hangs is ended in time", "[plugin]") {
  const ChildEnd end = run_in_child([]() -> std::string {
    for (int fd = 0; fd < 1024; ++fd) ::close(fd);
    for (;;) ::pause();
  }, 0.3);
  CHECK((end.how == ChildEnd::How::late && end.seconds < 5));
}

TEST_CASE("what a child writes everywhere is not taken for its report", "[plugin]") {
  const ChildEnd end = run_in_child([]() -> std::string {
    for (int fd = 3; fd < 64; ++fd) [[maybe_unused]] const auto n = ::write(fd, "d-report", 8);
    ::_exit(0);
  }, 10);
  CHECK((end.how == ChildEnd::How::exited && end.number == 0 && end.report.empty()));
}

TEST_CASE("a process that left its group and its parent is found and ended", "[plugin]") {
  const TemporaryFolder folder;
  const fs::path number = folder / "pid";
  const ChildEnd end = run_in_child([&] {
    if (::fork() == 0) {
      ::setsid();
      if (::fork() == 0) {
        write_text(number, std::to_string(::getpid()));
        for (;;) ::pause();
      }
      ::_exit(0);
    }
    while (!fs::exists(number) || fs::file_size(number) == 0) ::usleep(1000);
    return std::string("done");
  }, 10);
  CHECK((end.how == ChildEnd::How::returned && end.report == "done" && end.left_processes));
  std::ifstream in(number);
  pid_t pid = 0;
  REQUIRE(in >> pid);
  CHECK((::kill(pid, 0) != 0 && errno == ESRCH));
}
