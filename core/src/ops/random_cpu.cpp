/// The CPU kernels of the random fills.
#include "ops/random_kernels.hpp"
#include "tenon/random.hpp"

#define TENON_ISA_FILE "ops/simd/random.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTask = 8192;

Kernel uniform(const RandomFill& p) {
  auto loop = TENON_BY_ISA(uniform_range);
  return [p, loop](void* const* o) {
    float* y = static_cast<float*>(o[0]);
    parallel_blocks(p.count, kTask, [&](std::int64_t begin, std::int64_t end) {
      loop(p.seed, p.stream, std::uint64_t(begin), end - begin, p.a, p.b - p.a, largest_below(p), y + begin);
    });
  };
}

Kernel normal(const RandomFill& p) {
  auto loop = TENON_BY_ISA(normal_range);
  return [p, loop](void* const* o) {
    float* y = static_cast<float*>(o[0]);
    const Random random(p.seed, p.stream);
    parallel_blocks(p.count, kTask,
                    [&](std::int64_t begin, std::int64_t end) { loop(random, std::uint64_t(begin), end - begin, p.a, p.b, y + begin); });
  };
}

}  // namespace

KernelSlot<const RandomFill&> random_uniform_kernel("random_uniform", uniform);
KernelSlot<const RandomFill&> random_normal_kernel("random_normal", normal);

}  // namespace tenon
