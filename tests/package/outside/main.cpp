// A program on the installed core that uses the plugin by name.
#include <cstdio>

#include "tenon/tenon.hpp"

namespace {
class Printer final : public tenon::ToolContext {
 public:
  void print(const std::string& text) override { std::printf("%s ", text.c_str()); }
  void status(const std::string&) override {}
  void progress(std::int64_t, std::int64_t) override {}
  bool json() const override { return false; }
  bool interrupted() const override { return false; }
};
}  // namespace

int main() {
  try {
    tenon::PluginHost& host = tenon::PluginHost::instance();
    const tenon::ToolEntry& halve = host.tool("example.halve");
    Printer printer;
    halve.run({"1", "2"}, tenon::ParamValues(halve.params), printer);
    for (const tenon::PluginInfo& info : host.scan()) {
      if (info.state != tenon::PluginState::active) continue;
      std::printf("%s %s: %s, %s\n%s\n", info.name.c_str(), info.version.c_str(), info.summary.c_str(), info.licence.c_str(),
                  info.file.c_str());
    }
  } catch (const tenon::Error& e) {
    std::printf("%s: %s\n", e.code().c_str(), e.what());
    return static_cast<int>(e.kind());
  }
  return 0;
}
