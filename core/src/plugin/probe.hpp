/// Trying a plugin in a child process before it is let into this one.
///
/// What a plugin's constructors and its registration may do to a process - crash, abort, exit, hang - they do to the child. The verdict is
/// remembered in the user's cache by the file's identity (device, inode, size, times) and, should that change, by its digest, for one
/// build of the core; so a plugin is tried once.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "plugin/path_policy.hpp"
#include "tenon/export.hpp"

namespace tenon {

/// Runs `trial` in a child process, whose output goes nowhere. Throws a plugin error where the child does not come to its end: plugin.crashed,
/// plugin.exited, plugin.hung (after TENON_PLUGIN_SECONDS, 10 by default), or leaves a process behind: plugin.forked. What `trial` throws counts as an end: the caller will meet it
/// again.
TENON_API void try_in_child(const std::function<void()>& trial);

/// try_in_child, unless a verdict on this file is known already; a remembered refusal is thrown again. A cache that cannot be read or
/// written costs another trial and nothing else. TENON_PLUGIN_TRIAL=off skips all of it.
TENON_API void require_tried(const CheckedFile& file, const std::function<void()>& trial);

/// $XDG_CACHE_HOME/tenon/plugins, else ~/.cache/tenon/plugins; empty where neither is known.
TENON_API std::filesystem::path verdict_file();

}  // namespace tenon
