/// `tenon plugin check` on a plugin that is well and then has one defect after another (tests/plugins-bad/wrong.cpp).
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "run.hpp"

using namespace cli;
using nlohmann::json;

namespace {

const fs::path kWrong = fs::path(TENON_BINARY_DIR) / "tests/plugins-bad/wrong.tenon.so";

struct Defect {
  const char* name;   ///< of TENON_TEST_WRONG
  const char* only;   ///< the checks that are run
  const char* check;  ///< the one that fails
  const char* words;  ///< of its reason
};

json checked(const std::vector<std::string>& more, const std::string& defect = {}, int status = 0) {
  std::vector<std::string> words{"plugin", "check", kWrong.string(), "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const Result r = tenon(words, fs::temp_directory_path(), {"TENON_TEST_WRONG=" + defect});
  INFO(r.out << r.err);
  REQUIRE(r.status == status);
  return json::parse(r.out);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMallocCounts = false;  // a sanitizer's malloc says nothing of itself
#else
constexpr bool kMallocCounts = true;
#endif

void finds(const Defect& d) {
  INFO(d.name);
  if (!kMallocCounts && std::string(d.words).find("malloc") != std::string::npos) return;
  std::string all;
  const json said = checked({"--only", d.only, "--seconds", "6"}, d.name, 5);
  for (const json& c : said["checks"])
    if (c["state"] == "FAILED") all += c["name"].get<std::string>() + ": " + c["reason"].get<std::string>() + "\n";
  INFO(all);
  CHECK(said["failed"] == 1);
  CHECK(all.starts_with(std::string(d.check) + ": "));
  CHECK(all.find(d.words) != std::string::npos);
}

}  // namespace

TEST_CASE("plugin check passes a plugin that is well", "[slow]") {
  const json said = checked({});
  INFO(said.dump(1));
  CHECK(said["failed"] == 0);
  CHECK(said["passed"] >= 60);
  std::set<std::string> names;
  for (const json& c : said["checks"]) {
    CHECK(names.insert(c["name"]).second);
    const std::string name = c["name"];
    // Nothing that a whole plugin can be tried for is left out.
    if (c["state"] == "skipped") CHECK((name == "model.gpu net" || (name.starts_with("tool.") && name.ends_with(" tell"))));
  }
  for (const char* name : {"load.exit", "model.gradient_check net", "model.surroundings net", "format.memory vec", "tool.json look", "tool.json tell", "recipe.trains zeros"}) CHECK(names.count(name) == 1);
}

TEST_CASE("plugin check finds what a plugin does to the process that loads it", "[slow]") {
  for (const Defect& d : std::initializer_list<Defect>{
           {"load_limit", "load.*", "load.limits", "limit of open files is changed"},
           {"load_alarm", "load.*", "load.limits", "an alarm or timer is set"},
           {"load_streams", "load.*", "load.streams", "standard output was closed"},
           {"load_terminate", "load.*", "load.handlers", "std::set_terminate"},
           {"load_signal", "load.*", "load.signals", "SIGCHLD is taken over"},
           {"load_descriptor", "load.*", "load.descriptors", "(/dev/null) stays open"},
           {"load_variable", "load.*", "load.environment", "LC_NUMERIC is changed"},
           {"load_exit_handler", "load.*", "load.exit", "ends the process by SIGABRT when the process leaves"},
           {"load_destructor", "load.*", "load.exit", "ends the process by SIGABRT when the process leaves"},
       })
    finds(d);
}

TEST_CASE("plugin check finds a destructor that hangs", "[slow]") { finds({"load_destructor_hangs", "load.*", "load.exit", "does not come to an end when the process leaves"}); }

TEST_CASE("plugin check finds wrong gradients and shapes, and what a model takes at its bounds") {
  for (const Defect& d : std::initializer_list<Defect>{
           {"gradient_one", "model.*", "model.gradient_check net", "the gradient of 'a."},
           {"gradient_two", "model.*", "model.gradient_check net", "the gradient of 'a."},
           {"gradient_twice", "model.*", "model.gradient_check net", "differences of the loss give a slope"},
           {"odd_length", "model.*", "model.sizes net", "a size of 17 gives"},
           {"refuses_bf16", "model.bf16*", "model.bf16 net", "it declares bf16 (ModelEntry::computes), which ends in usage.net"},
           {"ignores_bf16", "model.bf16*", "model.bf16 net", "gives the bits of f32"},
           {"make_bound", "model.*", "model.upper_bounds net", "parameter 'width' at its upper bound ends the process by SIGABRT"},
       })
    finds(d);
}

TEST_CASE("plugin check finds what a model keeps and changes", "[slow]") {
  for (const Defect& d : std::initializer_list<Defect>{
           {"make_memory", "model.*", "model.makes_many net", "memory of malloc is lost"},
           {"forward_memory", "model.*", "model.memory net", "memory of malloc is lost"},
           {"forward_tensors", "model.*", "model.memory net", "bytes stay of each forward"},
           {"forward_descriptor", "model.*", "model.surroundings net", "(/dev/null)"},
           {"forward_thread", "model.s*", "model.surroundings net", "threads"},
           {"forward_prints", "model.*", "model.surroundings net", "it prints: forward of"},
           {"forward_folder", "model.*", "model.surroundings net", "the working folder is changed to /"},
       })
    finds(d);
}

TEST_CASE("plugin check finds what is wrong with a format") {
  for (const Defect& d : std::initializer_list<Defect>{
           {"read_memory", "format.*", "format.memory vec", "memory of malloc is lost"},
           {"read_descriptor", "format.*", "format.surroundings vec", "(/dev/null)"},
           {"read_prints", "format.*", "format.surroundings vec", "it prints: reading"},
           {"read_garbage", "format.random_bytes*", "format.random_bytes vec", "60 of 60 files of random bytes are read without a word"},
           {"read_nameless", "format.random_bytes*", "format.random_bytes vec", "does not name the file"},
           {"read_nameless", "format.cut*", "format.cut vec", "does not name the file"},
           {"sniff_all", "format.*", "format.sniff_junk vec", "it takes an empty file"},
       })
    finds(d);
}

TEST_CASE("plugin check finds what is wrong with a tool") {
  for (const Defect& d : std::initializer_list<Defect>{
           {"tool_takes_all", "tool.junk*", "tool.junk_file look", "a file of junk ends with status 0"},
           {"tool_takes_all", "tool.empty*", "tool.empty_file look", "an empty file ends with status 0"},
           {"tool_json", "tool.*", "tool.json tell", "something else than one JSON value: {fine"},
           {"tool_json_inputs", "tool.*", "tool.json look", "something else than one JSON value: it is fine"},
       })
    finds(d);
}

TEST_CASE("plugin check tries a task with its defaults", "[slow]") {
  for (const Defect& d : std::initializer_list<Defect>{
           {"task_threads", "recipe.*", "recipe.threads zeros", "one thread and four end in other weights"},
           {"task_clock", "recipe.repeats*", "recipe.repeats zeros", "the same run again ends in other weights"},
           {"task_evaluation", "recipe.*", "recipe.trains zeros", "no evaluation today"},
       })
    finds(d);
  const json said = checked({"--only", "recipe.*"}, "task_wants_data");
  CHECK(said["failed"] == 0);
  CHECK(said["skipped"] == said["checks"].size());
  CHECK(said["checks"][0]["reason"].get<std::string>().find("there is no data") != std::string::npos);
}

TEST_CASE("plugin check refuses arguments that would make it check nothing") {
  const auto refused = [](const std::vector<std::string>& more, int status, const std::string& words, const std::vector<std::string>& environment = {}) {
    std::vector<std::string> all{"plugin", "check", kWrong.string()};
    all.insert(all.end(), more.begin(), more.end());
    const Result r = tenon(all, fs::temp_directory_path(), environment);
    INFO(r.err);
    CHECK(r.status == status);
    CHECK(r.says(words));
  };
  for (const char* seconds : {"nan", "0", "-1", "inf", "1e9"}) refused({std::string("--seconds=") + seconds}, 2, "is no time for a check");
  refused({"--example", "/nonexistent"}, 2, "--example: there is no such file");
  refused({"--recipe", "/nonexistent"}, 2, "--recipe: there is no such file");
  refused({"--only", "no.such*"}, 2, "no check has such a name");
  refused({"--only", "file.*"}, 6, "set TMPDIR to a folder", {"TMPDIR=/nonexistent"});
}
