// `tenon __complete WORD...`: what may stand in place of the last word, one a line, for the shells' completion scripts. Names come from the plugins' records; a
// plugin is loaded for the options of its own tools and the keys of its own recipes, which its declared parameters are.
#include <filesystem>
#include <set>
#include <system_error>

#include "command.hpp"
#include "declared.hpp"
#include "tenon/catalogue.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"
#include "tenon/recipe.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

using Words = std::vector<std::string>;

void add_plugins(Words& out) {
  for (const PluginInfo& p : PluginHost::instance().scan())
    if (p.state == PluginState::ready || p.state == PluginState::active) out.push_back(p.name);
}

void add_tools(const std::string& plugin, Words& out) {
  for (const std::string& id : PluginHost::instance().tools())
    if (id.starts_with(plugin + ".")) out.push_back(dashed(id.substr(plugin.size() + 1)));
}

void add_options(const std::string& plugin, const std::string& tool, const std::string& before, Words& out) {
  PluginHost& host = PluginHost::instance();
  for (const std::string& id : host.tools()) {
    if (id.substr(0, id.find('.')) != plugin || dashed(id.substr(id.find('.') + 1)) != tool) continue;
    for (const Param& p : host.tool(id).params.params()) {
      if (before == "--" + dashed(p.name)) {  // its value: one of the choices, or anything
        if (p.type != ParamType::boolean) {
          out = p.choices;
          return;
        }
      }
      out.push_back("--" + dashed(p.name));
      if (p.type == ParamType::boolean) out.push_back("--no-" + dashed(p.name));
    }
  }
}

/// section.key= of a recipe, its values filled in.
void add_keys(const Words& words, Words& out) {
  for (const std::string& word : words) {
    std::error_code failed;
    if (!word.ends_with(".toml") || !std::filesystem::is_regular_file(word, failed)) continue;
    const Recipe recipe = Recipe::load(word, {});
    for (const auto& [section, values] : recipe.sections)
      for (const auto& [key, value] : values.all()) out.push_back(section + "." + key + "=");
    return;
  }
}

Words candidates(const Words& words) {
  Words out;
  const std::size_t n = words.size();
  if (n <= 1) {
    add_plugins(out);
    return out;
  }
  const std::string &first = words[0], &before = words[n - 2];
  if (first == "train" || first == "check") add_keys(words, out);
  else if (first == "explain") return explained_codes();
  else if (first == "data" && n == 3 && (before == "info" || before == "fetch")) for (const DataSet& set : data_sets()) out.push_back(set.name);
  else if ((first == "plugin" && n == 3 && before == "info") || (first == "reference")) add_plugins(out);
  else if (n == 2) add_tools(first, out);
  else add_options(first, words[1], before, out);
  return out;
}

// What a shell may be given as it is: choices and codes are whatever a plugin declares, and a completion script would expand a $ or a blank.
bool is_plain_word(const std::string& word) {
  return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:=+%@/-") == std::string::npos;
}

}  // namespace

int complete_command(const std::vector<std::string>& words) {
  Words found;
  try {
    found = candidates(words);
  } catch (const Error&) {  // a word that is none yet: nothing to offer, and nothing to say between a user's keystrokes
    return 0;
  }
  const std::string begin = words.empty() ? std::string() : words.back();
  std::string text;
  for (const std::string& word : std::set<std::string>(found.begin(), found.end()))
    if (word.starts_with(begin) && is_plain_word(word)) text += (text.empty() ? "" : "\n") + word;
  if (!text.empty()) print(text);
  return 0;
}

}  // namespace tenon::command
