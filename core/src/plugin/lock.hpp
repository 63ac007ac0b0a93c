/// plugins.lock: the only plugin files that may be loaded, by name and content.
///
/// Lines as `sha256sum` writes them, "<64 hexadecimal digits>  <name>.tenon.so"; empty lines and those that begin with '#' say nothing. The file
/// lies in a folder of plugins and counts for it; TENON_PLUGIN_LOCK=FILE names one that counts for every folder instead. It must be as safe from
/// others as the plugins are (path_policy.hpp). The digest is that of the open file which is then loaded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/path_policy.hpp"
#include "tenon/export.hpp"

namespace tenon {

inline constexpr char kPluginLock[] = "plugins.lock";

class TENON_API PluginLock {
 public:
  /// Throws plugin.bad_lock, with the line.
  static PluginLock parse(std::string_view text, const std::string& file);
  /// Throws plugin.not_in_lock for a name that it does not hold, plugin.lock_mismatch for another content.
  void require(const std::string& name, const CheckedFile& file) const;

 private:
  std::string file_;
  std::map<std::string, std::string> digests_;
};

/// The lock that counts for a folder, if there is one. Throws plugin.bad_lock, and what open_plugin_file throws but for a file that is not there;
/// TENON_PLUGIN_LOCK must lead to one.
std::optional<PluginLock> plugin_lock(const Descriptor& directory);

/// SHA-256 of an open file, in hexadecimal; throws plugin.unreadable.
TENON_API std::string digest_of(const CheckedFile& file);

}  // namespace tenon
