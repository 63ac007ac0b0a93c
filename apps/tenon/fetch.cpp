#include "fetch.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>

#include "process.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/sha256.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace fs = std::filesystem;
namespace {

constexpr const char* kNothingPlaced = "nothing was put in place";

[[noreturn]] void stop(const DataSet& set, const std::string& left, const std::string& next) {
  throw Error(ErrorKind::usage, "run.interrupted", left, next, set.name);
}

std::uintmax_t size_of(const fs::path& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  return failed ? 0 : size;
}

std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line))
    if (!line.empty()) last = line;
  return last;
}

void require_program(const ProcessResult& result, const std::string& program, const std::string& package) {
  if (result.status == 127)
    throw Error(ErrorKind::usage, "process.not_installed", program + " is needed and not installed", "install it, on Debian: apt-get install " + package);
}

// Removes a path at the end of a scope unless it was released.
class Cleanup {
 public:
  explicit Cleanup(fs::path path) : path_(std::move(path)) {}
  ~Cleanup() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  void release() { path_.clear(); }

 private:
  fs::path path_;
};

// The size of the whole file as the last answer's headers say, 0 if they do not.
double announced_size(const fs::path& headers) {
  if (!file_exists(headers)) return 0;
  std::istringstream lines(read_text(headers));
  double length = 0;
  for (std::string line; std::getline(lines, line);) {
    std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    if (line.starts_with("http/")) length = 0;
    if (line.starts_with("content-length:")) length = std::atof(line.c_str() + 15);
    if (const std::size_t slash = line.find('/'); line.starts_with("content-range:") && slash != std::string::npos)
      return std::atof(line.c_str() + slash + 1);
  }
  return length;
}

[[noreturn]] void download_failed(const std::string& url, const ProcessResult& result, const DataSet& set) {
  const bool offline = result.status == 6 || result.status == 7 || result.status == 28;
  const std::string reason = last_line(result.errors);
  throw Error(ErrorKind::data, "data.download", "cannot download " + url + ": " + (reason.empty() ? "curl ended with " + std::to_string(result.status) : reason),
              (offline ? std::string("is there a network? without one, bring the archive and give it: ") : std::string("try again, or give a mirror or an archive: ")) +
                  "tenon data fetch " + set.name + " --from URL|FILE",
              set.name);
}

void download(const DataSet& set, const std::string& url, const fs::path& part, bool quiet) {
  const fs::path headers = part.string() + ".headers";
  Cleanup remove_headers(headers);
  Progress progress(quiet);
  const auto start = std::chrono::steady_clock::now();
  for (int attempt = 0;; ++attempt) {
    const std::uintmax_t before = size_of(part);
    const auto poll = [&] {
      const double now = double(size_of(part)), total = announced_size(headers);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      const double rate = seconds > 0 ? (now - double(before)) / seconds : 0;
      std::string tail = format_bytes(now) + (total > 0 ? " of " + format_bytes(total) : "") + ", " + format_bytes(rate) + "/s";
      if (total > 0 && rate > 0) tail += ", " + format_seconds((total - now) / rate) + " left";
      progress.update("download", now, total, tail);
      return !interrupted();
    };
    const ProcessResult result =
        run_process({"curl", "--fail", "--location", "--silent", "--show-error", "--proto", "=https,http,file", "--connect-timeout", "20", "--speed-limit",
                     "1", "--speed-time", "60", "--retry", "3", "--continue-at", "-", "--dump-header", headers.string(), "--output", part.string(), url},
                    poll);
    progress.finish();
    require_program(result, "curl", "curl");
    if (interrupted()) stop(set, "what is there is kept", "the same command goes on with it");
    if (result.status == 0) return;
    // A part that is whole already, or longer than the file, cannot be continued: 22 is curl's for HTTP 416, 33 and 36 are its own.
    const bool bad_part = before > 0 && (result.status == 22 || result.status == 33 || result.status == 36);
    if (!bad_part || attempt > 0) download_failed(url, result, set);
    files().remove(part);
  }
}

void verify_archive(const DataSet& set, const fs::path& archive, const std::string& from) {
  if (set.md5.empty()) return;  // got by hand: its files are verified one by one
  const ProcessResult result = run_process({"md5sum", "--binary", "--", archive.string()});
  require_program(result, "md5sum", "coreutils");
  if (interrupted()) stop(set, kNothingPlaced, "run the same command again");
  std::string digest = result.output.substr(0, result.output.find(' '));
  if (digest.starts_with('\\')) digest.erase(0, 1);  // md5sum marks an escaped file name
  if (result.status != 0) throw Error(ErrorKind::data, "data.archive", "cannot read the archive: " + last_line(result.errors), "check the file", archive.string());
  if (digest != set.md5)
    throw Error(ErrorKind::data, "data.digest",
                from + " is not the archive that the catalogue means: MD5 " + digest + " instead of " + set.md5 + ", " + format_bytes(double(size_of(archive))),
                "nothing was kept; try again, or take another mirror with --from", set.name);
}

