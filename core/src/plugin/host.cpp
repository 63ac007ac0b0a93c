#ifndef BOOST_DLL_USE_STD_FS
#define BOOST_DLL_USE_STD_FS
#endif
#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "plugin/discovery.hpp"
#include "plugin/guard.hpp"
#include "plugin/probe.hpp"
#include "plugin/staging.hpp"
#include "tenon/abi.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"

namespace tenon {
namespace {

namespace fs = std::filesystem;
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

std::string lowered(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Length of the longest extension of `entry` that the file name ends with; 0 for none.
std::size_t extension_match(const FormatEntry& entry, const fs::path& file) {
  const std::string name = lowered(file.filename().string());
  std::size_t longest = 0;
  for (const std::string& extension : entry.extensions) {
    if (extension.size() < name.size() && name.ends_with(lowered(extension))) longest = std::max(longest, extension.size());
  }
  return longest;
}

std::string format_list(const std::map<std::string, FormatEntry>& formats) {
  if (formats.empty()) return "no plugin provides a format; `tenon plugins` tells why";
  std::string text = "known formats:";
  for (const auto& [id, entry] : formats) {
    text += (text.back() == ':' ? " " : "; ") + id;
    for (std::size_t i = 0; i < entry.extensions.size(); ++i) text += (i == 0 ? " (" : ", ") + entry.extensions[i];
    if (!entry.extensions.empty()) text += ")";
  }
  return text;
}

}  // namespace

// The lock covers scanning and loading, and is recursive because a plugin may ask the host while it registers. Entries
// sit in maps and are never erased, so references to them stay good.
struct PluginHost::Impl {
  struct Plugin : Candidate {
    explicit Plugin(Candidate c) : Candidate(std::move(c)) {}
    dll::shared_library library;
    bool loading = false, tried = false;
  };

  std::recursive_mutex mutex;
  std::vector<fs::path> extra;
  bool scanned = false;
  std::vector<std::unique_ptr<Plugin>> plugins;  // same order as infos
  std::vector<PluginInfo> infos;
  std::map<std::string, FormatEntry> formats;
  std::map<std::string, ModelEntry> models;
  std::map<std::string, TaskEntry> tasks;
  std::map<std::string, ToolEntry> tools;

