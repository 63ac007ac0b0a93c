#include <nlohmann/json.hpp>

#include "command.hpp"
#include "plugin_project.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {
int plugins_command(const Common& common) {
  PluginHost& host = PluginHost::instance();
  host.load_all();
  const std::vector<PluginInfo>& plugins = host.scan();
  if (common.json) {
    nlohmann::ordered_json out{{"directories", nlohmann::ordered_json::array()}, {"plugins", nlohmann::ordered_json::array()}};
    for (const auto& directory : host.directories()) out["directories"].push_back(directory.string());
    for (const PluginInfo& p : plugins)
      out["plugins"].push_back({{"file", p.file.string()}, {"state", state_name(p.state)}, {"code", p.code}, {"reason", p.reason}, {"name", p.name},
                                {"version", p.version}, {"summary", p.summary}, {"licence", p.licence}, {"provides", p.provides}, {"needs", p.needs}});
    print(json_text(out));
    return 0;
  }
  if (plugins.empty()) {
    status("no plugin found; searched:");
    for (const auto& directory : host.directories()) status("  " + visible_line(directory.string()));
    return 0;
  }
  Table table({"plugin", "version", "state", "summary"});
  for (std::size_t c : {1u, 2u, 3u}) table.left(c);
  for (const PluginInfo& p : plugins) table.row({p.name.empty() ? p.file.filename().string() : p.name, p.version, state_name(p.state), p.summary});
  print(table.str());
  for (const PluginInfo& p : plugins) {
    print(visible_line((p.name.empty() ? p.file.filename().string() : p.name) + ": " + p.file.string()));
    if (!p.reason.empty()) print(visible("  " + p.code + ": " + p.reason));
    if (!p.provides.empty()) print("  provides " + joined(p.provides));
    if (!p.needs.empty()) print("  needs " + joined(p.needs));
  }
  return 0;
}

}  // namespace tenon::command
