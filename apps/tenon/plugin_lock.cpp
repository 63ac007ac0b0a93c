// `tenon plugin lock [DIR]`: writes plugins.lock (core/src/plugin/lock.hpp), after which the plugin files of a folder load as they are now or not at all.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
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

constexpr char kHead[] = "# The plugin files that may be loaded from here (`tenon plugin lock` writes this).\n";

std::string line_of(const fs::path& plugin) { return sha256_of_file(plugin) + "  " + plugin.filename().string() + "\n"; }

void write_lock(const fs::path& file, const std::string& text) {
  write_atomic(file, text);
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read | fs::perms::others_read);
}

}  // namespace

bool renew_lock(const fs::path& plugin) {
  const fs::path file = plugin.parent_path() / "plugins.lock";
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(file, failed))) return false;
  std::istringstream lines(read_text(file));
  std::string text, line;
  while (std::getline(lines, line))
    if (line.size() < 66 || line.substr(66) != plugin.filename().string()) text += line + "\n";
  write_lock(file, text + line_of(plugin));
  return true;
}

int plugin_lock_command(const PluginCommand& command, const Common& common) {
  const fs::path folder = command.folder.empty() ? user_plugin_folder() : fs::absolute(command.folder);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) throw Error(ErrorKind::usage, "plugin.no_directory", "there is no folder of plugins", "name one, or install a plugin first", folder.string());
  std::vector<fs::path> plugins;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().ends_with(".tenon.so")) plugins.push_back(entry.path());
  std::sort(plugins.begin(), plugins.end());
  std::string text = kHead;
  nlohmann::ordered_json out{{"file", (folder / "plugins.lock").string()}, {"plugins", nlohmann::ordered_json::array()}};
  for (const fs::path& plugin : plugins) {
    try {
      record_of(plugin);
    } catch (const Error& e) {  // what is no plugin is allowed nothing
      if (!common.quiet) status("left out: " + visible_line(plugin.filename().string()) + ": " + visible(e.message()));
      continue;
    }
    const std::string line = line_of(plugin);
    text += line;
    out["plugins"].push_back({{"file", plugin.filename().string()}, {"sha256", line.substr(0, 64)}});
    if (!common.json) print(line.substr(0, 12) + "...  " + visible_line(plugin.filename().string()));
  }
  write_lock(folder / "plugins.lock", text);
  if (common.json) print(json_text(out));
  else print(visible_line((folder / "plugins.lock").string()) + ": " + std::to_string(out["plugins"].size()) + (out["plugins"].size() == 1 ? " plugin" : " plugins") + "; delete the file to allow any");
  return 0;
}

}  // namespace tenon::command
