#include "cli.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tenon/error.hpp"
#include "tenon/params.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

const CLI::App& parsed_subcommand(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() ? full_name(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* at = &app; at; at = at->get_parent())
    for (const CLI::Option* option : at->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  return names;
}

[[noreturn]] void refuse_extras(const CLI::App& app) {
  const CLI::App& sub = parsed_subcommand(app);
  const std::string help = "see '" + full_name(sub) + " --help'";
  const std::vector<std::string> extras = app.remaining(true);
  const std::string extra = extras.empty() ? "" : extras.front();
  const bool is_option = extra.starts_with('-') && extra != "-";
  if (const std::vector<std::string> names = subcommand_names(sub); !is_option && !names.empty())
    throw Error(ErrorKind::usage, "command.unknown", full_name(sub) + " has no command '" + extra + "'", suggestion(extra, names));
  if (!is_option)
    throw Error(ErrorKind::usage, "command.unexpected", "unexpected argument '" + extra + "'", help);
  const std::string name = extra.substr(0, extra.find('='));
  const std::vector<std::string> names = option_names(sub);
  const auto near = nearest_names(name, names);
  throw Error(ErrorKind::usage, "command.unknown_option", full_name(sub) + " has no option " + name, near.empty() ? help : suggestion(name, names));
}

// By option, as CLI11 keeps nothing beside its checks.
std::map<const CLI::Option*, std::vector<std::string>>& offered_values() {
  static std::map<const CLI::Option*, std::vector<std::string>> values;
  return values;
}

std::string spaced(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// As it is typed: "--kind", "-o"; positional arguments have none.
std::vector<std::string> spellings(const CLI::Option& option) {
  std::vector<std::string> out;
  for (const std::string& name : option.get_lnames()) out.push_back("--" + name);
  for (const std::string& name : option.get_snames()) out.push_back("-" + name);
  return out;
}

struct Completions {
  std::vector<std::string> words;                                // subcommands, options, values of positional arguments
  std::vector<std::pair<std::string, std::string>> values;       // options as a pattern of case, and their values
};

Completions completions_of(const CLI::App& app) {
  Completions out;
  out.words = subcommand_names(app);
  std::set<std::string> options;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) options.insert("--" + name);
    const auto offered = offered_values().find(option);
    if (offered == offered_values().end()) continue;
    std::string pattern;
    for (const std::string& name : spellings(*option)) pattern += (pattern.empty() ? "" : "|") + name;
    if (pattern.empty()) out.words.insert(out.words.end(), offered->second.begin(), offered->second.end());
    else out.values.emplace_back(pattern, spaced(offered->second));
  }
  out.words.insert(out.words.end(), options.begin(), options.end());
  return out;
}

// What to set within a branch of case.
std::string bash_words(const CLI::App& app) {
  const Completions c = completions_of(app);
  std::string out = "words=\"" + spaced(c.words) + "\"";
  if (c.values.empty()) return out;
  out += "; case \"$before\" in";
  for (const auto& [pattern, values] : c.values) out += " " + pattern + ") values=\"" + values + "\" ;;";
  return out + " esac";
}

std::string bash_script(const CLI::App& app, bool zsh) {
  std::string cases;
  for (const CLI::App* sub : app.get_subcommands({})) {
    const std::vector<const CLI::App*> inner = sub->get_subcommands([](const CLI::App*) { return true; });
    if (inner.empty()) {
      cases += "    " + sub->get_name() + ") " + bash_words(*sub) + " ;;\n";
      continue;
    }
    cases += "    " + sub->get_name() + ") if [ \"$COMP_CWORD\" -eq 2 ]; then " + bash_words(*sub) + "; else case \"${COMP_WORDS[2]}\" in\n";
    for (const CLI::App* in : inner) cases += "      " + in->get_name() + ") " + bash_words(*in) + " ;;\n";
    cases += "      esac; fi ;;\n";
  }
  // bash splits a word at '='
  const std::string bash = R"sh(_tenon() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words="" values="" found
  if [ "$word" = "=" ]; then word=""; elif [ "$before" = "=" ]; then before="${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [ "$COMP_CWORD" -eq 1 ]; then words=")sh" + spaced(subcommand_names(app)) + R"sh( --help --version"; else
  case "${COMP_WORDS[1]}" in
)sh" + cases + R"sh(  esac; fi
  if [ -n "$values" ]; then COMPREPLY=( $(compgen -W "$values" -- "$word") ); return; fi
  COMPREPLY=()
  while IFS= read -r found; do if [[ "$found" == "$word"* ]]; then COMPREPLY+=("$found"); fi; done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null)
  COMPREPLY+=( $(compgen -W "$words" -- "$word") $(compgen -f -- "$word") )
  case "${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o filenames -F _tenon tenon
)sh";
  return zsh ? "autoload -U +X bashcompinit && bashcompinit\n" + bash : bash;
}

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "'";
}

