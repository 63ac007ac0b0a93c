#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <mutex>

#include "plugin/host_impl.hpp"
#include "tenon/abi.hpp"

namespace tenon {
namespace {

namespace fs = std::filesystem;

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
