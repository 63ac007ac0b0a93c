#include "tenon/params.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

#include "plugin/param_detail.hpp"
#include "tenon/error.hpp"

namespace tenon {
namespace {

using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

std::string number(double v) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  return std::string(buffer, end);
}

std::string shown(bool v) {
  return v ? "true" : "false";
}
std::string shown(std::int64_t v) {
  return std::to_string(v);
}
std::string shown(double v) {
  const std::string text = number(v);  // a real shows as one: 3.0, not 3
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}
std::string shown(const std::string& v) {
  return "'" + v + "'";
}
template <class T>
std::string shown(const std::vector<T>& list) {
  std::string text = "[";
  for (std::size_t i = 0; i < list.size(); ++i) text += (i == 0 ? "" : ", ") + shown(list[i]);
  return text + "]";
}
std::string shown(const ParamValue& v) {
  return std::visit([](const auto& x) { return shown(x); }, v);
}

bool is_empty_list(const ParamValue& v) {
  return std::visit(
      [](const auto& x) {
        using X = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<X, Integers> || std::is_same_v<X, Reals> || std::is_same_v<X, Texts>) return x.empty();
        return false;
      },
      v);
}

bool type_matches(ParamType type, const ParamValue& v) {
  switch (type) {
    case ParamType::boolean:
      return std::holds_alternative<bool>(v);
    case ParamType::integer:
      return std::holds_alternative<std::int64_t>(v);
    case ParamType::real:
      return std::holds_alternative<double>(v);
    case ParamType::text:
    case ParamType::path:
      return std::holds_alternative<std::string>(v);
    case ParamType::integers:
      return std::holds_alternative<Integers>(v);
    case ParamType::reals:
      return std::holds_alternative<Reals>(v);
    case ParamType::texts:
      return std::holds_alternative<Texts>(v);
  }
  return false;
}

// Only conversions that lose nothing: integers where reals are asked, and an empty list of whatever type.
ParamValue converted(ParamType type, ParamValue v) {
  if (type == ParamType::real && std::holds_alternative<std::int64_t>(v)) return static_cast<double>(std::get<std::int64_t>(v));
  if (type == ParamType::reals && std::holds_alternative<Integers>(v)) {
    const Integers& from = std::get<Integers>(v);
    return Reals(from.begin(), from.end());
  }
  if (is_empty_list(v)) {
    if (type == ParamType::integers) return Integers{};
    if (type == ParamType::reals) return Reals{};
    if (type == ParamType::texts) return Texts{};
  }
  return v;
}

std::string range_text(const Param& p) {
  const std::string unit = p.unit.empty() ? "" : " " + p.unit;
  if (p.low && p.high) return "from " + number(*p.low) + " to " + number(*p.high) + unit;
  if (p.low) return "at least " + number(*p.low) + unit;
  return "at most " + number(*p.high) + unit;
}

// Empty when good; else the code and the text of what is wrong.
struct Finding {
  std::string code, text, hint;
};

Finding check_number(const Param& p, double v, const std::string& text) {
  if (std::isnan(v)) return {"param.range", "parameter '" + p.name + "' is not a number (nan)", "give a number"};
  if ((p.low && v < *p.low) || (p.high && v > *p.high)) {
    return {"param.range", "parameter '" + p.name + "' is " + text + (p.unit.empty() ? "" : " " + p.unit) + ", out of its range",
            "it may be " + range_text(p)};
  }
  return {};
}

Finding check_choice(const Param& p, const std::string& v) {
  if (p.choices.empty() || std::find(p.choices.begin(), p.choices.end(), v) != p.choices.end()) return {};
  return {"param.choice", "parameter '" + p.name + "' is " + shown(v) + ", which is not one of its choices", suggestion(v, p.choices)};
}

