// Memory that kernels take for themselves: counted, given back, and told where there is none.
#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>

#include "backend/cuda/check.cuh"
#include "backend/cuda/scratch.cuh"
#include "backend/cuda/upload.cuh"
#include "cuda/device.hpp"
#include "cuda_on_cpu/runtime/memory.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"
#include "tenon/memory.hpp"

using namespace tenon;
using namespace tenon::cuda;

namespace {

/// The signal that ends a child which does `work`, and what it says.
int ended_by(const std::function<void()>& work, std::string& said) {
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipes[1], STDERR_FILENO);
    work();
    _exit(0);
  }
  close(pipes[1]);
  char text[256];
  for (ssize_t n; (n = read(pipes[0], text, sizeof text)) > 0;) said.append(text, std::size_t(n));
  close(pipes[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

std::size_t workspace() { return memory_use(DeviceType::cuda)[std::size_t(MemoryTag::workspace)].in_use; }

}  // namespace

TEST_CASE("what kernels take for themselves is counted as workspace until it is given back", "[cuda_on_cpu]") {
  TENON_NEEDS_DEVICE();
  const std::size_t before = workspace(), in_use = allocator(DeviceType::cuda).stats().in_use;
  {
    const auto table = upload(std::vector<int>(1000, 7));
    CHECK(workspace() == before + 4000);
    CHECK(allocator(DeviceType::cuda).stats().in_use == in_use + 4000);
    int last = 0;
    CHECK(cudaMemcpy(&last, table.get() + 999, sizeof last, cudaMemcpyDeviceToHost) == cudaSuccess);
    CHECK(last == 7);
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

TEST_CASE("a kernel is given operands of one device", "[cuda_on_cpu]") {
  TENON_NEEDS_DEVICE();
  const Tensor here = Tensor::zeros({3}, DType::f32, kCpu), there = Tensor::zeros({3}, DType::f32, under_test::kDevice);
  int ran = 0;
  const Kernel kernel = [&](void* const*) { ++ran; };
  CHECK_THROWS_WITH(launch("mine", {here}, {there}, kernel), Catch::Contains("mine: ") && Catch::Contains("are on different devices"));
  CHECK_THROWS_WITH(launch("mine", {there, here}, {}, kernel), Catch::Contains("are on different devices"));
  launch("mine", {there}, {there}, kernel);
  launch("mine", {}, {here}, kernel);
  CHECK(ran == 2);
}

TEST_CASE("the host cannot touch device memory, but between kernels and copies that do", "[cuda_on_cpu]") {
  namespace shim = cuda::on_cpu;
  auto* const at = static_cast<volatile int*>(shim::take(64));
  std::string said;
  shim::close_to_host();
  CHECK(ended_by([&] { *at = 1; }, said) == SIGSEGV);
  CHECK(ended_by([&] { _exit(*at); }, said) == SIGSEGV);
  said.clear();
  CHECK(ended_by([&] { const shim::Open open; *at = 1; }, said) == 0);
  CHECK(said.empty());
  shim::give_back(const_cast<int*>(at));
  CHECK(ended_by([&] { *at = 1; }, said) == SIGSEGV);  // nor when it was given back
  shim::close_to_host(false);
}
