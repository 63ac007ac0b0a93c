// `tenon plugin info FILE|NAME`: all that is known of a plugin without loading it.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "command.hpp"
#include "plugin_project.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/params.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

bool is_file_argument(const std::string& text) {
  std::error_code failed;
  return text.find('/') != std::string::npos || text.ends_with(".tenon.so") || fs::is_regular_file(text, failed);
}

PluginInfo named(const std::string& name) {
  if (std::optional<PluginInfo> found = find_plugin(name)) return std::move(*found);
  std::vector<std::string> known;
  for (const PluginInfo& p : PluginHost::instance().scan())
    if (!p.name.empty()) known.push_back(p.name);
  throw Error(ErrorKind::usage, "plugin.unknown", "no plugin is called '" + name + "'",
              known.empty() ? "none is found; name a file, or a folder to search with --plugin-dir" : suggestion(name, known));
}

// "core=0.1.0;compiler=gcc 12" one a line below its heading.
std::string tag_lines(std::string tag) {
  for (std::size_t at = tag.find(';'); at != std::string::npos; at = tag.find(';', at)) tag.replace(at, 1, "\n          ");
  return tag;
}

}  // namespace

int plugin_info_command(const PluginCommand& command, const Common& common) {
  PluginInfo info;
  std::optional<AbiRecord> record;
  if (is_file_argument(command.name)) {
    std::error_code failed;
    if (!fs::is_regular_file(command.name, failed)) record_of(command.name);  // says why
    info = inspect(command.name, common);
  } else {
    info = named(command.name);
  }
  try {
    record = record_of(info.file);
  } catch (const Error& e) {
    if (info.code.empty()) throw;  // the host has read it a moment ago
  }
  if (record && info.name.empty()) {  // refused for where it lies: its record can be told all the same
    info.name = record->name;
    info.version = record->version;
    info.summary = record->summary;
    info.licence = record->licence;
    info.provides = provided_ids(*record);
    info.needs = needed_plugins(*record);
  }
  const bool refused = info.state == PluginState::refused || info.state == PluginState::failed;
  const int exit_status = refused ? int(ErrorKind::plugin) : 0;
  if (common.json) {
    nlohmann::ordered_json out{{"file", info.file.string()}, {"state", state_name(info.state)}, {"code", info.code}, {"reason", info.reason}, {"name", info.name},
                               {"version", info.version}, {"summary", info.summary}, {"licence", info.licence}, {"provides", info.provides}, {"needs", info.needs}};
    out["api"] = record ? nlohmann::ordered_json(record->api_version) : nlohmann::ordered_json();
    out["abi_tag"] = record ? nlohmann::ordered_json(record->abi_tag) : nlohmann::ordered_json();
    out["core_api"] = kPluginApi;
    out["core_abi_tag"] = std::string(core_abi_tag());
    print(json_text(out));
    return exit_status;
  }
  std::string out = "file      " + visible_line(info.file.string()) + "\nstate     " + state_name(info.state) + "\n";
  if (!info.reason.empty()) out += "reason    " + info.code + ": " + info.reason + "\n";
  if (record) {
    out += "plugin    " + info.name + " " + info.version + "\nsummary   " + info.summary + "\nlicence   " + info.licence + "\nprovides  " + joined(info.provides) +
           (info.needs.empty() ? std::string() : "\nneeds     " + joined(info.needs)) + "\nAPI       " + std::to_string(record->api_version) + " (this core: " + std::to_string(kPluginApi) + ")\nbuilt for " + tag_lines(record->abi_tag) + "\n";
  }
  print(visible(out));
  return exit_status;
}

}  // namespace tenon::command
