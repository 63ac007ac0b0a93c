/// Finds plugin files and reads their records: everything up to loading.
///
/// Costs a directory listing and a few small reads a file; loads nothing, throws for nothing that it finds.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "plugin/path_policy.hpp"
#include "tenon/plugin.hpp"

namespace tenon {

/// A file that was seen. Its descriptor stays open unless it is refused, so that what was checked is what loads.
struct Candidate {
  PluginInfo info;
  CheckedFile file;
  bool same_file(const Candidate& other) const noexcept {
    return file.inode != 0 && file.device == other.file.device && file.inode == other.file.inode;
  }
};

struct SearchDirectory {
  std::filesystem::path path;
  bool asked_for = false;    ///< named by the user: its absence is worth telling
  std::string code, reason;  ///< set when it is refused without a look
};

/// `extra`, then TENON_PLUGIN_PATH, the user's data directory, and tenon/plugins beside the core library.
std::vector<SearchDirectory> search_directories(const std::vector<std::filesystem::path>& extra);

/// The candidates of one directory, in order of name; a directory that is refused gives one refused candidate.
std::vector<Candidate> candidates_in(const SearchDirectory& directory);

}  // namespace tenon
