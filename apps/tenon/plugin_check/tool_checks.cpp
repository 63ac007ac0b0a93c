#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "declared.hpp"
#include "plugin_check/subject.hpp"
#include "process.hpp"
#include "tenon/error.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

/// This very command, with the subject in front of all plugins.
ProcessResult tenon(const Subject& s, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {fs::read_symlink("/proc/self/exe").string(), "--plugin-dir", s.folder.string()});
  return run_process(arguments);
}

void expect_status(const ProcessResult& r, const std::vector<int>& allowed, const std::string& what) {
  if (std::find(allowed.begin(), allowed.end(), r.status) != allowed.end()) return;
  std::string list;
  for (int a : allowed) list += (list.empty() ? "" : ", ") + std::to_string(a);
  throw CheckFailed{what + " ends with status " + std::to_string(r.status) + ", not " + list + ": " + (r.errors.empty() ? r.output : r.errors).substr(0, 300)};
}

/// Every file of a run that must not depend on clocks: the checkpoint's weights.
std::string weights_of(const fs::path& run) {
  std::string all;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(run / "checkpoints"))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& f : files) {
    std::ifstream in(f, std::ios::binary);
    all += f.filename().string() + std::string(std::istreambuf_iterator<char>(in), {});
  }
  expect(!files.empty(), "the run holds no checkpoint");
  return all;
}

}  // namespace

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
    /// What a tool must be given before anything else is looked at.
    const auto required = [](const ToolEntry& t) {
      std::vector<std::string> extra;
      for (const Param& p : t.params.params()) {
        if (!p.required) continue;
        extra.push_back("--" + dashed(p.name));
        extra.push_back(!p.choices.empty() ? p.choices[0] : p.type == ParamType::integer || p.type == ParamType::integers ? "1" : p.type == ParamType::real || p.type == ParamType::reals ? "1.0" : "x");
      }
      return extra;
    };
    /// As many files as its usage names: "IN.vcf OUT.vcf [MORE]" names two.
    const auto files_for = [&s](const ToolEntry& t, const std::string& stem) {
      std::vector<std::string> files;
      std::istringstream words(t.arguments);
      for (std::string word; words >> word && word[0] != '[' && word[0] != '-';) files.push_back((s.folder / (stem + (files.empty() ? "" : std::to_string(files.size())))).string());
      if (files.empty()) files.push_back((s.folder / stem).string());
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
    add("missing_file", [&s, with, takes_inputs, required, files_for](const ToolEntry& t, const std::vector<std::string>& call) {
      if (!takes_inputs(t)) throw CheckSkipped{"it takes no inputs"};
      const ProcessResult r = tenon(s, with(with(call, files_for(t, "not_there")), required(t)));
      expect_status(r, {2, 3}, "a file that is not there");
      static const std::regex code(R"(\[[a-z_]+(\.[a-z_-]+)+\])");  // of an error, or of a finding where finding is what the tool does
      expect(std::regex_search(r.errors + r.output, code), "a file that is not there: no code of an error is printed");
    });
    for (const auto& [what, text] : {std::pair<std::string, std::string>{"empty_file", ""}, {"junk_file", std::string("\x00\xff\x13junk\n,,,\"\n", 13)}})
      add(what, [&s, with, takes_inputs, required, text = text, what = what](const ToolEntry& t, const std::vector<std::string>& call) {
        if (!takes_inputs(t)) throw CheckSkipped{"it takes no inputs"};
        const fs::path file = s.folder / (what + std::to_string(::getpid()));
        std::ofstream(file, std::ios::binary) << text;
        const ProcessResult r = tenon(s, with(with(call, {file.string()}), required(t)));
        expect_status(r, {0, 2, 3, 4}, "such a file");
      });
    add("json", [&s, with, takes_inputs](const ToolEntry& t, const std::vector<std::string>& call) {
      if (takes_inputs(t)) throw CheckSkipped{"it needs inputs"};
      const ProcessResult r = tenon(s, with(call, {"--json"}));
      expect_status(r, {0, 2, 3}, "--json");
      if (r.status == 0) expect(!r.output.empty() && (r.output[0] == '{' || r.output[0] == '['), "--json prints something else than JSON: " + r.output.substr(0, 60));
    });
  }
  return out;
}

std::vector<NamedCheck> recipe_checks(const Subject& s) {
  std::vector<NamedCheck> out;
  for (const std::string& recipe : s.recipes) {
    const std::string name = fs::path(recipe).stem().string();
    const auto add = [&](const std::string& check, std::function<void(const fs::path& work)> run) {
      out.push_back({"recipe." + check + " " + name, [&s, run = std::move(run)] {
                       const fs::path work = s.folder / ("recipe" + std::to_string(::getpid()));
                       fs::create_directory(work);
                       run(work);
                       std::error_code ignored;
                       fs::remove_all(work, ignored);
                     }});
    };
    const auto train = [&s, recipe](const fs::path& run, const std::vector<std::string>& more) {
      std::vector<std::string> all{"train", recipe, "--run", run.string(), "--quiet", "train.minutes=0", "train.epochs=0", "train.evaluate=false"};
      all.insert(all.end(), more.begin(), more.end());
      expect_status(tenon(s, all), {0}, "training");
    };
    add("dry_run", [&s, recipe](const fs::path&) { expect_status(tenon(s, {"train", recipe, "--dry-run"}), {0}, "--dry-run"); });
    add("check", [&s, recipe](const fs::path&) { expect_status(tenon(s, {"check", recipe}), {0}, "tenon check"); });
    add("unknown_key", [&s, recipe](const fs::path&) { expect_status(tenon(s, {"train", recipe, "--dry-run", "data.no_such_key=1"}), {2}, "a key that nobody declared"); });
    add("trains", [&s, train](const fs::path& work) {
      train(work / "a", {"train.steps=3"});
      expect_status(tenon(s, {"evaluate", (work / "a").string(), "--quiet"}), {0}, "evaluation");
      expect(fs::exists(work / "a" / "report.html"), "no report was written");
    });
    add("threads", [train](const fs::path& work) {
      train(work / "a", {"train.steps=3", "--threads", "1"});
      train(work / "b", {"train.steps=3", "--threads", "4"});
      expect(weights_of(work / "a") == weights_of(work / "b"), "one thread and four end in other weights");
    });
    add("repeats", [train](const fs::path& work) {
      train(work / "a", {"train.steps=3"});
      train(work / "b", {"train.steps=3"});
      expect(weights_of(work / "a") == weights_of(work / "b"), "the same run again ends in other weights");
    });
  }
  return out;
}

}  // namespace tenon::command
