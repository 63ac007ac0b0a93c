/// Whether plugins.lock (tenon/plugin_lock.hpp) lets a file be loaded.
///
/// The lock must be as safe from others as the plugins are (path_policy.hpp). The digest is that of the open file which is then loaded.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "plugin/path_policy.hpp"
#include "tenon/export.hpp"
#include "tenon/plugin_lock.hpp"

namespace tenon {

class TENON_API PluginLock {
 public:
  /// `file` is what messages call it.
  PluginLock(PluginLockFile lines, std::string file) : lines_(std::move(lines)), file_(std::move(file)) {}
  /// Throws plugin.not_in_lock for a name that it does not hold, plugin.lock_mismatch for another content.
  void require(const std::string& name, const CheckedFile& file) const;

 private:
  PluginLockFile lines_;
  std::string file_;
};

/// The lock that counts for a folder, if there is one. Throws plugin.bad_lock, and what open_plugin_file throws, with the lock's name, but for a file that is not
/// there; TENON_PLUGIN_LOCK must lead to one.
std::optional<PluginLock> plugin_lock(const Descriptor& directory);

/// SHA-256 of an open file, in hexadecimal; throws plugin.unreadable.
TENON_API std::string digest_of(const CheckedFile& file);

}  // namespace tenon
