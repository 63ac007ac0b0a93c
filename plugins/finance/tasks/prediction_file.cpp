#include "finance/tasks/prediction_file.hpp"

#include <map>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::finance {
namespace fs = std::filesystem;

std::vector<fs::path> plan_prediction_files(const std::vector<fs::path>& inputs, const PredictOptions& options, const std::string& suffix) {
  std::vector<fs::path> outputs;
  std::map<fs::path, fs::path> taken;
  for (const auto& input : inputs) {
    std::string stem = input.filename().string();
    for (const char* extension : {".gz", ".csv", ".txt"})
      if (stem.size() > std::string(extension).size() && stem.ends_with(extension)) stem.resize(stem.size() - std::string(extension).size());
    if (stem.empty()) throw_usage("predict", "no name for the result of '" + input.string() + "'", "give the table's file by its name");
    const fs::path output = options.output / (stem + suffix);
    if (const auto [at, fresh] = taken.emplace(output, input); !fresh)
      throw Error(ErrorKind::usage, "predict.same_name",
                  "two inputs would be written to " + output.string() + ": " + at->second.string() + " and " + input.string(), "predict them into different folders");
    std::error_code failed;
    for (const auto& other : inputs)
      if (fs::equivalent(other, output, failed) && !failed)
        throw Error(ErrorKind::usage, "predict.over_input", "the result would replace an input", "choose another output folder", output.string());
    if (file_exists(output) && !options.overwrite)
      throw Error(ErrorKind::usage, "predict.exists", "the result is there already", "choose another output folder, or say --overwrite", output.string());
    outputs.push_back(output);
  }
  return outputs;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace tenon::finance
