#include "report/run_record.hpp"

#include <toml++/toml.h>
#include <cmath>
#include <limits>
#include <sstream>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::report {
namespace {

constexpr std::uint64_t kMaxText = 1u << 30;

double number(const Json& line, const char* key) {
  auto it = line.find(key);
  return it != line.end() && it->is_number() ? it->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// The file's text, or nothing and a remark.
std::optional<std::string> text_of(const std::filesystem::path& run, const char* name, const char* meaning, RunRecord& record) {
  try {
    return read_text(run / name, kMaxText);
  } catch (const Error& error) {
    if (error.code() == "io.not_found")
      record.remarks.push_back(std::string(name) + " is not there: " + meaning);
    else
      record.remarks.push_back(std::string(name) + " could not be read: " + error.message());
    return std::nullopt;
  }
}

bool read_line(const std::string& text, RunRecord& record) {
  Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("kind") || !line.contains("step") || !line["kind"].is_string() ||
      !line["step"].is_number_integer())
    return false;
  auto step = line["step"].get<std::int64_t>();
  if (line["kind"] == "step") {
    record.steps[step] = {number(line, "loss"), number(line, "learning_rate"), number(line, "gradient_norm"), number(line, "seconds")};
  } else if (line["kind"] == "validation") {
    ValidationRow row;
    row.score = number(line, "score");
    if (!line.contains("columns") || !line.contains("mean") || !line["columns"].is_array() || !line["mean"].is_array() ||
        line["columns"].size() != line["mean"].size())
      return false;
    for (const Json& c : line["columns"]) {
      if (!c.is_string()) return false;
      row.columns.push_back(c.get<std::string>());
    }
    for (const Json& m : line["mean"]) row.mean.push_back(m.is_number() ? m.get<double>() : std::numeric_limits<double>::quiet_NaN());
    record.validations[step] = std::move(row);
  }
  return true;
}

void read_metrics(const std::filesystem::path& run, RunRecord& record) {
  auto text = text_of(run, "metrics.jsonl", "there are no curves to draw", record);
  if (!text) return;
  std::istringstream lines(*text);
  std::int64_t broken = 0;
  for (std::string line; std::getline(lines, line);)
    if (!line.empty() && !read_line(line, record)) ++broken;
  if (broken > 0)
    record.remarks.push_back("metrics.jsonl: " + std::to_string(broken) + (broken == 1 ? " line" : " lines") + " could not be read and " +
                             (broken == 1 ? "is" : "are") + " left out of the curves");
}

std::string recipe_name(const std::string& recipe, RunRecord& record) {
  try {
    return toml::parse(recipe)["name"].value_or(std::string());
  } catch (const toml::parse_error& error) {
    record.remarks.push_back("recipe.toml is no valid TOML: " + std::string(error.description()));
    return {};
  }
}

}  // namespace

RunRecord read_run(const std::filesystem::path& run) {
  auto info = files().stat(run);
  if (!info || !info->is_directory)
    throw Error(ErrorKind::usage, "run.not_found", "no run directory " + run.string(),
                "name a folder that tenon train made, such as runs/hippocampus", run.string());
  RunRecord record;
  std::filesystem::path whole = std::filesystem::absolute(run).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  record.folder = whole.filename().string();
  record.path = whole.string();

  if (auto text = text_of(run, "recipe.toml", "the recipe cannot be shown", record)) {
    record.recipe = *text;
    record.name = recipe_name(*text, record);
  }
  if (record.name.empty()) record.name = record.folder;

  if (auto text = text_of(run, "state.json", "status, versions and digests are not known", record)) {
    Json state = Json::parse(*text, nullptr, false);
    if (state.is_object())
      record.state = std::move(state);
    else
      record.remarks.push_back("state.json is no JSON object; status, versions and digests are not known");
    record.date = utc_date(files().stat(run / "state.json").value_or(FileInfo{}).modified_ns);
  }

  read_metrics(run, record);

  if (auto text = text_of(run, "evaluation.json", "the run has not been evaluated; tenon evaluate does it", record)) {
    try {
      record.evaluation = evaluation_from_json(*text, run);
    } catch (const Error& error) {
      record.remarks.push_back("evaluation.json was left out: " + error.message());
    }
  }
  return record;
}

}  // namespace tenon::report
