/// `tenon plugin check FILE`: every named check of a plugin, each in a process of its own.
#include <sys/stat.h>
#include <unistd.h>

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
    std::string name = (fs::temp_directory_path() / "tenon-check-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error(ErrorKind::device, "io.write", "no folder can be made in " + fs::temp_directory_path().string(), "set TMPDIR to a folder that may be written");
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

Subject subject_of(const PluginCheckCommand& command, const fs::path& folder) {
  Subject s;
  s.file = command.file;
  s.folder = folder;
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
  try {
    s.record = read_abi_record(s.bytes);
    s.provides = provided_ids(s.record);
  } catch (const Error&) {
    // the checks of the record tell
  }
  return s;
}

const char* state_word(CheckOutcome::State state) { return state == CheckOutcome::State::passed ? "ok" : state == CheckOutcome::State::failed ? "FAILED" : "skipped"; }

}  // namespace

int plugin_check_command(const PluginCheckCommand& command, const Common& common) {
  const PrivateFolder folder;
  const Subject s = subject_of(command, folder.path());
  std::vector<NamedCheck> all = file_checks(s);
  const std::size_t of_file = all.size();
  const auto append = [&](std::vector<NamedCheck> more) { all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end())); };
  append(load_checks(s));
  const std::size_t of_loading = all.size();
  append(entry_checks(s));
  append(model_checks(s));
  append(format_checks(s));
  append(tool_checks(s));
  append(recipe_checks(s));

  catch_interrupts();
  Progress progress(common.quiet || common.json);
  std::vector<CheckOutcome> outcomes;
  std::size_t counts[3] = {};
  bool loads = true;
  for (std::size_t i = 0; i < all.size() && !interrupted(); ++i) {
    progress.update("checking", double(i), double(all.size()), all[i].name);
    if (i >= of_loading && !loads) outcomes.push_back({CheckOutcome::State::skipped, "the plugin does not load", 0});
    else outcomes.push_back(run_check(all[i].run, command.seconds));
    if (i == of_file && outcomes.back().state == CheckOutcome::State::failed) loads = false;  // load.works
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
