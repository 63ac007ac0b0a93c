/// The softmax-like loops of every instruction set that this CPU has, against each other.
#include "core/ops/gradient_check.hpp"

#define TENON_ISA_FILE "ops/simd/loss.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

TEST_CASE("every instruction set sums and differentiates label losses alike", "[loss][isa]") {
  for (std::int64_t K : {2, 3, 5, 11, 40}) {
    INFO(K << " classes");
    const std::int64_t rows = 333;
    Tensor logits = random_normal({rows, K}, 1, 1, 0, 3);
    std::vector<std::int32_t> labels(rows);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = std::int32_t(std::int64_t(i) * 5 / 3 % K);
    std::vector<DiceSlope<float>> slope(256, {-0.3f, 0.2f});
    std::vector<decltype(&isa_base::label_sums<float, true>)> sums{isa_base::label_sums<float, true>};
    std::vector<decltype(&isa_base::label_gradient<float, true>)> gradient{isa_base::label_gradient<float, true>};
#if defined(__x86_64__)
    if (isa_level() >= 1) sums.push_back(isa_avx2::label_sums<float, true>), gradient.push_back(isa_avx2::label_gradient<float, true>);
    if (isa_level() >= 2) sums.push_back(isa_avx512::label_sums<float, true>), gradient.push_back(isa_avx512::label_gradient<float, true>);
#endif
    std::vector<std::vector<double>> results;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      std::vector<double> all(std::size_t(1 + 3 * K));
      std::vector<float> d(std::size_t(rows * K));
      sums[i](logits.data<float>(), labels.data(), rows, K, all.data());
      gradient[i](logits.data<float>(), labels.data(), d.data(), rows, K, 0.5f, slope.data());
      all.insert(all.end(), d.begin(), d.end());
      results.push_back(all);
    }
    for (std::size_t i = 1; i < results.size(); ++i) check::require_close(results[i], results[0], 1e-5);
  }
}
