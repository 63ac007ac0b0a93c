#include "tenon/recipe.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>

#include "tenon/catalogue.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/plugin.hpp"
#include "train/recipe_toml.hpp"

namespace tenon {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCommandLine = "command line";
const std::vector<std::string> kTopLevel = {"name", "task", "seed"};

struct Override {
  std::string section, key, text;
  std::string where() const { return std::string(kCommandLine) + ", " + (section.empty() ? key : section + "." + key); }
};

Override parse_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(ErrorKind::usage, "recipe.override", "'" + text + "' is not an override", "write section.key=value, for example train.steps=200",
                kCommandLine);
  const std::string path = text.substr(0, equals), value = text.substr(equals + 1);
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos && nearest_names(path, kTopLevel).empty())
    throw Error(ErrorKind::usage, "recipe.override", "'" + text + "' names no section", "write section.key=value, for example train.steps=200", kCommandLine);
  if (dot == std::string::npos) return {"", path, value};
  return {path.substr(0, dot), path.substr(dot + 1), value};
}

[[noreturn]] void unknown(const std::string& what, const std::string& name, const std::vector<std::string>& known, const std::string& where,
                          const std::string& in = {}) {
  throw Error(ErrorKind::usage, "recipe.unknown_key", "no " + what + " '" + name + "'" + (in.empty() ? "" : " in [" + in + "]"), suggestion(name, known), where);
}

// Registry errors name no place; in a recipe the place is the line that holds the name.
template <class Lookup> auto located(const std::string& where, Lookup&& lookup) -> decltype(lookup()) {
  try {
    return lookup();
  } catch (const Error& e) {
    throw e.at(where);
  }
}

std::uint64_t seed_of(const std::string& text, const std::string& where) {
  std::uint64_t seed = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seed);
  // a recipe is kept as TOML, whose integers have 63 bits and a sign
  if (failed != std::errc() || end != text.data() + text.size() || seed > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
    throw Error(ErrorKind::usage, "recipe.wrong_type", "seed = " + text + " is not a whole number from 0 to 2^63 - 1", "write for example seed = 1", where);
  return seed;
}

