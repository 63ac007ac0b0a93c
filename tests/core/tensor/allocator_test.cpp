#include <catch2/catch.hpp>
#include <cstdint>
#include <thread>

#include "tenon/error.hpp"
#include "tenon/memory.hpp"
#include "tenon/storage.hpp"
#include "tenon/tensor.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

TEST_CASE("the CPU allocator counts what is in use and reuses what was freed", "[allocator]") {
  Allocator& cpu = allocator(DeviceType::cpu);
  cpu.trim();
  const auto before = cpu.stats();
  CHECK(before.cached == 0);
  void* first = cpu.allocate(1000, 0);
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  CHECK(cpu.stats().in_use == before.in_use + 1024);
  CHECK(cpu.stats().allocations == before.allocations + 1);
  cpu.deallocate(first, 1000, 0);
  CHECK(cpu.stats().in_use == before.in_use);
  CHECK(cpu.stats().cached == 1024);
  CHECK(cpu.allocate(1010, 0) == first);  // the same rounded size
  CHECK(cpu.stats().cached == 0);
  cpu.deallocate(first, 1010, 0);
  cpu.trim();
  CHECK(cpu.stats().cached == 0);
}

TEST_CASE("the CPU allocator keeps no more than its limit", "[allocator]") {
  Allocator& cpu = allocator(DeviceType::cpu);
  cpu.trim();
  constexpr std::size_t kBlock = std::size_t(64) << 20, kLimit = std::size_t(256) << 20;
  std::vector<void*> blocks;
  for (int i = 0; i < 6; ++i) blocks.push_back(cpu.allocate(kBlock, 0));
  CHECK(cpu.stats().peak >= 6 * kBlock);
  for (void* p : blocks) cpu.deallocate(p, kBlock, 0);
  CHECK(cpu.stats().cached == kLimit);
  cpu.trim();
  CHECK(cpu.stats().cached == 0);
}

TEST_CASE("tensors give their memory back", "[allocator]") {
  Allocator& cpu = allocator(DeviceType::cpu);
  const std::size_t before = cpu.stats().in_use;
  {
    Tensor t = Tensor::zeros({1000});
    Tensor view = t.narrow(0, 10, 5);
    t = {};
    CHECK(cpu.stats().in_use == before + 4032);  // the view holds the whole buffer
  }
  CHECK(cpu.stats().in_use == before);
}

TEST_CASE("the allocator serves several threads", "[allocator]") {
  Allocator& cpu = allocator(DeviceType::cpu);
  const std::size_t before = cpu.stats().in_use;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i)
        cpu.deallocate(cpu.allocate(std::size_t(64 * (1 + (i * 7 + t) % 30)), 0), std::size_t(64 * (1 + (i * 7 + t) % 30)), 0);
    });
  for (auto& t : threads) t.join();
  CHECK(cpu.stats().in_use == before);
}

TEST_CASE("impossible sizes are refused with the size in the message", "[allocator]") {
  CHECK_THROWS_WITH(Tensor::empty({std::int64_t(1) << 61}, DType::f64), Contains("does not fit an address space"));
  CHECK_THROWS_WITH(Tensor::empty({std::int64_t(1) << 40, std::int64_t(1) << 40}), Contains("does not fit 63 bits"));
#if !defined(__SANITIZE_ADDRESS__)  // which ends the process on such a request
  std::vector<Tensor> held;
  {
    const MemoryScope tag(MemoryTag::parameters);
    held.push_back(Tensor::zeros({3 << 20}));
  }
  try {
    Tensor::empty({std::int64_t(1) << 58}, DType::u8);
    FAIL("2^58 bytes were given out");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::device);
    CHECK(e.code() == "memory.exhausted");
    CHECK_THAT(e.what(), Contains("288230376151711744"));
    CHECK_THAT(e.what(), Contains("parameters 12"));  // who holds what, the most first
    CHECK_THAT(e.what(), Contains(" in use: "));
  }
  const auto hint_of = [](MemoryTag tag) {
    const MemoryScope scope(tag);
    try {
      Tensor::empty({std::int64_t(1) << 58}, DType::u8);
    } catch (const Error& e) {
      CHECK_THAT(e.what(), Contains("(288230376151711744 bytes of " + std::string(name_of(tag)) + ")"));
      return e.hint();
    }
    return std::string();
  };
  CHECK_THAT(hint_of(MemoryTag::activations), Contains("smaller batch"));  // though parameters hold the most
  CHECK_THAT(hint_of(MemoryTag::optimiser), Contains("smaller model"));
#endif
}
