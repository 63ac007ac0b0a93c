#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/error.hpp"
#include "tenon/tensor.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {
const std::vector<DType> kAll{DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,
                              DType::i16, DType::i32, DType::i64, DType::u8,   DType::boolean};
const double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
}  // namespace

TEST_CASE("small integers survive every pair of types and every layout", "[copy]") {
  Tensor base = Tensor::arange(24).reshape({2, 3, 4});
  for (DType from : kAll)
    for (DType to : kAll) {
      INFO(name_of(from) << " to " << name_of(to));
      const bool through_bool = from == DType::boolean || to == DType::boolean;
      std::vector<double> expected;
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 2; ++i)
          for (int k = 0; k < 2; ++k) {
            const double v = i * 12 + (k + 1) * 4 + j;
            expected.push_back(through_bool ? double(v != 0) : v);
          }
      Tensor strided = base.to(from).narrow(1, 1, 2).permute({2, 0, 1});
      CHECK(strided.to(to).to_vector() == expected);
      CHECK((from == to || strided.to(to).is_contiguous()));
      Tensor target = Tensor::zeros({2, 4, 5}, to).permute({1, 0, 2}).narrow(2, 2, 2);
      target.assign(strided);
      CHECK(target.to_vector() == expected);
    }
}

TEST_CASE("floating point to integer truncates, saturates, and takes NaN for 0", "[copy]") {
  Tensor x = Tensor::from(std::vector<double>{1.9, -1.9, 300, -300, 1e30, -1e30, kNaN, kInf, -kInf, 127.99}, {10});
  CHECK(x.to(DType::i8).to_vector() == std::vector<double>{1, -1, 127, -128, 127, -128, 0, 127, -128, 127});
  CHECK(x.to(DType::u8).to_vector() == std::vector<double>{1, 0, 255, 0, 255, 0, 0, 255, 0, 127});
  CHECK(x.to(DType::f32).to(DType::i32).to_vector() ==
        std::vector<double>{1, -1, 300, -300, 2147483647, -2147483648.0, 0, 2147483647, -2147483648.0, 127});
  const auto i64 = x.to(DType::i64);
  CHECK(i64.data<std::int64_t>()[4] == std::numeric_limits<std::int64_t>::max());
  CHECK(i64.data<std::int64_t>()[5] == std::numeric_limits<std::int64_t>::min());
  CHECK(x.to(DType::boolean).to_vector() == std::vector<double>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(Tensor::from(std::vector<float>{0.0f, -0.0f, 0.1f}, {3}).to(DType::boolean).to_vector() == std::vector<double>{0, 0, 1});
}

TEST_CASE("f64 and wide integers round to 16 bits once", "[copy]") {
  // just above the middle of two bf16 values, by less than a float can tell: a float in between would round to even, down
  const double middle = 1 + std::ldexp(1.0, -8), above = middle + std::ldexp(1.0, -40),
               below = 1 + 3 * std::ldexp(1.0, -8) - std::ldexp(1.0, -40);
  Tensor x = Tensor::from(std::vector<double>{middle, above, below, -above, 1e300, -1e300, 1e-300, kNaN}, {8});
  const double step = std::ldexp(1.0, -7);
  const auto b = x.to(DType::bf16).to_vector();
  CHECK(b[0] == 1);
  CHECK(b[1] == 1 + step);
  CHECK(b[2] == 1 + step);
  CHECK(b[3] == -1 - step);
  CHECK(b[4] == kInf);
  CHECK(b[5] == -kInf);
  CHECK(b[6] == 0);
  CHECK(std::isnan(b[7]));
  const double half = 1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  CHECK(Tensor::from(std::vector<double>{half}, {1}).to(DType::f16).item() == 1 + std::ldexp(1.0, -10));
  const std::int32_t odd = (1 << 30) + (1 << 22) + 1;  // over the middle by less than a float holds
  CHECK(Tensor::from(std::vector<std::int32_t>{odd}, {1}).to(DType::bf16).item() == std::ldexp(1.0, 30) + std::ldexp(1.0, 23));
}

TEST_CASE("fill converts to the element type and respects views", "[copy]") {
  for (DType t : kAll) {
    INFO(name_of(t));
    Tensor x = Tensor::zeros({3, 4}, t);
    x.narrow(1, 1, 2).fill(1);
    CHECK(x.to_vector() == std::vector<double>{0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0});
  }
  CHECK(Tensor::full({2}, 300, DType::u8).to_vector() == std::vector<double>{255, 255});
  CHECK(Tensor::full({}, 2.5).item() == 2.5);
  CHECK(Tensor::full({2, 0}, 1).to_vector().empty());
}

TEST_CASE("assign converts, and copes with a source that overlaps", "[copy]") {
  Tensor x = Tensor::arange(9, DType::f32).reshape({3, 3});
  x.assign(x.transpose(0, 1));
  CHECK(x.to_vector() == std::vector<double>{0, 3, 6, 1, 4, 7, 2, 5, 8});
  Tensor y = Tensor::arange(6);
  y.narrow(0, 1, 5).assign(y.narrow(0, 0, 5));
  CHECK(y.to_vector() == std::vector<double>{0, 0, 1, 2, 3, 4});
  // two tensors over the same memory that share no storage
  std::vector<std::int64_t> memory{0, 1, 2, 3, 4, 5};
  const Tensor low = Tensor::wrap(memory.data(), {5}, DType::i64, {}), high = Tensor::wrap(memory.data() + 1, {5}, DType::i64, {});
  high.assign(low);
  CHECK(memory == std::vector<std::int64_t>{0, 0, 1, 2, 3, 4});
  const Tensor overlapping = low.alias({2, 2}, {1, 1}, 0);
  CHECK_THROWS_WITH(overlapping.assign(Tensor::arange(4).reshape({2, 2})), Contains("Tensor::assign: i64[2, 2] cpu with strides [1, 1]") && Contains("share one place"));
  y.assign(y);
  CHECK(y.to_vector() == std::vector<double>{0, 0, 1, 2, 3, 4});
}

TEST_CASE("assign refuses what does not fit", "[copy]") {
  Tensor x = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(x.assign(Tensor::zeros({3, 2})), Contains("Tensor::assign: source f32[3, 2] cpu does not fit f32[2, 3] cpu"));
  CHECK_THROWS_WITH(x.assign(Tensor()), Contains("undefined"));
  CHECK_THROWS_WITH(Tensor::zeros({1, 3}).expand({2, 3}).assign(x), Contains("expanded view"));
  CHECK_THROWS_WITH(x.assign(Tensor::zeros({2, 3}, DType::c64)), Contains("Tensor::assign: source c64[2, 3] cpu does not become f32[2, 3] cpu") && Contains("real(z)"));
  Tensor z = Tensor::zeros({2, 3}, DType::c128);
  z.assign(Tensor::full({2, 3}, 3));
  CHECK(real(z).to_vector() == std::vector<double>(6, 3.0));
  CHECK_THROWS_AS(Tensor::zeros({2, 3}, DType::i64).assign(z), Error);
}

TEST_CASE("large copies go through several blocks unchanged", "[copy]") {
  const std::int64_t n = 100003;
  Tensor x = Tensor::arange(n * 2, DType::i32).reshape({n, 2});
  Tensor column = x.select(1, 1).to(DType::f64);
  const auto v = column.span<double>();
  bool right = true;
  for (std::int64_t i = 0; i < n; ++i) right = right && v[std::size_t(i)] == double(2 * i + 1);
  CHECK(right);
}

namespace {

/// Every byte of `dense`, in order, against that of the view.
bool same_elements(const Tensor& dense, const Tensor& view) {
  const std::size_t bytes = size_of(view.dtype());
  const char *to = static_cast<const char*>(dense.raw()), *from = static_cast<const char*>(view.raw());
  std::vector<std::int64_t> index(std::size_t(view.rank()), 0);
  std::int64_t at = 0;
  for (std::int64_t n = view.numel(); n > 0; --n, to += bytes) {
    if (std::memcmp(to, from + at * std::int64_t(bytes), bytes) != 0) return false;
    for (int a = view.rank() - 1; a >= 0; --a) {
      at += view.strides()[a];
      if (++index[std::size_t(a)] < view.size(a)) break;
      at -= view.size(a) * view.strides()[a];
      index[std::size_t(a)] = 0;
    }
  }
  return true;
}

/// Elements that differ from their neighbours in every byte.
Tensor distinct(const Shape& shape, DType t) {
  Tensor x = Tensor::empty(shape, t);
  auto* bytes = static_cast<std::uint8_t*>(x.raw());
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < x.nbytes(); ++i) bytes[i] = std::uint8_t((state = state * 1664525 + 1013904223) >> 24);
  return x;
}

const std::vector<DType> kSizes{DType::u8, DType::bf16, DType::f32, DType::i64, DType::c128};

/// Read dense from the view, and written through one laid out like it, within a larger tensor that must keep the rest.
void require_moves(const Tensor& view) {
  INFO(view.str() << " strides " << view.strides().str());
  const Tensor dense = view.clone();
  REQUIRE(dense.is_contiguous());
  REQUIRE(same_elements(dense, view));
  Shape padded = view.shape();
  for (int a = 0; a < padded.rank(); ++a) padded[a] += 1;
  const Tensor base = distinct(padded, view.dtype()), before = base.clone();
  Tensor target = base, kept = before;
  for (int a = 0; a < padded.rank(); ++a) target = target.narrow(a, 0, view.size(a));
  target.assign(view);
  REQUIRE(same_elements(dense, target));
  for (int a = 0; a < padded.rank(); ++a)
    REQUIRE(same_elements(base.narrow(a, view.size(a), 1).clone(), before.narrow(a, view.size(a), 1)));
}

}  // namespace

