#include "tenon/io/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "tenon/error.hpp"

namespace tenon {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(std::filesystem::path path, int flags, std::string_view action) : path_(std::move(path)) {
    do {
      fd_ = ::open(path_.c_str(), flags | O_CLOEXEC, 0666);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) throw_io_error(errno, action, path_);
    struct stat info {};
    if (::fstat(fd_, &info) == 0 && S_ISDIR(info.st_mode)) {  // opening a folder for reading succeeds; reading it would not
      ::close(fd_);
      throw_io_error(EISDIR, action, path_);
    }
  }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override {
    if (fd_ >= 0) ::close(fd_);
  }

  std::size_t read(void* data, std::size_t size) override {
    return gather(data, size, [this](char* to, std::size_t n, std::size_t) { return ::read(fd_, to, n); });
  }

  std::size_t read_at(std::uint64_t offset, void* data, std::size_t size) override {
    return gather(data, size,
                  [this, offset](char* to, std::size_t n, std::size_t done) { return ::pread(fd_, to, n, off_t(offset + done)); });
  }

  void write(const void* data, std::size_t size) override {
    auto* from = static_cast<const char*>(data);
    while (size > 0) {
      ssize_t n = ::write(fd_, from, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw_io_error(errno, "write", path_);
      from += n;
      size -= std::size_t(n);
    }
  }

  void sync() override {
    if (::fsync(fd_) != 0 && errno != EINVAL) throw_io_error(errno, "sync", path_);  // EINVAL: pipes and the like have no disk
  }

  void close() override {
    if (fd_ < 0) return;
    int status = ::close(fd_);
    fd_ = -1;
    if (status != 0 && errno != EINTR) throw_io_error(errno, "write", path_);
  }

  std::uint64_t size() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) throw_io_error(errno, "read", path_);
    return std::uint64_t(info.st_size);
  }

 private:
  template <class Call>
  std::size_t gather(void* data, std::size_t size, Call call) {
    std::size_t done = 0;
    while (done < size) {
      ssize_t n = call(static_cast<char*>(data) + done, size - done, done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw_io_error(errno, "read", path_);
      if (n == 0) break;
      done += std::size_t(n);
    }
    return done;
  }

  std::filesystem::path path_;
  int fd_ = -1;
};

std::atomic<FileSystem*> replacement{nullptr};

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string unique_suffix() {
  static std::atomic<unsigned> counter{0};
  return ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

enum class Folders { refused, left_to_the_caller };

/// The folder must be there, and at the path nothing or a regular file: renaming over a pipe, a socket or a device
/// (/dev/null, for root) would take it away from the whole system.
void require_place(const std::filesystem::path& path, Folders folders = Folders::refused) {
  const std::string what = "cannot write " + path.string() + ": ";
  const auto folder = directory_of(path);
  const auto around = files().stat(folder), there = files().stat(path);
  if (!around)
    throw Error(ErrorKind::data, "io.not_found", what + "there is no folder " + folder.string(), "make the folder first, or name one that exists",
                path.string());
  if (!around->is_directory)
    throw Error(ErrorKind::usage, "io.not_a_folder", what + folder.string() + " is no folder",
                "a file is in the way: name a folder, or a place where one can be made", path.string());
  if (!there || there->is_regular || (there->is_directory && folders == Folders::left_to_the_caller)) return;
  throw Error(ErrorKind::data, "io.not_a_file", what + (there->is_directory ? "it is a folder" : "it is a pipe, a socket or a device"),
              "name a regular file", path.string());
}

/// The name of a hidden sibling: within the 255 bytes that a file system gives a name, whatever the length of the one it stands for.
std::string sibling_name(const std::string& name, const std::string& suffix) {
  constexpr std::size_t kMost = 120;
  return "." + (name.size() > kMost ? name.substr(0, kMost) : name) + suffix;
}

/// Where a path leads: a link is written through, as a shell does, and stays a link; the last need not lead to anything yet. Links of others in a folder that
/// everybody may write are not followed, as the kernel has it for opening them.
std::filesystem::path through_links(std::filesystem::path path) {
  for (int links = 0; links < 40; ++links) {
    struct stat link {}, folder {};
    if (::lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode)) return path;
    if (::stat(directory_of(path).c_str(), &folder) == 0 && (folder.st_mode & S_ISVTX) && (folder.st_mode & S_IWOTH) && link.st_uid != ::geteuid() && link.st_uid != folder.st_uid)
      throw Error(ErrorKind::data, "io.not_a_file", "cannot write " + path.string() + ": it is a link of another user, in a folder that everybody may write", "name another file", path.string());
    std::error_code failed;
    const std::filesystem::path to = std::filesystem::read_symlink(path, failed);
    if (failed) return path;
    path = to.is_absolute() ? to : directory_of(path) / to;
  }
  throw Error(ErrorKind::data, "io.not_a_file", "cannot write " + path.string() + ": its links lead in a circle", "name a regular file", path.string());
}

