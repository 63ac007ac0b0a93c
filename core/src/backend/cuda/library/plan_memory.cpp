#include "backend/cuda/library/plan_memory.hpp"

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tenon/io/file.hpp"

namespace tenon::cuda {
namespace {

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

}  // namespace

PlanMemory::PlanMemory(const std::string& name) {
  const std::filesystem::path in = folder();
  if (in.empty()) return;
  std::string plain;
  for (char c : name) plain += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-';
  file_ = (in / (plain + ".plans")).string();
  std::ifstream from(file_);
  for (std::string line; std::getline(from, line);)
    if (const auto tab = line.find('\t'); tab != line.npos) known_[line.substr(0, tab)] = line.substr(tab + 1);
}

std::string PlanMemory::find(const std::string& key) const {
  auto at = known_.find(key);
  return at == known_.end() ? std::string() : at->second;
}

void PlanMemory::keep(const std::string& key, const std::string& value) {
  known_[key] = value;
  if (file_.empty()) return;
  std::string text;
  for (const auto& [k, v] : known_) text += k + "\t" + v + "\n";
  try {
    std::filesystem::create_directories(std::filesystem::path(file_).parent_path());
    write_atomic(file_, text);
  } catch (const std::exception&) {
    file_.clear();  // a full disk or a read-only home: choices then last as long as the process
  }
}

}  // namespace tenon::cuda
