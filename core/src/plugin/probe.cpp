#include "plugin/probe.hpp"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "plugin/lock.hpp"
#include "tenon/child_process.hpp"
#include "tenon/error.hpp"
#include "tenon/surroundings.hpp"

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostVerdicts = 1000;

double time_limit() {
  if (const char* text = std::getenv("TENON_PLUGIN_SECONDS")) {
    char* end = nullptr;
    if (const double seconds = std::strtod(text, &end); end != text && seconds > 0 && seconds < 1e6) return seconds;
  }
  return 10;
}

[[noreturn]] void refuse(const char* code, const std::string& what) {
  throw Error(ErrorKind::plugin, code, what, "this is a defect of the plugin, or of a library that it brings: report it to its author");
}

// ---- the child's side ----------------------------------------------------------------------------------------------

constexpr char kEndOfName = '\n';

std::set<std::string> loaded_libraries() {
  std::set<std::string> out;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        if (info->dlpi_name && *info->dlpi_name == '/') static_cast<std::set<std::string>*>(to)->insert(info->dlpi_name);
        return 0;
      },
      &out);
  return out;
}

// Not those of files, whose bytes the parent will write itself.
void flush_streams() {
  std::cout.flush();
  std::fflush(stdout);
  std::fflush(stderr);
}

// So that what takes memory without end does not take that of the machine.
void limit_memory() {
  constexpr rlim_t kMore = rlim_t{8} << 30;
  std::ifstream in("/proc/self/statm");
  rlim_t pages = 0;
  rlimit limit{};
  if (!(in >> pages) || ::getrlimit(RLIMIT_AS, &limit) != 0) return;
  const rlim_t wanted = pages * rlim_t(::sysconf(_SC_PAGESIZE)) + kMore;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_AS, &limit);
}

/// What the trial saw: "loaded", then a line for what it changed, then a line a library. It runs in a thread of its own, whose end takes thread-local objects down as the end of
/// a program does.
std::string watched(const Trial& trial) {
  limit_memory();
  flush_streams();  // to nowhere: what the parent had not written yet is no print of the plugin's
  const int said = ::memfd_create("tenon-plugin-trial", MFD_CLOEXEC);
  if (said >= 0)
    for (const int fd : {1, 2}) ::dup2(said, fd);
  const std::set<std::string> libraries = loaded_libraries();
  constexpr std::size_t kAnyNumber = 1 << 20;  // of descriptors that stay open: untidy, and no harm
  std::string change, list;
  bool loaded = false;
  std::thread([&] {
    const Surroundings before;
    const auto look = [&](const char* when) {
      if (change.empty()) change = joined(changes(before, settled(before, 0), kAnyNumber, 0));
      flush_streams();
      struct stat status {};
      if (change.empty() && said >= 0 && ::fstat(said, &status) == 0 && status.st_size > 0) change = "it prints";
      if (!change.empty() && change.find("when it is") == std::string::npos) change = when + change;
    };
    try {
      trial([&] {
        loaded = true;
        for (const std::string& library : loaded_libraries())
          if (!libraries.count(library) && !library.starts_with("/proc/self/fd/") && library.find(kEndOfName) == std::string::npos) list += library + kEndOfName;
        look("when it is loaded, ");
      });
      if (loaded) look("when it is taken down, ");
    } catch (...) {  // the caller will meet it again
      loaded = false;
    }
  }).join();
  return loaded ? "loaded\n" + change + "\n" + list : "";
}

// ---- what is remembered ------------------------------------------------------------------------------------------

constexpr char kWell[] = "well";      // the fourth cell; other words are of other versions
constexpr char kBetween = '\x1f';     // between libraries, and between a library's path and its identity

struct Verdict {
  std::string file, core;  ///< identities: of the plugin, and of the core that loaded it
  std::string digest;
  std::string libraries;   ///< paths and identities of what is loaded with it
};

std::string times_of(const struct stat& s) {
  std::ostringstream text;
  text << s.st_dev << ':' << s.st_ino << ':' << s.st_size << ':' << s.st_mtim.tv_sec << '.' << s.st_mtim.tv_nsec << ':' << s.st_ctim.tv_sec << '.' << s.st_ctim.tv_nsec;
  return text.str();
}

/// A verdict on `file` that is not made yet; its file is empty where identities cannot be told.
Verdict verdict_on(const CheckedFile& file) {
  struct stat own {}, core {};
  const fs::path library = core_library_file();
  if (::fstat(file.descriptor.get(), &own) != 0 || library.empty() || ::stat(library.c_str(), &core) != 0) return {};
  return {times_of(own), times_of(core), {}, {}};
}

