/// The TOML side of recipes: text to values with line numbers, and values back to text. Knows nothing of what is declared.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tenon/optim.hpp"
#include "tenon/params.hpp"
#include "tenon/plugin.hpp"
#include "tenon/run.hpp"

namespace tenon {

struct RecipeValue {
  std::string key;
  ParamValue value;
  unsigned line = 0;
};

struct RecipeSection {
  std::string name;
  unsigned line = 0;
  std::vector<RecipeValue> values;
};

/// A recipe as written: in file order, nothing checked but that it is TOML of two levels.
struct RecipeFile {
  std::string name;
  std::vector<RecipeValue> values;
  std::vector<RecipeSection> sections;

  std::string at(unsigned line) const { return name + ":" + std::to_string(line); }
  const RecipeSection* section(const std::string& section_name) const {
    for (const RecipeSection& s : sections)
      if (s.name == section_name) return &s;
    return nullptr;
  }
};

/// Throws recipe.syntax (with line and column) and recipe.wrong_type for what no parameter can be (dates, nested tables).
RecipeFile read_recipe_toml(const std::string& text, const std::string& name);

/// `text`, which is UTF-8, in quotes, as TOML writes it: control characters escaped.
std::string toml_text(const std::string& text);

/// `value` as the declared type has it where TOML leaves it open: an empty list has no type, 1 may stand for 1.0.
ParamValue fitted(const ParamValue& value, ParamType type);

/// Sections that a recipe of this task and model may hold, in the order in which they are checked.
using DeclaredSections = std::vector<std::pair<std::string, ParamSpec>>;
DeclaredSections declared_sections(const std::string& task, const std::string& model);

}  // namespace tenon
