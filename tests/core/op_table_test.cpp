// The tables of ops against the headers, and their rows (op_table.hpp).
#include "core/op_table.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

using namespace tenon;

namespace {

/// Headers whose functions are no ops, with the reason.
const std::map<std::string, std::string> kNoOps{
    {"autograd.hpp", "the tape itself"},
    {"io/npy.hpp", "a file"},
};

/// "const std::vector<int>& axes = {}" -> "vector<int>".
std::string type_of(std::string parameter) {
  parameter = parameter.substr(0, parameter.find('='));
  parameter = std::regex_replace(parameter, std::regex(R"(\bconst\b|\bstd::|&)"), "");
  std::istringstream words(parameter);
  std::string type;
  words >> type;
  return type;
}

/// The signatures of all free functions of a header that return a tensor or several.
std::vector<std::string> declared_ops(const std::filesystem::path& header) {
  std::ifstream file(header);
  REQUIRE(file.good());
  std::string text;
  for (std::string line; std::getline(file, line);) text += line.substr(0, line.find("//")) + " ";
  std::vector<std::string> found;
  const std::regex head(R"((?:TENON_API|inline)\s+(?:Tensor|std::vector<Tensor>)\s+(operator\S|\w+)\()");
  for (std::sregex_iterator it(text.begin(), text.end(), head), end; it != end; ++it) {
    std::string signature = it->str(1) + "(", parameter;
    int depth = 0;
    for (std::size_t i = std::size_t(it->position() + it->length());; ++i) {
      REQUIRE(i < text.size());
      const char c = text[i];
      if (depth == 0 && (c == ',' || c == ')')) {
        signature += type_of(parameter) + c;
        parameter.clear();
        if (c == ')') break;
        continue;
      }
      depth += (c == '<' || c == '{' || c == '(') - (c == '>' || c == '}' || c == ')');
      parameter += c;
    }
    found.push_back(signature);
  }
  return found;
}

}  // namespace

TEST_CASE("every op of the public headers has a gradient check or is listed as having none", "[op_table]") {
  const std::filesystem::path include = TENON_SOURCE_DIR "/core/include/tenon";
  std::size_t count = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(include)) {
    if (file.path().extension() != ".hpp") continue;
    const std::string header = std::filesystem::relative(file.path(), include).string();
    const auto declared = declared_ops(file.path());
    count += declared.size();
    if (kNoOps.count(header)) {
      CHECK_FALSE(declared.empty());
      continue;
    }
    const op_table::Table& table = op_table::tables()[header];
    INFO(header);
    for (const std::string& op : declared) {
      INFO(op);
      CHECK(table.rows.count(op) + table.without_gradient.count(op) == 1);
    }
    const std::set<std::string> known(declared.begin(), declared.end());
    CHECK(known.size() == declared.size());
    for (const auto& [op, row] : table.rows) {
      INFO(op << " stands in the table but not in the header");
      CHECK(known.count(op) == 1);
    }
    for (const std::string& op : table.without_gradient) {
      INFO(op << " stands in the list but not in the header");
      CHECK(known.count(op) == 1);
    }
  }
  CHECK(count > 100);  // the reading itself works
}

TEST_CASE("gradients of every op against central differences", "[op_table]") {
  for (const auto& [header, table] : op_table::tables())
    for (const auto& [op, row] : table.rows) {
      DYNAMIC_SECTION(header << ": " << op) {
        row();
      }
    }
}