bool names_a_folder(const std::string& name) {
  const auto unfit = [](unsigned char c) { return c == '/' || c < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= 200 && name[0] != '.' && std::none_of(name.begin(), name.end(), unfit);
}

// A run keeps its recipe as TOML, which holds UTF-8 only: what is none could be written, but not read back.
void require_utf8(const std::string& text, const std::string& key, const char* remedy, const std::string& where) {
  if (!is_utf8(text)) throw Error(ErrorKind::usage, "recipe.not_utf8", key + ": " + text + " is not UTF-8", remedy, where);
}
constexpr const char* kRenamePath = "rename what is named in another encoding, or name it by a link (ln -s) whose own path is UTF-8";
constexpr const char* kWriteUtf8 = "write the value in UTF-8; a file or folder named in another encoding must be renamed";

// A path as the rest of the toolkit sees it: absolute, with data sets of the catalogue looked up.
std::string absolute_path(const std::string& text, const fs::path& base) {
  if (text.empty()) return text;
  if (is_data_path(text)) return resolve_data_path(text).string();
  if (text.starts_with("~/"))
    if (const char* home = std::getenv("HOME")) return (fs::path(home) / text.substr(2)).lexically_normal().string();
  return fs::absolute(base / text).lexically_normal().string();
}

// Builds a Recipe out of a parsed file and overrides; one use.
class Builder {
 public:
  Builder(const RecipeFile& file, const fs::path& directory, const std::vector<std::string>& overrides) : file_(file) {
    recipe_.directory = fs::absolute(directory);
    for (const std::string& text : overrides) overrides_.push_back(parse_override(text));
  }

  Recipe build() {
    top_level();
    if (recipe_.task.empty())
      throw Error(ErrorKind::usage, "recipe.missing_key", "a recipe names its task", "add a line such as task = \"medical.segmentation\"", file_.name);
    const TaskEntry& task = located(recipe_.origins["task"], [&]() -> const TaskEntry& { return PluginHost::instance().task(recipe_.task); });
    choose_model(task);
    declared_ = located(recipe_.origins["model.name"], [&] { return declared_sections(recipe_.task, recipe_.model); });
    for (const auto& [section, spec] : declared_) fill(section, spec);
    for (const RecipeSection& section : file_.sections)
      if (!spec_of(section.name)) unknown("section", section.name, section_names(), file_.at(section.line));
    for (const Override& o : overrides_)
      if (!o.section.empty() && !spec_of(o.section)) unknown("section", o.section, section_names(), o.where());
    require_precision();
    return std::move(recipe_);
  }

 private:
  void top_level() {
    recipe_.name = fs::path(file_.name).stem().string();
    std::vector<std::string> known = kTopLevel;
    for (const RecipeValue& v : file_.values) {
      const std::string where = file_.at(v.line);
      if (std::find(known.begin(), known.end(), v.key) == known.end()) unknown("key", v.key, with_sections(known), where);
      if (v.key == "seed") {
        const auto* number = std::get_if<std::int64_t>(&v.value);
        if (!number || *number < 0)
          throw Error(ErrorKind::usage, "recipe.wrong_type", "seed is a whole number from 0 up", "write for example seed = 1", where);
        recipe_.seed = std::uint64_t(*number);
      } else {
        const auto* text = std::get_if<std::string>(&v.value);
        if (!text || text->empty())
          throw Error(ErrorKind::usage, "recipe.wrong_type", v.key + " is a text in quotes", "write for example " + v.key + " = \"...\"", where);
        (v.key == "name" ? recipe_.name : recipe_.task) = *text;
      }
      recipe_.origins[v.key] = where;
    }
    for (const Override& o : overrides_) {
      if (!o.section.empty()) continue;
      if (std::find(known.begin(), known.end(), o.key) == known.end()) unknown("key", o.key, with_sections(known), o.where());
      if (o.key == "seed") recipe_.seed = seed_of(o.text, o.where());
      else (o.key == "name" ? recipe_.name : recipe_.task) = o.text;
      recipe_.origins[o.key] = o.where();
    }
    const std::string named_at = recipe_.origins.count("name") ? recipe_.origins["name"] : file_.name;
    require_utf8(recipe_.name, "name", "a recipe is named after its file: rename that, or add name = \"...\" to it", named_at);
    // The name becomes the run's folder.
    if (!names_a_folder(recipe_.name))
      throw Error(ErrorKind::usage, "recipe.name", "name = " + toml_text(recipe_.name) + " cannot name a folder",
                  "leave out '/', control characters and a leading '.'; at most 200 bytes", named_at);
  }

  void choose_model(const TaskEntry& task) {
    std::string& where = recipe_.origins["model.name"];
    where = recipe_.origins["task"];
    if (const RecipeSection* section = file_.section("model"))
      for (const RecipeValue& v : section->values) {
        if (v.key != "name") continue;
        where = file_.at(v.line);
        const auto* text = std::get_if<std::string>(&v.value);
        if (!text) throw Error(ErrorKind::usage, "recipe.wrong_type", "model.name is a text in quotes", "write for example name = \"medical.unet3d\"", where);
        recipe_.model = *text;
      }
    for (const Override& o : overrides_)
      if (o.section == "model" && o.key == "name") recipe_.model = o.text, where = o.where();
    if (!recipe_.model.empty()) return;
    recipe_.model = task.default_model;
    // A task names the models of its own plugin without the prefix.
    if (recipe_.model.find('.') == std::string::npos) recipe_.model = recipe_.task.substr(0, recipe_.task.find('.') + 1) + recipe_.model;
  }

  /// A type that the model computes in; which of them "auto" is depends on the device.
  void require_precision() const {
    const std::string& wanted = recipe_.section("train").text("precision");
    const std::vector<DType>& computes = PluginHost::instance().model(recipe_.model).computes;
    std::string names = "\"auto\"";
    bool known = wanted == "auto";
    for (DType t : computes) {
      known = known || wanted == name_of(t) || (wanted == "tf32" && t == DType::f32);
      names += ", \"" + std::string(name_of(t)) + "\"";
      if (t == DType::f32) names += ", \"tf32\"";
    }
    if (known) return;
    throw Error(ErrorKind::usage, "recipe.precision", recipe_.model + " does not compute in " + wanted, "set train.precision to one of " + names,
                recipe_.origins.at("train.precision"));
  }

  void fill(const std::string& section, const ParamSpec& spec) {
    ParamValues values(spec);
    if (const RecipeSection* given = file_.section(section))
      for (const RecipeValue& v : given->values) {
        if (section == "model" && v.key == "name") continue;
        if (overridden(section, v.key) && spec.find(v.key)) continue;  // what the command line replaces need fit neither the model nor this machine
        set(values, spec, section, v.key, file_.at(v.line), recipe_.directory, [&](const Param* p, const std::string& where) {
          values.set(spec, v.key, p ? fitted(v.value, p->type) : v.value, where);
        });
      }
    for (const Override& o : overrides_) {
      if (o.section != section || (section == "model" && o.key == "name")) continue;
      set(values, spec, section, o.key, o.where(), fs::current_path(), [&](const Param*, const std::string& where) { values.set_from_text(spec, o.key, o.text, where); });
    }
    for (const Param& p : spec.params())
      if (p.required && !values.given(p.name)) {
        const RecipeSection* given = file_.section(section);
        throw Error(ErrorKind::usage, "recipe.missing_key", section + "." + p.name + " must be given: " + p.help,
                    "add it to [" + section + "], or give " + section + "." + p.name + "=... on the command line",
                    given ? file_.at(given->line) : file_.name);
      }
    recipe_.sections.emplace(section, std::move(values));
  }

  bool overridden(const std::string& section, const std::string& key) const {
    return std::any_of(overrides_.begin(), overrides_.end(), [&](const Override& o) { return o.section == section && o.key == key; });
  }

  template <class Store>
  void set(ParamValues& values, const ParamSpec& spec, const std::string& section, const std::string& key, const std::string& where,
           const fs::path& base, Store&& store) {
    const Param* p = spec.find(key);
    if (!p) {
      std::vector<std::string> known;
      for (const Param& each : spec.params()) known.push_back(each.name);
      if (section == "model") known.push_back("name");
      unknown("key", key, known, where, section);
    }
    store(p, where);
    if (p->type == ParamType::path)
      located(where, [&] { values.set(spec, key, absolute_path(values.text(key), base), where); });
    require_readable(values, *p, section + "." + key, where);
    recipe_.origins[section + "." + key] = where;
  }

  static void require_readable(const ParamValues& values, const Param& p, const std::string& key, const std::string& where) {
    if (p.type == ParamType::path) require_utf8(values.text(p.name), key, kRenamePath, where);
    if (p.type == ParamType::text) require_utf8(values.text(p.name), key, kWriteUtf8, where);
    if (p.type == ParamType::texts)
      for (const std::string& text : values.texts(p.name)) require_utf8(text, key, kWriteUtf8, where);
  }

  const ParamSpec* spec_of(const std::string& section) const {
    for (const auto& [name, spec] : declared_)
      if (name == section) return &spec;
    return nullptr;
  }
  std::vector<std::string> section_names() const {
    std::vector<std::string> names;
    for (const auto& [name, spec] : declared_) names.push_back(name);
    return names;
  }
  std::vector<std::string> with_sections(std::vector<std::string> known) const {
    for (const RecipeSection& section : file_.sections) known.push_back(section.name);
    return known;
  }

  const RecipeFile& file_;
  std::vector<Override> overrides_;
  Recipe recipe_;
  DeclaredSections declared_;
};

}  // namespace

