/// The normalisation and uniform loops of every instruction set that this CPU has, against each other.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/ops/gradient_check.hpp"

#define TENON_ISA_FILE "ops/simd/norm.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

struct Loops {
  decltype(&isa_base::norm_stats<bf16>) stats;
  decltype(&isa_base::norm_apply<bf16>) apply;
  decltype(&isa_base::norm_sums<bf16>) sums;
  decltype(&isa_base::norm_gradient<bf16>) gradient;
  decltype(&isa_base::row_norm<bf16>) row;
};

std::vector<Loops> available() {
  std::vector<Loops> all{{isa_base::norm_stats<bf16>, isa_base::norm_apply<bf16>, isa_base::norm_sums<bf16>, isa_base::norm_gradient<bf16>,
                          isa_base::row_norm<bf16>}};
#if defined(__x86_64__)
  if (isa_level() >= 1)
    all.push_back({isa_avx2::norm_stats<bf16>, isa_avx2::norm_apply<bf16>, isa_avx2::norm_sums<bf16>, isa_avx2::norm_gradient<bf16>,
                   isa_avx2::row_norm<bf16>});
  if (isa_level() >= 2)
    all.push_back({isa_avx512::norm_stats<bf16>, isa_avx512::norm_apply<bf16>, isa_avx512::norm_sums<bf16>, isa_avx512::norm_gradient<bf16>,
                   isa_avx512::row_norm<bf16>});
#endif
  return all;
}

std::vector<double> wide(const std::vector<bf16>& v) {
  std::vector<double> out;
  for (bf16 b : v) out.push_back(double(float(b)));
  return out;
}

}  // namespace

TEST_CASE("every instruction set normalises alike", "[norm][isa]") {
  for (std::int64_t C : {1, 5, 16, 37, 64, 131, 555}) {
    INFO(C << " channels");
    const std::int64_t V = C > 500 ? 140 : 300;
    const std::size_t n = std::size_t(V * C), c = std::size_t(C);
    Tensor xt = random_normal({V, C}, 1, 1, 2, 3).to(DType::bf16), dyt = random_normal({V, C}, 1, 2).to(DType::bf16);
    const bf16 *x = xt.data<bf16>(), *dy = dyt.data<bf16>();
    std::vector<float> mean(c, 1.9f), gain(c, 0.4f), shift(c, 0.1f), offset(c, 0.01f), pull(c, -0.02f), row_mean(1), row_rstd(1);
    std::vector<std::vector<double>> results;
    for (const Loops& loops : available()) {
      std::vector<double> a(c), b(c), g(c), gx(c);
      std::vector<bf16> y(n), dx(n), row(c);
      loops.stats(x, V, C, a.data(), b.data());
      loops.apply(x, y.data(), V, C, mean.data(), gain.data(), shift.data(), 0.01f);
      loops.sums(x, dy, V, C, mean.data(), gain.data(), shift.data(), 0.01f, g.data(), gx.data());
      loops.gradient(x, dy, dx.data(), V, C, mean.data(), gain.data(), shift.data(), 0.01f, offset.data(), pull.data());
      loops.row(x, row.data(), C, gain.data(), shift.data(), 1e-5, row_mean.data(), row_rstd.data());
      std::vector<double> all;
      for (const auto& part : {a, b, g, gx, wide(y), wide(dx), wide(row)}) all.insert(all.end(), part.begin(), part.end());
      results.push_back(all);
    }
    // f32 sums differ by rounding, bf16 results by at most one unit in the last of their 8 bits.
    for (std::size_t i = 1; i < results.size(); ++i) {
      std::size_t sums = 4 * c;
      check::require_close({results[i].begin(), results[i].begin() + std::ptrdiff_t(sums)},
                           {results[0].begin(), results[0].begin() + std::ptrdiff_t(sums)}, 2e-4);
      check::require_close({results[i].begin() + std::ptrdiff_t(sums), results[i].end()},
                           {results[0].begin() + std::ptrdiff_t(sums), results[0].end()}, 8e-3);
    }
  }
}
