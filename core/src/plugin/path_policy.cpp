#include "plugin/path_policy.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
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

// A descriptor that is none of the three standard streams, which may be closed here and are opened anew for a trial.
Descriptor opened(int fd) {
  if (fd < 0 || fd > 2) return Descriptor(fd);
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;
  ::close(fd);
  errno = error;
  return Descriptor(higher);
}

// A group that is root's, or the user's own and of nobody else, as Debian makes one for each user.
bool private_group(gid_t group) {
  if (group == 0) return true;
  const passwd* const user = ::getpwuid(::geteuid());
  if (!user) return false;
  const std::string name = user->pw_name;
  const struct group* const g = ::getgrgid(group);
  if (!g || name != g->gr_name) return false;
  for (char** member = g->gr_mem; member && *member; ++member)
    if (name != *member) return false;
  return true;
}

void check_access(const struct stat& status, const std::string& what) {
  if ((status.st_mode & S_IWOTH) != 0) refuse("plugin.world_writable", what + " may be written by everybody", "chmod o-w");
  if ((status.st_mode & S_IWGRP) != 0 && !private_group(status.st_gid))
    refuse("plugin.group_writable", what + " may be written by group " + std::to_string(status.st_gid), "chmod g-w");
  if (!trusted_owner(status.st_uid)) {
    refuse("plugin.foreign_owner", what + " belongs to user " + std::to_string(status.st_uid) + ", neither to root nor to you",
           "chown it, or copy it to a place of yours");
  }
}

// Who may rename an entry of one of the folders above can put another file in its place. A sticky folder (/tmp) keeps others'
// entries from them; above the core library everything is as open as the core itself.
void check_way(const std::filesystem::path& directory) {
  static const std::filesystem::path core = core_library();
  for (std::filesystem::path above = directory;; above = above.parent_path()) {
    const auto [end, ignored] = std::mismatch(above.begin(), above.end(), core.begin(), core.end());
    if (end == above.end()) return;
    struct stat status {};
    if (::stat(above.c_str(), &status) != 0) refuse("plugin.unreadable", "the folder " + above.string() + " cannot be examined: " + std::strerror(errno));
    if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0)
      refuse("plugin.world_writable", "the folder " + above.string() + " on the way to it may be written by everybody", "chmod o-w " + above.string());
    if (!above.has_relative_path()) return;
  }
}

// Where an open descriptor really lies, links resolved.
std::filesystem::path real_path(int descriptor) {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), error);
  if (error || !path.is_absolute()) refuse("plugin.unreadable", "the place of the file cannot be told" + (error ? ": " + error.message() : std::string()), "is /proc mounted?");
  return path;
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
  Descriptor fd = opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
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
  check_way(real_path(fd.get()).parent_path());
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
  file.descriptor = opened(::openat(directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.descriptor) refuse("plugin.unreadable", std::string("the file cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(file.descriptor.get(), &status) != 0)
    refuse("plugin.unreadable", std::string("the file cannot be examined: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode)) {
    refuse("plugin.not_regular_file", S_ISDIR(status.st_mode) ? "this is a directory, not a file" : "this is not a regular file");
  }
  check_access(status, "the file");
  const std::filesystem::path real = real_path(file.descriptor.get());
  struct stat folder {};
  if (::fstat(directory.get(), &folder) != 0) refuse("plugin.unreadable", std::string("the directory cannot be examined: ") + std::strerror(errno));
  struct stat own {};
  if (::stat(real.parent_path().c_str(), &own) != 0) refuse("plugin.unreadable", std::string("its folder cannot be examined: ") + std::strerror(errno));
  if (own.st_dev != folder.st_dev || own.st_ino != folder.st_ino) {  // a link led elsewhere
    check_access(own, "the folder " + real.parent_path().string() + ", to which the link leads,");
    check_way(real.parent_path().parent_path());
  }
  file.device = status.st_dev;
  file.inode = status.st_ino;
  file.size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

std::filesystem::path core_library_file() {
  return core_library();
}

std::filesystem::path core_library_directory() {
  return core_library().parent_path();
}

}  // namespace tenon
