/// The loops of pooling of every instruction set that this CPU has, against each other.
#include "core/ops/gradient_check.hpp"
#include "ops/pool_rows.hpp"

#define TENON_ISA_FILE "ops/simd/pool.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

/// Maxima, their places and averages of one row of windows of 3 by 4.
template <class Max, class Average>
std::vector<double> pooled(const Pooling& p, const std::vector<float>& x, Max max, Average average) {
  const std::size_t n = std::size_t(p.axes[2].out * p.channels);
  std::vector<float> y(n);
  std::vector<std::int32_t> index(n);
  const PoolRow row{0, 0, 0, p.axes[2].out};
  max(p, x.data(), y.data(), index.data(), row);
  std::vector<double> all(y.begin(), y.end());
  all.insert(all.end(), index.begin(), index.end());
  average(p, x.data(), y.data(), row, 1.0f / 12);
  all.insert(all.end(), y.begin(), y.end());
  return all;
}

}  // namespace

TEST_CASE("every instruction set pools to the same bits", "[pool][isa]") {
  for (std::int64_t C : {1, 3, 4, 8, 20, 70})
    for (std::int64_t stride : {1, 2, 5}) {
      INFO(C << " channels, stride " << stride);
      PoolAxis height{3, 1, 3, 1, 0}, width{400, 0, 4, stride, 2};
      width.out = (width.in + 2 * width.padding - width.kernel) / stride + 1;
      const Pooling p{DType::f32, 1, C, {PoolAxis{}, height, width}};
      const Tensor x = floor(random_normal({3 * 400 * C}, 1, 1, 0, 3));
      const std::vector<float> v(x.data<float>(), x.data<float>() + x.numel());
      const auto base = pooled(p, v, isa_base::max_pool_row<float, true>, isa_base::avg_pool_row<float>);
#if defined(__x86_64__)
      if (isa_level() >= 1) REQUIRE(pooled(p, v, isa_avx2::max_pool_row<float, true>, isa_avx2::avg_pool_row<float>) == base);
      if (isa_level() >= 2) REQUIRE(pooled(p, v, isa_avx512::max_pool_row<float, true>, isa_avx512::avg_pool_row<float>) == base);
#endif
    }
}
