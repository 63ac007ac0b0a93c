/// Elementwise ops in the stored type and over blocks of short rows, against plain loops and dense operands.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tenon/complex.hpp"
#include "tenon/ops.hpp"
#include "tenon/random.hpp"

#define TENON_ISA_FILE "backend/cpu/simd/tiles.inl"
#include "kernels/foreach_isa.hpp"

using namespace tenon;

namespace {

using Op = Tensor (*)(const Tensor&, const Tensor&);
constexpr Op kArithmetic[] = {add, sub, mul, maximum, minimum};
constexpr Op kComparisons[] = {equal, less, greater, not_equal, less_equal, greater_equal};

template <class T>
Tensor all_kinds(std::int64_t n, std::uint64_t stream) {
  const Random random(5, stream);
  std::vector<T> x;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto words = random.bits(std::uint64_t(i));
    const std::uint64_t r = std::uint64_t(words[0]) << 32 | words[1];
    if constexpr (std::is_same_v<T, bool>)
      x.push_back(r % 3 == 0);
    else if constexpr (std::is_integral_v<T>)
      x.push_back(r % 5 == 0 ? std::numeric_limits<T>::min() : r % 5 == 1 ? std::numeric_limits<T>::max() : T(r >> 8));
    else
      x.push_back(r % 7 == 0   ? T(std::numeric_limits<float>::quiet_NaN())
                  : r % 7 == 1 ? T(std::numeric_limits<float>::infinity())
                               : T(float(std::int32_t(r >> 8) % 9)));
  }
  Tensor t = Tensor::empty({n}, dtype_of<T>);
  for (std::int64_t i = 0; i < n; ++i) t.data<T>()[i] = x[std::size_t(i)];
  return t;
}

/// What op k of kArithmetic gives: integers by 64-bit arithmetic that wraps, 16 bits by f32.
template <class T>
T plain(int k, T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    const auto a = std::int64_t(x), b = std::int64_t(y);
    const auto u = std::uint64_t(a), v = std::uint64_t(b);
    const std::int64_t z = k == 0   ? std::int64_t(u + v)
                           : k == 1 ? std::int64_t(u - v)
                           : k == 2 ? std::int64_t(u * v)
                           : k == 3 ? std::max(a, b)
                                    : std::min(a, b);
    return std::is_same_v<T, bool> ? T(z != 0) : T(z);
  } else {
    using A = std::conditional_t<std::is_same_v<T, bf16>, float, T>;
    const A a = A(x), b = A(y);
    return T(k == 0                           ? a + b
             : k == 1                         ? a - b
             : k == 2                         ? a * b
             : std::isnan(a) || std::isnan(b) ? A(NAN)
             : k == 3                         ? std::max(a, b)
                                              : std::min(a, b));
  }
}

template <class T>
double value(T v) {
  if constexpr (std::is_same_v<T, bf16>)
    return double(float(v));
  else
    return double(v);
}

template <class T>
void check_plain() {
  INFO(name_of(dtype_of<T>));
  const std::int64_t n = 1043;
  const Tensor x = all_kinds<T>(n, 1), y = all_kinds<T>(n, 2);
  const T *a = x.data<T>(), *b = y.data<T>();
  for (int k = 0; k < 5; ++k) {
    const Tensor z = kArithmetic[k](x, y);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const T expected = plain(k, a[i], b[i]), got = z.data<T>()[i];
      if constexpr (std::is_integral_v<T>)
        wrong += got != expected;
      else
        wrong += std::isnan(value(expected)) ? !std::isnan(value(got)) : value(got) != value(expected);
    }
    INFO("arithmetic " << k);
    CHECK(wrong == 0);
  }
  for (int k = 0; k < 6; ++k) {
    const Tensor z = kComparisons[k](x, y);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto compare = [k](auto u, auto v) {
        return k == 0 ? u == v : k == 1 ? u < v : k == 2 ? u > v : k == 3 ? u != v : k == 4 ? u <= v : u >= v;
      };
      bool expected;
      if constexpr (std::is_integral_v<T>)
        expected = compare(a[i], b[i]);
      else
        expected = compare(value(a[i]), value(b[i]));
      wrong += z.data<bool>()[i] != expected;
    }
    INFO("comparison " << k);
    CHECK(wrong == 0);
  }
}

/// Operands of [rows, n] that lie in memory in every way.
std::vector<Tensor> layouts(std::int64_t rows, std::int64_t n, DType type) {
  const auto numbers = [&](const Shape& shape) { return Tensor::arange(shape.numel()).reshape(shape).to(DType::u8).to(type); };
  std::vector<Tensor> all{numbers({rows, n}), numbers({n}), numbers({rows, 1}), numbers({}), numbers({rows, n + 2}).narrow(1, 1, n)};
  all.push_back(numbers({n, rows}).transpose(0, 1));
  all.push_back(numbers({1, n}).expand({rows, n}));
  return all;
}

std::vector<double> flat(const Tensor& x, const Shape& shape) {
  return x.expand(shape).clone().reshape({shape.numel()}).to_vector();
}

}  // namespace

