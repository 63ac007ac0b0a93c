#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "tenon/io/file.hpp"
#include "tenon/run.hpp"

using namespace tenon;

TEST_CASE("docs/recipe.md has each key of [train] with its default, and no other", "[recipe][docs]") {
  std::istringstream page(read_text(std::string(TENON_SOURCE_DIR) + "/docs/recipe.md"));
  std::map<std::string, std::string> documented;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == "## [train]";
    if (!inside || !line.starts_with("| `")) continue;
    const std::size_t end = line.find('`', 3), from = line.find("| ", end) + 2, to = line.find(" |", from);
    documented[line.substr(3, end - 3)] = line.substr(from, to - from);
  }
  std::map<std::string, std::string> declared;
  for (const Param& p : train_params().params()) {
    std::ostringstream text;
    if (const auto* v = std::get_if<bool>(&p.default_value)) text << (*v ? "true" : "false");
    if (const auto* v = std::get_if<std::int64_t>(&p.default_value)) text << *v;
    if (const auto* v = std::get_if<double>(&p.default_value)) text << *v;
    if (const auto* v = std::get_if<std::string>(&p.default_value)) text << '"' << *v << '"';
    if (const auto* v = std::get_if<std::vector<std::string>>(&p.default_value)) text << (v->empty() ? "[]" : "?");
    declared[p.name] = text.str();
  }
  CHECK(documented == declared);
}
