#include "backend/cuda/library/plan_memory.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "core/io/faulty_files.hpp"
#include "core/io/temporary_folder.hpp"
#include "tenon/io/file.hpp"

using namespace tenon;
using tenon::cuda::PlanMemory;
namespace fs = std::filesystem;

namespace {

/// While one is alive, a variable of the environment has another value.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_)
      setenv(name_, before_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

struct Site {
  TemporaryFolder folder{"plan-memory"};
  Variable named{"TENON_PLAN_MEMORY", (folder / "kept").string()};
  fs::path file = folder / "kept/A-card--1--lib-2.plans";
  static PlanMemory open() { return PlanMemory("A card (1) lib 2"); }
};

/// With something in them: a process that finds another's line half written ends it, and an empty line may be left.
std::size_t lines_of(const fs::path& file) {
  std::istringstream text(read_text(file));
  std::size_t lines = 0;
  for (std::string line; std::getline(text, line);) lines += !line.empty();
  return lines;
}

}  // namespace

TEST_CASE("what was chosen is found by the next process, of that name alone", "[plan_memory]") {
  const Site site;
  PlanMemory first = Site::open();
  CHECK(first.find("f32 8 8").empty());
  CHECK_FALSE(fs::exists(site.file));
  first.keep("f32 8 8", "plan one");
  first.keep("f32 8 9", "plan\ttwo");
  CHECK(first.find("f32 8 8") == "plan one");
  PlanMemory next = Site::open();
  CHECK(next.find("f32 8 8") == "plan one");
  CHECK(next.find("f32 8 9") == "plan\ttwo");
  CHECK(next.find("f32 8").empty());
  CHECK(PlanMemory("A card (1) lib 3").find("f32 8 8").empty());
  next.keep("f32 8 8", "another");
  CHECK(next.find("f32 8 8") == "another");
  CHECK(Site::open().find("f32 8 8") == "another");
}

TEST_CASE("processes that share a file take over and lose nothing of each other's", "[plan_memory]") {
  const Site site;
  PlanMemory a = Site::open(), b = Site::open();
  CHECK(a.find("x").empty());
  CHECK(b.find("x").empty());
  a.keep("x", "a's");
  CHECK(b.find("x") == "a's");
  b.keep("y", "b's");
  a.keep("z", "a's");
  CHECK(a.find("y") == "b's");
  CHECK(b.find("z") == "a's");

  constexpr int kProcesses = 4, kChoices = 200;
  pid_t children[kProcesses];
  for (int p = 0; p < kProcesses; ++p) {
    children[p] = fork();
    if (children[p] != 0) continue;
    PlanMemory own = Site::open();
    for (int i = 0; i < kChoices; ++i) own.keep(std::to_string(p) + " " + std::to_string(i), std::string(200, 'v') + std::to_string(i));
    _exit(0);
  }
  for (pid_t child : children) waitpid(child, nullptr, 0);
  PlanMemory all = Site::open();
  for (int p = 0; p < kProcesses; ++p)
    for (int i = 0; i < kChoices; ++i)
      CHECK(all.find(std::to_string(p) + " " + std::to_string(i)) == std::string(200, 'v') + std::to_string(i));
  CHECK(lines_of(site.file) == 3 + kProcesses * kChoices);
}

TEST_CASE("damaged lines are passed over, and spoil no others", "[plan_memory]") {
  const Site site;
  {
    PlanMemory m = Site::open();
    m.keep("one", "1111");
    m.keep("two", "2222");
    m.keep("three", "3333");
  }
  std::string text = read_text(site.file);
  text[text.find("2222") + 1] = '3';
  write_atomic(site.file, "no tab\n\n\t\nkey\tvalue\nkey\tvalue\t00000000\n" + text + std::string("\0\xff\t\t\n", 5) + text.substr(0, 6));
  PlanMemory m = Site::open();
  CHECK(m.find("one") == "1111");
  CHECK(m.find("two").empty());
  CHECK(m.find("three") == "3333");
  CHECK(m.find("key").empty());
  m.keep("two", "2222");  // after a line that a killed process left unfinished
  PlanMemory next = Site::open();
  CHECK(next.find("two") == "2222");
  CHECK(next.find("three") == "3333");
}

TEST_CASE("a file that was begun anew is read anew, and one beyond all reason is begun anew", "[plan_memory]") {
  const Site site;
  PlanMemory m = Site::open();
  m.keep("one", "a long value, so that the file is long");
  CHECK(m.find("two").empty());
  fs::remove(site.file);
  CHECK(m.find("one") == "a long value, so that the file is long");
  Site::open().keep("two", "2");
  CHECK(m.find("two") == "2");
  fs::resize_file(site.file, (std::uint64_t(16) << 20) + 1);
  PlanMemory large = Site::open();
  CHECK(large.find("two").empty());
  large.keep("two", "2");
  CHECK(lines_of(site.file) == 1);
}

TEST_CASE("where nothing can be written or read, choices last as long as the process", "[plan_memory]") {
  const Site site;
  SECTION("a folder that cannot be made") {
    write_atomic(site.folder / "kept", "a file");
    PlanMemory m = Site::open();
    m.keep("one", "1");
    CHECK(m.find("one") == "1");
    CHECK(m.find("two").empty());
    CHECK(Site::open().find("one").empty());
  }
  SECTION("a call that fails") {
    Site::open().keep("before", "0");
    for (int error : {EACCES, EROFS, ENOSPC, EIO}) {
      for (int call : {0, 1, 2}) {  // opening, writing, closing
        INFO("call " << call << ", error " << error);
        PlanMemory m = Site::open();
        {
          FaultyFiles faulty(call, error);
          m.keep("one", "1");
          CHECK(m.find("one") == "1");
        }
        CHECK(Site::open().find("before") == "0");
      }
    }
  }
  SECTION("turned off") {
    const Variable off("TENON_PLAN_MEMORY", "none");
    PlanMemory m = Site::open();
    m.keep("one", "1");
    CHECK(m.find("one") == "1");
    CHECK(Site::open().find("one").empty());
    CHECK_FALSE(fs::exists(site.folder / "kept"));
    CHECK_FALSE(fs::exists("none"));
  }
}

TEST_CASE("without a folder named, choices lie in the user's cache", "[plan_memory]") {
  const Site site;
  const Variable unnamed("TENON_PLAN_MEMORY", "");
  const Variable home("HOME", (site.folder / "home").string());
  {
    const Variable cache("XDG_CACHE_HOME", (site.folder / "cache").string());
    Site::open().keep("one", "1");
    CHECK(fs::exists(site.folder / "cache/tenon" / site.file.filename()));
  }
  const Variable no_cache("XDG_CACHE_HOME", "");
  Site::open().keep("one", "1");
  CHECK(fs::exists(site.folder / "home/.cache/tenon" / site.file.filename()));
}