/// require_place of where it leads, which comes back.
std::filesystem::path place_of(const std::filesystem::path& path, Folders folders = Folders::refused) {
  if (path.empty()) throw Error(ErrorKind::usage, "io.not_a_file", "cannot write: the name of the output is empty", "name a file");
  if (path == "-") throw Error(ErrorKind::usage, "io.not_a_file", "cannot write -: results go to files, not to standard output", "name a file (./- for one of this name)");
  require_place(path, folders);
  const std::filesystem::path target = through_links(path);
  if (target != path) require_place(target, folders);
  return target;
}

/// Removes a leftover while another error is on its way; that error is the one worth telling.
void discard(const std::filesystem::path& path) noexcept {
  try {
    files().remove(path);
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace

void throw_io_error(int error_number, std::string_view action, const std::filesystem::path& path) {
  std::string file = path.string();
  std::string what = "cannot " + std::string(action) + " " + file + ": " + std::generic_category().message(error_number);
  bool reading = action == "read" || action == "open" || action == "list";
  switch (error_number) {
    case ENOENT:
      throw Error(
          ErrorKind::data, "io.not_found", what,
          reading ? "check the path; relative paths start at the current directory" : "make the folder first, or name one that exists",
          file);
    case EACCES:
    case EPERM:
    case EROFS:
      throw Error(ErrorKind::data, "io.permission", what, "give this user the right to it, or name a place that is its own", file);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      throw Error(ErrorKind::device, "io.no_space", what, "free some space there or name another disk; files written before are whole",
                  file);
    case EEXIST:
    case ENOTDIR:
      if (action == "make folder" || error_number == EEXIST)
        throw Error(ErrorKind::usage, "io.not_a_folder", what, "a file is in the way: name a folder, or a place where one can be made", file);
      [[fallthrough]];
    case EISDIR:
    case ELOOP:
      throw Error(ErrorKind::data, "io.not_a_file", what, "name a regular file", file);
    case EMFILE:
    case ENFILE:
      throw Error(ErrorKind::device, "io.too_many_open", what, "raise the limit of open files (ulimit -n)", file);
    default:
      if (reading)
        throw Error(ErrorKind::data, "io.read", what,
                    error_number == ENAMETOOLONG ? "give it a shorter name" : "check the disk and the file, then try again", file);
      throw Error(ErrorKind::device, "io.write", what, "check the disk, then try again", file);
  }
}

File::~File() = default;
FileSystem::~FileSystem() = default;

std::unique_ptr<File> FileSystem::open_read(const std::filesystem::path& path) {
  // Opening a pipe waits for a writer, for ever if none comes; opening a device may do anything. Both are told before.
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
    throw Error(ErrorKind::data, "io.not_a_file", "cannot open " + path.string() + ": it is a pipe, a socket or a device", "name a regular file",
                path.string());
  return std::make_unique<PosixFile>(path, O_RDONLY, "open");
}

std::unique_ptr<File> FileSystem::open_write(const std::filesystem::path& path, OpenMode mode) {
  // Readable as well: append_line looks at the last byte.
  return std::make_unique<PosixFile>(path, O_RDWR | O_CREAT | (mode == OpenMode::append ? O_APPEND : O_TRUNC), "write");
}

void FileSystem::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_io_error(errno, "replace", to);
}

void FileSystem::remove(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_io_error(errno, "remove", path);
}

void FileSystem::make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw_io_error(error.value(), "make folder", path);
}

void FileSystem::sync_directory(const std::filesystem::path& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw_io_error(errno, "sync folder", path);
  int status = ::fsync(fd), reason = errno;
  ::close(fd);
  if (status != 0 && reason != EINVAL) throw_io_error(reason, "sync folder", path);  // EINVAL: a file system without it
}

