// What the assembler tells of each kernel (core/cmake/kernel_report.sh keeps it beside the object): registers spilled to memory and stack frames cost time
// that no profile of the source shows, so each is either none or allowed here, with its reason and its bytes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cxxabi.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <sstream>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

struct KernelUse {
  std::string source, name;
  int stack = 0, stores = 0, loads = 0;  ///< bytes a thread
};

/// Of kernels of `source` whose name holds `name`.
struct Allowance {
  std::string source, name;
  int stack, spill;
  std::string reason;
};

const std::vector<Allowance> kAllowed{
    {"ops/elementwise_unary.cu", "UnaryBody<", 56, 52, "CUDA's sine and cosine keep an array for large angles; gamma functions in f64"},
    {"ops/sampling.cu", "draw_elements<tenon::PermutationDraw>", 32, 0, "the order of up to 32 items is an array"},
    {"ops/sampling.cu", "draw_elements<tenon::GammaDraw>", 32, 0, "CUDA's cosine, as above"},
    {"ops/sampling.cu", "sobol_coordinates<", 16, 0, "a Philox block, indexed by the node of a tree"},
    {"ops/attention_gradient.cu", "attention_d_keys<", 64, 96, "tiles of keys and values beside both their gradients"},
    {"ops/attention_mma.cu", "attention_mma_forward<", 48, 88, "tiles of a masked head of 64 and 128 channels"},
    {"ops/attention_mma_gradient.cu", "attention_mma_d_keys<tenon::bf16, 128", 48, 92, "tiles of a head of 128 channels"},
    {"ops/attention_mma_gradient.cu", "attention_mma_d_keys<tenon::f16, 128", 48, 92, "tiles of a head of 128 channels"},
    {"backend/cuda/conv_few.cu", "few_results<tenon::f16", 8, 24, "f16 is converted in registers"},
};

bool allows(const Allowance& a, const KernelUse& k) {
  return k.source == a.source && k.name.find(a.name) != std::string::npos && k.stack <= a.stack && k.stores <= a.spill && k.loads <= a.spill;
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : symbol;
}

/// The kernels of one report for compute capability 9.0. Functions that a kernel calls, which are told after it, count as its own.
std::vector<KernelUse> read_report(std::istream& report, const std::string& source) {
  const std::regex entry(R"(Compiling entry function '(\S+)' for 'sm_90a?')"), bytes(R"((\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads)"),
      whole(R"((\d+) bytes cumulative stack size)");
  std::vector<KernelUse> kernels;
  bool counts = false;
  std::string line;
  std::smatch found;
  while (std::getline(report, line)) {
    if (line.find("Compiling entry function") != std::string::npos) {
      counts = std::regex_search(line, found, entry);
      if (counts) kernels.push_back({source, demangled(found[1])});
    } else if (counts && std::regex_search(line, found, bytes)) {
      KernelUse& k = kernels.back();
      k.stack = std::max(k.stack, std::stoi(found[1]));
      k.stores += std::stoi(found[2]), k.loads += std::stoi(found[3]);
    } else if (counts && std::regex_search(line, found, whole)) {
      kernels.back().stack = std::max(kernels.back().stack, std::stoi(found[1]));
    }
  }
  return kernels;
}

