#include <catch2/catch.hpp>
#include <filesystem>

#include "tenon/io/file.hpp"
#include "tenon/tenon.hpp"

TEST_CASE("tenon.hpp includes every public header", "[headers]") {
  namespace fs = std::filesystem;
  const fs::path include = fs::path(TENON_SOURCE_DIR) / "core" / "include";
  const std::string all = tenon::read_text(include / "tenon" / "tenon.hpp");
  for (const auto& entry : fs::recursive_directory_iterator(include / "tenon")) {
    const std::string name = fs::relative(entry.path(), include).generic_string();
    if (entry.path().extension() != ".hpp" || name == "tenon/tenon.hpp") continue;
    INFO(name);
    CHECK(all.find("#include \"" + name + "\"\n") != std::string::npos);
  }
}
