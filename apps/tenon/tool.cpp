// `tenon <plugin> <tool> ...`: the command line is made from the parameters that the plugin declares.
#include <algorithm>
#include <map>

#include "cli.hpp"
#include "declared.hpp"
#include "tenon/error.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

class Console : public ToolContext {
 public:
  explicit Console(const Common& common) : common_(common), progress_(common.quiet) {}
  void print(const std::string& text) override { command::print(text); }
  void status(const std::string& text) override {
    if (!common_.quiet) command::status(text);
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

std::vector<std::string> tools_of(const std::string& plugin) {
  std::vector<std::string> out;
  for (const std::string& id : PluginHost::instance().tools())
    if (id.starts_with(plugin + ".")) out.push_back(id.substr(plugin.size() + 1));
  return out;
}

void print_tools(const std::string& plugin) {
  const std::vector<std::string> tools = tools_of(plugin);
  print("tenon " + plugin + " <tool> ...; 'tenon " + plugin + " <tool> --help' tells more\n\n");
  if (tools.empty()) {
    print("this plugin provides no tools");
    return;
  }
  Table table({"tool", "what it does"});
  table.left(1);
  for (const std::string& tool : tools) table.row({dashed(tool), PluginHost::instance().tool(plugin + "." + tool).help});
  print(table.str());
}

int run_tool(const std::string& name, const ToolEntry& entry, const std::vector<std::string>& arguments, Common common) {
  CLI::App app(entry.help, name);
  app.set_help_flag("-h,--help", "Print this help and exit");
  add_common(app, common, true);
  std::vector<std::string> inputs;
  if (!entry.arguments.empty()) app.add_option("inputs", inputs, "What to work on")->type_name(entry.arguments);
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
  return interrupted() ? kInterrupted : result;
}

}  // namespace

int tool_command(const std::string& plugin, const std::vector<std::string>& arguments, Common common) {
  PluginHost& host = PluginHost::instance();
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    host.load_all();
    print_tools(plugin);
    return arguments.empty() ? int(ErrorKind::usage) : 0;
  }
  // Options and tools are written with dashes; names are declared with underscores.
  std::string tool = arguments[0];
  std::replace(tool.begin(), tool.end(), '-', '_');
  const ToolEntry& entry = host.tool(plugin + "." + tool);
  return run_tool("tenon " + plugin + " " + dashed(tool), entry, {arguments.begin() + 1, arguments.end()}, common);
}

}  // namespace tenon::command
