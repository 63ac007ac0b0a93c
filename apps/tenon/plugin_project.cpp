#include "plugin_project.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::command {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMaxReply = 64 << 20;
constexpr const char* kQuery = ".cmake/api/v1/query/codemodel-v2";

json read_json(const fs::path& file) { return json::parse(read_text(file, kMaxReply)); }

// The newest reply of CMake's file API: the index whose name is last (cmake-file-api(7)).
fs::path codemodel_file(const fs::path& reply) {
  fs::path index;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(reply, failed)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("index-") && name > index.filename().string()) index = entry.path();
  }
  if (index.empty()) return {};
  const json listed = read_json(index);
  for (const json& object : listed.at("objects"))
    if (object.at("kind") == "codemodel") return reply / object.at("jsonFile").get<std::string>();
  return {};
}

std::vector<fs::path> artifacts_in(const fs::path& build) {
  std::vector<fs::path> found;
  const fs::path reply = build / ".cmake/api/v1/reply", codemodel = codemodel_file(reply);
  if (codemodel.empty()) return found;
  const json model = read_json(codemodel);
  for (const json& target : model.at("configurations").at(0).at("targets")) {
    const json description = read_json(reply / target.at("jsonFile").get<std::string>());
    if (!description.contains("artifacts")) continue;
    for (const json& artifact : description.at("artifacts")) {
      const fs::path file = (build / artifact.at("path").get<std::string>()).lexically_normal();
      std::error_code failed;
      if (file.string().ends_with(".tenon.so") && fs::is_regular_file(file, failed)) found.push_back(file);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

class OpenFile {
 public:
  explicit OpenFile(const fs::path& file) : fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace

fs::path package_folder() {
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  const fs::path prefix = program.parent_path().parent_path();
  for (const char* library_folder : {TENON_LIBRARY_FOLDER, "lib"}) {
    fs::path folder = prefix / library_folder / "cmake" / "Tenon";
    if (fs::is_regular_file(folder / "TenonConfig.cmake", failed)) return folder;
  }
  throw Error(ErrorKind::plugin, "plugin.no_package", "this tenon has no CMake package to build against beside it: no " + (prefix / TENON_LIBRARY_FOLDER / "cmake/Tenon/TenonConfig.cmake").string(),
              "install all of Tenon (cmake --install BUILD --prefix PREFIX) and use the tenon of that prefix", program.string());
}

void require_buildable(const fs::path& folder) {
  const std::string text = folder.string();
  const std::size_t at = std::min(text.find_first_of(";\"\\|"), std::size_t(std::find_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }) - text.begin()));
  if (at >= text.size()) return;
  throw Error(ErrorKind::usage, "plugin.folder_name", "CMake cannot build in a folder whose path has '" + text.substr(at, 1) + "' in it", "take or rename to a path without ; \" \\ | and control characters", text);
}

fs::path project_folder(const std::string& folder) {
  const fs::path project = (fs::absolute(folder.empty() ? "." : folder) / "").lexically_normal().parent_path();
  std::error_code failed;
  if (!fs::is_regular_file(project / "CMakeLists.txt", failed))
    throw Error(ErrorKind::usage, "plugin.no_project", "there is no CMakeLists.txt in this folder",
                "name the folder of a plugin's sources; 'tenon plugin new NAME' makes one", project.string());
  return project;
}

void ask_for_artifacts(const fs::path& build) {
  files().make_directories((build / kQuery).parent_path());
  if (!file_exists(build / kQuery)) write_atomic(build / kQuery, std::string_view());
}

std::vector<fs::path> built_plugins(const fs::path& project) {
  std::vector<fs::path> found;
  try {
    found = artifacts_in(build_folder(project));
  } catch (const json::exception& e) {
    throw Error(ErrorKind::plugin, "plugin.not_built", std::string("what CMake says of the build cannot be read: ") + e.what(),
                "delete the folder and run 'tenon plugin build' again", build_folder(project).string());
  }
  if (found.empty())
    throw Error(ErrorKind::plugin, "plugin.not_built", "nothing is built here yet: the project's build has no .tenon.so",
                "run 'tenon plugin build' first; a plugin is made by tenon_add_plugin in its CMakeLists.txt", project.string());
  return found;
}

AbiRecord record_of(const fs::path& file) {
  const OpenFile opened(file);
  struct stat status {};
  if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0)
    throw Error(ErrorKind::plugin, "plugin.unreadable", std::string("the file cannot be opened: ") + std::strerror(errno), "check the path", file.string());
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorKind::plugin, "plugin.not_regular_file", S_ISDIR(status.st_mode) ? "this is a folder, not a file" : "this is not a regular file", "name the .tenon.so itself", file.string());
  try {
    return read_abi_record(opened.get(), static_cast<std::uint64_t>(status.st_size));
  } catch (const Error& e) {
    throw e.at(file.string());
  }
}