/// Only what nobody else may have written is believed.
std::vector<Verdict> read_verdicts(const fs::path& path) {
  std::vector<Verdict> out;
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH))) return out;
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line) && out.size() < kMostVerdicts) {
    Verdict v;
    std::istringstream cells(line);
    std::string word;
    if (std::getline(cells, v.file, '\t') && std::getline(cells, v.core, '\t') && std::getline(cells, v.digest, '\t') && std::getline(cells, word, '\t') && word == kWell) {
      std::getline(cells, v.libraries, '\t');
      out.push_back(std::move(v));
    }
  }
  return out;
}

/// Paths and identities; nothing where one cannot be told.
std::optional<std::string> identities_of(const std::vector<std::string>& libraries) {
  std::string out;
  for (const std::string& library : libraries) {
    struct stat status {};
    if (library.find_first_of("\t\n\x1f") != std::string::npos || ::stat(library.c_str(), &status) != 0) return std::nullopt;
    out += (out.empty() ? "" : std::string(1, kBetween)) + library + kBetween + times_of(status);
  }
  return out;
}

/// Are the libraries that came with it those of then?
bool same_libraries(const Verdict& v) {
  std::istringstream cells(v.libraries);
  std::string library, identity;
  while (std::getline(cells, library, kBetween)) {
    struct stat status {};
    if (!std::getline(cells, identity, kBetween) || ::stat(library.c_str(), &status) != 0 || times_of(status) != identity) return false;
  }
  return true;
}

/// `verdict` first, the others after it; whole or not at all.
void remember(const fs::path& path, Verdict verdict) {
  if (path.empty() || verdict.file.empty()) return;
  std::vector<Verdict> all = read_verdicts(path);
  std::erase_if(all, [&](const Verdict& v) { return v.file == verdict.file && v.core == verdict.core; });
  all.insert(all.begin(), std::move(verdict));
  if (all.size() > kMostVerdicts) all.resize(kMostVerdicts);
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  const fs::path next = path.string() + "." + std::to_string(::getpid());
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  std::string text;
  for (const Verdict& v : all) text += v.file + '\t' + v.core + '\t' + v.digest + '\t' + kWell + '\t' + v.libraries + '\n';
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::close(fd) != 0 || !written || ::rename(next.c_str(), path.c_str()) != 0) ::unlink(next.c_str());
}

}  // namespace

fs::path verdict_file() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/') return fs::path(cache) / "tenon" / "plugins";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return fs::path(home) / ".cache" / "tenon" / "plugins";
  return {};
}

TrialEnd try_in_child(const Trial& trial) {
  const double seconds = time_limit();
  const ChildEnd end = run_in_child([&] { return watched(trial); }, seconds);
  switch (end.how) {
    case ChildEnd::How::no_process:
      throw Error(ErrorKind::plugin, "plugin.no_trial", std::string("it cannot be tried: no child process can be made: ") + std::strerror(end.number),
                  "raise the limits of this process (ulimit -u, -n); TENON_PLUGIN_TRIAL=off loads plugins untried");
    case ChildEnd::How::late: {
      std::ostringstream limit;
      limit << seconds;
      refuse("plugin.hung", "a child process that loaded it was not done after " + limit.str() + " s");
    }
    case ChildEnd::How::signalled: refuse("plugin.crashed", "a child process that loaded it was ended by " + end.signal_name());
    case ChildEnd::How::exited: refuse("plugin.exited", "a child process that loaded it ended with status " + std::to_string(end.number) + " while it loaded");
    case ChildEnd::How::returned: break;
  }
  if (end.left_processes) refuse("plugin.forked", "it starts a process when it is loaded");
  TrialEnd out;
  std::istringstream lines(end.report);
  std::string line;
  if (!std::getline(lines, line)) return out;
  out.loaded = true;
  if (std::getline(lines, line) && !line.empty()) refuse("plugin.meddles", line);
  while (std::getline(lines, line)) out.libraries.push_back(line);
  return out;
}

void require_tried(const CheckedFile& file, const Trial& trial) {
  if (const char* text = std::getenv("TENON_PLUGIN_TRIAL"); text && std::string_view(text) == "off") return;
  const fs::path path = verdict_file();
  Verdict verdict = verdict_on(file);
  const auto settled = [&](const auto& same) {
    for (const Verdict& v : read_verdicts(path)) {
      if (v.core != verdict.core || !same(v) || !same_libraries(v)) continue;
      if (v.file != verdict.file) remember(path, {verdict.file, verdict.core, v.digest, v.libraries});
      return true;
    }
    return false;
  };
  if (!verdict.file.empty()) {
    if (settled([&](const Verdict& v) { return v.file == verdict.file; })) return;
    verdict.digest = digest_of(file);
    if (settled([&](const Verdict& v) { return v.digest == verdict.digest; })) return;
  }
  const TrialEnd end = try_in_child(trial);
  if (!end.loaded) return;
  if (const auto libraries = identities_of(end.libraries)) {
    verdict.libraries = *libraries;
    remember(path, verdict);
  }
}

}  // namespace tenon
