#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cfenv>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>

#include "plugin_check/subject.hpp"
#include "tenon/error.hpp"

extern char** environ;

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

/// Loads the subject; throws why it cannot be used.
void load(const Subject& s) {
  PluginHost& host = host_with(s);
  host.load_all();
  for (const PluginInfo& info : host.scan()) {
    if (info.file != s.linked) continue;
    expect(info.state == PluginState::active, info.code + ": " + info.reason);
    return;
  }
  throw CheckFailed{"the host does not see the file"};
}

std::size_t entries_in(const char* folder) {
  std::size_t n = 0;
  for (const auto& entry : fs::directory_iterator(folder)) n += !entry.path().empty();
  return n;
}

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * std::size_t(::sysconf(_SC_PAGESIZE));
}

/// What a library has no business to change when it is loaded.
struct Surroundings {
  std::string folder = fs::current_path().string(), locale = std::setlocale(LC_ALL, nullptr);
  std::set<std::string> environment;
  mode_t mask;
  int rounding = std::fegetround(), traps = ::fegetexcept();
  struct sigaction handlers[32] {};
  Surroundings() {
    for (char** e = environ; *e; ++e) environment.insert(*e);
    mask = ::umask(0);
    ::umask(mask);
    for (int n = 1; n < 32; ++n) ::sigaction(n, nullptr, &handlers[n]);
  }
};

}  // namespace

std::vector<NamedCheck> load_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  const auto add = [&](std::string name, std::function<void()> run) { out.push_back({std::move(name), std::move(run)}); };
  add("load.works", [&s] { load(s); });
  add("load.time", [&s] {
    host_with(s).scan();
    const auto begin = std::chrono::steady_clock::now();
    load(s);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    expect(seconds < 1, "loading took " + std::to_string(seconds) + " s: nothing should be worked out before it is asked for");
  });
  add("load.silent", [&s] {
    const fs::path said = s.folder / "said";
    const int fd = ::open(said.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (int to : {1, 2}) ::dup2(fd, to);
    load(s);
    ::fflush(nullptr);
    const auto size = fs::file_size(said);
    std::string text(std::min<std::size_t>(size, 200), '\0');
    if (::pread(fd, text.data(), text.size(), 0) < 0) text.clear();
    expect(size == 0, "it prints while it is loaded: " + text);
  });
  add("load.threads", [&s] {
    const std::size_t before = entries_in("/proc/self/task");
    load(s);
    expect(entries_in("/proc/self/task") == before, "it starts threads when it is loaded");
  });
  add("load.descriptors", [&s] {
    host_with(s).scan();
    const std::size_t before = entries_in("/proc/self/fd");
    load(s);
    expect(entries_in("/proc/self/fd") <= before, "files stay open after it was loaded");
  });
  add("load.memory", [&s] {
    host_with(s).scan();
    const std::size_t before = resident_bytes();
    load(s);
    const std::size_t grown = resident_bytes() - std::min(before, resident_bytes());
    expect(grown < (std::size_t(256) << 20), "it takes " + std::to_string(grown >> 20) + " MB when it is loaded");
  });
  add("load.environment", [&s] {
    host_with(s);
    const Surroundings before;
    load(s);
    const Surroundings after;
    expect(before.environment == after.environment, "it changes environment variables");
    expect(before.folder == after.folder, "it changes the working folder");
    expect(before.locale == after.locale, "it changes the locale to " + after.locale + ": numbers would be read and written otherwise");
    expect(before.mask == after.mask, "it changes the mask of new files");
  });
  add("load.floating_point", [&s] {
    const Surroundings before;
    load(s);
    const Surroundings after;
    expect(before.rounding == after.rounding, "it changes how floating-point results are rounded");
    expect(before.traps == after.traps, "it changes which floating-point operations trap");
    volatile double tiny = 1e-300, product = tiny * 1e-10;
    expect(product > 0, "it makes the processor flush denormal numbers to zero (-ffast-math at link time does): results of the whole process change");
  });
  add("load.signals", [&s] {
    const Surroundings before;
    load(s);
    const Surroundings after;
    for (int n = 1; n < 32; ++n)
      expect(std::memcmp(&before.handlers[n].sa_handler, &after.handlers[n].sa_handler, sizeof before.handlers[n].sa_handler) == 0, std::string("it takes over SIG") + (sigabbrev_np(n) ? sigabbrev_np(n) : "?"));
  });
  add("load.all_provided", [&s] {
    load(s);
    PluginHost& host = PluginHost::instance();
    for (const std::string& e : entries_of(s, "format")) host.format(s.name() + "." + e);
    for (const std::string& e : entries_of(s, "model")) host.model(s.name() + "." + e);
    for (const std::string& e : entries_of(s, "task")) host.task(s.name() + "." + e);
    for (const std::string& e : entries_of(s, "tool")) host.tool(s.name() + "." + e);
  });
  return out;
}

}  // namespace tenon::command