// One line an option and one for the values of positional arguments, where `condition` holds.
std::string fish_options(const CLI::App& app, const std::string& condition) {
  std::string out;
  const std::string head = "complete -c tenon -n " + fish_quoted(condition);
  for (const CLI::Option* option : app.get_options()) {
    const auto offered = offered_values().find(option);
    const std::string values = offered == offered_values().end() ? "" : " -a " + fish_quoted(spaced(offered->second));
    std::string names;
    for (const std::string& name : option->get_lnames()) names += " -l " + name;
    if (names.empty() && values.empty()) continue;
    out += head + names + (!values.empty() && !names.empty() ? " -x" : "") + values + "\n";
  }
  return out;
}

std::string fish_script(const CLI::App& app) {
  std::string out;
  for (const CLI::App* sub : app.get_subcommands({})) {
    const std::string seen = "__fish_seen_subcommand_from " + sub->get_name();
    out += "complete -c tenon -n __fish_use_subcommand -a " + sub->get_name() + " -d " + fish_quoted(sub->get_description()) + "\n";
    const std::string none_yet = seen + "; and not __fish_seen_subcommand_from " + spaced(subcommand_names(*sub));
    const bool nested = !subcommand_names(*sub).empty();
    out += fish_options(*sub, nested ? none_yet : seen);
    for (const CLI::App* in : sub->get_subcommands({})) {
      out += "complete -c tenon -n " + fish_quoted(none_yet) + " -a " + in->get_name() + " -d " + fish_quoted(in->get_description()) + "\n";
      out += fish_options(*in, seen + "; and __fish_seen_subcommand_from " + in->get_name());
    }
  }
  return out + "complete -c tenon -a '(tenon __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'\n";
}

}  // namespace

void add_common(CLI::App& app, Common& common, bool computes) {
  app.add_option("--plugin-dir", common.plugin_dirs, "Folder searched first for plugins (may be given several times)")->type_name("DIR")->allow_extra_args(false);
  app.add_flag("--json", common.json, "Results as JSON on standard output");
  app.add_flag("-q,--quiet", common.quiet, "No progress and no messages on standard error");
  if (!computes) return;
  app.add_option("--threads", common.threads, "Threads to compute with; results do not depend on it (all cores)")->type_name("N")->check(CLI::Range(1, 4096).description(""));
}

void add_device(CLI::App& app, Common& common) {
  offer(app.add_option("--device", common.device, "auto, cpu, cuda or cuda:N (auto)")->type_name("DEVICE"), {"auto", "cpu", "cuda"}, false);
}

CLI::Option* offer(CLI::Option* option, std::vector<std::string> values, bool only) {
  if (only) option->check(CLI::IsMember(values).description(""));
  offered_values()[option] = std::move(values);
  return option;
}

std::optional<int> parse_command_line(CLI::App& app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    const CLI::App& sub = parsed_subcommand(app);
    print(visible(sub.help(sub.get_parent() ? full_name(*sub.get_parent()) : "")));  // of a tool: the plugin's texts
    return 0;
  } catch (const CLI::CallForVersion& e) {
    print(e.what());
    return 0;
  } catch (const CLI::ExtrasError&) {
    refuse_extras(app);
  } catch (const CLI::RequiredError& e) {
    if (!app.remaining(true).empty()) refuse_extras(app);  // what is there and should not be says more than what is missing
    throw Error(ErrorKind::usage, "command.missing_argument", full_name(parsed_subcommand(app)) + ": " + e.what(),
                "see '" + full_name(parsed_subcommand(app)) + " --help'");
  } catch (const CLI::ParseError& e) {
    throw Error(ErrorKind::usage, "command.bad_value", full_name(parsed_subcommand(app)) + ": " + e.what(),
                "see '" + full_name(parsed_subcommand(app)) + " --help'");
  }
  return std::nullopt;
}

std::string completion_script(const CLI::App& app, const std::string& shell) { return shell == "fish" ? fish_script(app) : bash_script(app, shell == "zsh"); }

}  // namespace tenon::command
