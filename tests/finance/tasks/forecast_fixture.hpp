/// What the tests of the forecasting tasks share: recipes made in code, small tables, folders that vanish.
#pragma once

#include <catch2/catch.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "finance/tasks/forecast.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::finance_test {

/// A file of the shared finance data; nothing, and a line that says so, where it is absent.
inline std::optional<std::filesystem::path> finance_file(const std::string& name) {
  std::error_code failed;
  std::vector<std::filesystem::path> roots;
  if (const char* root = std::getenv("TENON_DATA"); root && *root) roots.emplace_back(root);
  roots.push_back(std::filesystem::path(TENON_SOURCE_DIR) / ".." / "shared" / "data");
  for (const auto& root : roots)
    if (auto path = root / "finance" / name; std::filesystem::exists(path, failed)) return std::filesystem::weakly_canonical(path);
  WARN("skipped: needs the shared finance data (set TENON_DATA)");
  return {};
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-forecast-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return "none";
}

/// The sections of a task, all defaults, to be set from text.
class Recipe {
 public:
  explicit Recipe(const TaskEntry& entry = finance::forecast_task()) : entry_(entry) {
    for (const auto& [name, spec] : entry_.sections) context.sections.emplace(name, ParamValues(spec));
    context.batch_size = 4;
  }
  Recipe& set(const std::string& section, const std::string& key, const std::string& text) {
    for (const auto& [name, spec] : entry_.sections)
      if (name == section) context.sections.at(section).set_from_text(spec, key, text, "test");
    return *this;
  }
  std::unique_ptr<Task> task() const { return entry_.make(context); }
  TaskContext context;

 private:
  TaskEntry entry_;
};

/// Two waves that pass through zero: "a,b\n...".
inline std::string waves_csv(int rows) {
  std::string text = "a,b\n";
  for (int t = 0; t < rows; ++t) text += std::to_string(std::sin(0.3 * t) + 0.01 * t) + "," + std::to_string(50 + 10 * std::cos(0.2 * t)) + "\n";
  return text;
}
inline std::string constant_csv(int rows) {
  std::string text = "a,b\n";
  for (int t = 0; t < rows; ++t) text += std::to_string(t) + ",7\n";
  return text;
}

inline Recipe waves_recipe(const TempFolder& folder, const std::string& text) {
  write_atomic(folder / "waves.csv", std::string_view(text));
  Recipe r;
  r.set("data", "file", (folder / "waves.csv").string()).set("data", "train_rows", "120").set("data", "validation_rows", "40").set("data", "test_rows", "40");
  r.set("window", "look_back", "16").set("window", "horizons", "[4, 8]");
  return r;
}

}  // namespace tenon::finance_test
