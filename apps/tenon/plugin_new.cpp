// `tenon plugin new NAME`: a small, whole plugin to start from.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "command.hpp"
#include "plugin_project.hpp"
#include "plugin_templates.hpp"
#include "tenon/abi.hpp"
#include "tenon/error.hpp"
#include "tenon/io/file.hpp"
#include "tenon/io/utf8.hpp"
#include "tenon/plugin.hpp"
#include "terminal.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;
using FileList = std::vector<std::pair<fs::path, std::string>>;  // path below the project, text

void require_good_name(const std::string& name, const std::vector<std::string>& commands) {
  if (!is_valid_name(name))
    throw Error(ErrorKind::usage, "plugin.name", "a plugin cannot be called '" + name + "'",
                "take a lower-case letter, then lower-case letters, digits and underscores, 63 characters at most: " + std::string("point_clouds"));
  if (std::find(commands.begin(), commands.end(), name) != commands.end())
    throw Error(ErrorKind::usage, "plugin.name", "'" + name + "' is a command of tenon, which would hide the tools of a plugin of that name",
                "take another name");
}

// What a kind brings along: a task cannot be tried without a model to train.
std::set<std::string> parts_of(const std::string& kind) {
  if (kind == "all") return {"model", "format", "task", "tool"};
  if (kind == "task") return {"model", "task"};
  return {kind};
}

// The first two numbers of the version: what find_package(Tenon) accepts.
std::string series_of(const std::string& version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

FileList files_of(const std::string& name, const std::set<std::string>& parts) {
  const auto has = [&](const char* part) { return parts.count(part) > 0; };
  const std::map<std::string, std::string> words{
      {"NAME", name},
      {"TENON_SERIES", series_of(TENON_VERSION)},
      {"SUMMARY", has("task") ? "Tells signals from their noise" : has("model") ? "A convolutional network for signals" : has("format") ? "Reads and writes traces" : "Smooths signals"},
      {"TRACE_PARTS", has("format") && has("tool") ? "a file format and a classical tool" : has("format") ? "a file format" : "a classical tool"},
      {"DENOISE_PARTS", has("task") ? "a model and the task that trains it" : "a model"}};
  FileList list;
  const auto add = [&](const char* path, const char* text) { list.emplace_back(path, fill_template(text, parts, words)); };
  add("CMakeLists.txt", kTemplateCMake);
  add("README.md", kTemplateReadme);
  add(".clang-format", kTemplateClangFormat);
  add("src/plugin.cpp", kTemplatePlugin);
  if (has("format") || has("tool")) add("src/trace.cpp", kTemplateTrace);
  if (has("model")) add("src/denoise.cpp", kTemplateDenoise);
  if (has("task")) add("recipe.toml", kTemplateRecipe);
  add("test/test.cpp", kTemplateTest);
  return list;
}

void require_free(const fs::path& folder) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(folder, failed);
  if (!fs::exists(status)) return;
  const bool empty = fs::is_directory(status) && fs::is_empty(folder, failed) && !failed;
  if (!empty)
    throw Error(ErrorKind::usage, "plugin.exists", fs::is_directory(status) ? "the folder is there already and is not empty" : "there is something of this name already",
                "take another name, or another folder with --in DIR", folder.string());
}

// All files or none: they are written beside the place and moved there at once.
void write_project(const fs::path& folder, const FileList& list) {
  const fs::path parent = folder.parent_path();
  std::error_code failed;
  if (!fs::is_directory(parent, failed))
    throw Error(ErrorKind::usage, "plugin.no_folder", "there is no such folder to make the plugin in", "make it first, or name another with --in DIR", parent.string());
  const fs::path temporary = parent / ("." + folder.filename().string() + ".tmp-" + std::to_string(::getpid()));
  try {
    for (const auto& [path, text] : list) {
      files().make_directories((temporary / path).parent_path());
      write_atomic(temporary / path, text);
    }
    files().rename(temporary, folder);
  } catch (...) {
    fs::remove_all(temporary, failed);
    throw;
  }
}

// A plugin of this name that is found already would be the one that counts, or the one that no longer does.
void warn_of_namesake(const std::string& name) {
  for (const PluginInfo& p : PluginHost::instance().scan()) {
    if (p.name != name) continue;
    status("note: a plugin '" + name + "' is there already, " + visible_line(p.file.string()) + "; of two of one name the first that is found counts");
    return;
  }
}

}  // namespace

int plugin_new_command(const PluginCommand& command, const Common& common) {
  require_good_name(command.name, command.reserved);
  const fs::path folder = fs::absolute(command.folder.empty() ? "." : command.folder).lexically_normal() / command.name;
  require_buildable(folder);
  require_free(folder);
  const FileList list = files_of(command.name, parts_of(command.kind));
  write_project(folder, list);
  if (!common.quiet) warn_of_namesake(command.name);
  const fs::path shown = command.folder.empty() ? fs::path(command.name) : fs::path(command.folder) / command.name;
  if (common.json) {
    nlohmann::ordered_json out{{"folder", folder.string()}, {"kind", command.kind}, {"files", nlohmann::ordered_json::array()}};
    for (const auto& file : list) out["files"].push_back(file.first.string());
    print(json_text(out));
    return 0;
  }
  for (const auto& file : list) print_path((shown / file.first).string());
  print("next: tenon plugin build " + visible_line(shown.string()));
  return 0;
}

}  // namespace tenon::command