Finding check(const Param& p, const ParamValue& v) {
  if (!type_matches(p.type, v)) {
    return {"param.type", "parameter '" + p.name + "' is " + shown(v) + ", wanted is " + wanted_text(p.type), p.help};
  }
  Finding finding;
  const auto keep_first = [&finding](Finding f) {
    if (finding.code.empty()) finding = std::move(f);
  };
  if (const auto* i = std::get_if<std::int64_t>(&v)) keep_first(check_number(p, static_cast<double>(*i), shown(*i)));
  if (const auto* r = std::get_if<double>(&v)) keep_first(check_number(p, *r, shown(*r)));
  if (const auto* s = std::get_if<std::string>(&v)) keep_first(check_choice(p, *s));
  if (const auto* l = std::get_if<Integers>(&v)) {
    for (const std::int64_t i : *l) keep_first(check_number(p, static_cast<double>(i), shown(i)));
  }
  if (const auto* l = std::get_if<Reals>(&v)) {
    for (const double r : *l) keep_first(check_number(p, r, shown(r)));
  }
  if (const auto* l = std::get_if<Texts>(&v)) {
    for (const std::string& s : *l) keep_first(check_choice(p, s));
  }
  return finding;
}

std::vector<std::string> names_of(const ParamSpec& spec) {
  std::vector<std::string> names;
  for (const Param& p : spec.params()) names.push_back(p.name);
  return names;
}

const Param& declared(const ParamSpec& spec, std::string_view name, const std::string& where) {
  if (const Param* p = spec.find(name)) return *p;
  throw Error(ErrorKind::usage, "param.unknown", "unknown parameter '" + std::string(name) + "'", suggestion(name, names_of(spec)), where);
}

template <class T>
const T& typed(const ParamValue& v, std::string_view name, const char* asked) {
  if (const T* p = std::get_if<T>(&v)) return *p;
  throw Error(ErrorKind::internal, "param.accessor", "parameter '" + std::string(name) + "' is " + shown(v) + " but was read as " + asked,
              "read a parameter with the type that it is declared with");
}

}  // namespace

const char* wanted_text(ParamType type) {
  switch (type) {
    case ParamType::boolean:
      return "true or false";
    case ParamType::integer:
      return "an integer";
    case ParamType::real:
      return "a number";
    case ParamType::text:
      return "a text";
    case ParamType::path:
      return "a path";
    case ParamType::integers:
      return "a list of integers";
    case ParamType::reals:
      return "a list of numbers";
    case ParamType::texts:
      return "a list of texts";
  }
  return "a value";
}

std::string param_defect(const Param& p) {
  if (p.low && p.high && *p.low > *p.high)
    return "parameter '" + p.name + "' has an empty range, " + number(*p.low) + " to " + number(*p.high);
  if (!type_matches(p.type, p.default_value)) {
    return "parameter '" + p.name + "' has the default " + shown(p.default_value) + ", declared is " + wanted_text(p.type);
  }
  if (p.required) return {};  // its default is never used
  const Finding finding = check(p, p.default_value);
  return finding.code.empty() ? std::string() : "default of " + finding.text + (finding.hint.empty() ? "" : ": " + finding.hint);
}

// ---- ParamSpec ------------------------------------------------------------------------------------------------

ParamSpec& ParamSpec::add(Param p) {
  params_.push_back(std::move(p));
  return *this;
}

