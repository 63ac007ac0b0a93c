/// An author's plugin project: the package it is built against, what its build made, and what the host says of a file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "tenon/abi.hpp"
#include "tenon/plugin.hpp"
#include "tenon/plugin_lock.hpp"

namespace tenon::command {

/// The folder of TenonConfig.cmake that belongs to this program: of its installation, or of the build tree that it runs from. Throws
/// plugin.no_package where there is none.
std::filesystem::path package_folder();

/// Throws plugin.folder_name for a path that CMake or ninja cannot handle.
void require_buildable(const std::filesystem::path& folder);

/// Absolute; throws plugin.no_project where `folder` holds no CMakeLists.txt.
std::filesystem::path project_folder(const std::string& folder);
inline std::filesystem::path build_folder(const std::filesystem::path& project) { return project / "build"; }

/// Asks CMake to tell what it builds (its file API); before it configures.
void ask_for_artifacts(const std::filesystem::path& build);
/// The plugin files that the project as last configured builds, which are there. Throws plugin.not_built where there is none.
std::vector<std::filesystem::path> built_plugins(const std::filesystem::path& project);

/// The record in a file of any name and place. Throws the plugin error of why not.
AbiRecord record_of(const std::filesystem::path& file);
/// What the host says of a file, by its own rules; loads nothing. The file's folder goes in front of those that --plugin-dir names.
PluginInfo inspect(const std::filesystem::path& file, const Common& common);
/// Throws why the host would not take the file; nothing where it would.
void require_accepted(const std::filesystem::path& file, const Common& common);

/// The plugin of this name: the one that counts, else the first that is refused or failed, be it known by its file's name alone (no record could be read) or lie
/// in a folder that is refused. Loads nothing.
std::optional<PluginInfo> find_plugin(const std::string& name);
/// Throws why a plugin that is refused or failed cannot be used, with its own code; nothing where it can.
void require_usable(const PluginInfo& info);

/// Where the host looks for plugins of this user. Throws plugin.no_user_folder.
std::filesystem::path user_plugin_folder();
/// The plugins.lock of a folder, where there is one. Throws plugin.bad_lock, for a link as well.
std::optional<PluginLockFile> lock_of(const std::filesystem::path& folder);
void write_lock(const std::filesystem::path& folder, const PluginLockFile& lock);

/// "active", "ready", "refused", "failed".
const char* state_name(PluginState state);
std::string joined(const std::vector<std::string>& list);

}  // namespace tenon::command
