#include <nlohmann/json.hpp>

#include "command.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/recipe.hpp"
#include "tenon/run.hpp"
#include "terminal.hpp"

namespace tenon::command {

int check_command(const CheckCommand& command, const Common& common) {
  const RecipeArguments arguments = split_recipe_arguments(command.arguments);
  if (arguments.recipe.empty()) throw Error(ErrorKind::usage, "command.missing_argument", "check: no recipe given", "tenon check RECIPE.toml");
  const Recipe recipe = Recipe::load(arguments.recipe, arguments.overrides);
  apply_threads(common);
  catch_interrupts();
  RunDisplay display(common.quiet);
  std::vector<std::string> warnings;
  const Monitor monitor{[&](const std::string& what, std::int64_t done, std::int64_t total) { display.stage(what, done, total); },
                        [&] { return display.interrupted(); },
                        [&](const std::string& text) {
                          warnings.push_back(text);
                          display.message("warning: " + text);
                        }};
  const auto [refusal, problems] = check(recipe, monitor);
  display.finish();
  if (interrupted()) throw Error(ErrorKind::usage, "run.interrupted", "stopped while checking", "run the same command again");
  if (refusal && problems.empty()) throw *refusal;
  if (common.json) {
    nlohmann::ordered_json out{{"problems", nlohmann::ordered_json::array()}, {"warnings", warnings}};
    for (const Problem& p : problems) out["problems"].push_back({{"code", p.code}, {"where", p.where}, {"message", p.message}, {"remedy", p.remedy}});
    print(json_text(out));
  } else if (problems.empty()) {
    const std::string count = std::to_string(warnings.size()) + (warnings.size() == 1 ? " file" : " files");
    print(warnings.empty() ? "no problem found" : "no problem found, warnings for " + count);
  } else {
    for (const Problem& p : problems) print(visible(p.code + ": " + p.where + ": " + p.message + (p.remedy.empty() ? "" : "\n  help: " + p.remedy)));
    print(std::to_string(problems.size()) + (problems.size() == 1 ? " problem" : " problems"));
  }
  if (refusal) throw *refusal;
  return problems.empty() ? 0 : int(ErrorKind::data);
}

}  // namespace tenon::command
