/// The loops of softmax of every instruction set that this CPU has, against each other; the exponential of vectors against that of numbers.
#include <bit>

#include "core/ops/gradient_check.hpp"

#define TENON_ISA_FILE "ops/simd/softmax.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

#if defined(__x86_64__)
#define TENON_EVERY_ISA(...)                                                                    \
  {                                                                                             \
    &isa_base::__VA_ARGS__, isa_level() >= 1 ? &isa_avx2::__VA_ARGS__ : &isa_base::__VA_ARGS__, \
        isa_level() >= 2 ? &isa_avx512::__VA_ARGS__ : &isa_base::__VA_ARGS__                    \
  }
#else
#define TENON_EVERY_ISA(...) \
  { &isa_base::__VA_ARGS__ }
#endif

}  // namespace

TEST_CASE("every instruction set computes softmax alike", "[softmax][isa]") {
  using Rows = decltype(&isa_base::softmax_rows<float, false>);
  using Columns = decltype(&isa_base::softmax_columns<float, false>);
  for (std::int64_t K : {7, 17, 31, 100}) {
    INFO(K << " classes");
    const Tensor x = random_normal({45, K}, 1, 1, 0, 3);
    const auto run = [&](Rows rows) {
      std::vector<float> y(std::size_t(x.numel()));
      rows(x.data<float>(), y.data(), 45, K);
      return std::vector<double>(y.begin(), y.end());
    };
    const auto run_columns = [&](Columns columns) {
      std::vector<float> y(std::size_t(x.numel())), kept(45 * isa_base::kColumns);
      columns(x.data<float>(), y.data(), 45, K, K, kept.data());
      return std::vector<double>(y.begin(), y.end());
    };
    for (Rows f : TENON_EVERY_ISA(softmax_rows<float, false>))
      check::require_close(run(f), run(isa_base::softmax_rows<float, false>), 1e-6);
    for (Rows f : TENON_EVERY_ISA(softmax_rows<float, true>)) check::require_close(run(f), run(isa_base::softmax_rows<float, true>), 1e-6);
    for (Columns f : TENON_EVERY_ISA(softmax_columns<float, false>))
      check::require_close(run_columns(f), run_columns(isa_base::softmax_columns<float, false>), 1e-6);
  }
}

TEST_CASE("the exponential of vectors has the bits of the one of numbers", "[softmax][isa]") {
  // of one row and from a top of 0, the pieces that long rows are written in are exponentials alone
  const std::int64_t n = 1 << 16;
  std::vector<float> x(n), y(n);
  for (std::int64_t i = 0; i < n; ++i) x[std::size_t(i)] = std::bit_cast<float>(std::uint32_t(i) * 65537u);
  isa_base::softmax_piece<float, false>(x.data(), y.data(), n, 0.0f, 1.0f);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!(std::isnan(x[i]) ? std::isnan(y[i]) : y[i] == exp_f32(x[i]))) FAIL(x[i] << ": " << y[i] << ", expected " << exp_f32(x[i]));
#if defined(__x86_64__)
  std::vector<float> z(n);
  const auto same = [&](auto wide, auto narrow) {  // fused multiply-adds in both, so bits; none in the plain set
    wide(x.data(), z.data(), n, 0.0f, 1.0f);
    narrow(x.data(), y.data(), n, 0.0f, 1.0f);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!(std::isnan(x[i]) ? std::isnan(z[i]) : y[i] == z[i])) FAIL(x[i] << ": " << z[i] << ", expected " << y[i]);
  };
  if (isa_level() >= 2) same(isa_avx512::softmax_piece<float, false>, isa_avx2::softmax_piece<float, false>);
#endif
}
