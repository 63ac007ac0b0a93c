// Memory that kernels take for themselves: counted, given back, and told where there is none.
#include <catch2/catch.hpp>

#include "backend/cuda/scratch.cuh"
#include "backend/cuda/upload.cuh"
#include "cuda/device.hpp"
#include "memory.hpp"
#include "tenon/error.hpp"
#include "tenon/memory.hpp"

using namespace tenon;
using namespace tenon::cuda;

namespace {

std::size_t workspace() { return memory_use(DeviceType::cuda)[std::size_t(MemoryTag::workspace)].in_use; }

}  // namespace

TEST_CASE("what kernels take for themselves is counted as workspace until it is given back", "[cuda_on_cpu]") {
  TENON_NEEDS_DEVICE();
  const std::size_t before = workspace(), in_use = allocator(DeviceType::cuda).stats().in_use;
  {
    const auto table = upload(std::vector<int>(1000, 7));
    CHECK(workspace() == before + 4000);
    CHECK(allocator(DeviceType::cuda).stats().in_use == in_use + 4000);
    CHECK(table.get()[999] == 7);
  }
  CHECK(workspace() == before);
}

TEST_CASE("kernels share what they work in, and it grows", "[cuda_on_cpu]") {
  TENON_NEEDS_DEVICE();
  const auto first = scratch(1000);
  CHECK(first->bytes() >= 1000);
  CHECK(scratch(1000) == first);
  const auto second = scratch(first->bytes() + 1);
  CHECK(second->bytes() >= 2 * first->bytes());
  CHECK(scratch(10) == second);
}

TEST_CASE("a kernel that finds no memory says who holds it", "[cuda_on_cpu]") {
  namespace shim = cuda::on_cpu;
  TENON_NEEDS_DEVICE();
  const auto held = upload(std::vector<int>(1000));
  struct Small {
    Small() { shim::set_memory_size(shim::bytes_in_use() + 1000); }
    ~Small() { shim::set_memory_size(0); }
  } small;
  CHECK_THROWS_WITH(upload(std::vector<int>(1000)), Catch::Contains("out of device memory: asked for") && Catch::Contains("workspace"));
}
