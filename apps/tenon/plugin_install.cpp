// `tenon plugin install [DIR]`: copies what was built to where the host looks for a user's plugins.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "command.hpp"
#include "plugin_project.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

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

// What stands at `file` now; empty: nothing.
std::string occupant(const fs::path& file) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(file, failed))) return "";
  try {
    return title(record_of(file));
  } catch (const Error& e) {
    return "a file that was no plugin (" + e.code() + ")";
  }
}

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

  nlohmann::ordered_json out{{"installed", nlohmann::ordered_json::array()}};
  const PlainMask mask;
  files().make_directories(folder);
  for (const fs::path& file : plugins) {
    const fs::path target = folder / file.filename();
    const std::string replaced = occupant(target), name = title(record_of(file));
    write_atomic(target, std::span<const std::byte>(read_file(file, kMaxPluginFile)));
    const bool locked = renew_lock(target);
    out["installed"].push_back({{"file", target.string()}, {"plugin", name}, {"replaced", replaced}, {"locked", locked}});
    if (!common.json) print("installed " + name + ": " + target.string() + (replaced.empty() ? "" : "\nreplaced " + replaced) + (locked ? "\nits digest is in plugins.lock" : ""));
  }
  if (common.json) print(json_text(out));
  // In place, but another of its name may come first.
  PluginHost::instance().set_extra_directories({common.plugin_dirs.begin(), common.plugin_dirs.end()});
  for (const PluginInfo& info : PluginHost::instance().scan())
    for (const fs::path& file : plugins)
      if (info.file == folder / file.filename() && info.state == PluginState::refused && !common.quiet) status("note: it does not count yet: " + info.code + ": " + info.reason);
  return 0;
}

}  // namespace tenon::command
