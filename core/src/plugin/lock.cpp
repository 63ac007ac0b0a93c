#include "plugin/lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tenon/error.hpp"
#include "tenon/io/sha256.hpp"

namespace tenon {
namespace {

constexpr std::size_t kMostBytes = std::size_t(1) << 20;
constexpr std::size_t kNameAt = 66;  // behind the digest and two blanks

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool can_be_locked(std::string_view name) { return name.find_first_of("/\n") == std::string_view::npos && name.ends_with(".tenon.so"); }

std::string text_of(const CheckedFile& file) {
  if (file.size > kMostBytes) throw Error(ErrorKind::plugin, "plugin.bad_lock", "it has " + std::to_string(file.size) + " bytes, at most " + std::to_string(kMostBytes) + " are read", "write it with `tenon plugin lock`");
  std::string text(file.size, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto n = ::pread(file.descriptor.get(), text.data() + have, text.size() - have, off_t(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::plugin, "plugin.unreadable", std::string("it cannot be read: ") + std::strerror(errno), "check its permissions");
    if (n == 0) break;
    have += std::size_t(n);
  }
  text.resize(have);
  return text;
}

// What is wrong with the lock would else read as if it were wrong with the folder or a plugin.
template <class F>
auto naming(const std::string& lock, F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const Error& e) {
    // a folder of plugins that is not there may be passed over, that of a lock not
    throw Error(e.kind(), e.code() == "plugin.no_directory" ? "plugin.unreadable" : e.code(), lock + ": " + e.message(), e.hint());
  }
}

}  // namespace

std::string digest_of(const CheckedFile& file) {
  Sha256 sum;
  std::array<std::byte, 1 << 16> part;
  for (off_t at = 0;;) {
    const auto n = ::pread(file.descriptor.get(), part.data(), part.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::plugin, "plugin.unreadable", std::string("reading failed: ") + std::strerror(errno));
    if (n == 0) return sum.hex_digest();
    sum.update(part.data(), std::size_t(n));
    at += n;
  }
}

PluginLockFile PluginLockFile::parse(std::string_view text, const std::string& file) {
  PluginLockFile lock;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    lock.lines_.emplace_back(line);
    if (line.empty() || line.front() == '#') continue;
    // sha256sum puts a blank or, for binary reading, an asterisk before the name
    const bool apart = line.size() > kNameAt && line[64] == ' ' && (line[65] == ' ' || line[65] == '*');
    const auto fail = [&](const std::string& what) {
      throw Error(ErrorKind::plugin, "plugin.bad_lock", file + ", line " + std::to_string(lock.lines_.size()) + ": " + what, "write it with `tenon plugin lock`");
    };
    if (!apart || !is_digest(line.substr(0, 64))) fail("wanted is a SHA-256 digest, two blanks and the name of a file");
    const std::string name(line.substr(kNameAt));
    if (!can_be_locked(name)) fail("'" + name + "' is not the name of a plugin's file");
    if (!lock.line_of_.emplace(name, lock.lines_.size() - 1).second) fail("'" + name + "' is there twice");
  }
  return lock;
}

std::string PluginLockFile::digest(std::string_view name) const {
  const auto found = line_of_.find(name);
  return found == line_of_.end() ? std::string() : lines_[found->second].substr(0, 64);
}

void PluginLockFile::set(const std::string& name, const std::string& digest) {
  if (!can_be_locked(name)) throw Error(ErrorKind::plugin, "plugin.bad_lock", "'" + name + "' cannot stand in a lock", "rename the file");
  const auto [place, added] = line_of_.emplace(name, lines_.size());
  if (added) lines_.emplace_back();
  lines_[place->second] = digest + "  " + name;
}

void PluginLockFile::add_comment(const std::string& text) { lines_.push_back("# " + text); }

std::string PluginLockFile::text() const {
  std::string out;
  for (const std::string& line : lines_) out += line + "\n";
  return out;
}

void PluginLock::require(const std::string& name, const CheckedFile& file) const {
  const std::string wanted = lines_.digest(name);
  if (wanted.empty()) throw Error(ErrorKind::plugin, "plugin.not_in_lock", "the file is not in " + file_, "if it may be loaded, add it with `tenon plugin lock`");
  if (const std::string digest = digest_of(file); digest != wanted)
    throw Error(ErrorKind::plugin, "plugin.lock_mismatch", "its SHA-256 is " + digest + ", " + file_ + " has " + wanted, "if the new file may be loaded, renew the lock with `tenon plugin lock`");
}

std::optional<PluginLock> plugin_lock(const Descriptor& directory) {
  if (const char* named = ::secure_getenv("TENON_PLUGIN_LOCK"); named && *named) {
    const std::filesystem::path path(named);
    if (!path.is_absolute()) throw Error(ErrorKind::plugin, "plugin.bad_lock", "TENON_PLUGIN_LOCK is '" + path.string() + "', which would depend on the current directory", "write an absolute path");
    const std::string text = naming(path.string() + " (TENON_PLUGIN_LOCK)", [&] { return text_of(open_plugin_file(open_plugin_directory(path.parent_path()), path.filename().string())); });
    return PluginLock(PluginLockFile::parse(text, path.string()), path.string());
  }
  if (::faccessat(directory.get(), kPluginLock, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return {};
  const std::string text = naming(kPluginLock, [&] { return text_of(open_plugin_file(directory, kPluginLock)); });
  return PluginLock(PluginLockFile::parse(text, kPluginLock), kPluginLock);
}

}  // namespace tenon
