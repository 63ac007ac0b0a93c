#include "backend/cuda/library/plan_memory.hpp"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "tenon/io/event_file.hpp"
#include "tenon/io/file.hpp"

namespace tenon::cuda {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t(16) << 20;  // bytes: some 50,000 choices

std::filesystem::path folder() {
  auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (std::string named = variable("TENON_PLAN_MEMORY"); !named.empty()) return named == "none" ? "" : named;
  if (std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return std::filesystem::path(cache) / "tenon";
  if (std::string home = variable("HOME"); !home.empty()) return std::filesystem::path(home) / ".cache" / "tenon";
  return {};
}

std::string checksum(std::string_view text) {
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", unsigned(crc32c_of(std::as_bytes(std::span(text.data(), text.size())))));
  return digits;
}

}  // namespace

PlanMemory::PlanMemory(const std::string& name) {
  const std::filesystem::path in = folder();
  if (in.empty()) return;
  std::string plain;
  for (char c : name) plain += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-';
  file_ = (in / (plain + ".plans")).string();
}

/// Takes in what the file holds beyond what was read. A line without its end is left for the next time.
void PlanMemory::read_on() {
  if (file_.empty()) return;
  try {
    const std::optional<FileInfo> info = files().stat(file_);
    if (!info || info->size == at_) return;
    if (info->size > kLargest) return files().remove(file_);
    if (info->size < at_) at_ = 0;  // it was begun anew
    std::string text(std::size_t(info->size - at_), '\0');
    text.resize(files().open_read(file_)->read_at(at_, text.data(), text.size()));
    text.resize(text.rfind('\n') + 1);
    for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1) {
      end = text.find('\n', begin);
      const std::string line = text.substr(begin, end - begin);
      const std::size_t first = line.find('\t'), last = line.rfind('\t');
      if (first == last || checksum(line.substr(0, last)) != line.substr(last + 1)) continue;
      known_[line.substr(0, first)] = line.substr(first + 1, last - first - 1);
    }
    at_ += text.size();
  } catch (const std::exception&) {
  }
}

std::string PlanMemory::find(const std::string& key) {
  auto at = known_.find(key);
  if (at == known_.end()) {
    read_on();
    at = known_.find(key);
  }
  return at == known_.end() ? std::string() : at->second;
}

void PlanMemory::keep(const std::string& key, const std::string& value) {
  known_[key] = value;
  if (file_.empty()) return;
  const std::string text = key + "\t" + value;
  try {
    files().make_directories(std::filesystem::path(file_).parent_path());
    append_line(file_, text + "\t" + checksum(text));
  } catch (const std::exception&) {
    file_.clear();  // a full disk or a read-only home
  }
}

}  // namespace tenon::cuda
