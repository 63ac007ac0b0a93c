// A kernel is brought to the device while the one before it runs (backend/cuda/launch.cuh): each must wait for that one before it does anything else.
// Kernels that run in tests/cuda_on_cpu are asked there, too; here all are read, those beside NVIDIA's libraries with them.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;

namespace {

/// Comments become spaces.
std::string without_comments(std::string s) {
  for (std::size_t at = 0; (at = s.find('/', at)) != std::string::npos && at + 1 < s.size(); ++at) {
    const bool line = s[at + 1] == '/', block = s[at + 1] == '*';
    if (!line && !block) continue;
    std::size_t end = line ? s.find('\n', at) : s.find("*/", at + 2);
    end = end == std::string::npos ? s.size() : line ? end : end + 2;
    std::fill(s.begin() + std::ptrdiff_t(at), s.begin() + std::ptrdiff_t(end), ' ');
  }
  return s;
}

struct Kernels {
  std::size_t defined = 0;
  std::vector<std::string> late;  ///< heads of those that begin with something else
};

Kernels kernels_of(const std::string& source) {
  constexpr std::string_view kWord = "__global__", kFirst = "begin_kernel();";
  const std::string s = without_comments(source);
  Kernels found;
  for (std::size_t word = 0; (word = s.find(kWord, word)) != std::string::npos; word += kWord.size()) {
    int depth = 0;
    std::size_t at = word;
    for (; at < s.size() && !(depth == 0 && (s[at] == '{' || s[at] == ';')); ++at) depth += s[at] == '(' ? 1 : s[at] == ')' ? -1 : 0;
    if (at == s.size() || s[at] == ';') continue;  // no more than declared
    const std::size_t first = s.find_first_not_of(" \n", at + 1);
    ++found.defined;
    if (first == std::string::npos || s.compare(first, kFirst.size(), kFirst) != 0) found.late.push_back(s.substr(word, at - word));
  }
  return found;
}

}  // namespace

TEST_CASE("each kernel begins by waiting for the one before it") {
  std::size_t all = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(TENON_SOURCE_DIR) / "core" / "src")) {
    const std::string kind = entry.path().extension();
    if (kind != ".cu" && kind != ".cuh" && kind != ".inl") continue;
    std::ifstream in(entry.path());
    const Kernels found = kernels_of({std::istreambuf_iterator<char>(in), {}});
    all += found.defined;
    INFO(entry.path());
    CHECK(found.late == std::vector<std::string>{});
  }
  CHECK(all > 150);
}

TEST_CASE("kernels that begin with something else are found") {
  const Kernels found = kernels_of(
      "/* __global__ void in_a_comment() { x; } */\n"
      "template <class T> __global__ void __launch_bounds__(kMost, f(1)) good(int a,\n  T b) {\n  // first\n  begin_kernel();\n}\n"
      "__global__ void declared(int);\n"
      "__global__ void late(int* x) { *x = 1; begin_kernel(); }\n"
      "__global__ void never() {}\n");
  CHECK(found.defined == 3);
  CHECK(found.late == std::vector<std::string>{"__global__ void late(int* x) ", "__global__ void never() "});
}
