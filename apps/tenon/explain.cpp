#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "command.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/params.hpp"
#include "terminal.hpp"

namespace tenon::command {

extern const char* const kErrorsText;  // docs/errors.md, put in by the build

namespace {

struct Explanation {
  std::string code, text;
  std::string title() const { return text.substr(0, text.find('\n')); }
};

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t start = text.find_first_not_of('\n');
  return start == std::string::npos ? "" : text.substr(start);
}

// Sections "## code" of the page; what stands before the first is its introduction.
std::vector<Explanation> explanations() {
  std::vector<Explanation> out;
  std::string_view rest = kErrorsText;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
    const std::string_view line = rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    if (line.starts_with("## ")) out.push_back({std::string(line.substr(3, line.find_last_not_of("\n ") - 2)), ""});
    else if (!out.empty()) out.back().text += line;
  }
  for (Explanation& e : out) e.text = trimmed(e.text);
  return out;
}

bool matches(const Explanation& e, const std::string& code) {
  if (e.code.ends_with(".*")) return code.starts_with(e.code.substr(0, e.code.size() - 1));
  return e.code == code;
}

}  // namespace

std::vector<std::string> explained_codes() {
  std::vector<std::string> out;
  for (const Explanation& e : explanations()) out.push_back(e.code);
  return out;
}

bool is_explained(const std::string& code) {
  for (const Explanation& e : explanations())
    if (matches(e, code)) return true;
  return false;
}

int explain_command(const std::string& code, const Common& common) {
  const std::vector<Explanation> all = explanations();
  if (code.empty()) {
    if (common.json) {
      auto out = nlohmann::ordered_json::array();
      for (const Explanation& e : all) out.push_back({{"code", e.code}, {"title", e.title()}});
      print(json_text(out));
      return 0;
    }
    Table table({"code", "what happened"});
    table.left(1);
    for (const Explanation& e : all) table.row({e.code, e.title()});
    print(table.str());
    return 0;
  }
  std::vector<std::string> known;
  for (const Explanation& e : all) {
    known.push_back(e.code);
    if (!matches(e, code)) continue;
    print(common.json ? json_text(nlohmann::ordered_json{{"code", e.code}, {"text", e.text}}) : e.code + "\n\n" + e.text);
    return 0;
  }
  const auto near = nearest_names(code, known);
  throw Error(ErrorKind::usage, "explain.unknown", "no error code '" + code + "'",
              near.empty() ? "'tenon explain' lists all of them" : suggestion(code, known));
}

}  // namespace tenon::command
