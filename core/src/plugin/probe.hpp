/// Trying a plugin in a child process before it is let into this one.
///
/// What a plugin's constructors, its registration and its destructors do to a process - crash, abort, exit, hang, close a stream, take a signal - they do to
/// the child. That a file is well is remembered in the user's cache by its identity (device, inode, size, times) and, should that change, by its digest, for
/// one build of the core and for the libraries that came with it as they are; so a plugin is tried once. What is not well is tried again each time. A trial
/// finds accidents; it is no wall against a plugin that hides what it does.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "plugin/path_policy.hpp"
#include "tenon/export.hpp"

namespace tenon {

/// The end of a trial that no process died of.
struct TrialEnd {
  bool loaded = false;                 ///< false: it threw, as it will again where it is loaded
  std::vector<std::string> libraries;  ///< files that were loaded with it
};

/// Runs `trial` in a child process, whose output goes nowhere. Throws a plugin error where the child does not come to its end: plugin.crashed, plugin.exited,
/// plugin.hung (after TENON_PLUGIN_SECONDS, 10 by default), plugin.no_trial where no child can be made; where it leaves a process behind, plugin.forked, and where
/// it changes its surroundings or prints, plugin.meddles. `trial` loads, and calls what it is given when that is done and the plugin is about to be taken down again.
using Trial = std::function<void(const std::function<void()>& loaded)>;
TENON_API TrialEnd try_in_child(const Trial& trial);

/// try_in_child, unless this file is known to be well. A cache that cannot be read or written costs another trial and nothing else. TENON_PLUGIN_TRIAL=off skips all of it.
TENON_API void require_tried(const CheckedFile& file, const Trial& trial);

/// $XDG_CACHE_HOME/tenon/plugins, else ~/.cache/tenon/plugins; empty where neither is known.
TENON_API std::filesystem::path verdict_file();

}  // namespace tenon
