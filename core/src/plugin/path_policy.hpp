/// Which directories and files may be looked at for plugins, decided on open descriptors.
///
/// What is checked is what is used: a directory is listed and its files are opened through the descriptor that was
/// checked, and a plugin is later loaded through its own. Files and directories must belong to root, to the user, or to
/// whoever owns the core library, and nobody else may write them (a group that is the user's own and of nobody else may). Links are followed, and what they lead to
/// is judged; no folder above may be writable by everybody unless it is sticky, as /tmp is.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// Owns a file descriptor.
class TENON_API Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct CheckedFile {
  Descriptor descriptor;
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t size = 0;
};

/// All throw a plugin error: plugin.no_directory, plugin.unreadable, plugin.not_directory, plugin.not_regular_file,
/// plugin.world_writable, plugin.group_writable, plugin.foreign_owner.
Descriptor open_plugin_directory(const std::filesystem::path& directory);
/// Names in the directory that end in ".tenon.so", sorted.
std::vector<std::string> plugin_files_in(const Descriptor& directory);
CheckedFile open_plugin_file(const Descriptor& directory, const std::string& name);

/// The file of the core library itself, links resolved, and its folder; empty if the loader does not tell.
std::filesystem::path core_library_file();
std::filesystem::path core_library_directory();

}  // namespace tenon
