#include "plugin/probe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

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
  void run(const std::function<void()>& trial = [] {}) const {
    CheckedFile checked;
    checked.descriptor = Descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const fs::path to = count;
    require_tried(checked, [&] {
      const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      [[maybe_unused]] const auto n = ::write(fd, "x", 1);
      ::close(fd);
      trial();
    });
  }
  std::size_t times() const { return fs::exists(count) ? std::size_t(fs::file_size(count)) : 0; }
};

}  // namespace

TEST_CASE("a trial that comes to its end, by whatever way, is passed", "[plugin]") {
  try_in_child([] {});
  try_in_child([] { throw std::runtime_error("the caller will see"); });
}

TEST_CASE("a trial that takes its process along is told from others", "[plugin]") {
  CHECK(code_of([] { try_in_child([] { std::raise(SIGKILL); }); }) == "plugin.crashed");
  CHECK(code_of([] { try_in_child([] { std::abort(); }); }) == "plugin.crashed");
  CHECK(code_of([] { try_in_child([] { ::_exit(0); }); }) == "plugin.exited");
  CHECK(code_of([] { try_in_child([] { ::_exit(3); }); }) == "plugin.exited");
  ::setenv("TENON_PLUGIN_SECONDS", "0.2", 1);
  CHECK(code_of([] {
          try_in_child([] {
            while (true) ::pause();
          });
        }) == "plugin.hung");
  ::unsetenv("TENON_PLUGIN_SECONDS");
  CHECK(code_of([] {
          try_in_child([] {
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

TEST_CASE("a refusal is remembered and says so", "[plugin]") {
  const Tried t;
  CHECK(code_of([&] { t.run([] { ::_exit(7); }); }) == "plugin.exited");
  std::string said;
  try {
    t.run();
  } catch (const Error& e) {
    said = e.message();
  }
  CHECK_THAT(said, Catch::Matchers::Contains("status 7") && Catch::Matchers::Contains("tried before"));
  CHECK(t.times() == 1);
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
