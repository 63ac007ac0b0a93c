#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "scores.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/run.hpp"
#include "terminal.hpp"

namespace tenon::command {

int evaluate_command(const EvaluateCommand& command, const Common& common) {
  require_run(command.run);
  apply_threads(common);
  catch_interrupts();
  RunDisplay display(common.quiet);
  const Evaluation evaluation = evaluate(command.run,
                                         {.split = command.split,
                                          .checkpoint = command.checkpoint,
                                          .pictures = command.pictures,
                                          .device = Device::parse(common.device),
                                          .overrides = command.overrides,
                                          .profile = command.profile},
                                         display);
  display.finish();
  if (interrupted())
    throw Error(ErrorKind::usage, "run.interrupted", "stopped while scoring; nothing was written", "run the same command again");
  const std::string report = write_report(command.run).string();  // or the page would show other scores than evaluation.json
  if (common.json) {
    auto out = nlohmann::ordered_json::parse(scores_json(evaluation));
    out["report"] = report;
    out["evaluation"] = nlohmann::ordered_json::parse(evaluation_to_json(evaluation));
    print(json_text(out));
  } else {
    print(visible(scores_table(evaluation)));
    if (!common.quiet) status(visible_line("report: " + report + "; per case: " + (std::filesystem::path(command.run) / "evaluation.json").string()));
  }
  return 0;
}

int predict_command(const PredictCommand& command, const Common& common) {
  require_run(command.run);
  for (const std::string& file : command.files)
    if (!files().stat(file)) throw Error(ErrorKind::data, "predict.no_input", "no file or folder " + file, "check the path; nothing was written", file);
  if (command.output.empty())
    throw Error(ErrorKind::usage, "predict.output", "the output folder's name is empty", "name a folder with -o; it is made where it is not there");
  if (const auto there = files().stat(command.output); there && !there->is_directory)
    throw Error(ErrorKind::usage, "predict.output", "this is a file; predictions go into a folder", "name a folder with -o; it is made where it is not there", command.output);
  apply_threads(common);
  catch_interrupts();
  RunDisplay display(common.quiet);
  const std::vector<std::filesystem::path> inputs(command.files.begin(), command.files.end());
  const auto written = predict(
      command.run, inputs,
      {.output = command.output, .checkpoint = command.checkpoint, .overwrite = command.overwrite, .device = Device::parse(common.device), .profile = command.profile},
      display);
  display.finish();
  if (common.json) {
    nlohmann::ordered_json out{{"written", nlohmann::ordered_json::array()}};
    for (const auto& path : written) out["written"].push_back(path.string());
    print(json_text(out));
  } else {
    for (const auto& path : written) print_path(path.string());
  }
  return interrupted() ? kInterrupted : 0;
}

namespace {

/// The run's evaluation.json is there and cannot be read: the page leaves its scores out.
std::optional<Error> unreadable_scores(const std::string& run) {
  const std::filesystem::path file = std::filesystem::path(run) / "evaluation.json";
  if (!files().stat(file)) return {};
  try {
    evaluation_from_json(read_text(file), run);
    return {};
  } catch (const Error& e) {
    return e.at(file.string());
  }
}

}  // namespace

int report_command(const std::vector<std::string>& runs, const std::string& summary, const Common& common) {
  for (const std::string& run : runs) require_run(run);
  std::vector<std::string> pages;
  for (const std::string& run : runs) pages.push_back(write_report(run).string());
  std::string whole = summary;
  if (whole.empty() && runs.size() > 1) whole = (std::filesystem::absolute(runs[0]).lexically_normal() / ".." / "summary.html").lexically_normal().string();
  if (!whole.empty()) write_summary({runs.begin(), runs.end()}, whole);
  int result = 0;
  for (const std::string& run : runs) {
    if (const auto broken = unreadable_scores(run)) {
      print_error(*broken);
      result = exit_status_of(*broken);
    }
  }
  if (common.json) {
    nlohmann::ordered_json out = runs.size() == 1 ? nlohmann::ordered_json{{"report", pages[0]}} : nlohmann::ordered_json{{"reports", pages}};
    if (!whole.empty()) out["summary"] = whole;
    print(json_text(out));
    return result;
  }
  for (const std::string& page : pages) print_path(page);
  if (!whole.empty()) print_path(whole);
  return result;
}

}  // namespace tenon::command
