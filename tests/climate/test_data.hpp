/// What the tests of files and grids share: folders that vanish, error codes, small arrays.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "climate/shared_data.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"

namespace tenon::climate_test {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-climate-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The error that `action` throws; fails the test where it throws none.
inline Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  FAIL("no error was thrown");
  throw std::logic_error("not reached");
}

/// Rows of a CSV with a header; quoted fields may hold commas and doubled quotes.
inline std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<std::vector<std::string>> rows(1);
  std::string field;
  bool quoted = false;
  for (char c; in.get(c);) {
    if (quoted) {
      if (c == '"' && in.peek() == '"') field += char(in.get());
      else if (c == '"') quoted = false;
      else field += c;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',' || c == '\n') {
      rows.back().push_back(field);
      field.clear();
      if (c == '\n') rows.emplace_back();
    } else if (c != '\r') {
      field += c;
    }
  }
  std::vector<std::map<std::string, std::string>> out;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    if (rows[r].size() < rows[0].size()) continue;
    auto& row = out.emplace_back();
    for (std::size_t k = 0; k < rows[0].size(); ++k) row[rows[0][k]] = rows[r][k];
  }
  return out;
}

/// Collects what a tool says.
class Spoken final : public ToolContext {
 public:
  explicit Spoken(bool json = false) : json_(json) {}
  void print(const std::string& text) override { out += text + "\n"; }
  void status(const std::string& text) override { notes += text + "\n"; }
  void progress(std::int64_t, std::int64_t) override {}
  bool json() const override { return json_; }
  bool interrupted() const override { return stop; }
  std::string out, notes;
  bool stop = false;

 private:
  bool json_;
};

/// Runs a tool with "name", "value" pairs as on a command line.
inline int run_tool(const ToolEntry& tool, const std::vector<std::string>& inputs, const std::vector<std::pair<std::string, std::string>>& options, Spoken& spoken) {
  ParamValues values(tool.params);
  for (const auto& [name, value] : options) values.set_from_text(tool.params, name, value, "test");
  return tool.run(inputs, values, spoken);
}

}  // namespace tenon::climate_test
