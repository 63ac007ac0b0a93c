#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/with_backend.hpp"

using namespace cli;
using nlohmann::json;

namespace {

/// A backend of made-up cards.
struct WithCards : WithBackend {
  WithCards() : WithBackend(FAKE_BACKEND) {}
  Result devices(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) const {
    arguments.insert(arguments.begin(), "devices");
    return run(arguments, environment);
  }
};

std::string line_with(const std::string& text, const std::string& word) {
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return {};
  const std::size_t begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

}  // namespace

TEST_CASE("devices are told with bandwidth and libraries") {
  const WithCards site;
  const Result text = site.devices({});
  INFO(text.out << text.err);
  REQUIRE(text.status == 0);
  CHECK(text.prints("bandwidth (theoretical)"));
  const std::string card = line_with(text.out, "Some card"), old = line_with(text.out, "Old card");
  for (const char* part : {"cuda:0", "85.9 GB", "3352 GB/s", "9.0", "CUDA 13.0, runtime 13.0", "yes"}) CHECK(card.find(part) != std::string::npos);
  CHECK(old.find("GB/s") == std::string::npos);
  CHECK(old.find("no: compute capability 7.0 is below 8.0") != std::string::npos);
  CHECK(text.prints("cuda:0 computes with cuBLASLt 13.1.0, cuDNN 9.19.0\n"));
  CHECK_FALSE(text.prints("cuda:1 computes"));

  const json devices = json::parse(site.devices({"--json"}).out)["devices"];
  REQUIRE(devices.size() == 3);
  CHECK(devices[1]["theoretical_bandwidth"] == 3.35232e12);
  CHECK(devices[1]["libraries"] == json{{"cuBLASLt", "13.1.0"}, {"cuDNN", "9.19.0"}});
  for (int other : {0, 2}) {
    CHECK(devices[std::size_t(other)]["theoretical_bandwidth"].is_null());
    CHECK(devices[std::size_t(other)]["libraries"] == json::object());
  }
  CHECK(devices[2]["usable"] == false);
}

TEST_CASE("a backend is not loaded where there is no driver") {
  const WithCards site;
  fs::remove(site.folder.path / "libcuda.so.1");
  std::ofstream(site.folder.path / "libcuda.so.1") << "not one";  // in the way of the machine's own
  const Result text = site.devices({});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK(line_with(text.out, "cuda:0").find("no: NVIDIA's driver cannot be loaded: ") != std::string::npos);
  CHECK_FALSE(text.prints("Some card"));
}

TEST_CASE("where there is a driver, a core without a backend says so") {
  const WithCards site;
  fs::remove(site.folder.path / "libtenon_cuda.so");
  const Result text = site.devices({});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK(line_with(text.out, "cuda:0").find("no: there is a driver, but no ") != std::string::npos);
  const Result asked = site.run({"doctor", "--json"});
  CHECK(asked.prints("built without a CUDA toolkit"));
}

TEST_CASE("a backend of another build is not used, and the table keeps to what is known") {
  const WithCards site;
  const Result text = site.devices({}, {"FAKE_BACKEND_ABI=1"});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK(text.prints("libtenon_cuda.so was built for another core"));
  CHECK_FALSE(text.prints("bandwidth"));
  CHECK_FALSE(text.prints("computes with"));
  CHECK_FALSE(text.prints("Some card"));
}
