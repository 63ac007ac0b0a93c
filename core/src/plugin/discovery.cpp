#include "plugin/discovery.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

#include "plugin/lock.hpp"
#include "tenon/abi.hpp"
#include "tenon/error.hpp"

namespace tenon {
namespace {

namespace fs = std::filesystem;

void refuse(PluginInfo& info, const Error& e) {
  info.state = PluginState::refused;
  info.code = e.code();
  info.reason = e.hint().empty() ? e.message() : e.message() + " (" + e.hint() + ")";
}

// secure_getenv: a set-user-id program takes no directory from its caller.
std::string environment(const char* name) {
  const char* value = ::secure_getenv(name);
  return value == nullptr ? "" : value;
}

void add_plugin_path(std::vector<SearchDirectory>& directories) {
  const std::string list = environment("TENON_PLUGIN_PATH");
  for (std::size_t start = 0; !list.empty() && start <= list.size();) {
    const std::size_t end = std::min(list.find(':', start), list.size());
    SearchDirectory directory{.path = list.substr(start, end - start), .asked_for = true};
    start = end + 1;
    if (!directory.path.is_absolute()) {
      directory.code = "plugin.relative_path";
      directory.reason = "TENON_PLUGIN_PATH has the entry '" + directory.path.string() +
                         "', which would depend on the current directory (write absolute paths)";
      if (directory.path.empty()) directory.path = "TENON_PLUGIN_PATH";
    }
    directories.push_back(std::move(directory));
  }
}

void add_user_directory(std::vector<SearchDirectory>& directories) {
  fs::path data = environment("XDG_DATA_HOME");
  if (!data.is_absolute()) {  // the XDG specification: relative ones are ignored
    const fs::path home = environment("HOME");
    if (!home.is_absolute()) return;
    data = home / ".local" / "share";
  }
  directories.push_back({.path = data / "tenon" / "plugins"});
}

Candidate examine(const fs::path& directory, const Descriptor& opened, const std::string& name, const PluginLock* lock) {
  Candidate candidate;
  PluginInfo& info = candidate.info;
  info.file = directory / name;
  try {
    candidate.file = open_plugin_file(opened, name);
    if (lock) lock->require(name, candidate.file);
    const AbiRecord record = read_abi_record(candidate.file.descriptor.get(), candidate.file.size);
    info.name = record.name;
    info.version = record.version;
    info.summary = record.summary;
    info.licence = record.licence;
    info.provides = provided_ids(record);
    info.needs = needed_plugins(record);
    if (const auto differences = abi_differences(record.abi_tag, core_abi_tag()); !differences.empty()) {
      std::string text = "the plugin was built for another core:";
      for (std::size_t i = 0; i < differences.size(); ++i) {
        const AbiDifference& d = differences[i];
        text += (i == 0 ? " " : "; ") + d.field + " is '" + d.plugin + "', this core has '" + d.core + "'";
      }
      throw Error(ErrorKind::plugin, "plugin.abi_mismatch", text, "build the plugin with this core's package and compiler");
    }
    info.state = PluginState::ready;
  } catch (const Error& e) {
    refuse(info, e);
    candidate.file.descriptor = Descriptor();
  }
  return candidate;
}

}  // namespace

std::vector<SearchDirectory> search_directories(const std::vector<fs::path>& extra) {
  std::vector<SearchDirectory> directories;
  for (const fs::path& path : extra) {
    SearchDirectory directory{.path = path, .asked_for = true};
    if (path.empty()) {
      directory.code = "plugin.relative_path";
      directory.reason = "an empty plugin directory was given (name a directory)";
    } else {
      std::error_code error;  // a relative one was written by the user, so the current directory is meant
      if (fs::path absolute = fs::absolute(path, error); !error) directory.path = std::move(absolute);
    }
    directories.push_back(std::move(directory));
  }
  add_plugin_path(directories);
  add_user_directory(directories);
  if (const fs::path core = core_library_directory(); !core.empty()) directories.push_back({.path = core / "tenon" / "plugins"});
  return directories;
}

std::vector<Candidate> candidates_in(const SearchDirectory& directory) {
  std::vector<Candidate> candidates;
  try {
    if (!directory.code.empty()) throw Error(ErrorKind::plugin, directory.code, directory.reason);
    const Descriptor opened = open_plugin_directory(directory.path);
    const std::optional<PluginLock> lock = plugin_lock(opened);
    for (const std::string& name : plugin_files_in(opened)) candidates.push_back(examine(directory.path, opened, name, lock ? &*lock : nullptr));
  } catch (const Error& e) {
    if (e.code() == "plugin.no_directory" && !directory.asked_for) return candidates;
    Candidate& refused = candidates.emplace_back();
    refused.info.file = directory.path;
    refuse(refused.info, e);
  }
  return candidates;
}

}  // namespace tenon