TEST_CASE("arithmetic and comparisons in the stored type equal plain loops", "[elementwise]") {
  check_plain<std::int8_t>();
  check_plain<std::int16_t>();
  check_plain<std::int32_t>();
  check_plain<std::int64_t>();
  check_plain<std::uint8_t>();
  check_plain<bool>();
  check_plain<float>();
  check_plain<double>();
  check_plain<bf16>();
}

TEST_CASE("elementwise ops over short rows equal those of dense operands, however the operands lie", "[elementwise]") {
  const auto listed = [](const Tensor& x) { return (is_complex(x.dtype()) ? view_as_real(x) : x).to_vector(); };
  const auto dense = [](const Tensor& x, const Shape& shape) { return x.expand(shape).clone().reshape({shape.numel()}); };
  for (DType type : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i64, DType::boolean, DType::c64})
    for (const Shape& shape : {Shape{1201, 3}, Shape{210, 40}, Shape{70, 255}, Shape{3, 256}, Shape{2, 8197}, Shape{2, 2}}) {
      if (shape[1] > 8192 && type != DType::f32 && type != DType::f16) continue;  // whose rows are cut
      const std::vector<Tensor> all = layouts(shape[0], shape[1], type);
      for (std::size_t i = 0; i < all.size(); ++i) {
        const Tensor &x = all[i], &y = all[(i + 1 + std::size_t(shape[1]) % 5) % all.size()],
                     condition = equal(all[(i + 3) % all.size()], x);
        INFO(shape.str() << " of " << name_of(type) << ", layouts " << i);
        const Shape to = Shape::broadcast(x.shape(), y.shape(), "test"), with = Shape::broadcast(to, condition.shape(), "test");
        CHECK(listed(x + y) == listed(dense(x, to) + dense(y, to)));
        if (is_floating(type)) CHECK(listed(x / (y + 0.5)) == listed(dense(x, to) / dense(y + 0.5, to)));
        CHECK(listed(equal(x, y)) == listed(equal(dense(x, to), dense(y, to))));
        CHECK(listed(where(condition, x, y)) == listed(where(dense(condition, with), dense(x, with), dense(y, with))));
        if (has_gradient(type)) CHECK(listed(neg(x)) == listed(neg(dense(x, x.shape()))));
        if (is_complex(type)) continue;
        CHECK(x.to(DType::f64).to_vector() == dense(x, x.shape()).to(DType::f64).to_vector());
        Tensor padded = Tensor::zeros({shape[0], shape[1] + 1}, DType::f32);
        padded.narrow(1, 1, shape[1]).assign(x.expand(shape));
        CHECK(padded.narrow(1, 1, shape[1]).to_vector() == flat(x, shape));
        CHECK(sum(padded.narrow(1, 0, 1)).item() == 0);
      }
    }
}

TEST_CASE("every instruction set converts 16-bit numbers as they are defined", "[copy][isa]") {
  std::vector<decltype(&isa_base::convert_range<f16, float>)> to_float{isa_base::convert_range<f16, float>},
      to_half{isa_base::convert_range<float, f16>}, to_brain{isa_base::convert_range<float, bf16>};
#if defined(__x86_64__)
  if (isa_level() >= 1)
    to_float.push_back(isa_avx2::convert_range<f16, float>), to_half.push_back(isa_avx2::convert_range<float, f16>),
        to_brain.push_back(isa_avx2::convert_range<float, bf16>);
  if (isa_level() >= 2)
    to_float.push_back(isa_avx512::convert_range<f16, float>), to_half.push_back(isa_avx512::convert_range<float, f16>),
        to_brain.push_back(isa_avx512::convert_range<float, bf16>);
#endif
  const std::int64_t n = 65536 + 7;
  std::vector<f16> halves(std::size_t(n), f16(0.5f)), rounded(std::size_t(n), f16(0.0f));
  std::vector<bf16> brains(std::size_t(n), bf16(0.0f));
  for (std::size_t i = 0; i < 65536; ++i) halves[i].bits = std::uint16_t(i);
  halves.back() = f16(NAN);
  std::vector<float> wide(std::size_t(n), 0.0f);
  for (std::size_t level = 0; level < to_float.size(); ++level) {
    to_float[level](halves.data(), wide.data(), n);
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < wide.size(); ++i) {
      const float expected = float(halves[i]);
      wrong +=
          std::isnan(expected) ? !std::isnan(wide[i]) : std::bit_cast<std::uint32_t>(wide[i]) != std::bit_cast<std::uint32_t>(expected);
    }
    CHECK(wrong == 0);
    for (std::uint32_t low :
         {0x0000u, 0x0001u, 0x0fffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {  // at, below and above what lies halfway
      std::vector<float> x(std::size_t(n), 1.5f);
      for (std::uint32_t i = 0; i < 65536; ++i) x[i] = std::bit_cast<float>(i << 16 | low);
      x.back() = NAN;
      to_half[level](x.data(), rounded.data(), n);
      to_brain[level](x.data(), brains.data(), n);
      for (std::size_t i = 0; i < x.size(); ++i) wrong += rounded[i].bits != f16(x[i]).bits || brains[i].bits != bf16(x[i]).bits;
      INFO("level " << level << ", low bits " << low);
      CHECK(wrong == 0);
    }
  }
}
