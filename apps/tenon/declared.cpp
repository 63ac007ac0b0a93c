#include "declared.hpp"

#include <algorithm>

#include "terminal.hpp"

namespace tenon::command {
namespace {

struct DefaultText {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const { return format_number(v, 6); }
  std::string operator()(const std::string& v) const { return v; }
  template <class T> std::string operator()(const std::vector<T>& list) const {
    std::string out;
    for (const T& item : list) out += (out.empty() ? "" : ",") + (*this)(item);
    return out;
  }
};

}  // namespace

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string type_text(const Param& p) {
  std::string base;
  switch (p.type) {
    case ParamType::boolean: return "";
    case ParamType::integer: base = "N"; break;
    case ParamType::real: base = "X"; break;
    case ParamType::text: base = "TEXT"; break;
    case ParamType::path: base = "PATH"; break;
    case ParamType::integers: base = "N,N,..."; break;
    case ParamType::reals: base = "X,X,..."; break;
    case ParamType::texts: base = "TEXT,..."; break;
  }
  if (p.choices.empty()) return base;
  std::string out;
  for (const std::string& choice : p.choices) out += (out.empty() ? "" : "|") + choice;
  return out;
}

std::string default_text(const Param& p) { return std::visit(DefaultText{}, p.default_value); }

std::string range_text(const Param& p) {
  if (p.low && p.high) return format_number(*p.low, 6) + " to " + format_number(*p.high, 6);
  if (p.low) return "at least " + format_number(*p.low, 6);
  if (p.high) return "at most " + format_number(*p.high, 6);
  return "";
}

bool is_list(ParamType type) { return type == ParamType::integers || type == ParamType::reals || type == ParamType::texts; }

}  // namespace tenon::command