PluginInfo inspect(const fs::path& file, const Common& common) {
  const fs::path wanted = fs::absolute(file).lexically_normal();
  PluginInfo unseen;
  unseen.file = wanted;
  if (!wanted.filename().string().ends_with(".tenon.so")) {
    unseen.code = "plugin.file_name";
    unseen.reason = "the host looks at files whose names end in .tenon.so only (rename it)";
    return unseen;
  }
  std::vector<fs::path> folders{wanted.parent_path()};
  folders.insert(folders.end(), common.plugin_dirs.begin(), common.plugin_dirs.end());
  PluginHost::instance().set_extra_directories(folders);
  std::error_code failed;
  for (const PluginInfo& info : PluginHost::instance().scan()) {
    if (info.file == wanted || fs::equivalent(info.file, wanted, failed)) return info;
    if (info.file == wanted.parent_path()) {  // the folder itself is refused
      unseen.code = info.code;
      unseen.reason = info.reason;
      return unseen;
    }
  }
  unseen.code = "plugin.unreadable";
  unseen.reason = "the host does not see the file in its folder";
  return unseen;
}

void require_accepted(const fs::path& file, const Common& common) {
  const PluginInfo info = inspect(file, common);
  if (info.state == PluginState::refused || info.state == PluginState::failed)
    throw Error(ErrorKind::plugin, info.code, info.reason, "'tenon plugin info " + file.string() + "' shows all that is known of it", file.string());
}

std::optional<PluginInfo> find_plugin(const std::string& name) {
  std::optional<PluginInfo> refused;
  const std::string file = name + ".tenon.so";
  std::error_code failed;
  for (const PluginInfo& p : PluginHost::instance().scan()) {
    const bool named = p.name == name || (p.name.empty() && p.file.filename() == file);
    const bool usable = p.state == PluginState::ready || p.state == PluginState::active;
    if (named && usable) return p;
    // a folder that is refused stands in the list itself
    if (!refused && (named || (p.name.empty() && is_valid_name(name) && fs::is_regular_file(p.file / file, failed)))) refused = p;
  }
  return refused;
}

void require_usable(const PluginInfo& info) {
  const bool failed = info.state == PluginState::failed;
  if (info.state != PluginState::refused && !failed) return;
  const std::string what = info.name.empty() ? "it" : "plugin '" + info.name + "'";
  throw Error(ErrorKind::plugin, info.code, what + (failed ? " failed: " : " is refused: ") + info.reason, "'tenon plugins' lists every file that was seen", info.file.string());
}

const char* state_name(PluginState state) {
  switch (state) {
    case PluginState::active: return "active";
    case PluginState::ready: return "ready";
    case PluginState::refused: return "refused";
    case PluginState::failed: return "failed";
  }
  return "unknown";
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& item : list) out += (out.empty() ? "" : ", ") + item;
  return out;
}

}  // namespace tenon::command
