#include "plugin_check/memory.hpp"

#include <malloc.h>

#include <chrono>
#include <cstdint>

#include "plugin_check/runner.hpp"
#include "tenon/storage.hpp"

namespace tenon::command {
namespace {

struct InUse {
  std::int64_t tensors, others;
};

/// The allocator behind tensors takes from malloc, and keeps freed blocks.
InUse in_use() {
  const Allocator::Stats ours = allocator(DeviceType::cpu).stats();
  const auto all = ::mallinfo2();
  return {std::int64_t(ours.in_use), std::int64_t(all.uordblks + all.hblkhd) - std::int64_t(ours.in_use + ours.cached)};
}

}  // namespace

void expect_memory_returned(const std::function<void()>& work, int calls, double seconds, const std::string& what) {
  constexpr std::int64_t kNoise = 4096;  // bytes a call: opening and closing a file costs some libraries two thousand
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  for (int i = 0; i < 3; ++i) work();
  const InUse first = in_use();
  const auto half = [&](double share) {
    int done = 0;
    while (done < calls / 2 && (done < 4 || Clock::now() < until - std::chrono::duration<double>(share * seconds))) work(), ++done;
    return done;
  };
  const int one = half(0.5);
  const InUse middle = in_use();
  const int two = half(0);
  const InUse last = in_use();
  expect(last.tensors <= first.tensors, "tensors of " + std::to_string((last.tensors - first.tensors) / (one + two)) + " bytes stay of each " + what);
  const std::int64_t grown = (last.others - middle.others) / two;
  expect((middle.others - first.others) / one < kNoise || grown < kNoise, "memory of malloc is lost: " + std::to_string(grown) + " bytes with each " + what);
}

}  // namespace tenon::command