Recipe Recipe::load(const fs::path& file, const std::vector<std::string>& overrides) {
  std::error_code failed;
  if (fs::is_directory(file, failed))
    throw Error(ErrorKind::usage, "recipe.not_found", "'" + file.string() + "' is a folder", "give the .toml file in it");
  if (!file_exists(file)) throw Error(ErrorKind::usage, "recipe.not_found", "no recipe '" + file.string() + "'", "check the path");
  fs::path directory = fs::absolute(file).parent_path();
  if (!files().stat(file)->is_regular)
    throw Error(ErrorKind::usage, "recipe.not_found", "'" + file.string() + "' is no regular file", "give a .toml file");
  return parse(read_text(file, 16u << 20), file.string(), directory, overrides);
}

Recipe Recipe::parse(const std::string& toml, const std::string& name, const fs::path& directory, const std::vector<std::string>& overrides) {
  const RecipeFile file = read_recipe_toml(toml, name);
  return Builder(file, directory, overrides).build();
}

const ParamValues& Recipe::section(const std::string& section_name) const {
  const auto found = sections.find(section_name);
  if (found == sections.end()) throw_usage("Recipe::section", "the recipe of task " + task + " has no section '" + section_name + "'");
  return found->second;
}

void Recipe::require_paths() const {
  for (const auto& [section_name, spec] : declared_sections(task, model))
    for (const Param& p : spec.params()) {
      if (p.type != ParamType::path || !p.required) continue;
      const fs::path path = section(section_name).text(p.name);
      if (path.empty() || files().stat(path)) continue;
      std::vector<std::string> siblings;
      if (const auto parent = files().stat(path.parent_path()); parent && parent->is_directory)
        for (const fs::path& sibling : files().list(path.parent_path())) siblings.push_back(sibling.filename().string());
      const auto near = nearest_names(path.filename().string(), siblings);
      const std::string key = section_name + "." + p.name;
      const auto origin = origins.find(key);
      throw Error(ErrorKind::usage, "recipe.missing_file", key + ": no file or folder " + path.string(),
                  near.empty() ? "relative paths start at the recipe's folder; change it, or give " + key + "=PATH on the command line"
                               : "there is " + (path.parent_path() / near.front()).string(),
                  origin == origins.end() ? name : origin->second);
    }
}

}  // namespace tenon
