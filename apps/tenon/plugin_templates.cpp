#include "plugin_templates.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include "tenon/error.hpp"

namespace tenon::command {
namespace {

[[noreturn]] void defect(const std::string& what) {
  throw Error(ErrorKind::internal, "internal.exception", "a template of this program " + what, "this is a defect: report it with the command");
}

// "format tool" or "!format".
bool holds(const std::string& condition, const std::set<std::string>& parts) {
  std::istringstream words(condition);
  bool any = false;
  for (std::string word; words >> word;) any = any || (word[0] == '!' ? !parts.count(word.substr(1)) : parts.count(word) > 0);
  return any;
}

std::string with_words(std::string line, const std::map<std::string, std::string>& words) {
  for (std::size_t at = line.find("{{"); at != std::string::npos; at = line.find("{{", at)) {
    const std::size_t end = line.find("}}", at);
    const auto word = end == std::string::npos ? words.end() : words.find(line.substr(at + 2, end - at - 2));
    if (word == words.end()) {  // braces of the text itself
      at += 2;
      continue;
    }
    line.replace(at, end + 2 - at, word->second);
    at += word->second.size();
  }
  return line;
}

}  // namespace

std::string fill_template(std::string_view text, const std::set<std::string>& parts, const std::map<std::string, std::string>& words) {
  std::vector<bool> kept;  // of the conditions around a line, outermost first
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    const std::string line(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
    if (line.starts_with("@@if ")) {
      kept.push_back(holds(line.substr(5), parts));
    } else if (line == "@@else\n" || line == "@@end\n") {
      if (kept.empty()) defect("ends what does not begin");
      if (line == "@@end\n") kept.pop_back();
      else kept.back() = !kept.back();
    } else if (std::find(kept.begin(), kept.end(), false) == kept.end()) {
      out += with_words(line, words);
    }
  }
  if (!kept.empty()) defect("does not end a condition");
  return out;
}

}  // namespace tenon::command
