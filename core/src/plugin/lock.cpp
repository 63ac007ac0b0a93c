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

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string text_of(const CheckedFile& file, const std::string& name) {
  if (file.size > kMostBytes) throw Error(ErrorKind::plugin, "plugin.bad_lock", "the lock file has " + std::to_string(file.size) + " bytes, at most " + std::to_string(kMostBytes) + " are read", "write it with `tenon plugin lock`", name);
  std::string text(file.size, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto n = ::pread(file.descriptor.get(), text.data() + have, text.size() - have, off_t(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::plugin, "plugin.unreadable", std::string("the lock file cannot be read: ") + std::strerror(errno), "check its permissions", name);
    if (n == 0) break;
    have += std::size_t(n);
  }
  text.resize(have);
  return text;
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

PluginLock PluginLock::parse(std::string_view text, const std::string& file) {
  PluginLock lock;
  lock.file_ = file;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    // sha256sum puts a blank or, for binary reading, an asterisk before the name
    const std::string_view digest = line.substr(0, 64), name = line.size() > 66 ? line.substr(66) : std::string_view();
    const bool apart = line.size() > 66 && line[64] == ' ' && (line[65] == ' ' || line[65] == '*');
    const auto fail = [&](const std::string& what) {
      throw Error(ErrorKind::plugin, "plugin.bad_lock", file + ", line " + std::to_string(number) + ": " + what, "write it with `tenon plugin lock`");
    };
    if (!apart || !is_digest(digest)) fail("wanted is a SHA-256 digest, two blanks and the name of a file");
    if (name.find('/') != std::string_view::npos || !name.ends_with(".tenon.so")) fail("'" + std::string(name) + "' is not the name of a plugin's file");
    if (!lock.digests_.emplace(name, digest).second) fail("'" + std::string(name) + "' is there twice");
  }
  return lock;
}

void PluginLock::require(const std::string& name, const CheckedFile& file) const {
  const auto found = digests_.find(name);
  if (found == digests_.end()) throw Error(ErrorKind::plugin, "plugin.not_in_lock", "the file is not in " + file_, "if it may be loaded, add it with `tenon plugin lock`");
  if (const std::string digest = digest_of(file); digest != found->second)
    throw Error(ErrorKind::plugin, "plugin.lock_mismatch", "its SHA-256 is " + digest + ", " + file_ + " has " + found->second, "if the new file may be loaded, renew the lock with `tenon plugin lock`");
}

std::optional<PluginLock> plugin_lock(const Descriptor& directory) {
  if (const char* named = ::secure_getenv("TENON_PLUGIN_LOCK"); named && *named) {
    const std::filesystem::path path(named);
    if (!path.is_absolute()) throw Error(ErrorKind::plugin, "plugin.bad_lock", "TENON_PLUGIN_LOCK is '" + path.string() + "', which would depend on the current directory", "write an absolute path");
    return PluginLock::parse(text_of(open_plugin_file(open_plugin_directory(path.parent_path()), path.filename().string()), path.string()), path.string());
  }
  if (::faccessat(directory.get(), kPluginLock, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return {};
  return PluginLock::parse(text_of(open_plugin_file(directory, kPluginLock), kPluginLock), kPluginLock);
}

}  // namespace tenon
