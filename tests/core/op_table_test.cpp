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

/// Methods of Tensor that give a tensor and are no ops, with the reason.
const std::map<std::string, std::string> kNoOpMethods{
    {"empty", "makes one"},    {"zeros", "makes one"},     {"full", "makes one"},     {"arange", "makes one"},   {"from", "makes one"},
    {"wrap", "makes one"},     {"grad", "of the tape"},    {"detach", "of the tape"}, {"alias", "unchecked, for ops"},
};

/// "const std::vector<int>& axes = {}" -> "vector<int>".
std::string type_of(std::string parameter) {
  parameter = parameter.substr(0, parameter.find('='));
  parameter = std::regex_replace(parameter, std::regex(R"(\bconst\b\s*|\bstd::|&)"), "");
  std::istringstream words(parameter);
  std::string type;
  words >> type;
  return type;
}

/// A file's text as one line, without comments.
std::string text_of(const std::filesystem::path& header) {
  std::ifstream file(header);
  REQUIRE(file.good());
  std::string text;
  for (std::string line; std::getline(file, line);) text += line.substr(0, line.find("//")) + " ";
  return text;
}

/// The types in which functions give tensors: Tensor, several, and every struct of the header that holds one.
std::string results_of(const std::string& text) {
  std::string types = "Tensor|std::vector<Tensor>";
  const std::regex holder(R"(struct\s+(?:TENON_API\s+)?(\w+)\s*\{([^{}()]*)\})");
  for (std::sregex_iterator it(text.begin(), text.end(), holder), end; it != end; ++it)
    if (std::regex_search(it->str(2), std::regex(R"(\bTensor\s+\w)"))) types += "|" + it->str(1);
  return types;
}

/// The signatures of all matches of `head`, whose first group is the name and whose end is the opening bracket.
std::vector<std::string> signatures(const std::string& text, const std::regex& head) {
  std::vector<std::string> found;
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

/// All free functions of a header that give tensors; of tensor.hpp, Tensor's methods that do.
std::vector<std::string> declared_ops(const std::filesystem::path& header) {
  const std::string text = text_of(header);
  auto found = signatures(text, std::regex(R"((?:TENON_API|inline)\s+(?:)" + results_of(text) + R"()\s+(operator\S|\w+)\()"));
  if (header.filename() != "tensor.hpp") return found;
  for (const std::string& method : signatures(text, std::regex(R"((?:^|[^&\w])Tensor\s+(\w+)\()")))
    if (!kNoOpMethods.count(method.substr(0, method.find('(')))) found.push_back(method);
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
  CHECK(op_table::tables()["tensor.hpp"].rows.size() > 10);
}

TEST_CASE("structs that hold tensors count as results of ops", "[op_table]") {
  const std::string text = "struct Pair { Tensor a, b; }; struct Options { int n = 0; }; TENON_API Pair f(const Tensor& x, int axis = -1); TENON_API Options g();";
  CHECK(results_of(text) == "Tensor|std::vector<Tensor>|Pair");
}

TEST_CASE("gradients of every op against central differences", "[op_table]") {
  for (const auto& [header, table] : op_table::tables())
    for (const auto& [op, row] : table.rows) {
      DYNAMIC_SECTION(header << ": " << op) {
        row();
      }
    }
}