  void scan();
  void claim_names();
  void settle_needs();
  Plugin* usable(const std::string& name);
  Plugin* named(const std::string& name);
  void set_failed(Plugin& plugin, const Error& e);
  void tell(const Plugin& plugin);
  void try_out(Plugin& plugin);
  void load(Plugin& plugin);
  void load_library(Plugin& plugin);
  void register_all(Plugin& plugin);
  void load_where(const std::string& kind);
  std::vector<std::string> ids(const std::string& kind) const;
  [[noreturn]] void throw_unknown(const std::string& kind, const std::string& id) const;
  template <class E>
  const E& find(const std::string& kind, std::map<std::string, E>& entries, const std::string& id);
  std::vector<const FormatEntry*> formats_for(const fs::path& file);
};

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

std::vector<std::string> PluginHost::Impl::ids(const std::string& kind) const {
  std::vector<std::string> found;
  for (const PluginInfo& info : infos) {
    if (info.state != PluginState::active && info.state != PluginState::ready) continue;
    for (const std::string& id : info.provides) {
      if (id.starts_with(kind + " ")) found.push_back(info.name + "." + id.substr(kind.size() + 1));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void PluginHost::Impl::throw_unknown(const std::string& kind, const std::string& id) const {
  const std::string plugin = id.substr(0, id.find('.'));
  for (const PluginInfo& info : infos) {
    const bool named = !plugin.empty() && (info.name == plugin || (info.name.empty() && info.file.filename() == plugin + ".tenon.so"));
    if (!named || (info.state != PluginState::refused && info.state != PluginState::failed)) continue;
    throw Error(ErrorKind::plugin, info.code,
                kind + " '" + id + "' needs plugin '" + plugin + "', which " + (info.state == PluginState::failed ? "failed: " : "is refused: ") + info.reason,
                "`tenon plugins` lists every file that was seen", info.file.string());
  }
  const std::vector<std::string> known = ids(kind);
  std::string hint;
  for (const std::string& candidate : known) {  // the plugin's name was left out
    if (candidate.ends_with("." + id)) hint += (hint.empty() ? "did you mean '" : ", '") + candidate + "'";
  }
  const bool none = known.empty();  // nothing to mistype: a plugin is missing
  if (none) hint = "no plugin provides a " + kind + "; `tenon plugins` lists every file that was seen";
  throw Error(none ? ErrorKind::plugin : ErrorKind::usage, "plugin.unknown", "no " + kind + " is called '" + id + "'",
              hint.empty()          ? suggestion(id, known)
              : hint.back() == '\'' ? hint + "?"
                                    : hint);
}

template <class E>
const E& PluginHost::Impl::find(const std::string& kind, std::map<std::string, E>& entries, const std::string& id) {
  const std::lock_guard lock(mutex);
  scan();
  if (const auto it = entries.find(id); it != entries.end()) return it->second;
  const std::string name = id.substr(0, id.find('.'));
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    if (plugins[i]->info.name != name) continue;
    if (plugins[i]->loading) {
      throw Error(ErrorKind::plugin, "plugin.recursive", kind + " '" + id + "' is asked for while plugin '" + name + "' registers",
                  "a plugin asks for its own entries after it has registered them");
    }
    load(*plugins[i]);
  }
  if (const auto it = entries.find(id); it != entries.end()) return it->second;
  throw_unknown(kind, id);
}

// Those whose extension fits first, the longest fit before all.
std::vector<const FormatEntry*> PluginHost::Impl::formats_for(const fs::path& file) {
  const std::lock_guard lock(mutex);
  scan();
  load_where("format");
  std::vector<std::pair<std::size_t, const FormatEntry*>> ranked;
  for (const auto& [id, entry] : formats) ranked.emplace_back(extension_match(entry, file), &entry);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<const FormatEntry*> entries;
  for (const auto& [length, entry] : ranked) entries.push_back(entry);
  return entries;
}

PluginHost::PluginHost() : impl_(std::make_unique<Impl>()) {}
PluginHost::~PluginHost() = default;

PluginHost& PluginHost::instance() {
  static PluginHost* const host = new PluginHost;  // never destroyed: plugins are never unloaded
  return *host;
}

void PluginHost::set_extra_directories(std::vector<fs::path> extra) {
  const std::lock_guard lock(impl_->mutex);
  impl_->extra = std::move(extra);
  impl_->scanned = false;
}

std::vector<fs::path> PluginHost::directories() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<fs::path> paths;
  for (const SearchDirectory& directory : search_directories(impl_->extra)) {
    if (directory.code.empty()) paths.push_back(directory.path);
  }
  return paths;
}

const std::vector<PluginInfo>& PluginHost::scan() {
  const std::lock_guard lock(impl_->mutex);
  impl_->scan();
  return impl_->infos;
}

void PluginHost::load_all() {
  const std::lock_guard lock(impl_->mutex);
  impl_->scan();
  impl_->load_where("");
}

const FormatEntry& PluginHost::format(const std::string& id) {
  return impl_->find("format", impl_->formats, id);
}
const ModelEntry& PluginHost::model(const std::string& id) {
  return impl_->find("model", impl_->models, id);
}
const TaskEntry& PluginHost::task(const std::string& id) {
  return impl_->find("task", impl_->tasks, id);
}
const ToolEntry& PluginHost::tool(const std::string& id) {
  return impl_->find("tool", impl_->tools, id);
}

const FormatEntry& PluginHost::format_of(const fs::path& file) {
  std::vector<std::byte> head;
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status)) throw Error(ErrorKind::data, "file.missing", "there is no such file or folder", "check the path", file.string());
  if (!fs::is_regular_file(status) && !fs::is_directory(status))
    throw Error(ErrorKind::data, "io.not_a_file", "it is a pipe, a socket or a device", "name a regular file or a folder", file.string());
  if (!fs::is_directory(status)) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw Error(ErrorKind::data, "file.unreadable", "the file cannot be opened", "check its permissions", file.string());
    head.resize(512);
    stream.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<std::size_t>(stream.gcount()));
  }
  std::string failures;
  for (const FormatEntry* entry : impl_->formats_for(file)) {
    try {
      if (entry->sniff(file, head)) return *entry;
    } catch (const Error& e) {  // one bad plugin does not keep the others from looking
      failures += "; " + e.message();
    }
  }
  const std::lock_guard lock(impl_->mutex);
  throw Error(ErrorKind::data, "format.unknown", "no format knows this file" + failures, format_list(impl_->formats), file.string());
}

const FormatEntry& PluginHost::format_for_writing(const fs::path& file) {
  for (const FormatEntry* entry : impl_->formats_for(file)) {
    if (entry->write && extension_match(*entry, file) > 0) return *entry;
  }
  const std::lock_guard lock(impl_->mutex);
  throw Error(ErrorKind::usage, "format.unknown_extension", "no format writes files of this name", format_list(impl_->formats),
              file.string());
}

std::vector<std::string> PluginHost::formats() {
  scan();
  const std::lock_guard lock(impl_->mutex);
  return impl_->ids("format");
}
std::vector<std::string> PluginHost::models() {
  scan();
  const std::lock_guard lock(impl_->mutex);
  return impl_->ids("model");
}
std::vector<std::string> PluginHost::tasks() {
  scan();
  const std::lock_guard lock(impl_->mutex);
  return impl_->ids("task");
}
std::vector<std::string> PluginHost::tools() {
  scan();
  const std::lock_guard lock(impl_->mutex);
  return impl_->ids("tool");
}

std::vector<std::pair<std::string, std::string>> PluginHost::error_pages() {
  const std::lock_guard lock(impl_->mutex);
  impl_->scan();
  std::vector<std::pair<std::string, std::string>> pages;
  for (const auto& plugin : impl_->plugins) {
    if (plugin->info.state != PluginState::ready && plugin->info.state != PluginState::active) continue;
    try {
      std::string page = read_error_page(plugin->file.descriptor.get(), plugin->file.size);
      if (!page.empty()) pages.emplace_back(plugin->info.name, std::move(page));
    } catch (const Error&) {  // the plugin works without it; `tenon plugin check` tells
    }
  }
  return pages;
}

}  // namespace tenon
