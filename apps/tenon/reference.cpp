// `tenon reference [PLUGIN...]`: what plugins provide, with every declared parameter, as Markdown (or JSON).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "declared.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

using Json = nlohmann::ordered_json;

const char* type_name(ParamType type) {
  switch (type) {
    case ParamType::boolean: return "boolean";
    case ParamType::integer: return "integer";
    case ParamType::real: return "real";
    case ParamType::text: return "text";
    case ParamType::path: return "path";
    case ParamType::integers: return "integers";
    case ParamType::reals: return "reals";
    case ParamType::texts: return "texts";
  }
  return "";
}

std::string cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, "\\");
  return text;
}

/// As it is written: keys of recipes with underscores, options of tools with dashes.
std::string parameters_text(const ParamSpec& spec, bool options) {
  if (spec.params().empty()) return "";
  std::string out = std::string("\n| ") + (options ? "option" : "key") + " | type | default | allowed | what |\n|---|---|---|---|---|\n";
  for (const Param& p : spec.params()) {
    std::string allowed = range_text(p);
    for (const std::string& choice : p.choices) allowed += (allowed.empty() ? "" : ", ") + choice;
    const std::string value = p.required ? "required" : default_text(p);
    out += "| " + (options ? "--" + dashed(p.name) : p.name) + " | " + type_name(p.type) + (p.unit.empty() ? "" : " (" + cell(p.unit) + ")") + " | " + cell(value) + " | " + cell(allowed) + " | " + cell(p.help) + " |\n";
  }
  return out;
}

Json parameters_json(const ParamSpec& spec) {
  Json out = Json::array();
  for (const Param& p : spec.params())
    out.push_back({{"name", p.name}, {"type", type_name(p.type)}, {"unit", p.unit}, {"default", default_text(p)}, {"required", p.required}, {"range", range_text(p)}, {"choices", p.choices}, {"help", p.help}});
  return out;
}

}  // namespace

int reference_command(const std::vector<std::string>& wanted, const Common& common) {
  PluginHost& host = PluginHost::instance();
  std::vector<std::string> known;
  for (const PluginInfo& p : host.scan())
    if (p.state == PluginState::ready || p.state == PluginState::active) known.push_back(p.name);
  for (const std::string& name : wanted)
    if (std::find(known.begin(), known.end(), name) == known.end()) throw Error(ErrorKind::usage, "plugin.unknown", "no plugin is called '" + name + "'", suggestion(name, known));
  Json all = Json::array();
  std::string text;
  const std::vector<PluginInfo> plugins = host.scan();  // a copy: asking for entries changes the list
  for (const PluginInfo& p : plugins) {
    if (std::find(known.begin(), known.end(), p.name) == known.end() || (!wanted.empty() && std::find(wanted.begin(), wanted.end(), p.name) == wanted.end())) continue;
    Json plugin{{"plugin", p.name}, {"version", p.version}, {"summary", p.summary}, {"entries", Json::array()}};
    text += (text.empty() ? "" : "\n") + std::string("# ") + p.name + " " + p.version + "\n\n" + p.summary + ".\n";
    for (const std::string& id : p.provides) {
      const std::string kind = id.substr(0, id.find(' ')), name = id.substr(id.find(' ') + 1), full = p.name + "." + name;
      Json entry{{"kind", kind}, {"name", name}};
      if (kind == "task") {
        const TaskEntry& task = host.task(full);
        text += "\n## Task `" + full + "`\n\n" + task.help + ". Its model, where the recipe names none: `" + task.default_model + "`.\n";
        entry["help"] = task.help;
        entry["default_model"] = task.default_model;
        for (const auto& [section, params] : task.sections) {
          text += "\n### [" + section + "]\n" + parameters_text(params, false);
          entry["sections"][section] = parameters_json(params);
        }
      } else if (kind == "tool") {
        const ToolEntry& tool = host.tool(full);
        text += "\n## `tenon " + p.name + " " + dashed(name) + " " + tool.arguments + "`\n\n" + tool.help + ".\n" + parameters_text(tool.params, true);
        entry.update(Json{{"help", tool.help}, {"arguments", tool.arguments}, {"parameters", parameters_json(tool.params)}});
      } else if (kind == "model") {
        const ModelEntry& model = host.model(full);
        text += "\n## Model `" + full + "`\n\n" + model.help + ".\n" + parameters_text(model.params, false);
        entry.update(Json{{"help", model.help}, {"parameters", parameters_json(model.params)}});
      } else {
        const FormatEntry& format = host.format(full);
        std::string extensions;
        for (const std::string& e : format.extensions) extensions += (extensions.empty() ? "" : ", ") + e;
        text += "\n## Format `" + full + "` (" + extensions + (format.write ? "" : "; read only") + ")\n\n" + format.help + ".\n" + parameters_text(format.params, false);
        entry.update(Json{{"help", format.help}, {"extensions", format.extensions}, {"writes", bool(format.write)}, {"parameters", parameters_json(format.params)}});
      }
      plugin["entries"].push_back(std::move(entry));
    }
    all.push_back(std::move(plugin));
  }
  print(common.json ? json_text(all) : visible(text));
  return 0;
}

}  // namespace tenon::command