std::vector<std::filesystem::path> FileSystem::list(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> found;
  std::filesystem::directory_iterator it(directory, error), end;
  for (; !error && it != end; it.increment(error)) found.push_back(it->path());
  if (error) throw_io_error(error.value(), "list", directory);
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<FileInfo> FileSystem::stat(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_io_error(errno, "open", path);
  }
  return FileInfo{S_ISDIR(info.st_mode), S_ISREG(info.st_mode), std::uint64_t(info.st_size),
                  std::int64_t(info.st_mtim.tv_sec) * 1000000000 + info.st_mtim.tv_nsec};
}

FileSystem& files() {
  static FileSystem real;
  FileSystem* other = replacement.load(std::memory_order_acquire);
  return other ? *other : real;
}

FileSystem* set_files_for_testing(FileSystem* other) noexcept {
  return replacement.exchange(other, std::memory_order_acq_rel);
}

namespace {

template <class Buffer>
Buffer read_all(const std::filesystem::path& path, std::uint64_t max_bytes) {
  auto file = files().open_read(path);
  std::uint64_t size = file->size();
  auto check = [&](std::uint64_t bytes) {
    if (bytes > max_bytes)
      throw Error(
          ErrorKind::data, "io.too_large",
          path.string() + " has " + std::to_string(bytes) + " bytes or more, at most " + std::to_string(max_bytes) + " are taken here",
          "check that this is the file that was meant", path.string());
  };
  check(size);
  Buffer buffer;
  buffer.resize(std::size_t(size));
  std::size_t got = file->read(buffer.data(), buffer.size());
  buffer.resize(got);
  if (got < size)
    throw Error(ErrorKind::data, "io.read",
                path.string() + " ended after " + std::to_string(got) + " of " + std::to_string(size) + " bytes",
                "it was cut while being read; try again", path.string());
  // Files of /proc and growing files are longer than they say: take what is there now.
  for (char more[4096]; std::size_t n = file->read(more, sizeof more);) {
    check(buffer.size() + n);
    std::size_t old = buffer.size();
    buffer.resize(old + n);
    std::copy_n(more, n, reinterpret_cast<char*>(buffer.data()) + old);
  }
  return buffer;
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return read_all<std::vector<std::byte>>(path, max_bytes);
}

std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return read_all<std::string>(path, max_bytes);
}

bool file_exists(const std::filesystem::path& path) {
  return files().stat(path).has_value();
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(place_of(path)), temporary_(directory_of(path_) / sibling_name(path_.filename().string(), unique_suffix())) {
  try {
    file_ = files().open_write(temporary_, OpenMode::truncate);
  } catch (const Error& error) {
    throw Error(error.kind(), error.code(), "cannot write " + path_.string() + ": " + error.message(), error.hint(), path_.string());
  }
}

AtomicFile::~AtomicFile() {
  if (committed_) return;
  file_.reset();
  discard(temporary_);
}

void AtomicFile::write(const void* data, std::size_t size) {
  file_->write(data, size);
}

void AtomicFile::commit() {
  file_->sync();
  file_->close();
  require_place(path_);
  files().rename(temporary_, path_);
  committed_ = true;  // from here the temporary is gone, whatever the directory's sync says
  files().sync_directory(directory_of(path_));
}

std::filesystem::path temporary_sibling(const std::filesystem::path& path) {
  const std::filesystem::path target = place_of(path, Folders::left_to_the_caller);  // a folder has siblings too, and no rename puts a file in its place
  const std::string name = target.filename().string();
  const std::size_t dot = name.find('.', 1);
  const std::string extensions = dot == std::string::npos || name.size() - dot > 40 ? target.extension().string() : name.substr(dot);
  return directory_of(target) / (sibling_name(name, unique_suffix()) + (extensions.size() > 40 ? "" : extensions));
}

void replace_file(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  const std::filesystem::path target = place_of(path);
  files().open_write(temporary, OpenMode::append)->sync();
  files().rename(temporary, target);
  files().sync_directory(directory_of(target));
}

void write_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

void write_atomic(const std::filesystem::path& path, std::string_view text) {
  write_atomic(path, std::as_bytes(std::span(text)));
}

void append_line(const std::filesystem::path& path, std::string_view line) {
  auto file = files().open_write(path, OpenMode::append);
  std::string text;
  char last = '\n';
  if (std::uint64_t size = file->size(); size > 0) file->read_at(size - 1, &last, 1);
  if (last != '\n') text += '\n';
  text.append(line);
  text += '\n';
  file->write(text.data(), text.size());
  file->close();
}

}  // namespace tenon
