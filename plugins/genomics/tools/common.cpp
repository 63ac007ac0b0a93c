#include "genomics/tools/common.hpp"

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::genomics {

void require_free(const std::filesystem::path& output, bool overwrite, const std::vector<std::filesystem::path>& inputs) {
  std::error_code failed;
  for (const auto& input : inputs)
    if (std::filesystem::equivalent(output, input, failed)) throw Error(ErrorKind::usage, "genomics.exists", "the output is one of the inputs", "give another name", output.string());
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
