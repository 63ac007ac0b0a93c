#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "tenon/dtype.hpp"
#include "tenon/error.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

/// The value of a 16-bit pattern by the definition of the format.
double value_of(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1, exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

/// Nearest non-negative pattern by search in the table of all finite values, ties to the even pattern.
class NearestByTable {
 public:
  NearestByTable(int exponent_bits, int mantissa_bits) {
    const std::uint16_t infinity = std::uint16_t(((1 << exponent_bits) - 1) << mantissa_bits);
    for (std::uint16_t b = 0; b < infinity; ++b) values_.push_back(value_of(b, exponent_bits, mantissa_bits));
    values_.push_back(2 * values_.back() - values_[values_.size() - 2]);  // where the next value would be: rounds to infinity
  }
  std::uint16_t operator()(double magnitude) const {
    auto above = std::lower_bound(values_.begin(), values_.end(), magnitude);
    if (above == values_.end()) return std::uint16_t(values_.size() - 1);
    const auto i = std::uint16_t(above - values_.begin());
    if (*above == magnitude || i == 0) return i;
    const double down = magnitude - values_[i - 1u], up = values_[i] - magnitude;
    return down < up || (down == up && (i - 1) % 2 == 0) ? std::uint16_t(i - 1) : i;
  }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;
};

template <class Half>
void check_rounding(const NearestByTable& nearest) {
  std::size_t wrong = 0;
  float example = 0;
  auto check = [&](float v) {
    const auto expected = std::uint16_t(nearest(std::fabs(double(v))) | (std::signbit(v) ? 0x8000u : 0u));
    if (Half(v).bits != expected) {
      ++wrong;
      example = v;
    }
  };
  for (std::uint64_t u = 0; u < 0x7f800000u; u += 1021) {
    check(std::bit_cast<float>(std::uint32_t(u)));
    check(-std::bit_cast<float>(std::uint32_t(u)));
  }
  for (std::size_t i = 0; i + 1 < nearest.values().size(); ++i) {
    const float middle = float((nearest.values()[i] + nearest.values()[i + 1]) / 2);
    for (float v : {std::nextafter(middle, 0.0f), middle, std::nextafter(middle, std::numeric_limits<float>::max())}) check(v);
  }
  INFO("last wrong value: " << example);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("every bf16 and f16 pattern has its defined value and survives the way through float", "[dtype]") {
  std::size_t wrong = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    bf16 b;
    f16 h;
    b.bits = h.bits = std::uint16_t(i);
    const double vb = value_of(b.bits, 8, 7), vh = value_of(h.bits, 5, 10);
    const auto fb = double(float(b)), fh = double(float(h));
    if (std::isnan(vb))
      wrong += !std::isnan(fb) || !std::isnan(float(bf16(float(b))));
    else
      wrong += fb != vb || std::signbit(fb) != std::signbit(vb) || bf16(float(b)).bits != b.bits;
    if (std::isnan(vh))
      wrong += !std::isnan(fh) || !std::isnan(float(f16(float(h))));
    else
      wrong += fh != vh || std::signbit(fh) != std::signbit(vh) || f16(float(h)).bits != h.bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("float to bf16 rounds to nearest even", "[dtype]") {
  check_rounding<bf16>(NearestByTable(8, 7));
}
TEST_CASE("float to f16 rounds to nearest even", "[dtype]") {
  check_rounding<f16>(NearestByTable(5, 10));
}

TEST_CASE("16-bit overflow, subnormals and NaN", "[dtype]") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(f16(65504.0f).bits == 0x7bff);
  CHECK(f16(65519.996f).bits == 0x7bff);
  CHECK(f16(65520.0f).bits == 0x7c00);
  CHECK(f16(-1e9f).bits == 0xfc00);
  CHECK(f16(infinity).bits == 0x7c00);
  CHECK(f16(std::ldexp(1.0f, -24)).bits == 0x0001);
  CHECK(f16(std::ldexp(1.0f, -25)).bits == 0x0000);
  CHECK(f16(std::ldexp(1.5f, -25)).bits == 0x0001);
  CHECK(bf16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(bf16(-infinity).bits == 0xff80);
  CHECK(bf16(std::numeric_limits<float>::denorm_min()).bits == 0x0000);
  for (float v : {nan, -nan, std::bit_cast<float>(0x7f800001u), std::bit_cast<float>(0x7fffffffu)}) {
    CHECK(std::isnan(float(f16(v))));
    CHECK(std::isnan(float(bf16(v))));
  }
}

TEST_CASE("names and sizes of element types", "[dtype]") {
  const std::vector<std::pair<DType, std::size_t>> sizes{{DType::f32, 4}, {DType::f64, 8},    {DType::f16, 2}, {DType::bf16, 2},
                                                         {DType::i8, 1},  {DType::i16, 2},    {DType::i32, 4}, {DType::i64, 8},
                                                         {DType::u8, 1},  {DType::boolean, 1}};
  for (auto [type, size] : sizes) {
    CHECK(size_of(type) == size);
    CHECK(dtype_from_name(name_of(type)) == type);
    CHECK(is_floating(type) == (type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16));
  }
  CHECK(name_of(DType::boolean) == "bool");
  CHECK_THROWS_WITH(dtype_from_name("float32"), Contains("unknown element type 'float32'") && Contains("f32, f64"));
}
