// What the backend tells of a machine, and what it says where CUDA fails.
#include <catch2/catch.hpp>

#include "backend/backend.hpp"
#include "backend/cuda/check.cuh"
#include "backend/cuda/packs.cuh"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/machine.hpp"
#include "tenon/ops.hpp"
#include "tenon/storage.hpp"

using namespace tenon;
using cuda::on_cpu::Machine;

extern "C" tenon::CudaBackend tenon_cuda_backend;

namespace {

std::vector<DeviceInfo> devices_of(const Machine& m) {
  REQUIRE(under_test::has_device());
  cuda::on_cpu::machine() = m;
  std::vector<DeviceInfo> all = tenon_cuda_backend.devices();
  cuda::on_cpu::machine() = {};
  return all;
}

}  // namespace

TEST_CASE("a machine's cards are told with what they have", "[cuda_on_cpu][devices]") {
  const std::vector<DeviceInfo> all = devices_of({.majors = {9, 9, 7, 0}, .kilohertz = 2619000, .bits = 5120});
  REQUIRE(all.size() == 4);
  CHECK(all[0].usable);
  CHECK(all[0].device == Device{DeviceType::cuda, 0});
  CHECK(all[0].name == "CUDA on the CPU");
  CHECK(all[0].memory_bytes > 0);
  CHECK(all[0].bandwidth == Approx(3352.32e9));
  CHECK(all[0].capability == "9.0");
  CHECK(all[0].driver == "CUDA 12.4, runtime 12.4");
  for (std::size_t i = 1; i < 4; ++i) CHECK_FALSE(all[i].usable);
  CHECK(all[1].reason == "a process works on one GPU: CUDA_VISIBLE_DEVICES=1 makes it this one");
  CHECK(all[2].reason == "compute capability 7.0 is below 8.0");
  CHECK(all[3].reason == "its properties cannot be read");
  CHECK(devices_of({})[0].bandwidth == 0);  // the driver does not tell
}

TEST_CASE("why a machine has no card is told", "[cuda_on_cpu][devices]") {
  for (const auto& [machine, reason] : {std::pair<Machine, const char*>{{.driver = 0}, "no NVIDIA driver on this machine"},
                                        {{.counted = cudaErrorNotSupported, .majors = {}}, "no usable device: cudaErrorNotSupported"}}) {
    const std::vector<DeviceInfo> all = devices_of(machine);
    REQUIRE(all.size() == 1);
    CHECK_FALSE(all[0].usable);
    CHECK(all[0].reason == reason);
  }
}

TEST_CASE("a second card is refused, and what CUDA refuses is told by the call", "[cuda_on_cpu][devices]") {
  REQUIRE(under_test::has_device());
  CHECK_THROWS_WITH(allocator(DeviceType::cuda).allocate(8, 1), Catch::Matchers::StartsWith("cuda:1: a process works on one GPU, cuda:0"));
  CHECK_THROWS_WITH(cuda::check(cudaErrorInvalidValue, "cudaCall"), Catch::Matchers::StartsWith("cudaCall: cudaErrorInvalidValue (cudaErrorInvalidValue)"));
  CHECK(cuda::grid_blocks(0x7fffffff) == 0x7fffffffu);
  CHECK_THROWS_WITH(cuda::grid_blocks(std::int64_t(1) << 31), Catch::Matchers::StartsWith("2147483648 blocks of threads are more than a device takes"));
}
