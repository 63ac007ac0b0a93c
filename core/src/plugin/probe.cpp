#include "plugin/probe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "plugin/lock.hpp"
#include "tenon/child_process.hpp"
#include "tenon/error.hpp"

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
  throw Error(ErrorKind::plugin, code, what, "this is a defect of the plugin: report it to its author; build it again and it is tried again");
}

// ---- what is remembered ------------------------------------------------------------------------------------------

struct Verdict {
  std::string file, core;  ///< identities: of the plugin, and of the core that loaded it
  std::string digest, code, reason;  ///< code "-": good
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
  if (::fstat(file.descriptor.get(), &own) != 0 || library.empty() || ::stat(library.c_str(), &core) != 0) return {{}, {}, {}, "-", {}};
  return {times_of(own), times_of(core), {}, "-", {}};
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
    if (std::getline(cells, v.file, '\t') && std::getline(cells, v.core, '\t') && std::getline(cells, v.digest, '\t') && std::getline(cells, v.code, '\t')) {
      std::getline(cells, v.reason, '\t');
      out.push_back(std::move(v));
    }
  }
  return out;
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
  for (const Verdict& v : all) text += v.file + '\t' + v.core + '\t' + v.digest + '\t' + v.code + '\t' + v.reason + '\n';
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::close(fd) != 0 || !written || ::rename(next.c_str(), path.c_str()) != 0) ::unlink(next.c_str());
}

}  // namespace

fs::path verdict_file() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/') return fs::path(cache) / "tenon" / "plugins";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return fs::path(home) / ".cache" / "tenon" / "plugins";
  return {};
}

void try_in_child(const std::function<void()>& trial) {
  const double seconds = time_limit();
  const ChildEnd end = run_in_child([&] { return trial(), std::string(); }, seconds);
  switch (end.how) {
    case ChildEnd::How::no_process: return;  // no trial without one: the plugin loads as it is
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
}

void require_tried(const CheckedFile& file, const std::function<void()>& trial) {
  if (const char* text = std::getenv("TENON_PLUGIN_TRIAL"); text && std::string_view(text) == "off") return;
  const fs::path path = verdict_file();
  Verdict verdict = verdict_on(file);
  const auto settled = [&](const auto& same) {
    for (const Verdict& v : read_verdicts(path)) {
      if (v.core != verdict.core || !same(v)) continue;
      verdict.code = v.code, verdict.reason = v.reason, verdict.digest = v.digest;
      if (v.file != verdict.file) remember(path, verdict);
      if (v.code != "-") refuse(v.code.c_str(), v.reason + " (when it was tried before)");
      return true;
    }
    return false;
  };
  if (!verdict.file.empty()) {
    if (settled([&](const Verdict& v) { return v.file == verdict.file; })) return;
    verdict.digest = digest_of(file);
    if (settled([&](const Verdict& v) { return v.digest == verdict.digest; })) return;
  }
  std::optional<Error> refusal;
  try {
    try_in_child(trial);
  } catch (const Error& e) {
    refusal = e;
    verdict.code = e.code();
    verdict.reason = e.message();
  }
  remember(path, verdict);
  if (refusal) throw *refusal;
}

}  // namespace tenon
