/// The loops of softmax of every instruction set that this CPU has, against each other; the exponential of vectors against that of numbers.
#include <bit>

#include "core/ops/gradient_check.hpp"
#include "core/ops/ulps.hpp"

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

TEMPLATE_TEST_CASE("the exponential of vectors has the bits of the one of numbers", "[softmax][isa]", float, double) {
  // of one row and from a top of 0, the pieces that long rows are written in are exponentials alone
  using T = TestType;
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  const std::int64_t n = 1 << 16;
  std::vector<T> x(n), y(n);
  for (std::int64_t i = 0; i < n; ++i) x[std::size_t(i)] = std::bit_cast<T>(Bits(i) * Bits(sizeof(T) == 8 ? 281479271743489u : 65537u));
  for (std::int64_t i = 0; i < n; i += 3) x[std::size_t(i)] = T(double(i) / double(n) * 1500 - 760);  // all that is neither 0 nor infinite
  const auto run = [&](auto piece, std::vector<T>& to) { piece(x.data(), to.data(), n, T(0), T(1)); };
  const auto same = [&](const auto& expected) {
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!(std::isnan(x[i]) ? std::isnan(y[i]) : y[i] == expected(i))) FAIL(x[i] << ": " << y[i] << ", expected " << expected(i));
  };
  run(isa_base::softmax_piece<T, false>, y);
  same([&](std::size_t i) { return exp_loop(x[i]); });
#if defined(__x86_64__)
  std::vector<T> z(n);
  if (isa_level() >= 2) {  // fused multiply-adds in both, so bits; none in the plain set
    run(isa_avx512::softmax_piece<T, false>, y);
    run(isa_avx2::softmax_piece<T, false>, z);
    same([&](std::size_t i) { return z[i]; });
  }
#endif
}

TEST_CASE("exponentials and sums of f64 are near those of long double", "[softmax][isa]") {
  for (std::int64_t K : {3, 10, 17, 45, 100}) {
    INFO(K << " classes");
    const std::int64_t rows = 70;
    const Tensor x = random_normal({rows, K}, 1, 1, 0, 40).to(DType::f64);
    std::vector<double> y(std::size_t(x.numel())), log_y(y.size());
    for (auto rows_loop : TENON_EVERY_ISA(softmax_rows<double, false>)) {
      rows_loop(x.data<double>(), y.data(), rows, K);
      for (std::int64_t r = 0; r < rows; ++r) {
        const double* row = x.data<double>() + r * K;
        const long double top = *std::max_element(row, row + K);
        long double sum = 0;
        for (std::int64_t k = 0; k < K; ++k) sum += std::exp(row[k] - top);
        for (std::int64_t k = 0; k < K; ++k) REQUIRE(check::ulps(y[std::size_t(r * K + k)], std::exp(row[k] - top) / sum) <= 6);
      }
    }
    for (auto rows_loop : TENON_EVERY_ISA(softmax_rows<double, true>)) {
      rows_loop(x.data<double>(), log_y.data(), rows, K);
      for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(std::abs(std::exp(log_y[i]) - y[i]) <= 1e-15 + 1e-13 * y[i]);
    }
  }
}
