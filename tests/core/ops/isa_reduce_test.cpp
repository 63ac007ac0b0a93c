/// The sums of every instruction set that this CPU has, against plain loops.
#include <catch2/catch.hpp>
#include <vector>

#define TENON_ISA_FILE "ops/simd/reduce.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

/// Small whole numbers: their sums are exact in whatever order and type.
template <class T>
std::vector<T> numbers(std::int64_t n) {
  std::vector<T> x;
  for (std::int64_t i = 0; i < n; ++i) {
    const int v = int(i * 7 % 11) - (std::is_unsigned_v<T> ? 0 : 4);
    if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>)
      x.push_back(T(float(v)));
    else
      x.push_back(T(v));
  }
  return x;
}

template <class T, class O>
void check_rows(decltype(&isa_base::sum_rows<T, O>) of, std::int64_t rows, std::int64_t n) {
  const std::vector<T> x = numbers<T>(rows * n);
  std::vector<O> got(std::size_t(rows), O(-1)), expected(std::size_t(rows), O(0));
  of(x.data(), rows, n, got.data());
  for (std::size_t e = 0; e < x.size(); ++e) expected[e / std::size_t(n)] += O(isa_base::widen(x[e]));
  INFO(rows << " rows of " << n << ", bytes " << sizeof(T));
  CHECK(got == expected);
}

/// The first `width` columns of rows of `stride`, which are dense where the two are the same.
template <class T, class O>
void check_columns(decltype(&isa_base::sum_columns<T, O>) of, std::int64_t count, std::int64_t rows, std::int64_t stride,
                   std::int64_t width) {
  const std::vector<T> x = numbers<T>(count * rows * stride);
  std::vector<O> got(std::size_t(count * width), O(-1)), expected(std::size_t(count * width), O(0));
  of(x.data(), count, rows, stride, width, got.data());
  for (std::int64_t c = 0; c < count; ++c)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t i = 0; i < width; ++i)
        expected[std::size_t(c * width + i)] += O(isa_base::widen(x[std::size_t((c * rows + r) * stride + i)]));
  INFO(count << " blocks, " << rows << " rows of " << width << " in " << stride << ", bytes " << sizeof(T));
  CHECK(got == expected);
}

template <class T, class O>
void check_type() {
  std::vector<decltype(&isa_base::sum_rows<T, O>)> rows_of{isa_base::sum_rows<T, O>};
  std::vector<decltype(&isa_base::sum_columns<T, O>)> columns_of{isa_base::sum_columns<T, O>};
#if defined(__x86_64__)
  if (isa_level() >= 1) rows_of.push_back(isa_avx2::sum_rows<T, O>), columns_of.push_back(isa_avx2::sum_columns<T, O>);
  if (isa_level() >= 2) rows_of.push_back(isa_avx512::sum_rows<T, O>), columns_of.push_back(isa_avx512::sum_columns<T, O>);
#endif
  for (auto of : rows_of)
    for (std::int64_t n : {1, 2, 3, 4, 5, 8, 9, 16, 21, 33, 127, 128, 163, 267, 4096}) check_rows<T, O>(of, 19, n);
  for (auto of : columns_of) {
    for (std::int64_t width : {2, 3, 4, 8, 16, 17, 31, 33, 64, 70}) {
      check_columns<T, O>(of, 3, 150, width, width);
      check_columns<T, O>(of, 2, 7, width, width);
      check_columns<T, O>(of, 1, 9, width + 5, width);
    }
    check_columns<T, O>(of, 1, 5, 1100, 1024);
  }
}

}  // namespace

TEST_CASE("every instruction set sums rows and columns of every type", "[reduce][isa]") {
  check_type<float, float>();
  check_type<double, double>();
  check_type<f16, float>();
  check_type<bf16, float>();
  check_type<std::int8_t, std::int64_t>();
  check_type<std::uint8_t, std::int64_t>();
  check_type<std::int16_t, std::int64_t>();
  check_type<std::int32_t, std::int64_t>();
  check_type<std::int64_t, std::int64_t>();
}
