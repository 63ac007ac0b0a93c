#include "plugin/path_policy.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "tenon/error.hpp"

namespace tenon {
namespace {

[[noreturn]] void refuse(const char* code, const std::string& what, const std::string& hint = {}) {
  throw Error(ErrorKind::plugin, code, what, hint);
}

// dladdr tells the file that holds an address; this one is in the core library.
std::filesystem::path core_library() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&core_library_directory), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  auto file = std::filesystem::canonical(info.dli_fname, error);
  return error ? std::filesystem::path() : file;
}

// Who owns the core library can already run code here, so plugins of theirs add no danger (an unpacked tree that root uses).
bool trusted_owner(uid_t owner) {
  static const uid_t core_owner = [] {
    struct stat status {};
    const auto file = core_library();
    return !file.empty() && ::stat(file.c_str(), &status) == 0 ? status.st_uid : uid_t{0};
  }();
  return owner == 0 || owner == ::geteuid() || owner == core_owner;
}

void check_access(const struct stat& status, const std::string& what) {
  if ((status.st_mode & S_IWOTH) != 0) refuse("plugin.world_writable", what + " may be written by everybody", "chmod o-w");
  if (!trusted_owner(status.st_uid)) {
    refuse("plugin.foreign_owner", what + " belongs to user " + std::to_string(status.st_uid) + ", neither to root nor to you",
           "chown it, or copy it to a place of yours");
  }
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor open_plugin_directory(const std::filesystem::path& directory) {
  Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    const int error = errno;
    if (error == ENOENT) refuse("plugin.no_directory", "the directory does not exist");
    if (error == ENOTDIR) refuse("plugin.not_directory", "this is not a directory", "name the directory that holds the plugins");
    refuse("plugin.unreadable", std::string("the directory cannot be opened: ") + std::strerror(error));
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    refuse("plugin.unreadable", std::string("the directory cannot be examined: ") + std::strerror(errno));
  check_access(status, "the directory");
  return fd;
}

std::vector<std::string> plugin_files_in(const Descriptor& directory) {
  // fdopendir takes its descriptor over, so it gets one of its own.
  const int own = ::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) refuse("plugin.unreadable", std::string("the directory cannot be listed: ") + std::strerror(errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(own), ::closedir);
  if (!listing) {
    const int error = errno;
    ::close(own);
    refuse("plugin.unreadable", std::string("the directory cannot be listed: ") + std::strerror(error));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (std::string name = entry->d_name; name.ends_with(".tenon.so")) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

CheckedFile open_plugin_file(const Descriptor& directory, const std::string& name) {
  // Non-blocking, so that a FIFO of this name does not hold the scan.
  CheckedFile file;
  file.descriptor = Descriptor(::openat(directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.descriptor) refuse("plugin.unreadable", std::string("the file cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(file.descriptor.get(), &status) != 0)
    refuse("plugin.unreadable", std::string("the file cannot be examined: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode)) {
    refuse("plugin.not_regular_file", S_ISDIR(status.st_mode) ? "this is a directory, not a file" : "this is not a regular file");
  }
  check_access(status, "the file");
  file.device = status.st_dev;
  file.inode = status.st_ino;
  file.size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

std::filesystem::path core_library_directory() {
  return core_library().parent_path();
}

}  // namespace tenon
