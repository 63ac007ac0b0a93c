// `tenon reference [PLUGIN...]`: what plugins provide, with every declared parameter, as Markdown (or JSON).
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "declared.hpp"
#include "plugin_project.hpp"
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

/// One plugin as Markdown and as JSON.
struct Page {
  std::string text;
  Json json;
};

Page begin_page(const PluginInfo& p) {
  return {"# " + p.name + " " + p.version + "\n\n" + p.summary + ".\n", Json{{"plugin", p.name}, {"version", p.version}, {"summary", p.summary}}};
}

void add_task(const std::string& id, Page& page, Json& entry) {
  const TaskEntry& task = PluginHost::instance().task(id);
  page.text += "\n## Task `" + id + "`\n\n" + task.help + ". Its model, where the recipe names none: `" + task.default_model + "`.\n";
  entry["help"] = task.help;
  entry["default_model"] = task.default_model;
  for (const auto& [section, params] : task.sections) {
    page.text += "\n### [" + section + "]\n" + parameters_text(params, false);
    entry["sections"][section] = parameters_json(params);
  }
}

void add_tool(const std::string& id, Page& page, Json& entry) {
  const ToolEntry& tool = PluginHost::instance().tool(id);
  const std::size_t dot = id.find('.');
  page.text += "\n## `tenon " + id.substr(0, dot) + " " + dashed(id.substr(dot + 1)) + " " + tool.arguments + "`\n\n" + tool.help + ".\n" + parameters_text(tool.params, true);
  entry.update(Json{{"help", tool.help}, {"arguments", tool.arguments}, {"parameters", parameters_json(tool.params)}});
}

void add_model(const std::string& id, Page& page, Json& entry) {
  const ModelEntry& model = PluginHost::instance().model(id);
  Json computes = Json::array();
  std::string types;
  for (DType t : model.computes) {
    computes.push_back(name_of(t));
    types += (types.empty() ? "" : ", ") + std::string(name_of(t));
  }
  page.text += "\n## Model `" + id + "`\n\n" + model.help + ". Computes in " + types + ".\n" + parameters_text(model.params, false);
  entry.update(Json{{"help", model.help}, {"computes", computes}, {"parameters", parameters_json(model.params)}});
}

void add_format(const std::string& id, Page& page, Json& entry) {
  const FormatEntry& format = PluginHost::instance().format(id);
  std::string extensions;
  for (const std::string& e : format.extensions) extensions += (extensions.empty() ? "" : ", ") + e;
  page.text += "\n## Format `" + id + "` (" + extensions + (format.write ? "" : "; read only") + ")\n\n" + format.help + ".\n" + parameters_text(format.params, false);
  entry.update(Json{{"help", format.help}, {"extensions", format.extensions}, {"writes", bool(format.write)}, {"parameters", parameters_json(format.params)}});
}

/// Loads the plugin, if it has entries; throws why it cannot be.
Page page_of(const PluginInfo& p) {
  require_usable(p);
  Page page = begin_page(p);
  page.json["entries"] = Json::array();
  for (const std::string& id : p.provides) {
    const std::string kind = id.substr(0, id.find(' ')), name = id.substr(id.find(' ') + 1), full = p.name + "." + name;
    Json entry{{"kind", kind}, {"name", name}};
    const auto add = kind == "task" ? add_task : kind == "tool" ? add_tool : kind == "model" ? add_model : add_format;
    add(full, page, entry);
    page.json["entries"].push_back(std::move(entry));
  }
  return page;
}

/// In place of the page of one that cannot be used.
Page page_of_failure(const PluginInfo& p, const std::string& code, const std::string& reason) {
  Page page = begin_page(p);
  page.text += "\nIt cannot be used: " + code + ": " + reason + "\n";
  page.json["code"] = code;
  page.json["reason"] = reason;
  return page;
}

// Those asked for, or all but the refused ones, which `tenon plugins` lists. A copy: asking for entries changes the host's list.
std::vector<PluginInfo> chosen(const std::vector<std::string>& wanted) {
  std::vector<PluginInfo> out;
  std::vector<std::string> known;
  for (const PluginInfo& p : PluginHost::instance().scan()) {
    if (p.state != PluginState::ready && p.state != PluginState::active) continue;
    known.push_back(p.name);
    if (wanted.empty()) out.push_back(p);
  }
  for (const std::string& name : wanted) {
    std::optional<PluginInfo> found = find_plugin(name);
    if (!found) throw Error(ErrorKind::usage, "plugin.unknown", "no plugin is called '" + name + "'", suggestion(name, known));
    if (found->name.empty()) found->name = name;  // known by its file alone
    out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace

int reference_command(const std::vector<std::string>& wanted, const Common& common) {
  Json all = Json::array();
  std::string text;
  int failures = 0;
  for (const PluginInfo& p : chosen(wanted)) {
    Page page;
    try {
      page = page_of(p);
    } catch (const Error& e) {
      const std::optional<PluginInfo> now = find_plugin(p.name);  // its own words, without the entry that was asked for
      const bool told = now && !now->reason.empty();
      page = page_of_failure(p, told ? now->code : e.code(), told ? now->reason : e.message());
      ++failures;
      if (!common.quiet) status(visible("note: plugin '" + p.name + "' cannot be used: " + page.json["code"].get<std::string>() + "; 'tenon plugins' tells more"));
    }
    text += (text.empty() ? "" : "\n") + page.text;
    all.push_back(std::move(page.json));
  }
  print(common.json ? json_text(all) : visible(text));
  return failures > 0 && !wanted.empty() ? int(ErrorKind::plugin) : 0;
}

}  // namespace tenon::command
