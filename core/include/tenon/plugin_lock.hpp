/// plugins.lock: the only plugin files that may be loaded, by name and content.
///
/// Lines as `sha256sum` writes them, "<64 hexadecimal digits>  <name>.tenon.so"; empty lines and those that begin with '#' say nothing, and lines may end as on
/// Windows. The file lies in a folder of plugins and counts for it; TENON_PLUGIN_LOCK=FILE names one that counts for every folder instead.
///
/// A value: it holds the file's text and what that means, opens nothing, and is as safe between threads as a string.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

inline constexpr char kPluginLock[] = "plugins.lock";

class TENON_API PluginLockFile {
 public:
  PluginLockFile() = default;
  /// `file` is what messages call it. Throws plugin.bad_lock, with the line.
  static PluginLockFile parse(std::string_view text, const std::string& file);

  /// The digest of the file that may be loaded under this name; empty: none.
  std::string digest(std::string_view name) const;
  /// In place of the name's line where it has one, else at the end. Throws plugin.bad_lock for what cannot be a line: a name with a line end, with a folder, or
  /// of no plugin's file.
  void set(const std::string& name, const std::string& digest);
  void add_comment(const std::string& text);
  /// All lines, comments included, in their order, each ended by a new line.
  std::string text() const;

 private:
  std::vector<std::string> lines_;
  std::map<std::string, std::size_t, std::less<>> line_of_;  // by name
};

}  // namespace tenon
