#include "cli.hpp"

#include <algorithm>
#include <set>
#include <sstream>

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

[[noreturn]] void refuse_extras(const CLI::App& app) {
  const CLI::App& sub = parsed_subcommand(app);
  const std::string help = "see '" + full_name(sub) + " --help'";
  const std::vector<std::string> extras = app.remaining(true);
  const std::string extra = extras.empty() ? "" : extras.front();
  if (!extra.starts_with('-') || extra == "-")
    throw Error(ErrorKind::usage, "command.unexpected", "unexpected argument '" + extra + "'", help);
  const std::string name = extra.substr(0, extra.find('='));
  const std::vector<std::string> names = option_names(sub);
  const auto near = nearest_names(name, names);
  throw Error(ErrorKind::usage, "command.unknown_option", full_name(sub) + " has no option " + name, near.empty() ? help : suggestion(name, names));
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
  app.add_option("--device", common.device, "auto, cpu, cuda or cuda:N (auto)")->type_name("DEVICE");
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

std::string completion_script(const CLI::App& app, const std::string& shell) {
  std::ostringstream cases, fish;
  std::string commands;
  for (const CLI::App* sub : app.get_subcommands({})) {
    commands += (commands.empty() ? "" : " ") + sub->get_name();
    std::string words;
    std::set<std::string> options;  // of the command and of those below it
    const auto collect = [&options](const CLI::App& from) {
      for (const CLI::Option* option : from.get_options())
        for (const std::string& name : option->get_lnames()) options.insert(name);
    };
    collect(*sub);
    for (const CLI::App* inner : sub->get_subcommands({})) {
      words += inner->get_name() + " ";
      collect(*inner);
      fish << "complete -c tenon -n '__fish_seen_subcommand_from " << sub->get_name() << "' -a " << inner->get_name() << " -d '" << inner->get_description() << "'\n";
    }
    for (const std::string& name : options) words += "--" + name + " ";
    cases << "    " << sub->get_name() << ") words=\"" << words << "\" ;;\n";
    fish << "complete -c tenon -n __fish_use_subcommand -a " << sub->get_name() << " -d '" << sub->get_description() << "'\n";
    for (const std::string& name : options) fish << "complete -c tenon -n '__fish_seen_subcommand_from " << sub->get_name() << "' -l " << name << "\n";
  }
  fish << "complete -c tenon -a '(tenon __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'\n";
  if (shell == "fish") return fish.str();
  const std::string bash = "_tenon() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n  if [ \"$COMP_CWORD\" -eq 1 ]; then words=\"" + commands +
                           " --help --version\"; else\n  case \"${COMP_WORDS[1]}\" in\n" + cases.str() +
                           "  esac; fi\n"
                           "  words=\"$words $(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:$COMP_CWORD}\" 2>/dev/null)\"\n"
                           "  COMPREPLY=( $(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\") )\n"
                           "  case \"${COMPREPLY[0]}\" in *=) compopt -o nospace 2>/dev/null ;; esac\n}\ncomplete -o filenames -F _tenon tenon\n";
  return shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" + bash : bash;
}

}  // namespace tenon::command
