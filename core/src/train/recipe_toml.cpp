#include "train/recipe_toml.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <toml++/toml.h>

#include "tenon/error.hpp"
#include "tenon/recipe.hpp"

namespace tenon {
namespace {

[[noreturn]] void bad_value(const std::string& key, const std::string& what, const std::string& where) {
  throw Error(ErrorKind::usage, "recipe.wrong_type", key + ": " + what,
              "a value is true or false, a number, a text in quotes, or a list of numbers or of texts", where);
}

template <class T> std::vector<T> list_of(const toml::array& array) {
  std::vector<T> out;
  for (const toml::node& item : array) out.push_back(*item.value<T>());
  return out;
}

ParamValue list_value(const std::string& key, const toml::array& array, const std::string& where) {
  const auto all = [&](auto&& test) { return std::all_of(array.begin(), array.end(), test); };
  if (all([](const toml::node& n) { return n.is_integer(); })) return list_of<std::int64_t>(array);
  if (all([](const toml::node& n) { return n.is_number(); })) return list_of<double>(array);
  if (all([](const toml::node& n) { return n.is_string(); })) return list_of<std::string>(array);
  bad_value(key, "a list holds numbers only, or texts only", where);
}

ParamValue value_of(const std::string& key, const toml::node& node, const std::string& where) {
  if (const auto* v = node.as_boolean()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) return v->get();
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_array()) return list_value(key, *v, where);
  bad_value(key, node.is_table() ? "a section inside a section is not known" : "dates and times are not used in recipes", where);
}

void by_line(auto& items) {
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
}

// Shortest text that reads back to the same double, and that TOML takes for a float.
std::string real_text(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

struct ToToml {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const { return real_text(v); }
  std::string operator()(const std::string& v) const { return toml_text(v); }
  template <class T> std::string operator()(const std::vector<T>& list) const {
    std::string out = "[";
    for (const T& item : list) out += (out.size() > 1 ? ", " : "") + (*this)(item);
    return out + "]";
  }
};

}  // namespace

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      static const char* digits = "0123456789ABCDEF";
      out += "\\u00";
      out += digits[(c >> 4) & 15];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

RecipeFile read_recipe_toml(const std::string& text, const std::string& name) {
  RecipeFile file;
  file.name = name;
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    const auto& at = e.source().begin;
    throw Error(ErrorKind::usage, "recipe.syntax", "not TOML: " + std::string(e.description()), "see https://toml.io for the syntax",
                file.at(at.line) + ":" + std::to_string(at.column));
  }
  for (const auto& [key, node] : root) {
    const unsigned line = key.source().begin.line;
    if (const toml::table* table = node.as_table()) {
      RecipeSection section{std::string(key.str()), line, {}};
      for (const auto& [inner, value] : *table) {
        const unsigned inner_line = inner.source().begin.line;
        section.values.push_back({std::string(inner.str()), value_of(section.name + "." + std::string(inner.str()), value, file.at(inner_line)), inner_line});
      }
      by_line(section.values);
      file.sections.push_back(std::move(section));
    } else {
      file.values.push_back({std::string(key.str()), value_of(std::string(key.str()), node, file.at(line)), line});
    }
  }
  by_line(file.values);
  by_line(file.sections);
  return file;
}

ParamValue fitted(const ParamValue& value, ParamType type) {
  if (type == ParamType::real)
    if (const auto* v = std::get_if<std::int64_t>(&value)) return double(*v);
  if (const auto* v = std::get_if<std::vector<std::int64_t>>(&value)) {
    if (type == ParamType::reals) return std::vector<double>(v->begin(), v->end());
    if (type == ParamType::texts && v->empty()) return std::vector<std::string>();
  }
  return value;
}

DeclaredSections declared_sections(const std::string& task, const std::string& model) {
  DeclaredSections out = PluginHost::instance().task(task).sections;
  out.emplace_back("model", PluginHost::instance().model(model).params);
  out.emplace_back("train", train_params());
  out.emplace_back("optimizer", optimiser_params());
  out.emplace_back("schedule", schedule_params());
  return out;
}

std::string Recipe::resolved() const {
  std::string out = "name = " + toml_text(name) + "\ntask = " + toml_text(task) + "\nseed = " + std::to_string(seed) + "\n";
  for (const auto& [section_name, values] : sections) {
    out += "\n[" + section_name + "]\n";
    if (section_name == "model") out += "name = " + toml_text(model) + "\n";
    for (const auto& [key, value] : values.all()) {
      out += key + " = " + std::visit(ToToml{}, value);
      out += values.given(key) ? "\n" : "  # default\n";
    }
  }
  return out;
}

}  // namespace tenon
