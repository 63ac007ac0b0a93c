#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "plugin/host_impl.hpp"

namespace tenon {

void PluginHost::Impl::scan() {
  if (scanned) return;
  std::vector<std::unique_ptr<Plugin>> before = std::move(plugins);
  plugins.clear();
  for (const SearchDirectory& directory : search_directories(extra)) {
    for (Candidate& candidate : candidates_in(directory)) {
      const auto same = [&candidate](const auto& plugin) { return plugin && plugin->same_file(candidate); };
      if (std::any_of(plugins.begin(), plugins.end(), same)) continue;  // reached by two ways
      // What is loaded stays what it is, whatever a new scan would say.
      const auto loaded = std::find_if(before.begin(), before.end(), [&](const auto& p) { return same(p) && p->library.is_loaded(); });
      plugins.push_back(loaded != before.end() ? std::move(*loaded) : std::make_unique<Plugin>(std::move(candidate)));
    }
  }
  for (auto& plugin : before) {
    if (plugin && plugin->library.is_loaded()) plugins.push_back(std::move(plugin));
  }
  claim_names();
  settle_needs();
  infos.clear();
  for (const auto& plugin : plugins) infos.push_back(plugin->info);
  scanned = true;
}

// One plugin a name: one that is active already, else the first in the order of search.
void PluginHost::Impl::claim_names() {
  std::map<std::string, const Plugin*> owners;
  for (const auto& plugin : plugins) {
    if (plugin->info.state == PluginState::active) owners.emplace(plugin->info.name, plugin.get());
  }
  for (const auto& plugin : plugins) {
    PluginInfo& info = plugin->info;
    if (info.state != PluginState::ready) continue;
    const auto [owner, first] = owners.emplace(info.name, plugin.get());
    if (first) continue;
    info.state = PluginState::refused;
    plugin->file.descriptor = Descriptor();
    info.code = "plugin.duplicate_name";
    info.reason = "plugin '" + info.name + "' is provided by " + owner->second->info.file.string() + " and by " + info.file.string() +
                  "; the first counts (remove one)";
  }
}

PluginHost::Impl::Plugin* PluginHost::Impl::usable(const std::string& name) {
  for (const auto& plugin : plugins)
    if (plugin->info.name == name && (plugin->info.state == PluginState::ready || plugin->info.state == PluginState::active)) return plugin.get();
  return nullptr;
}

// From the records alone: what a plugin needs is there, and no plugin needs itself by way of others.
void PluginHost::Impl::settle_needs() {
  const auto refuse = [](Plugin& plugin, const char* code, const std::string& reason) {
    plugin.info.state = PluginState::refused;
    plugin.info.code = code;
    plugin.info.reason = reason;
    plugin.file.descriptor = Descriptor();
  };
  std::set<const Plugin*> sound;
  std::vector<Plugin*> way;  // from a plugin to what it needs, and so on
  const std::function<void(Plugin&)> settle = [&](Plugin& plugin) {
    if (plugin.info.state != PluginState::ready || sound.count(&plugin)) return;
    if (const auto first = std::find(way.begin(), way.end(), &plugin); first != way.end()) {
      std::string circle;
      for (auto p = first; p != way.end(); ++p) circle += (*p)->info.name + " needs ";
      for (auto p = first; p != way.end(); ++p) refuse(**p, "plugin.dependency_cycle", "plugins need each other in a circle: " + circle + plugin.info.name + " (one of them must do without)");
      return;
    }
    way.push_back(&plugin);
    for (const std::string& need : plugin.info.needs) {
      Plugin* const other = usable(need);
      if (other) settle(*other);
      if (plugin.info.state != PluginState::ready) break;
      if (other && other->info.state != PluginState::refused) continue;
      std::string why = "which is not there";
      for (const auto& p : plugins)
        if (p->info.name == need || p->info.file.filename() == need + ".tenon.so") why = "which is refused (" + p->info.code + ")";
      refuse(plugin, "plugin.missing_dependency", "it needs plugin '" + need + "', " + why + " (install that one, or remove this one)");
    }
    way.pop_back();
    if (plugin.info.state == PluginState::ready) sound.insert(&plugin);
  };
  for (const auto& plugin : plugins) settle(*plugin);
}

}  // namespace tenon
