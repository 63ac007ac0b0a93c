// `tenon plugin install [DIR]`: copies what was built to where the host looks for a user's plugins.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
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

constexpr const char* kRemedy = "mend that, or use the file where it is with --plugin-dir";

// While one is alive folders are made with mode 0755 and files with 0644, whatever the user's mask: the host refuses what everybody may write.
class PlainMask {
 public:
  PlainMask() : before_(::umask(022)) {}
  ~PlainMask() { ::umask(before_); }
  PlainMask(const PlainMask&) = delete;
  PlainMask& operator=(const PlainMask&) = delete;

 private:
  mode_t before_;
};

std::string title(const AbiRecord& record) { return std::string(record.name) + " " + record.version; }

// What stands at `target` now; empty: nothing.
std::string occupant(const fs::path& target) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(target, failed);
  if (!fs::exists(status)) return "";
  if (fs::is_symlink(status)) return "a link to " + fs::read_symlink(target, failed).string() + ", which is left as it is";
  if (!fs::is_regular_file(status))
    throw Error(ErrorKind::plugin, "plugin.not_regular_file", "there is something in the plugin's place that is no file", "move it away", target.string());
  try {
    return title(record_of(target));
  } catch (const Error& e) {
    return "a file that was no plugin (" + e.code() + ")";
  }
}

// In place of what is there, of a link too: what it leads to is somebody else's (a build tree).
void put_file(const fs::path& target, std::span<const std::byte> bytes) {
  const fs::path fresh = target.parent_path() / ("." + target.filename().string() + ".tmp-" + std::to_string(::getpid()));
  try {
    write_atomic(fresh, bytes);
    files().rename(fresh, target);
    files().sync_directory(target.parent_path());
  } catch (...) {
    std::error_code ignored;
    fs::remove(fresh, ignored);
    throw;
  }
}

// Makes a folder, and what is missing above it, and takes that back unless it is kept.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& folder) {
    std::error_code failed;
    for (fs::path at = folder; !fs::exists(fs::symlink_status(at, failed)) && at.has_relative_path(); at = at.parent_path()) made_.push_back(at);
    files().make_directories(folder);
  }
  ~NewFolder() {
    std::error_code ignored;  // it is empty, or what is in it stays
    for (const fs::path& folder : made_) fs::remove(folder, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  void keep() { made_.clear(); }

 private:
  std::vector<fs::path> made_;  // deepest first
};

// Throws the host's reason for looking at nothing in a folder: others may write it, or its lock.
void require_safe(const fs::path& folder) {
  PluginHost::instance().set_extra_directories({folder});
  for (const PluginInfo& info : PluginHost::instance().scan())
    if (info.file == folder && info.state == PluginState::refused)
      throw Error(ErrorKind::plugin, info.code, "nothing is installed, tenon would look at no plugin there: " + info.reason, kRemedy, folder.string());
}

// What other plugins can mend; all else is of the file itself.
bool is_about_others(const std::string& code) { return code == "plugin.duplicate_name" || code == "plugin.missing_dependency" || code == "plugin.dependency_cycle"; }

}  // namespace

// As the host's search (core/src/plugin/discovery.cpp) has it; asked back from it, so that nothing is put where nobody looks.
fs::path user_plugin_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  fs::path data = variable("XDG_DATA_HOME");
  if (!data.is_absolute()) data = variable("HOME").is_absolute() ? variable("HOME") / ".local" / "share" : fs::path();
  const fs::path folder = data / "tenon" / "plugins";
  for (const fs::path& searched : PluginHost::instance().directories())
    if (!data.empty() && searched == folder) return folder;
  throw Error(ErrorKind::plugin, "plugin.no_user_folder", "there is no folder of yours in which tenon looks for plugins: neither XDG_DATA_HOME nor HOME is an absolute path",
              "set HOME, or use the file where it is with --plugin-dir");
}

int plugin_install_command(const PluginCommand& command, const Common& common) {
  const fs::path project = project_folder(command.folder), folder = user_plugin_folder();
  const std::vector<fs::path> plugins = built_plugins(project);
  for (const fs::path& file : plugins) require_accepted(file, common);

  const PlainMask mask;
  NewFolder made(folder);
  require_safe(folder);
  const std::optional<PluginLockFile> lock_before = lock_of(folder);
  std::vector<fs::path> targets;
  std::vector<std::string> replaced;
  for (const fs::path& file : plugins) {
    targets.push_back(folder / file.filename());
    replaced.push_back(occupant(targets.back()));
  }

  std::optional<PluginLockFile> lock = lock_before;
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    put_file(targets[i], read_file(plugins[i], kMaxPluginFile));
    if (!lock) continue;
    lock->set(targets[i].filename().string(), sha256_of_file(targets[i]));
    write_lock(folder, *lock);
  }
  PluginHost::instance().set_extra_directories({common.plugin_dirs.begin(), common.plugin_dirs.end()});
  for (const PluginInfo& info : PluginHost::instance().scan()) {
    if (info.state != PluginState::refused || std::find(targets.begin(), targets.end(), info.file) == targets.end()) continue;
    if (is_about_others(info.code)) {
      if (!common.quiet) status(visible("note: it does not count yet: " + info.code + ": " + info.reason));
      continue;
    }
    for (const fs::path& target : targets) files().remove(target);
    if (lock_before) write_lock(folder, *lock_before);
    throw Error(ErrorKind::plugin, info.code, "nothing is installed, tenon would not take the file there: " + info.reason, kRemedy, info.file.string());
  }
  made.keep();

  nlohmann::ordered_json out{{"installed", nlohmann::ordered_json::array()}};
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const std::string name = title(record_of(targets[i]));
    out["installed"].push_back({{"file", targets[i].string()}, {"plugin", name}, {"replaced", replaced[i]}, {"locked", lock.has_value()}});
    if (common.json) continue;
    print("installed " + name + ": " + visible_line(targets[i].string()));
    if (!replaced[i].empty()) print("replaced " + visible_line(replaced[i]));
    if (lock) print("its digest is in plugins.lock");
  }
  if (common.json) print(json_text(out));
  return 0;
}

}  // namespace tenon::command
