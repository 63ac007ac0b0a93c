#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "declared.hpp"
#include "plugin_check/command_of.hpp"
#include "tenon/error.hpp"

namespace tenon::command {

namespace fs = std::filesystem;

constexpr std::size_t kMostOutput = 1u << 20;  // of a process is kept

ProcessResult tenon(const Subject& s, const std::vector<std::string>& arguments) {
  std::vector<std::string> all{fs::read_symlink("/proc/self/exe").string(), "--plugin-dir", s.folder.string()};
  for (const fs::path& other : s.others) all.insert(all.end(), {"--plugin-dir", other.string()});
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_process(all);
}

void expect_status(const ProcessResult& r, const std::vector<int>& allowed, const std::string& what) {
  if (std::find(allowed.begin(), allowed.end(), r.status) != allowed.end()) return;
  std::string list;
  for (int a : allowed) list += (list.empty() ? "" : ", ") + std::to_string(a);
  throw CheckFailed{what + " ends with status " + std::to_string(r.status) + ", not " + list + ": " + (r.errors.empty() ? r.output : r.errors).substr(0, 300)};
}

std::vector<NamedCheck> tool_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  for (const std::string& name : entries_of(s, "tool")) {
    const auto add = [&](const std::string& check, std::function<void(const ToolEntry&, const std::vector<std::string>&)> run) {
      out.push_back({"tool." + check + " " + name, [&s, name, run = std::move(run)] { run(host_with(s).tool(s.name() + "." + name), {s.name(), dashed(name)}); }});
    };
    const auto with = [](std::vector<std::string> first, const std::vector<std::string>& more) {
      first.insert(first.end(), more.begin(), more.end());
      return first;
    };
    const auto takes_inputs = [](const ToolEntry& t) { return !t.arguments.empty() && t.arguments[0] != '['; };
    /// By its usage, "WORD..." or "NUMBER", which name no file.
    const auto takes_words = [](const ToolEntry& t) {
      static const std::regex words("^(WORD|TEXT|NAME|NUMBER|VALUE|PATTERN)");
      return std::regex_search(t.arguments, words);
    };
    /// A place to write to: as `file` would be called.
    const auto place = [&s](const fs::path& file, std::size_t number) { return (s.folder / ("out" + std::to_string(::getpid()) + "-" + std::to_string(number) + file.extension().string())).string(); };
    /// What a tool must be given before anything else is looked at. A path to be written is a place, any other is `file`.
    const auto required = [place](const ToolEntry& t, const fs::path& file) {
      std::vector<std::string> extra;
      for (const Param& p : t.params.params()) {
        if (!p.required) continue;
        extra.push_back("--" + dashed(p.name));
        extra.push_back(!p.choices.empty()                                                ? p.choices[0]
                        : p.type == ParamType::integer || p.type == ParamType::integers ? "1"
                        : p.type == ParamType::real || p.type == ParamType::reals       ? "1.0"
                        : p.type != ParamType::path                                      ? "x"
                        : p.name.find("out") != std::string::npos                        ? place(file, 100 + extra.size())
                                                                                          : file.string());
      }
      return extra;
    };
    /// As many files as its usage names, "IN.vcf OUT.vcf [MORE]" two: `file` for each but those to be written.
    const auto files_for = [place](const ToolEntry& t, const fs::path& file) {
      std::vector<std::string> files;
      std::istringstream words(t.arguments);
      for (std::string word; words >> word && word[0] != '[' && word[0] != '-';) {
        for (char& c : word) c = char(std::toupper(static_cast<unsigned char>(c)));
        files.push_back(word.find("OUT") == std::string::npos ? file.string() : place(file, files.size()));
      }
      if (files.empty()) files.push_back(file.string());
      return files;
    };
    add("help", [&s, with](const ToolEntry& t, const std::vector<std::string>& call) {
      const ProcessResult r = tenon(s, with(call, {"--help"}));
      expect_status(r, {0}, "--help");
      for (const Param& p : t.params.params()) expect(r.output.find("--" + dashed(p.name)) != std::string::npos || p.type == ParamType::boolean, "--help does not mention --" + dashed(p.name));
    });
    add("no_arguments", [&s, takes_inputs](const ToolEntry& t, const std::vector<std::string>& call) {
      expect_status(tenon(s, call), takes_inputs(t) ? std::vector<int>{2, 3} : std::vector<int>{0, 2, 3}, "no argument at all");
    });
    add("unknown_option", [&s, with](const ToolEntry&, const std::vector<std::string>& call) { expect_status(tenon(s, with(call, {"--no-such-option", "1"})), {2}, "an option that nobody declared"); });
    add("bad_value", [&s, with](const ToolEntry& t, const std::vector<std::string>& call) {
      for (const Param& p : t.params.params())
        if (p.type == ParamType::integer || p.type == ParamType::real) return expect_status(tenon(s, with(call, {"--" + dashed(p.name), "seven"})), {2}, "--" + dashed(p.name) + " seven");
      throw CheckSkipped{"it takes no number"};
    });
    add("missing_file", [&s, with, takes_inputs, takes_words, required, files_for](const ToolEntry& t, const std::vector<std::string>& call) {
      if (!takes_inputs(t) || takes_words(t)) throw CheckSkipped{"it takes no files"};
      const ProcessResult r = tenon(s, with(with(call, files_for(t, s.folder / "not_there")), required(t, s.folder / "not_there")));
      expect_status(r, {2, 3}, "a file that is not there");
      static const std::regex code(R"(\[[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+\])");  // of an error, or of a finding where finding is what the tool does
      expect(std::regex_search(r.errors + r.output, code), "a file that is not there: no code of an error is printed");
    });
    for (const auto& [what, text] : {std::pair<std::string, std::string>{"empty_file", ""}, {"junk_file", std::string("\x00\xff\x13junk\n,,,\"\n", 13)}})
      add(what, [&s, with, takes_inputs, takes_words, required, files_for, text = text, what = what](const ToolEntry& t, const std::vector<std::string>& call) {
        if (!takes_inputs(t) || takes_words(t)) throw CheckSkipped{"it takes no files"};
        std::set<std::string> endings = {""};  // without one, and as files of the plugin's formats are called
        for (const std::string& format : entries_of(s, "format"))
          for (const std::string& e : host_with(s).format(s.name() + "." + format).extensions) endings.insert(e);
        for (const std::string& ending : endings) {
          const fs::path file = s.folder / (what + std::to_string(::getpid()) + ending);
          std::ofstream(file, std::ios::binary) << text;
          expect_status(tenon(s, with(with(call, files_for(t, file)), required(t, file))), {2, 3, 4}, (what == "empty_file" ? "an empty file" : "a file of junk") + (ending.empty() ? "" : " called " + ending));
        }
      });
    add("json", [&s, with, takes_inputs, required, files_for](const ToolEntry& t, const std::vector<std::string>& call) {
      const auto prints_json = [&](const std::vector<std::string>& words) {
        const ProcessResult r = tenon(s, with(with(call, words), {"--json"}));
        if (r.status == 1 && !r.output.empty() && nlohmann::json::accept(r.output)) return true;  // a finding, told as JSON
        expect_status(r, {0, 2, 3, 4}, "--json");
        if (r.status != 0) return false;
        expect(r.output.size() >= kMostOutput || nlohmann::json::accept(r.output), "--json prints something else than one JSON value: " + r.output.substr(0, 60));
        return true;
      };
      if (!takes_inputs(t)) {
        if (!prints_json({})) prints_json(required(t, s.folder / "none"));
        return;
      }
      const fs::path folder = s.folder / ("samples" + std::to_string(::getpid()));
      fs::create_directory(folder);
      for (const fs::path& file : sample_files(s, folder))
        if (prints_json(with(files_for(t, file), required(t, file)))) return;
      throw CheckSkipped{"it takes no file that is at hand: name one with --example"};
    });
  }
  return out;
}

}  // namespace tenon::command
