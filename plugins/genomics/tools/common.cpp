#include "genomics/tools/common.hpp"

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {

namespace {

namespace fs = std::filesystem;

/// The path without links and dots, whether anything is there or not.
fs::path resolved(fs::path path) {
  std::error_code failed;
  for (int links = 0; links < 40 && fs::is_symlink(path, failed); ++links) path = path.parent_path() / fs::read_symlink(path, failed);
  const fs::path plain = fs::weakly_canonical(fs::absolute(path, failed), failed);
  return failed ? path.lexically_normal() : plain;
}

constexpr const char* kIndexes[] = {".fai", ".gzi", ".tbi", ".csi", ".bai"};

}  // namespace

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code failed;
  return fs::equivalent(a, b, failed) || resolved(a) == resolved(b);
}

void require_free(const std::filesystem::path& output, bool overwrite, const std::vector<std::filesystem::path>& inputs) {
  for (const auto& input : inputs) {
    if (input.empty()) continue;
    if (same_file(output, input)) throw Error(ErrorKind::usage, "genomics.exists", "the output is one of the inputs", "give another name", output.string());
    for (const char* ending : kIndexes)
      if (same_file(output, input.string() + ending)) throw Error(ErrorKind::usage, "genomics.exists", "the output has the name of an input's index", "give another name", output.string());
  }
  if (!overwrite && file_exists(output)) throw Error(ErrorKind::usage, "genomics.exists", "the output is there already", "give another name, or --overwrite", output.string());
}

Monitor monitor_of(ToolContext& context) {
  Monitor monitor;
  monitor.progress = [&context](const std::string&, std::int64_t done, std::int64_t total) { context.progress(done, total); };
  monitor.interrupted = [&context] { return context.interrupted(); };
  monitor.warning = [&context](const std::string& text) { context.status("warning: " + text); };
  return monitor;
}

}  // namespace tenon::genomics
