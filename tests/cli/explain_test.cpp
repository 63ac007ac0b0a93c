#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "run.hpp"

using namespace cli;

namespace {

// Codes as the sources write them: the text after ErrorKind, or the first argument of helpers that throw or report. Helpers of
// such names may take other dotted texts too, so what they are given counts only where its family ("nifti") is one of codes.
std::set<std::string> codes_in_sources(const std::set<std::string>& explained) {
  const std::regex code("\"([a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*)\"");
  const std::regex before("(?:(ErrorKind::\\w+,)|\\b(?:refuse|fail|broken|bad\\w*|problem|reject|defect|report)\\(|push_back\\(\\{|return \\{|code\\s*=|Problem\\{)\\s*$");
  constexpr std::ptrdiff_t kBefore = 160;  // characters: a line's end and an indentation
  const auto family = [](const std::string& name) { return name.substr(0, name.find('.')); };
  std::set<std::string> families, found, given;
  for (const std::string& name : explained) families.insert(family(name));
  for (const char* folder : {"core", "plugins", "apps"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(TENON_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp" && extension != ".cu") continue;
      const std::string text = slurp(entry.path());
      for (std::sregex_iterator i(text.begin(), text.end(), code), end; i != end; ++i) {
        std::smatch how;
        if (std::regex_search(text.cbegin() + std::max<std::ptrdiff_t>(0, i->position() - kBefore), text.cbegin() + i->position(), how, before))
          (how[1].matched ? found : given).insert((*i)[1]);
      }
    }
  for (const std::string& name : found) families.insert(family(name));
  for (const std::string& name : given)
    if (families.count(family(name))) found.insert(name);
  return found;
}

}  // namespace

TEST_CASE("every error code of the sources is explained") {
  std::set<std::string> explained;
  for (const auto& e : nlohmann::json::parse(tenon({"explain", "--json"}).out)) {
    explained.insert(e["code"].get<std::string>());
    INFO(e["code"]);
    CHECK(e["title"].get<std::string>().size() > 10);
  }
  const std::set<std::string> codes = codes_in_sources(explained);
  CHECK(codes.size() > 100);
  for (const std::string& code : codes) {
    INFO(code << " needs a section in docs/errors.md, or in errors.md of its plugin");
    CHECK((explained.count(code) || explained.count(code.substr(0, code.find('.')) + ".*")));
  }
}

TEST_CASE("explain prints one section, and suggests for a mistyped code") {
  const Result r = tenon({"explain", "recipe.unknown_key"});
  CHECK(r.status == 0);
  CHECK(r.out.starts_with("recipe.unknown_key\n\n"));
  CHECK(r.prints("--dry-run"));
  CHECK_FALSE(r.prints("## "));
  CHECK(tenon({"explain", "usage.conv"}).status == 0);
  const Result wrong = tenon({"explain", "recipe.unknown_kye"});
  CHECK(wrong.status == 2);
  CHECK(wrong.says("recipe.unknown_key"));
}

TEST_CASE("a plugin's codes are explained from its file, without loading it") {
  const Folder folder;
  fs::create_directory(folder.path / "plugins");
  fs::copy_file(fs::path(TENON_BINARY_DIR) / "tests" / "plugins-bad" / "good.tenon.so", folder.path / "plugins" / "good.tenon.so");
  const auto in = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--plugin-dir", "plugins"});
    return tenon(arguments, folder.path, {"LD_DEBUG=files"});  // the loader tells on standard error what it opens
  };
  const Result r = in({"explain", "good.broken"});
  CHECK(r.status == 0);
  CHECK(r.out.starts_with("good.broken\n\nA line of the file is empty.\n\nFiles of lines"));
  CHECK(r.prints("[brackets] and ${braces}"));
  CHECK_FALSE(r.prints("good.other"));
  CHECK_FALSE(r.says("/proc/self/fd"));
  CHECK(r.says("libtenon.so"));
  CHECK(in({"explain", "good.brokn"}).says("good.broken"));
  CHECK(in({"explain"}).prints("good.other"));
  const Result thrown = tenon({"good", "echo", "x", "--how", "error", "--plugin-dir", "plugins"}, folder.path);
  CHECK(thrown.status == 3);
  CHECK_FALSE(thrown.says("more:"));  // lines.broken, which no page has
  CHECK(tenon({"climate", "info", "/no/such/file"}).says("more: tenon explain "));
}
