#include "plugin/staging.hpp"

#include <algorithm>

#include "plugin/param_detail.hpp"
#include "plugin/guard.hpp"
#include "tenon/abi.hpp"
#include "tenon/io/utf8.hpp"

namespace tenon {
namespace {

// Sections of every recipe, whatever its task.
constexpr const char* kCoreSections[] = {"model", "train", "optimizer", "schedule"};

// Without anything that a terminal would obey.
bool is_plain(const std::string& text) {
  return is_utf8(text) && std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_one_line(const std::string& text) {
  return !text.empty() && is_plain(text);
}

}  // namespace

void StagingRegistrar::refuse(const char* code, const std::string& what, const std::string& hint) {
  Error error(ErrorKind::plugin, code, what, hint);
  if (!defect_) defect_ = error;
  throw error;
}

void StagingRegistrar::accept(const std::string& kind, const std::string& name, const std::string& help) {
  if (!is_valid_name(name))
    refuse("plugin.bad_entry", "a " + kind + " is called '" + name + "'", "names are lower-case letters, digits and underscores");
  const std::string id = kind + " " + name;
  if (!is_one_line(help)) refuse("plugin.bad_entry", id + " has no help of one line", "say in one line what it is for");
  if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) {
    refuse("plugin.duplicate_id", "'" + id + "' is registered twice by plugin '" + plugin_ + "'", "give each its own name");
  }
  ids_.push_back(id);
}

void StagingRegistrar::check_params(const std::string& owner, const ParamSpec& spec) {
  std::vector<std::string> seen;
  for (const Param& p : spec.params()) {
    if (!is_valid_name(p.name))
      refuse("plugin.bad_entry", owner + " has a parameter called '" + p.name + "'",
             "names are lower-case letters, digits and underscores");
    if (std::find(seen.begin(), seen.end(), p.name) != seen.end())
      refuse("plugin.bad_entry", owner + " declares parameter '" + p.name + "' twice");
    if (!is_one_line(p.help)) refuse("plugin.bad_entry", owner + ": parameter '" + p.name + "' has no help of one line");
    if (const std::string defect = param_defect(p); !defect.empty()) refuse("plugin.bad_entry", owner + ": " + defect);
    seen.push_back(p.name);
  }
}

void StagingRegistrar::need(bool there, const std::string& owner, const char* function) {
  if (!there) refuse("plugin.bad_entry", owner + " has no function '" + function + "'");
}

void StagingRegistrar::format(FormatEntry entry) {
  accept("format", entry.name, entry.help);
  const std::string owner = "format " + entry.name;
  check_params(owner, entry.params);
  need(entry.sniff != nullptr, owner, "sniff");
  need(entry.read != nullptr, owner, "read");
  for (const std::string& extension : entry.extensions) {
    if (extension.size() < 2 || extension.front() != '.')
      refuse("plugin.bad_entry", owner + " has the extension '" + extension + "'", "extensions start with a dot");
  }
  entry.sniff = guarded(plugin_, "sniff of " + owner, std::move(entry.sniff));
  entry.read = guarded(plugin_, "read of " + owner, std::move(entry.read));
  entry.write = guarded(plugin_, "write of " + owner, std::move(entry.write));
  formats.push_back(std::move(entry));
}

void StagingRegistrar::model(ModelEntry entry) {
  accept("model", entry.name, entry.help);
  const std::string owner = "model " + entry.name;
  check_params(owner, entry.params);
  need(entry.make != nullptr, owner, "make");
  const auto holds = [&](DType t) { return std::find(entry.computes.begin(), entry.computes.end(), t) != entry.computes.end(); };
  const bool known = std::all_of(entry.computes.begin(), entry.computes.end(), [](DType t) { return t == DType::f32 || t == DType::bf16 || t == DType::f16; });
  if (!holds(DType::f32) || !known) refuse("plugin.bad_entry", owner + " declares types to compute in that are not f32 with or without bf16 and f16", "name f32, and of bf16 and f16 what the model takes");
  entry.make = [plugin = plugin_, owner, make = guarded(plugin_, "make of " + owner, std::move(entry.make))](const ParamValues& values,
                                                                                                             const ModelContext& context) {
    auto model = make(values, context);
    if (!model) throw Error(ErrorKind::plugin, "plugin.no_result", "make of " + owner + " of plugin '" + plugin + "' returned nothing");
    // A task of another plugin may call it.
    model->set_exception_handler([plugin, owner] { rethrow_from_plugin(plugin, "forward of " + owner); });
    return model;
  };
  models.push_back(std::move(entry));
}

void StagingRegistrar::task(TaskEntry entry) {
  accept("task", entry.name, entry.help);
  const std::string owner = "task " + entry.name;
  std::vector<std::string> seen(std::begin(kCoreSections), std::end(kCoreSections));
  for (const auto& [section, spec] : entry.sections) {
    if (!is_valid_name(section))
      refuse("plugin.bad_entry", owner + " has a section called '" + section + "'", "names are lower-case letters, digits and underscores");
    if (std::find(seen.begin(), seen.end(), section) != seen.end()) {
      refuse("plugin.bad_entry", owner + " declares section [" + section + "], which is there already",
             "a task's sections differ from each other and from the core's");
    }
    check_params(owner + " [" + section + "]", spec);
    seen.push_back(section);
  }
  need(entry.make != nullptr, owner, "make");
  entry.make = [plugin = plugin_, name = entry.name,
                make = guarded(plugin_, "make of " + owner, std::move(entry.make))](const TaskContext& context) {
    auto task = make(context);
    if (!task) throw Error(ErrorKind::plugin, "plugin.no_result", "make of task " + name + " of plugin '" + plugin + "' returned nothing");
    return guarded_task(plugin, name, std::move(task));
  };
  tasks.push_back(std::move(entry));
}

void StagingRegistrar::tool(ToolEntry entry) {
  accept("tool", entry.name, entry.help);
  const std::string owner = "tool " + entry.name;
  check_params(owner, entry.params);
  need(entry.run != nullptr, owner, "run");
  if (!is_plain(entry.arguments)) refuse("plugin.bad_entry", owner + ": its arguments are not one line of plain text");
  entry.run = guarded(plugin_, owner, std::move(entry.run));
  tools.push_back(std::move(entry));
}

void StagingRegistrar::require_sound() const {
  if (defect_) throw *defect_;
}

void StagingRegistrar::require(const std::vector<std::string>& provided) const {
  std::string missing, extra;
  for (const std::string& id : provided) {
    if (std::find(ids_.begin(), ids_.end(), id) == ids_.end()) missing += (missing.empty() ? "'" : ", '") + id + "'";
  }
  for (const std::string& id : ids_) {
    if (std::find(provided.begin(), provided.end(), id) == provided.end()) extra += (extra.empty() ? "'" : ", '") + id + "'";
  }
  if (missing.empty() && extra.empty()) return;
  std::string text = "plugin '" + plugin_ + "' does not register what its record says:";
  if (!missing.empty()) text += " missing " + missing;
  if (!extra.empty()) text += std::string(missing.empty() ? "" : ";") + " not in the record " + extra;
  throw Error(ErrorKind::plugin, "plugin.provides_mismatch", text, "make PROVIDES of tenon_add_plugin and plugin.cpp agree");
}

}  // namespace tenon
