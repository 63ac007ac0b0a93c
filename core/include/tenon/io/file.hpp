/// The one seam for file access, and the few things built on it: whole-file reads, atomic writes, appended lines.
///
/// What is read as data or written as a result goes through `files()`, so that a test can install a FileSystem of its
/// own and make any single call fail (a full disk at the n-th write, a lost rename). Not so the loading of plugins, and libraries that
/// open a file themselves (ITK), which do so behind a check of ours. Failures are thrown as
/// tenon::Error naming the file, the system's reason and a remedy; no call reports by return value.
///
/// Thread-safety: a FileSystem may be used from any thread; a File or AtomicFile belongs to one thread at a time.
/// `set_files_for_testing` must not race with use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

/// An open file. Closed by the destructor, silently; a writer that cares calls close() itself.
class TENON_API File {
 public:
  virtual ~File();
  /// Reads at most `size` bytes at the current position; fewer only at the end of the file.
  virtual std::size_t read(void* data, std::size_t size) = 0;
  /// Reads at most `size` bytes at `offset`; the current position stays.
  virtual std::size_t read_at(std::uint64_t offset, void* data, std::size_t size) = 0;
  /// Writes all of it or throws.
  virtual void write(const void* data, std::size_t size) = 0;
  virtual void sync() = 0;  ///< returns when the bytes are on the disk
  virtual void close() = 0;
  virtual std::uint64_t size() = 0;
};

enum class OpenMode { truncate, append };

struct FileInfo {
  bool is_directory = false, is_regular = false;
  std::uint64_t size = 0;        ///< bytes
  std::int64_t modified_ns = 0;  ///< since 1970-01-01 UTC
};

/// The operating system's files. Override any call to make it fail in a test; the base class does the real work.
class TENON_API FileSystem {
 public:
  virtual ~FileSystem();
  virtual std::unique_ptr<File> open_read(const std::filesystem::path& path);  ///< regular files only
  virtual std::unique_ptr<File> open_write(const std::filesystem::path& path, OpenMode mode);
  virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to);
  virtual void remove(const std::filesystem::path& path);  ///< a file that is not there is no error
  virtual void make_directories(const std::filesystem::path& path);
  virtual void sync_directory(const std::filesystem::path& path);
  virtual std::vector<std::filesystem::path> list(const std::filesystem::path& directory);  ///< full paths, sorted by name
  virtual std::optional<FileInfo> stat(const std::filesystem::path& path);                  ///< nothing when it is not there
};

/// The file system in use.
TENON_API FileSystem& files();
/// Installs `replacement` (not owned; null: the real one again) and returns what was installed before, null for the real one.
TENON_API FileSystem* set_files_for_testing(FileSystem* replacement) noexcept;

/// Throws the Error of a failed system call: `action` is what was tried ("write"), `error_number` an errno value.
/// Codes: io.not_found, io.permission, io.no_space (device), io.not_a_file, io.read, io.write (device).
[[noreturn]] TENON_API void throw_io_error(int error_number, std::string_view action, const std::filesystem::path& path);

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// The whole file. More than `max_bytes` is refused before anything is read (io.too_large).
TENON_API std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes = kNoLimit);
TENON_API std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes = kNoLimit);
TENON_API bool file_exists(const std::filesystem::path& path);

/// Writes a file so that at any moment its path holds either the old bytes or all of the new ones.
///
/// Bytes go to a sibling ".<name>.tmp-<pid>-<n>"; commit() syncs it, renames it over the path and syncs the
/// directory. Without commit the destructor removes the sibling; the path stays as it was. A folder, pipe or device there is refused; a link
/// is written through and stays a link.
class TENON_API AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  std::unique_ptr<File> file_;
  bool committed_ = false;
};

/// The same for libraries that open a path of their own: let them write `temporary_sibling(path)`, whose name keeps the
/// extensions of `path`, then replace_file(it, path) syncs, renames and syncs the directory. On failure remove it. Pipes and devices are refused.
TENON_API std::filesystem::path temporary_sibling(const std::filesystem::path& path);
TENON_API void replace_file(const std::filesystem::path& temporary, const std::filesystem::path& path);

TENON_API void write_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes);
TENON_API void write_atomic(const std::filesystem::path& path, std::string_view text);

/// Appends `line` and a newline in one write. A last line that a killed writer left unfinished is ended first, so
/// that it spoils nothing but itself.
TENON_API void append_line(const std::filesystem::path& path, std::string_view line);

}  // namespace tenon
