/// The rows of two operands of every instruction set that this CPU has, against plain loops.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#define TENON_ISA_FILE "ops/simd/elementwise.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;
using kernels::Binary;

namespace {

template <Binary K, class T>
void check_rows() {
  std::vector<RowsLoop<T>> all{isa_base::binary_rows<K, T>};
#if defined(__x86_64__)
  if (isa_level() >= 1) all.push_back(isa_avx2::binary_rows<K, T>);
  if (isa_level() >= 2) all.push_back(isa_avx512::binary_rows<K, T>);
#endif
  const std::int64_t rows = 3;
  std::vector<T> x(200), y(200);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = T(float(i % 23) - 9), y[i] = T(float(i % 17) / 4 + 1);
  for (auto of : all)
    for (std::int64_t n : {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 50})
      for (auto [x_step, y_step] : {std::pair{1, 1}, {0, 1}, {1, 0}}) {
        const std::int64_t x_row = x_step ? n + 2 : 1, y_row = y_step ? 0 : 3, z_row = n + 1;
        std::vector<T> got(std::size_t(rows * z_row), T(-99.0f)), expected = got;
        of({rows, n, x.data(), y.data(), got.data(), x_step, y_step, x_row, y_row, z_row});
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t i = 0; i < n; ++i)
            expected[std::size_t(r * z_row + i)] =
                T(kernels::BinaryOp<K>{}(Acc<T>(x[std::size_t(r * x_row + i * x_step)]), Acc<T>(y[std::size_t(r * y_row + i * y_step)])));
        INFO("op " << int(K) << ", rows of " << n << ", steps " << x_step << " and " << y_step << ", bytes " << sizeof(T));
        CHECK(std::memcmp(got.data(), expected.data(), got.size() * sizeof(T)) == 0);
      }
}

}  // namespace

TEST_CASE("every instruction set goes over rows of two operands", "[elementwise][isa]") {
  check_rows<Binary::add, float>();
  check_rows<Binary::sub, float>();
  check_rows<Binary::mul, float>();
  check_rows<Binary::div, float>();
  check_rows<Binary::add, double>();
  check_rows<Binary::sub, double>();
  check_rows<Binary::mul, double>();
  check_rows<Binary::div, double>();
  check_rows<Binary::add, f16>();
  check_rows<Binary::div, f16>();
}