TEST_CASE("planes of any sides and types are transposed", "[copy]") {
  for (DType t : kSizes)
    for (std::int64_t m : {2, 3, 5, 17, 64, 131})
      for (std::int64_t n : {2, 3, 4, 7, 33, 130}) {
        require_moves(distinct({m, n}, t).transpose(0, 1));
        require_moves(distinct({2, m, n + 3}, t).narrow(2, 1, n).permute({0, 2, 1}));
      }
}

TEST_CASE("orders of three and four axes, and repeated ones, are moved", "[copy]") {
  for (DType t : kSizes) {
    const Tensor x = distinct({3, 4, 19, 5}, t);
    for (const auto& order :
         std::vector<std::array<int, 4>>{{0, 1, 3, 2}, {3, 2, 1, 0}, {1, 0, 2, 3}, {2, 0, 3, 1}, {0, 2, 1, 3}, {3, 0, 1, 2}})
      require_moves(x.permute({order[0], order[1], order[2], order[3]}));
    require_moves(distinct({40, 1}, t).expand({40, 3}));
    require_moves(distinct({5, 1}, t).expand({5, 77}));
    require_moves(distinct({5, 1, 6}, t).expand({5, 4, 6}));
    require_moves(distinct({6, 20, 30}, t).select(2, 3).transpose(0, 1));  // nothing lies together on either side
  }
}