const Param* ParamSpec::find(std::string_view name) const noexcept {
  for (const Param& p : params_) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

Param boolean_param(std::string name, bool value, std::string help) {
  return {.name = std::move(name), .type = ParamType::boolean, .default_value = value, .help = std::move(help)};
}
Param integer_param(std::string name, std::int64_t value, std::string help, std::optional<double> low, std::optional<double> high) {
  return {.name = std::move(name), .type = ParamType::integer, .default_value = value, .help = std::move(help), .low = low, .high = high};
}
Param real_param(std::string name, double value, std::string help, std::optional<double> low, std::optional<double> high,
                 std::string unit) {
  return {.name = std::move(name),
          .type = ParamType::real,
          .default_value = value,
          .help = std::move(help),
          .unit = std::move(unit),
          .low = low,
          .high = high};
}
Param text_param(std::string name, std::string value, std::string help, std::vector<std::string> choices) {
  return {.name = std::move(name),
          .type = ParamType::text,
          .default_value = std::move(value),
          .help = std::move(help),
          .choices = std::move(choices)};
}
Param path_param(std::string name, std::string value, std::string help, bool required) {
  return {
      .name = std::move(name), .type = ParamType::path, .default_value = std::move(value), .help = std::move(help), .required = required};
}
Param integers_param(std::string name, Integers value, std::string help, std::optional<double> low, std::optional<double> high) {
  return {.name = std::move(name),
          .type = ParamType::integers,
          .default_value = std::move(value),
          .help = std::move(help),
          .low = low,
          .high = high};
}
Param reals_param(std::string name, Reals value, std::string help, std::optional<double> low, std::optional<double> high,
                  std::string unit) {
  return {.name = std::move(name),
          .type = ParamType::reals,
          .default_value = std::move(value),
          .help = std::move(help),
          .unit = std::move(unit),
          .low = low,
          .high = high};
}
Param texts_param(std::string name, Texts value, std::string help, std::vector<std::string> choices) {
  return {.name = std::move(name),
          .type = ParamType::texts,
          .default_value = std::move(value),
          .help = std::move(help),
          .choices = std::move(choices)};
}

// ---- ParamValues ----------------------------------------------------------------------------------------------

ParamValues::ParamValues(const ParamSpec& spec) {
  // A required parameter has no value until it is set: reading it before is an error, never a silent default.
  for (const Param& p : spec.params()) {
    if (!p.required) values_.emplace(p.name, p.default_value);
  }
}

bool ParamValues::has(std::string_view name) const noexcept {
  return values_.find(name) != values_.end();
}
bool ParamValues::given(std::string_view name) const noexcept {
  return std::find(given_.begin(), given_.end(), name) != given_.end();
}

const ParamValue& ParamValues::at(std::string_view name) const {
  if (const auto it = values_.find(name); it != values_.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& [key, value] : values_) known.push_back(key);
  throw Error(ErrorKind::usage, "param.no_value", "parameter '" + std::string(name) + "' has no value",
              "give one if it is required; " + suggestion(name, known));
}

bool ParamValues::boolean(std::string_view name) const {
  return typed<bool>(at(name), name, "true or false");
}
std::int64_t ParamValues::integer(std::string_view name) const {
  return typed<std::int64_t>(at(name), name, "an integer");
}
double ParamValues::real(std::string_view name) const {
  const ParamValue& v = at(name);
  if (const auto* i = std::get_if<std::int64_t>(&v)) return static_cast<double>(*i);
  return typed<double>(v, name, "a number");
}
const std::string& ParamValues::text(std::string_view name) const {
  return typed<std::string>(at(name), name, "a text");
}
const Integers& ParamValues::integers(std::string_view name) const {
  return typed<Integers>(at(name), name, "a list of integers");
}
const Reals& ParamValues::reals(std::string_view name) const {
  return typed<Reals>(at(name), name, "a list of numbers");
}
const Texts& ParamValues::texts(std::string_view name) const {
  return typed<Texts>(at(name), name, "a list of texts");
}

void ParamValues::set(const ParamSpec& spec, std::string_view name, ParamValue value, const std::string& where) {
  const Param& p = declared(spec, name, where);
  value = converted(p.type, std::move(value));
  if (Finding f = check(p, value); !f.code.empty()) throw Error(ErrorKind::usage, f.code, f.text, f.hint, where);
  values_.insert_or_assign(p.name, std::move(value));
  if (!given(p.name)) given_.push_back(p.name);
}

void ParamValues::set_from_text(const ParamSpec& spec, std::string_view name, std::string_view text, const std::string& where) {
  const Param& p = declared(spec, name, where);
  auto value = value_from_text(p.type, text);
  if (!value) {
    throw Error(ErrorKind::usage, "param.type",
                "parameter '" + p.name + "' is '" + std::string(text) + "', wanted is " + wanted_text(p.type), p.help, where);
  }
  set(spec, name, std::move(*value), where);
}

}  // namespace tenon
