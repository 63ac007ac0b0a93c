// `tenon <plugin> <tool> ...`: the command line is made from the parameters that the plugin declares.
#include <algorithm>
#include <map>

#include "cli.hpp"
#include "declared.hpp"
#include "plugin_project.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

class Console : public ToolContext {
 public:
  explicit Console(const Common& common) : common_(common), progress_(common.quiet) {}
  void print(const std::string& text) override { print_result(text); }
  void status(const std::string& text) override {
    if (!common_.quiet) command::status(visible(text));
  }
  void progress(std::int64_t done, std::int64_t total) override {
    progress_.update("work", double(done), double(total), std::to_string(done) + (total > 0 ? "/" + std::to_string(total) : ""));
  }
  bool json() const override { return common_.json; }
  bool interrupted() const override { return command::interrupted(); }
  void finish() { progress_.finish(); }

 private:
  const Common& common_;
  Progress progress_;
};

std::string help_text(const Param& p) {
  std::string out = p.help;
  if (!p.unit.empty()) out += " [" + p.unit + "]";
  if (const std::string range = range_text(p); !range.empty()) out += ", " + range;
  const std::string text = default_text(p);
  if (p.required) out += " (required)";
  else if (!text.empty()) out += " (" + text + ")";
  return out;
}

// As its record has them.
std::vector<std::string> tools_of(const PluginInfo& info) {
  std::vector<std::string> out;
  for (const std::string& id : info.provides)
    if (id.starts_with("tool ")) out.push_back(id.substr(5));
  return out;
}

// Loads this plugin alone, and that for the help lines; one that cannot be loaded is told by its record, and why by an error.
void print_tools(const std::string& plugin) {
  PluginHost& host = PluginHost::instance();
  PluginInfo info = find_plugin(plugin).value();
  const std::vector<std::string> tools = tools_of(info);
  if (!tools.empty() && info.state == PluginState::ready) {
    try {
      host.tool(plugin + "." + tools.front());
    } catch (const Error&) {
    }
    info = find_plugin(plugin).value();
  }
  const bool usable = info.state == PluginState::ready || info.state == PluginState::active;
  if (usable || !tools.empty()) print("tenon " + plugin + " <tool> ...; 'tenon " + plugin + " <tool> --help' tells more\n\n");
  if (usable && tools.empty()) print("this plugin provides no tools");
  if (!tools.empty()) {
    Table table(usable ? std::vector<std::string>{"tool", "what it does"} : std::vector<std::string>{"tool"});
    table.left(1);
    for (const std::string& tool : tools) table.row({dashed(tool), usable ? host.tool(plugin + "." + tool).help : ""});
    print(table.str());
  }
  require_usable(info);
}

int run_tool(const std::string& name, const ToolEntry& entry, const std::vector<std::string>& arguments, Common common) {
  CLI::App app(visible_line(entry.help), name);
  app.set_help_flag("-h,--help", "Print this help and exit");
  add_common(app, common, true);
  std::vector<std::string> inputs;
  if (!entry.arguments.empty()) {
    std::string what = visible_line(entry.arguments);
    if (what.ends_with("...")) what.resize(what.size() - 3);  // the help adds its own
    app.add_option("inputs", inputs, "What to work on")->type_name(what);
  }
  const bool short_output_free = entry.params.find("output") || entry.params.find("out");
  std::map<std::string, std::string> given;
  for (const Param& p : entry.params.params()) {
    std::string names = "--" + dashed(p.name);
    const bool underscored = p.name.find('_') != std::string::npos;
    if (short_output_free && (p.name == "output" || (p.name == "out" && !entry.params.find("output")))) names = "-o," + names;
    const auto store = [&given, &p](const std::string& text) { given[p.name] = text; };
    if (p.type == ParamType::boolean) {  // help shows the one that changes something
      const bool on = std::get<bool>(p.default_value);
      Param told = p;
      told.default_value = std::string();
      const std::string help = (on ? "turn off: " : "") + help_text(told);
      CLI::Option* yes = app.add_flag_function(names, [store](std::int64_t) { store("true"); }, help);
      CLI::Option* no = app.add_flag_function("--no-" + dashed(p.name), [store](std::int64_t) { store("false"); }, help);
      (on ? yes : no)->group("");
      continue;
    }
    // as recipes spell it; not in the help, where it would say the same twice
    if (underscored && !p.required) app.add_option_function<std::string>("--" + p.name, store)->group("");
    CLI::Option* option = app.add_option_function<std::string>(names + (underscored && p.required ? ",--" + p.name : ""), store, help_text(p))->type_name(type_text(p));
    if (p.required) option->required();
  }
  if (const auto done = parse_command_line(app, arguments)) return *done;
  ParamValues values(entry.params);
  for (const auto& [key, text] : given) {
    const bool bare_list = is_list(entry.params.find(key)->type) && !text.starts_with('[');
    values.set_from_text(entry.params, key, bare_list ? "[" + text + "]" : text, "--" + dashed(key));
  }
  apply_threads(common);
  catch_interrupts();
  Console console(common);
  const int result = run_stoppable(common, [&] { return entry.run(inputs, values, console); });
  console.finish();
  if (interrupted()) return kInterrupted;
  if (result < 0 || result > 255)  // the system keeps eight bits of it: 256 would be success
    throw Error(ErrorKind::plugin, "plugin.bad_status", "'" + name + "' returned " + std::to_string(result) + " as its exit status, which is 0 to 255",
                "this is a defect of the plugin: report it to its author");
  return result;
}

}  // namespace

int tool_command(const std::string& plugin, const std::vector<std::string>& arguments, Common common) {
  PluginHost& host = PluginHost::instance();
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print_tools(plugin);
    return arguments.empty() ? int(ErrorKind::usage) : 0;
  }
  if (const PluginInfo info = find_plugin(plugin).value(); info.name.empty()) require_usable(info);  // its tools are not even known
  // Options and tools are written with dashes; names are declared with underscores.
  std::string tool = arguments[0];
  std::replace(tool.begin(), tool.end(), '-', '_');
  const ToolEntry& entry = host.tool(plugin + "." + tool);
  return run_tool("tenon " + plugin + " " + dashed(tool), entry, {arguments.begin() + 1, arguments.end()}, common);
}

}  // namespace tenon::command
