#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "plugin_check/subject.hpp"
#include "tenon/child_process.hpp"
#include "tenon/error.hpp"
#include "tenon/surroundings.hpp"

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

/// Throws where loading changes something of these aspects.
void expect_unchanged(const Subject& s, std::initializer_list<Aspect> aspects) {
  host_with(s).scan();
  const Surroundings before;
  load(s);
  std::vector<Change> told;
  for (Change& c : changes(before, settled(before)))
    if (std::find(aspects.begin(), aspects.end(), c.aspect) != aspects.end()) told.push_back(std::move(c));
  expect(told.empty(), joined(told));
}

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
  add("load.descriptors", [&s] { expect_unchanged(s, {Aspect::descriptors}); });
  add("load.streams", [&s] { expect_unchanged(s, {Aspect::streams}); });
  add("load.memory", [&s] {
    host_with(s).scan();
    const std::size_t before = resident_bytes();
    load(s);
    const std::size_t grown = resident_bytes() - std::min(before, resident_bytes());
    expect(grown < (std::size_t(256) << 20), "it takes " + std::to_string(grown >> 20) + " MB when it is loaded");
  });
  add("load.environment", [&s] { expect_unchanged(s, {Aspect::environment}); });
  add("load.floating_point", [&s] { expect_unchanged(s, {Aspect::floating_point}); });
  add("load.signals", [&s] { expect_unchanged(s, {Aspect::signals}); });
  add("load.limits", [&s] { expect_unchanged(s, {Aspect::limits}); });
  add("load.handlers", [&s] { expect_unchanged(s, {Aspect::handlers}); });
  add("load.exit", [&s] {
    const ChildEnd end = run_in_child([&s]() -> std::string {
      load(s);
      std::exit(0);
    }, std::max(0.5 * s.seconds, 0.05));
    if (end.how == ChildEnd::How::returned) throw CheckSkipped{"the plugin does not load"};
    const std::string when = " when the process leaves: destructors of globals and exit handlers must do no harm";
    if (end.how == ChildEnd::How::signalled) throw CheckFailed{"it ends the process by " + end.signal_name() + when};
    if (end.how == ChildEnd::How::late) throw CheckFailed{"it does not come to an end" + when};
    expect(end.how == ChildEnd::How::exited && end.number == 0, "the process leaves with status " + std::to_string(end.number) + ", not 0," + when);
    expect(!end.left_processes, "a process is left behind" + when);
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
