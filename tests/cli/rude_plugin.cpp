// Misbehaves as RUDE in the environment or --how says: what a stranger's plugin may do to the command.
#include <cstdlib>
#include <fstream>
#include <string>

#include "tenon/error.hpp"
#include "tenon/plugin.hpp"

namespace {

std::string rude() {
  const char* text = std::getenv("RUDE");
  return text ? text : "";
}

[[maybe_unused]] const bool loaded = [] {
  if (const char* mark = std::getenv("RUDE_MARK")) std::ofstream{mark} << "loaded\n";
  if (rude() == "abort") std::abort();
  return true;
}();

constexpr const char* kNoise = "\x1b[31mred\x7f \xc2\x9b" "2J \xe2\x80\xae" "odd \xff";

int run(const std::vector<std::string>&, const tenon::ParamValues& values, tenon::ToolContext& context) {
  const std::string how = values.text("how");
  if (how == "noise") throw tenon::Error(tenon::ErrorKind::data, std::string("rude.") + kNoise, kNoise, kNoise, std::string(kNoise) + "\nerror[x]: y");
  if (how == "kind 0") throw tenon::Error(tenon::ErrorKind(0), "rude.zero", "no kind at all");
  if (how == "kind 300") throw tenon::Error(tenon::ErrorKind(300), "rude.many", "a kind of its own");
  if (how == "exit") std::exit(0);
  if (how == "print") context.print(kNoise);
  if (how == "message") context.status(kNoise);
  return int(values.integer("status"));
}

}  // namespace

TENON_PLUGIN(tenon::Registrar& r) {
  const bool noisy = rude() == "noise";
  r.tool({.name = "one",
          .help = noisy ? kNoise : "Does what it is told to",
          .arguments = noisy ? kNoise : "",
          .params = {tenon::text_param("how", "", noisy ? kNoise : "how to behave"), tenon::integer_param("status", 0, "exit status"),
                     tenon::text_param("choice", "a", "one of them", {"a", "$(touch pwned)", "`touch pwned`", "b c"})},
          .run = run});
}
