/// The plugin under check, and the lists of checks made for it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "plugin_check/runner.hpp"
#include "tenon/abi.hpp"
#include "tenon/plugin.hpp"

namespace tenon::command {

struct Subject {
  std::filesystem::path file;    ///< as it was named
  std::filesystem::path folder;  ///< a private one with a link to it: the only plugin of this name that the host finds first
  std::filesystem::path linked;  ///< that link
  std::vector<std::filesystem::path> others;  ///< folders of other plugins, searched after it
  std::vector<std::byte> bytes;
  AbiRecord record{};            ///< zeros where the file has none
  std::vector<std::string> provides;
  std::string example;           ///< of a format without a writer: a file to read
  std::vector<std::string> recipes;
  double seconds = 20;           ///< the most that a check may take

  std::string name() const { return record.name; }
};

/// The host with the subject in front; for child processes.
PluginHost& host_with(const Subject& subject);

std::vector<NamedCheck> file_checks(const Subject& subject);
std::vector<NamedCheck> load_checks(const Subject& subject);
std::vector<NamedCheck> entry_checks(const Subject& subject);    ///< declarations of every entry
std::vector<NamedCheck> model_checks(const Subject& subject);
std::vector<NamedCheck> format_checks(const Subject& subject);
std::vector<NamedCheck> tool_checks(const Subject& subject);
std::vector<NamedCheck> recipe_checks(const Subject& subject);  ///< given ones, and one of declared defaults for each task that none is given of

/// Files that tools of the plugin may take: the example that was named, and one of each of its formats that writes some sample array, in
/// `folder`. Loads the plugin: for child processes.
std::vector<std::filesystem::path> sample_files(const Subject& subject, const std::filesystem::path& folder);

/// Names of the entries of a kind, as the record tells them.
std::vector<std::string> entries_of(const Subject& subject, const std::string& kind);

}  // namespace tenon::command
