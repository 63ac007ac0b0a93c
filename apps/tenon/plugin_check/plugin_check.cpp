/// `tenon plugin check FILE`: every named check of a plugin, each in a process of its own.
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "plugin_check/subject.hpp"
#include "tenon/error.hpp"
#include "tenon/io/utf8.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;

/// A folder that only this user may enter, gone with its owner.
class PrivateFolder {
 public:
  PrivateFolder() {
    std::error_code failed;
    const fs::path parent = fs::temp_directory_path(failed);
    const char* named = std::getenv("TMPDIR");
    std::string name = (parent / "tenon-check-XXXXXX").string();
    if (failed || !::mkdtemp(name.data()))
      throw Error(ErrorKind::device, "io.write", "no folder can be made in " + (failed && named ? std::string(named) : parent.string()) + (failed ? ": " + failed.message() : ""), "set TMPDIR to a folder that may be written");
    path_ = fs::canonical(name);
  }
  ~PrivateFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The limit and the files that were named, before anything is run.
void require_sound(const PluginCheckCommand& command) {
  if (!(command.seconds >= 0.1 && command.seconds <= 3600))
    throw Error(ErrorKind::usage, "command.bad_value", "--seconds: " + std::to_string(command.seconds) + " is no time for a check", "give 0.1 to 3600 seconds");
  std::error_code failed;
  if (!command.example.empty() && !fs::exists(command.example, failed))
    throw Error(ErrorKind::usage, "command.bad_value", "--example: there is no such file or folder", "name a good file of the plugin's format", command.example);
  for (const std::string& recipe : command.recipes)
    if (!fs::is_regular_file(recipe, failed)) throw Error(ErrorKind::usage, "command.bad_value", "--recipe: there is no such file", "name a recipe of the plugin's task", recipe);
}

/// Does one of the patterns, "model.*" or "format.cut csv" or a part of a name, fit? Without any all do.
bool chosen(const std::vector<std::string>& patterns, const std::string& name) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) {
           return ::fnmatch(p.c_str(), name.c_str(), 0) == 0 || (p.find_first_of("*?[") == std::string::npos && name.find(p) != std::string::npos);
         });
}

/// What the checks before changed in their processes goes to the check that tells of it.
void tell_of_changes(const std::vector<NamedCheck>& all, std::vector<CheckOutcome>& outcomes) {
  const std::size_t at = outcomes.size() - 1;
  if (!all[at].told_by.empty()) return;
  std::string text;
  std::size_t others = 0;
  for (std::size_t i = 0; i <= at; ++i) {
    if ((i < at && all[i].told_by != all[at].name) || outcomes[i].left.empty()) continue;
    if (text.empty()) text = "in " + all[i].name.substr(0, all[i].name.find(' ')) + ": " + outcomes[i].left;
    else ++others;
  }
  if (text.empty() || outcomes[at].state == CheckOutcome::State::failed) return;
  outcomes[at].state = CheckOutcome::State::failed;
  outcomes[at].text = text + (others > 0 ? "; and in " + std::to_string(others) + (others > 1 ? " other checks" : " other check") : "");
}

Subject subject_of(const PluginCheckCommand& command, const fs::path& folder, const Common& common) {
  Subject s;
  s.file = command.file;
  s.folder = folder;
  s.seconds = command.seconds;
  s.linked = folder / s.file.filename();
  s.example = command.example.empty() ? "" : fs::absolute(command.example).string();
  for (const std::string& r : command.recipes) s.recipes.push_back(fs::absolute(r).string());
  std::error_code failed;
  if (!fs::exists(s.file, failed)) throw Error(ErrorKind::data, "file.missing", "there is no such file", "name a built plugin: NAME.tenon.so", s.file.string());
  if (!fs::is_regular_file(s.file, failed)) throw Error(ErrorKind::data, "io.not_a_file", "this is no regular file", "name a built plugin: NAME.tenon.so", s.file.string());
  std::ifstream in(s.file, std::ios::binary);
  if (!in) throw Error(ErrorKind::data, "file.unreadable", "the file cannot be opened", "check its permissions", s.file.string());
  const auto size = fs::file_size(s.file);
  s.bytes.resize(std::size_t(std::min<std::uintmax_t>(size, kMaxPluginFile + 1)));
  in.read(reinterpret_cast<char*>(s.bytes.data()), std::streamsize(s.bytes.size()));
  fs::create_symlink(fs::canonical(s.file), s.linked);
  for (const std::string& given : common.plugin_dirs) s.others.push_back(fs::absolute(given));
  try {
    s.record = read_abi_record(s.bytes);
    s.provides = provided_ids(s.record);
    if (!needed_plugins(s.record).empty()) s.others.push_back(fs::canonical(s.file).parent_path());  // what it needs lies beside it
  } catch (const Error&) {
    // the checks of the record tell
  }
  return s;
}

