#include "tenon/error.hpp"

#include <utility>

namespace tenon {
namespace {

// what() stands alone in a log or a test report, so it carries all parts; the command prints them one by one.
std::string joined(const std::string& message, const std::string& hint, const std::string& where) {
  std::string text;
  text.reserve(where.size() + message.size() + hint.size() + 8);
  if (!where.empty() && !message.starts_with(where)) text.append(where).append(": ");
  text.append(message);
  if (!hint.empty()) text.append(" (").append(hint).append(")");
  return text;
}

}  // namespace

Error::Error(ErrorKind kind, std::string code, std::string what, std::string hint, std::string where)
    : std::runtime_error(joined(what, hint, where)),
      kind_(kind),
      code_(std::move(code)),
      message_(std::move(what)),
      hint_(std::move(hint)),
      where_(std::move(where)) {}

Error::~Error() = default;

Error Error::at(std::string where) const {
  return Error(kind_, code_, message_, hint_, where_.empty() ? std::move(where) : where_);
}

void throw_usage(std::string_view op, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "usage." + std::string(op), std::string(op) + ": " + what, hint);
}

}  // namespace tenon
