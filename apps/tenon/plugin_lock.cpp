// `tenon plugin lock [DIR]`: writes plugins.lock (tenon/plugin_lock.hpp), after which the plugin files of a folder load as they are now or not at all.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "command.hpp"
#include "plugin_project.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

// Whoever put a link there keeps the list elsewhere, perhaps for more than this folder.
void refuse_link(const fs::path& file) {
  std::error_code failed;
  if (!fs::is_symlink(fs::symlink_status(file, failed))) return;
  throw Error(ErrorKind::plugin, "plugin.bad_lock", "the lock is a link to " + fs::read_symlink(file, failed).string() + ", through which nothing is written",
              "change the list where it lies, or remove the link", file.string());
}

}  // namespace

std::optional<PluginLockFile> lock_of(const fs::path& folder) {
  const fs::path file = folder / kPluginLock;
  refuse_link(file);
  if (!file_exists(file)) return {};
  return PluginLockFile::parse(read_text(file), file.string());
}

void write_lock(const fs::path& folder, const PluginLockFile& lock) {
  const fs::path file = folder / kPluginLock;
  write_atomic(file, lock.text());
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read | fs::perms::others_read);
}

int plugin_lock_command(const PluginCommand& command, const Common& common) {
  const fs::path folder = command.folder.empty() ? user_plugin_folder() : fs::absolute(command.folder);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) throw Error(ErrorKind::usage, "plugin.no_directory", "there is no folder of plugins", "name one, or install a plugin first", folder.string());
  std::vector<fs::path> plugins;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().ends_with(".tenon.so")) plugins.push_back(entry.path());
  std::sort(plugins.begin(), plugins.end());
  const fs::path file = folder / kPluginLock;
  refuse_link(file);
  PluginLockFile lock;
  lock.add_comment("The plugin files that may be loaded from here (`tenon plugin lock` writes this).");
  nlohmann::ordered_json out{{"file", file.string()}, {"plugins", nlohmann::ordered_json::array()}};
  for (const fs::path& plugin : plugins) {
    const std::string name = plugin.filename().string();
    std::string digest;
    try {
      record_of(plugin);
      digest = sha256_of_file(plugin);
      lock.set(name, digest);
    } catch (const Error& e) {  // what is no plugin, or cannot be written, is allowed nothing
      if (!common.quiet) status("left out: " + visible_line(name) + ": " + visible(e.message()));
      continue;
    }
    out["plugins"].push_back({{"file", name}, {"sha256", digest}});
    if (!common.json) print(digest.substr(0, 12) + "...  " + visible_line(name));
  }
  write_lock(folder, lock);
  if (common.json) print(json_text(out));
  else print(visible_line(file.string()) + ": " + std::to_string(out["plugins"].size()) + (out["plugins"].size() == 1 ? " plugin" : " plugins") + "; delete the file to allow any");
  return 0;
}

}  // namespace tenon::command
