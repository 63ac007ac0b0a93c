#include <algorithm>
#include <new>

#include "plugin/guard.hpp"
#include "plugin/host_impl.hpp"
#include "plugin/probe.hpp"
#include "plugin/staging.hpp"

namespace tenon {
namespace {

namespace dll = boost::dll;

constexpr const char* kEntrySymbol = "tenon_plugin_register";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

// Boost puts the loader's own words between its own and an error number that says nothing.
std::string loader_message(const std::string& what) {
  static const std::string kBefore = "dlerror system message: ";
  const auto start = what.find(kBefore);
  const auto end = what.rfind("): ");
  if (start == std::string::npos || end == std::string::npos || end < start) return what;
  return what.substr(start + kBefore.size(), end - start - kBefore.size());
}

}  // namespace

void PluginHost::Impl::load_library(Plugin& plugin) {
  // The descriptor that was checked, not the path, which might name another file by now. It stays open for good: the
  // loader knows the library by this text, and a number that came up again would find it. For the same reason $ORIGIN
  // in a plugin's run path does not lead to its folder.
  const std::string path = "/proc/self/fd/" + std::to_string(plugin.file.descriptor.get());
  try {
    plugin.library.load(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
  } catch (const std::exception& e) {
    std::string text = loader_message(e.what());
    replace_all(text, path, plugin.info.file.filename().string());
    throw Error(ErrorKind::plugin, "plugin.load_failed", "the loader refuses the file: " + text,
                "install what is missing, or build the plugin again");
  }
  if (!plugin.library.has(kEntrySymbol)) {
    throw Error(ErrorKind::plugin, "plugin.no_entry", std::string("the file has no function ") + kEntrySymbol,
                "define it with TENON_PLUGIN in plugin.cpp");
  }
}

void PluginHost::Impl::register_all(Plugin& plugin) {
  StagingRegistrar staging(plugin.info.name);
  std::string thrown;
  try {
    plugin.library.get<void(Registrar&)>(kEntrySymbol)(staging);
  } catch (...) {
    thrown = current_exception_text();
  }
  staging.require_sound();
  if (!thrown.empty())
    throw Error(ErrorKind::plugin, "plugin.registration_failed", "registration threw " + thrown,
                "this is a defect of the plugin: report it to its author");
  staging.require(plugin.info.provides);

  const std::string prefix = plugin.info.name + ".";
  for (auto& entry : staging.formats) formats.emplace(prefix + entry.name, std::move(entry));
  for (auto& entry : staging.models) models.emplace(prefix + entry.name, std::move(entry));
  for (auto& entry : staging.tasks) tasks.emplace(prefix + entry.name, std::move(entry));
  for (auto& entry : staging.tools) tools.emplace(prefix + entry.name, std::move(entry));
}

void PluginHost::Impl::tell(const Plugin& plugin) {
  for (std::size_t i = 0; i < plugins.size() && i < infos.size(); ++i)
    if (plugins[i].get() == &plugin) infos[i] = plugin.info;
}

void PluginHost::Impl::set_failed(Plugin& plugin, const Error& e) {
  plugin.info.state = PluginState::failed;
  plugin.info.code = e.code();
  plugin.info.reason = e.hint().empty() ? e.message() : e.message() + " (" + e.hint() + ")";
  tell(plugin);
}

// The one that a need is met by: settle_needs has seen that it is there.
PluginHost::Impl::Plugin* PluginHost::Impl::named(const std::string& name) {
  for (const auto& plugin : plugins)
    if (plugin->info.name == name && plugin->info.state != PluginState::refused) return plugin.get();
  return nullptr;
}

// Never throws for what the plugin does: a trial that fails is its state.
void PluginHost::Impl::try_out(Plugin& plugin) {
  if (plugin.info.state != PluginState::ready || plugin.loading || plugin.tried) return;
  plugin.tried = plugin.loading = true;
  for (const std::string& need : plugin.info.needs)
    if (Plugin* const other = named(need)) try_out(*other);
  try {
    require_tried(plugin.file, [&](const std::function<void()>& loaded) {
      // The lock is held by this thread of the parent, which the child's one thread is not: it begins with a new one.
      const std::lock_guard again(*::new (static_cast<void*>(&mutex)) std::recursive_mutex);
      for (const std::string& need : plugin.info.needs)
        if (Plugin* const other = named(need)) load(*other);
      load_library(plugin);
      register_all(plugin);
      loaded();
      plugin.library.unload();  // its destructors run, as at the end of a process
    });
  } catch (const Error& e) {
    set_failed(plugin, e);
  }
  plugin.loading = false;
}

// Likewise.
void PluginHost::Impl::load(Plugin& plugin) {
  try_out(plugin);
  if (plugin.info.state != PluginState::ready || plugin.loading) return;
  plugin.loading = true;
  try {
    for (const std::string& need : plugin.info.needs) {
      Plugin* const other = named(need);
      if (!other) continue;
      load(*other);
      if (other->info.state != PluginState::active)
        throw Error(ErrorKind::plugin, "plugin.dependency_failed", "it needs plugin '" + need + "', which failed: " + other->info.reason, "mend that one first");
    }
    load_library(plugin);
    register_all(plugin);
    plugin.info.state = PluginState::active;
    tell(plugin);
  } catch (const Error& e) {
    set_failed(plugin, e);
  }
  plugin.loading = false;
}

void PluginHost::Impl::load_where(const std::string& kind) {
  const auto wanted = [&](const Plugin& plugin) {
    const auto& provides = plugin.info.provides;
    return kind.empty() || std::any_of(provides.begin(), provides.end(), [&](const std::string& id) { return id.starts_with(kind + " "); });
  };
  // All are tried before one is loaded: what harms its process later than in its trial does not spoil the trials of others. By index: a plugin that asks the
  // host while it registers must not upset the walk.
  for (std::size_t i = 0; i < plugins.size(); ++i)
    if (wanted(*plugins[i])) try_out(*plugins[i]);
  for (std::size_t i = 0; i < plugins.size(); ++i)
    if (wanted(*plugins[i])) load(*plugins[i]);
}

}  // namespace tenon
