/// The CPU kernels of the samplings.
#include <algorithm>

#include "kernels/sobol.hpp"
#include "ops/sampling_kernels.hpp"
#include "ops/sobol_directions.hpp"

#define TENON_ISA_FILE "ops/simd/sampling.inl"
#include "kernels/foreach_isa.hpp"

namespace tenon {
namespace {

constexpr std::int64_t kTask = 4096;

template <class Draw>
Kernel draw_each(std::int64_t count, const Draw& draw) {
  return [count, draw](void* const* o) {
    auto* y = static_cast<typename Draw::value_type*>(o[0]);
    parallel_blocks(count, kTask, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = draw(std::uint64_t(i));
    });
  };
}

template <class Draw>
Kernel draw_ranges(std::int64_t count, const Draw& draw) {
  const auto range = TENON_BY_ISA(draws<Draw>);
  return [count, draw, range](void* const* o) {
    auto* y = static_cast<typename Draw::value_type*>(o[0]);
    parallel_blocks(count, kTask, [&](std::int64_t begin, std::int64_t end) { range(draw, std::uint64_t(begin), end - begin, y + begin); });
  };
}

/// Short permutations have no network.
Kernel permutation(std::int64_t count, const PermutationDraw& draw) {
  return draw.permutation.size() <= std::int64_t(Permutation::kSmall) ? draw_each(count, draw) : draw_ranges(count, draw);
}

template <class T>
void sobol_rows(const SobolPoints& p, const std::uint32_t* directions, std::int64_t begin, std::int64_t end, T* y) {
  const Random random(p.seed, p.stream);
  for (std::int64_t d = 0; d < p.dimensions; ++d) {
    const std::uint32_t* v = directions + d * kSobolBits;
    // From point to point one digit of the Gray code changes.
    std::uint32_t x = sobol_bits(v, std::uint32_t(p.first + begin));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint32_t value = p.scrambled ? owen_scramble(x, random, std::uint32_t(d)) : x;
      y[i * p.dimensions + d] = unit_interval<T>(value);
      const std::uint32_t next = std::uint32_t(p.first + i) + 1;
      if (next != 0) x ^= v[__builtin_ctz(next)];
    }
  }
}

Kernel sobol_points(const SobolPoints& p) {
  const std::uint32_t* directions = sobol_directions();
  return [p, directions](void* const* o) {
    parallel_blocks(p.count, std::max<std::int64_t>(1, kTask / p.dimensions), [&](std::int64_t begin, std::int64_t end) {
      if (p.dtype == DType::f64)
        sobol_rows(p, directions, begin, end, static_cast<double*>(o[0]));
      else
        sobol_rows(p, directions, begin, end, static_cast<float*>(o[0]));
    });
  };
}

}  // namespace

KernelSlot<std::int64_t, const BernoulliDraw&> random_bernoulli_kernel("random_bernoulli", draw_ranges<BernoulliDraw>);
KernelSlot<std::int64_t, const IntegerDraw&> random_integers_kernel("random_integers", draw_ranges<IntegerDraw>);
KernelSlot<std::int64_t, const PermutationDraw&> random_permutation_kernel("random_permutation", permutation);
KernelSlot<std::int64_t, const ExponentialDraw&> random_exponential_kernel("random_exponential", draw_ranges<ExponentialDraw>);
KernelSlot<std::int64_t, const GammaDraw&> random_gamma_kernel("random_gamma", draw_each<GammaDraw>);
KernelSlot<const SobolPoints&> sobol_kernel("sobol", sobol_points);

}  // namespace tenon