/// Runs the script that keeps reports over a stand-in for a compiler; gives its exit status.
int keep_report(const fs::path& folder, const std::string& compiler, const std::string& launcher = "") {
  std::ofstream(folder / "compiler") << "#!/bin/sh\n" << compiler;
  fs::permissions(folder / "compiler", fs::perms::owner_all);
  const std::string d = folder.string(), script = std::string(TENON_SOURCE_DIR) + "/core/cmake/kernel_report.sh";
  const int status = std::system(("bash '" + script + "' " + launcher + " '" + d + "/compiler' -c x.cu -o '" + d + "/x.o' 2>'" + d + "/stderr'").c_str());
  return WEXITSTATUS(status);
}
std::string text(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("no kernel spills registers or keeps a stack but where it is allowed to") {
  const fs::path objects = TENON_KERNEL_REPORTS, sources = fs::path(TENON_SOURCE_DIR) / "core" / "src";
  std::vector<KernelUse> kernels;
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(sources)) {
    if (entry.path().extension() != ".cu") continue;
    const std::string source = fs::relative(entry.path(), sources).generic_string();
    std::ifstream report(objects / (source + ".o.ptxas"));
    INFO(source);
    REQUIRE(report.good());
    const auto of_file = read_report(report, source);
    kernels.insert(kernels.end(), of_file.begin(), of_file.end());
    ++files;
  }
  if (kernels.empty()) {
    WARN("skipped: kernels were not compiled for compute capability 9.0, whose registers are counted");
    return;
  }
  std::vector<bool> used(kAllowed.size());
  for (const auto& k : kernels) {
    if (k.stack == 0 && k.stores == 0 && k.loads == 0) continue;
    bool allowed = false;
    for (std::size_t i = 0; i < kAllowed.size(); ++i)
      if (allows(kAllowed[i], k)) allowed = used[i] = true;
    INFO(k.source << ": " << k.name << ": " << k.stack << " bytes of stack, " << k.stores << " spilled, " << k.loads << " read back");
    CHECK(allowed);
  }
  for (std::size_t i = 0; i < kAllowed.size(); ++i) {
    INFO("no kernel needs the allowance of " << kAllowed[i].source << ": " << kAllowed[i].name);
    CHECK(used[i]);
  }
  CHECK(kernels.size() > 10 * files);
}

TEST_CASE("a report of spills is read, of compute capability 9.0 alone") {
  std::istringstream report(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function '_Z1fPf' for 'sm_80'\n"
      "ptxas info    : Function properties for _Z1fPf\n"
      "    96 bytes stack frame, 64 bytes spill stores, 32 bytes spill loads\n"
      "ptxas info    : Compiling entry function '_Z1fPf' for 'sm_90'\n"
      "ptxas info    : Function properties for _Z1fPf\n"
      "    24 bytes stack frame, 16 bytes spill stores, 8 bytes spill loads\n"
      "ptxas info    : Used 40 registers, used 1 barriers, 24 bytes cumulative stack size\n"
      "ptxas info    : Compiling entry function '_Z1gv' for 'sm_90'\n"
      "ptxas info    : Function properties for _Z1gv\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 20 registers, used 1 barriers, 208 bytes cumulative stack size\n"
      "ptxas info    : Function properties for _Z6calledi\n"
      "    200 bytes stack frame, 32 bytes spill stores, 36 bytes spill loads\n");
  const auto kernels = read_report(report, "a.cu");
  REQUIRE(kernels.size() == 2);
  CHECK((kernels[1].stack == 208 && kernels[1].stores == 32 && kernels[1].loads == 36));
  CHECK(kernels[0].name == "f(float*)");
  CHECK((kernels[0].stack == 24 && kernels[0].stores == 16 && kernels[0].loads == 8));
  CHECK(allows({"a.cu", "f(", 24, 16, ""}, kernels[0]));
  CHECK_FALSE(allows({"a.cu", "f(", 16, 16, ""}, kernels[0]));
  CHECK_FALSE(allows({"b.cu", "f(", 24, 16, ""}, kernels[0]));
}

TEST_CASE("keeping reports hides nothing else that a compiler says") {
  const fs::path folder = fs::temp_directory_path() / ("tenon_kernel_report_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const std::string report = "echo \"ptxas info    : Compiling entry function '_Z1fv' for 'sm_90'\" >&2; echo '    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads' >&2\n";
  CHECK(keep_report(folder, "echo 'x.cu(1): warning #177-D: unused' >&2\n" + report + "touch \"$(dirname \"$0\")/x.o\"\n") == 0);
  CHECK(text(folder / "stderr") == "x.cu(1): warning #177-D: unused\n");
  CHECK(text(folder / "x.o.ptxas").find("Compiling entry function '_Z1fv'") != std::string::npos);
  CHECK(keep_report(folder, "exit 0\n", "''") == 0);  // as CMake gives a launcher that is empty
  CHECK(keep_report(folder, "echo 'x.cu(1): error: no' >&2; exit 3\n") == 3);
  CHECK(text(folder / "stderr") == "x.cu(1): error: no\n");
  fs::remove_all(folder);
}