TEST_CASE("results beyond the caches are whole, ends included", "[copy][slow]") {
  const std::int64_t n = 2899;  // squared, and more than 32 MiB of i32
  REQUIRE(same_elements(distinct({n, n}, DType::i32).transpose(0, 1).clone(), distinct({n, n}, DType::i32).transpose(0, 1)));
  const Tensor lines = distinct({3, n, 967}, DType::i32), few = distinct({n * n / 3, 3}, DType::i32);
  REQUIRE(same_elements(lines.transpose(0, 1).clone(), lines.transpose(0, 1)));
  REQUIRE(same_elements(few.transpose(0, 1).clone(), few.transpose(0, 1)));
  const Tensor wide = distinct({3, n * n / 3}, DType::i32);
  REQUIRE(same_elements(wide.transpose(0, 1).clone(), wide.transpose(0, 1)));
}

TEST_CASE("host copies check sizes and layout", "[copy]") {
  std::vector<float> host{1, 2, 3, 4};
  Tensor x = Tensor::zeros({2, 2});
  x.copy_from_host(host.data(), 16);
  std::vector<float> back(4);
  x.copy_to_host(back.data(), 16);
  CHECK(back == host);
  CHECK_THROWS_WITH(x.copy_from_host(host.data(), 12), Contains("12 bytes given for f32[2, 2] cpu of 16"));
  CHECK_THROWS_AS(x.transpose(0, 1).copy_to_host(back.data(), 16), Error);
  CHECK_THROWS_AS(Tensor::from(host, {3}), Error);
}
