/// Declared parameters: one declaration serves recipe checking, `--help`, reference docs and completion.
///
/// A `ParamSpec` lists what may be given; `ParamValues` holds what was, every default filled in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tenon/export.hpp"

namespace tenon {

enum class ParamType : std::uint8_t { boolean, integer, real, text, path, integers, reals, texts };

using ParamValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

struct Param {
  std::string name;
  ParamType type;
  ParamValue default_value;
  std::string help;               ///< one line
  std::string unit;               ///< "mm", "s", "" for none
  std::optional<double> low, high;  ///< inclusive; for lists, of each element
  std::vector<std::string> choices;
  bool required = false;
};

class TENON_API ParamSpec {
 public:
  ParamSpec() = default;
  ParamSpec(std::initializer_list<Param> params) : params_(params) {}
  ParamSpec& add(Param p);
  const std::vector<Param>& params() const noexcept { return params_; }
  const Param* find(std::string_view name) const noexcept;

 private:
  std::vector<Param> params_;
};

/// Short makers for `Param`, to be chained: real("lr", 0.01, "learning rate").range(0, 10).
TENON_API Param boolean_param(std::string name, bool value, std::string help);
TENON_API Param integer_param(std::string name, std::int64_t value, std::string help, std::optional<double> low = {}, std::optional<double> high = {});
TENON_API Param real_param(std::string name, double value, std::string help, std::optional<double> low = {}, std::optional<double> high = {}, std::string unit = {});
TENON_API Param text_param(std::string name, std::string value, std::string help, std::vector<std::string> choices = {});
TENON_API Param path_param(std::string name, std::string value, std::string help, bool required = false);
TENON_API Param integers_param(std::string name, std::vector<std::int64_t> value, std::string help, std::optional<double> low = {}, std::optional<double> high = {});
TENON_API Param reals_param(std::string name, std::vector<double> value, std::string help, std::optional<double> low = {}, std::optional<double> high = {}, std::string unit = {});
TENON_API Param texts_param(std::string name, std::vector<std::string> value, std::string help, std::vector<std::string> choices = {});

class TENON_API ParamValues {
 public:
  ParamValues() = default;
  /// All defaults of `spec`.
  explicit ParamValues(const ParamSpec& spec);

  bool has(std::string_view name) const noexcept;
  bool given(std::string_view name) const noexcept;  ///< set by the user, not a default
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const std::vector<std::int64_t>& integers(std::string_view name) const;
  const std::vector<double>& reals(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;

  /// Checks type, range and choices against `spec`; integers are taken where reals are asked. `where` ("recipe.toml:12")
  /// opens the message. An unknown name is an error with the nearest names.
  void set(const ParamSpec& spec, std::string_view name, ParamValue value, const std::string& where);
  /// From text as on a command line ("0.1", "[40, 56, 40]", "true", "name").
  void set_from_text(const ParamSpec& spec, std::string_view name, std::string_view text, const std::string& where);
  const std::map<std::string, ParamValue, std::less<>>& all() const noexcept { return values_; }

 private:
  const ParamValue& at(std::string_view name) const;
  std::map<std::string, ParamValue, std::less<>> values_;
  std::vector<std::string> given_;
};

/// The candidates closest to `name` (Damerau-Levenshtein, at most a third of its length away, at most 3), nearest first.
TENON_API std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& candidates);
/// "did you mean 'width'?" or "known: a, b, c": the hint of every unknown-name error.
TENON_API std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace tenon
