#include "report/vega.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/io/file.hpp"

namespace tenon::report {
namespace {

/// The modules that line and strip charts need, leaving out maps, force layouts and word clouds.
struct Module {
  std::string_view name;  ///< as the others require it
  std::string_view file;
};
constexpr Module kModules[] = {{"vega-util", "vega-util"},
                               {"vega-time", "vega-time"},
                               {"vega-format", "vega-format"},
                               {"vega-loader", "vega-loader"},
                               {"vega-dataflow", "vega-dataflow"},
                               {"vega-statistics", "vega-statistics"},
                               {"vega-canvas", "vega-canvas"},
                               {"vega-scale", "vega-scale"},
                               {"vega-scenegraph", "vega-scenegraph"},
                               {"vega-expression", "vega-expression"},
                               {"vega-event-selector", "vega-event-selector"},
                               {"vega-selections", "vega-selection"},
                               {"vega-functions", "vega-functions"},
                               {"vega-runtime", "vega-runtime"},
                               {"vega-transforms", "vega-transforms"},
                               {"vega-view-transforms", "vega-view-transforms"},
                               {"vega-encode", "vega-encode"},
                               {"vega-interpreter", "vega-interpreter"},
                               {"vega-parser", "vega-parser"},
                               {"vega-view", "vega-view"}};

constexpr std::string_view kLoader = R"js(
const made={};
function load(name){
  if(!made[name]){const m={exports:{}};made[name]=m.exports;modules[name](m.exports,m,load)}
  return made[name];
}
const transforms=load("vega-dataflow").transforms;
for(const name of ["vega-transforms","vega-view-transforms","vega-encode"])Object.assign(transforms,load(name));
window.tenonVega={View:load("vega-view").View,parse:load("vega-parser").parse,
  expressionInterpreter:load("vega-interpreter").expressionInterpreter};
})();
)js";

std::vector<std::filesystem::path> candidates() {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("TENON_VEGA"); given && *given) folders.emplace_back(given);
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&vega_script), &info) != 0 && info.dli_fname) {
    std::error_code error;
    std::filesystem::path library = std::filesystem::canonical(info.dli_fname, error);
    // lib/libtenon.so or lib/<architecture>/libtenon.so
    for (std::filesystem::path up = library.parent_path(); !error && up.has_relative_path() && up != up.root_path(); up = up.parent_path())
      if (up.filename() == "lib") folders.push_back(up.parent_path() / "share" / "tenon" / "vega");
  }
  folders.emplace_back("/usr/share/javascript/vega");
  return folders;
}

/// One module without its source map line; nothing when it would end the script block that it is put in.
bool append_module(const std::filesystem::path& folder, const Module& module, std::string& out) {
  std::string text = read_text(folder / (std::string(module.file) + ".min.js"), 4u << 20);
  std::erase(text, '\r');
  if (std::size_t map = text.rfind("//# sourceMappingURL="); map != std::string::npos) text.resize(map);
  if (text.find("</script") != std::string::npos || text.find("<!--") != std::string::npos) return false;
  out += "\"" + std::string(module.name) + "\":function(exports,module,require){" + text + "\n},\n";
  return true;
}

}  // namespace

std::string vega_script() {
  for (const std::filesystem::path& folder : candidates()) {
    try {
      if (!file_exists(folder / "vega-view.min.js")) continue;
      std::string script = "(function(){\nconst modules={\n";
      bool whole = true;
      for (const Module& module : kModules) whole = whole && append_module(folder, module, script);
      if (whole) return script + "};" + std::string(kLoader);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      continue;  // an incomplete or unreadable installation: the page's own static charts stand in
    }
  }
  return {};
}

}  // namespace tenon::report