// No member may be anything but a file or a folder: a link could point out of the set.
void refuse_links(const fs::path& root, const std::string& from) {
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_symlink() || !(entry.is_regular_file() || entry.is_directory()))
      throw Error(ErrorKind::data, "data.archive", "the archive holds " + entry.path().filename().string() + ", which is neither file nor folder",
                  "nothing was kept; take another mirror with --from", from);
}

void extract(const DataSet& set, const fs::path& archive, const fs::path& folder, const std::string& from) {
  std::vector<std::string> arguments{"tar", "--extract", "--file", archive.string(), "--directory", folder.string(), "--no-same-owner", "--no-same-permissions",
                                     "--force-local"};
  for (const std::string& pattern : set.exclude) arguments.push_back("--exclude=" + pattern);
  const ProcessResult result = run_process(arguments, [] { return !interrupted(); });
  require_program(result, "tar", "tar");
  if (interrupted()) stop(set, kNothingPlaced, "run the same command again");
  if (result.status != 0 || !fs::is_directory(folder / set.archive_root))
    throw Error(ErrorKind::data, "data.archive",
                result.status ? "cannot unpack " + from + ": " + last_line(result.errors) : from + " has no folder " + set.archive_root,
                "check the free space of the disk, then try again", folder.string());
  refuse_links(folder / set.archive_root, from);
}

// A local archive, given as a path; nothing for a URL.
fs::path local_archive(const std::string& from) {
  if (from.find("://") != std::string::npos) return {};
  if (!file_exists(from)) throw Error(ErrorKind::data, "data.archive", "no archive " + from, "give a URL, or the path of an archive", from);
  return fs::absolute(from);
}

}  // namespace

std::size_t verify_files(const DataSet& set, const fs::path& root) {
  if (set.checksums.empty()) return 0;
  const std::vector<Checksum> sums = read_checksums(set.checksums);
  for (const Checksum& sum : sums) {
    const fs::path file = root / sum.path;
    if (!file_exists(file))
      throw Error(ErrorKind::data, "data.digest", "file " + sum.path + " is missing", "fetch the set again into another folder", root.string());
    const std::string digest = sha256_of_file(file);
    if (digest != sum.sha256)
      throw Error(ErrorKind::data, "data.digest", "file " + sum.path + " has SHA-256 " + digest + " instead of " + sum.sha256,
                  "the file was changed or damaged; fetch the set again into another folder", root.string());
  }
  return sums.size();
}

FetchResult fetch(const DataSet& set, const FetchOptions& options) {
  const fs::path target = fs::absolute(options.to).lexically_normal();
  std::error_code failed;
  if (fs::exists(target, failed) && !(fs::is_directory(target, failed) && fs::is_empty(target, failed))) {
    try {
      verify_files(set, target);
    } catch (const Error& e) {
      throw Error(ErrorKind::data, "data.in_the_way", target.string() + " is there and is not this data set: " + e.message(),
                  "move it away, or give another folder with --to", set.name);
    }
    return FetchResult::already_there;
  }
  const std::string from = options.from.empty() ? set.url : options.from;
  fs::path archive = local_archive(from);
  files().make_directories(target.parent_path());
  const fs::path part = target.string() + ".download.part", folder = target.string() + ".unpack-" + std::to_string(::getpid());
  if (archive.empty()) {
    if (!options.quiet) status("downloading " + set.name + " (" + set.size + ", " + set.licence + ") from " + from);
    download(set, from, part, options.quiet);
    archive = part;
  }
  Cleanup remove_part(archive == part ? part : fs::path());
  verify_archive(set, archive, from);

  Cleanup remove_folder(folder);
  files().make_directories(folder);
  extract(set, archive, folder, from);
  const fs::path root = folder / set.archive_root;
  for (const fs::path& extra : set.add) {
    std::vector<std::byte> bytes = read_file(extra);
    write_atomic(root / extra.filename(), bytes);
  }
  const std::size_t compared = verify_files(set, root);
  if (interrupted()) stop(set, kNothingPlaced, "run the same command again");
  if (fs::is_directory(target, failed)) fs::remove(target, failed);  // empty, as asked above
  files().rename(root, target);
  files().sync_directory(target.parent_path());
  if (!options.quiet) status("archive digest and " + std::to_string(compared) + " file digests are right");
  return FetchResult::fetched;
}

}  // namespace tenon::command
