// A plugin as its author writes it, against the installed headers alone.
#include <string>

#include "tenon/tenon.hpp"

TENON_PLUGIN(tenon::Registrar& r) {
  r.tool({.name = "halve",
          .help = "Prints half of each number",
          .arguments = "NUMBER...",
          .params = {tenon::real_param("by", 2, "divisor", 1, 100)},
          .run = [](const std::vector<std::string>& inputs, const tenon::ParamValues& values, tenon::ToolContext& context) {
            for (const std::string& input : inputs) context.print(std::to_string(std::stod(input) / values.real("by")).substr(0, 3));
            return 0;
          }});
}