const char* state_word(CheckOutcome::State state) { return state == CheckOutcome::State::passed ? "ok" : state == CheckOutcome::State::failed ? "FAILED" : "skipped"; }

}  // namespace

int plugin_check_command(const PluginCheckCommand& command, const Common& common) {
  require_sound(command);
  const PrivateFolder folder;
  const Subject s = subject_of(command, folder.path(), common);
  // What a tool writes beside itself stays out of the folder that the user is in.
  const fs::path work = folder.path() / "work";
  fs::create_directory(work);
  fs::current_path(work);
  std::vector<NamedCheck> all;
  const auto append = [&](std::vector<NamedCheck> more) {
    for (NamedCheck& check : more)
      if (chosen(command.only, check.name)) all.push_back(std::move(check));
  };
  append(file_checks(s));
  append(load_checks(s));
  const std::size_t of_loading = all.size();
  append(entry_checks(s));
  append(model_checks(s));
  append(format_checks(s));
  append(tool_checks(s));
  append(recipe_checks(s));
  if (all.empty()) throw Error(ErrorKind::usage, "command.bad_value", "--only: no check has such a name", "without --only all are run and named; write for example --only 'model.*'");

  catch_interrupts();
  Progress progress(common.quiet || common.json);
  std::vector<CheckOutcome> outcomes;
  std::size_t counts[3] = {};
  bool loads = true;
  for (std::size_t i = 0; i < all.size() && !interrupted(); ++i) {
    progress.update("checking", double(i), double(all.size()), all[i].name);
    if (i >= of_loading && !loads) outcomes.push_back({CheckOutcome::State::skipped, "the plugin does not load", 0});
    else outcomes.push_back(run_check(all[i], command.seconds));
    if (all[i].name == "load.works" && outcomes.back().state == CheckOutcome::State::failed) loads = false;
    tell_of_changes(all, outcomes);
    ++counts[std::size_t(outcomes.back().state)];
  }
  progress.finish();
  if (interrupted()) return kInterrupted;

  if (common.json) {
    nlohmann::ordered_json out{{"file", s.file.string()}, {"passed", counts[0]}, {"failed", counts[1]}, {"skipped", counts[2]}, {"checks", nlohmann::ordered_json::array()}};
    for (std::size_t i = 0; i < all.size(); ++i)
      out["checks"].push_back({{"name", all[i].name}, {"state", state_word(outcomes[i].state)}, {"reason", outcomes[i].text}, {"seconds", outcomes[i].seconds}});
    print(json_text(out));
  } else {
    Table table({"check", "", "seconds", "why"});
    for (std::size_t c : {1u, 3u}) table.left(c);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!common.quiet || outcomes[i].state == CheckOutcome::State::failed) table.row({all[i].name, state_word(outcomes[i].state), format_number(outcomes[i].seconds, 2), outcomes[i].text});
    if (!common.quiet || counts[1] > 0) print(table.str());
    print(std::to_string(counts[0]) + " passed, " + std::to_string(counts[1]) + " failed, " + std::to_string(counts[2]) + " skipped");
  }
  return counts[1] ? int(ErrorKind::plugin) : 0;
}

}  // namespace tenon::command
