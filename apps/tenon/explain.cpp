#include "explain.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/params.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {

extern const char* const kErrorsText;  // docs/errors.md, put in by the build

namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t start = text.find_first_not_of('\n');
  return start == std::string::npos ? "" : text.substr(start);
}

// The core's and then those of the plugins, which are read from their files: nothing is loaded.
std::vector<Explanation> all_explanations() {
  std::vector<Explanation> out = core_explanations();
  for (const auto& [plugin, page] : PluginHost::instance().error_pages())
    for (Explanation& e : explanations_of(page)) out.push_back(std::move(e));
  return out;
}

std::optional<Explanation> explanation_of(const std::string& code) {
  for (const Explanation& e : core_explanations())
    if (e.covers(code)) return e;
  for (const auto& [plugin, page] : PluginHost::instance().error_pages())
    for (const Explanation& e : explanations_of(page))
      if (e.covers(code)) return e;
  return std::nullopt;
}

}  // namespace

bool Explanation::covers(std::string_view other) const {
  return code.ends_with(".*") ? other.starts_with(std::string_view(code).substr(0, code.size() - 1)) : code == other;
}

std::vector<Explanation> explanations_of(std::string_view page) {
  std::vector<Explanation> out;
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size() - 1);
    const std::string_view line = page.substr(0, end + 1);
    page.remove_prefix(end + 1);
    if (line.starts_with("## ")) out.push_back({trimmed(std::string(line.substr(3))), ""});
    else if (!out.empty()) out.back().text += line;
  }
  for (Explanation& e : out) {
    e.code.resize(e.code.find_last_not_of(' ') + 1);
    e.text = trimmed(e.text);
  }
  std::erase_if(out, [](const Explanation& e) {  // a heading of another kind
    return e.code.find('.') == std::string::npos || e.code.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.*") != std::string::npos;
  });
  return out;
}

std::vector<Explanation> core_explanations() { return explanations_of(kErrorsText); }

std::vector<std::string> explained_codes() {
  std::vector<std::string> out;
  for (const Explanation& e : all_explanations()) out.push_back(e.code);
  return out;
}

bool is_explained(const std::string& code) { return explanation_of(code).has_value(); }

int explain_command(const std::string& code, const Common& common) {
  if (code.empty()) {
    const std::vector<Explanation> all = all_explanations();
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
  if (const std::optional<Explanation> e = explanation_of(code)) {
    print(common.json ? json_text(nlohmann::ordered_json{{"code", e->code}, {"text", e->text}}) : visible(e->code + "\n\n" + e->text));
    return 0;
  }
  const std::vector<std::string> known = explained_codes();
  throw Error(ErrorKind::usage, "explain.unknown", "no error code '" + code + "'",
              nearest_names(code, known).empty() ? "'tenon explain' lists all of them" : suggestion(code, known));
}

}  // namespace tenon::command
