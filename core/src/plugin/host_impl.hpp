/// The host's inside: what was found, what was loaded, and what that registered. scanning.cpp finds, loading.cpp tries and loads, host.cpp answers.
#pragma once

#ifndef BOOST_DLL_USE_STD_FS
#define BOOST_DLL_USE_STD_FS
#endif
#include <boost/dll/shared_library.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/discovery.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"

namespace tenon {

// The lock covers scanning and loading, and is recursive because a plugin may ask the host while it registers. Entries
// sit in maps and are never erased, so references to them stay good.
struct PluginHost::Impl {
  struct Plugin : Candidate {
    explicit Plugin(Candidate c) : Candidate(std::move(c)) {}
    boost::dll::shared_library library;
    bool loading = false, tried = false;
  };

  std::recursive_mutex mutex;
  std::vector<std::filesystem::path> extra;
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
  std::vector<const FormatEntry*> formats_for(const std::filesystem::path& file);
};

}  // namespace tenon
