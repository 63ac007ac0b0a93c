/// Pooling against PyTorch and the definition, gradients against differences, wrong use.
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"

using namespace tenon;
using check::made;

TEST_CASE("pooling agrees with PyTorch in double, with gradients", "[pool]") {
  auto x = check::leaves({made(5, {1, 5, 6, 2})});
  Tensor a = max_pool(x[0], {3, 2}, {2, 1}, {1, 1}), b = avg_pool(x[0], {3, 2}, {2, 1}, {1, 1});
  check::require_close(a.to_vector(), golden::max_pool, 1e-13);
  check::require_close(b.to_vector(), golden::avg_pool, 1e-13);
  check::require_close(gradients({a}, x, {made(9, a.shape())})[0].to_vector(), golden::max_pool_d0, 1e-13);
  check::require_close(gradients({b}, x, {made(9, b.shape())})[0].to_vector(), golden::avg_pool_d0, 1e-13);
}

TEST_CASE("3D pooling of every type against the definition", "[pool]") {
  for (DType type : {DType::f32, DType::bf16, DType::f16, DType::f64})
    for (std::int64_t C : {1, 7, 150}) {
      INFO(name_of(type) << ", " << C << " channels");
      Tensor x = random_normal({2, 5, 4, 6, C}, 1, std::uint64_t(C)).to(type);
      std::vector<double> v = x.to_vector(), top, average;
      for (std::int64_t n = 0; n < 2; ++n)
        for (std::int64_t z = 0; z < 2; ++z)
          for (std::int64_t y = 0; y < 2; ++y)
            for (std::int64_t k = 0; k < 3; ++k)
              for (std::int64_t c = 0; c < C; ++c) {
                double best = -INFINITY, sum = 0;
                for (std::int64_t i = 0; i < 8; ++i) {
                  double value = v[std::size_t((((n * 5 + 2 * z + i / 4) * 4 + 2 * y + i / 2 % 2) * 6 + 2 * k + i % 2) * C + c)];
                  best = std::max(best, value);
                  sum += value;
                }
                top.push_back(best);
                average.push_back(sum / 8);
              }
      REQUIRE(max_pool(x, {2, 2, 2}).to_vector() == top);
      check::require_close(avg_pool(x, {2, 2, 2}).to_vector(), average, type == DType::bf16 ? 4e-3 : type == DType::f16 ? 5e-4 : 1e-6);
    }
}

TEST_CASE("the first of equal maxima takes the gradient, and NaN is a maximum", "[pool]") {
  auto x = check::leaves({Tensor::full({1, 4, 1}, 2.0)});
  REQUIRE(gradients({sum(max_pool(x[0], {2}))}, x)[0].to_vector() == std::vector<double>{1, 0, 1, 0});
  REQUIRE(gradients({sum(max_pool(x[0], {3}, {1}))}, x)[0].to_vector() == std::vector<double>{1, 1, 0, 0});
  Tensor with_nan = Tensor::from(std::vector<float>{1, NAN, 3, 4}, {1, 4, 1});
  std::vector<double> y = max_pool(with_nan, {2}).to_vector();
  REQUIRE(std::isnan(y[0]));
  REQUIRE(y[1] == 4);
}

TEST_CASE("gradients of pooling, first and second", "[pool][gradient]") {
  std::vector<Tensor> in{made(1, {2, 5, 4, 3})};
  check::first_gradients([](auto& v) { return max_pool(v[0], {3, 2}, {1, 2}, {1, 0}); }, in);
  check::first_gradients([](auto& v) { return avg_pool(v[0], {3, 2}, {1, 2}, {1, 0}); }, in);
  check::first_gradients([](auto& v) { return max_pool(v[0], {2}); }, {made(2, {2, 7, 3})});
  check::second_gradients([](auto& v) { return max_pool(v[0] * v[0], {2, 2}); }, in);
  check::second_gradients([](auto& v) { return square(max_pool(v[0], {3, 2}, {1, 2}, {1, 0})); }, in);
  check::second_gradients([](auto& v) { return square(avg_pool(v[0], {3, 2}, {1, 2}, {1, 0})); }, in);
}

TEST_CASE("pooling gives the same bits for every thread count", "[pool][determinism]") {
  Tensor x = random_normal({2, 11, 12, 13, 17}, 1, 1);
  check::same_bits([&] { return check::with_gradients([](auto& v) { return max_pool(v[0], {3, 3, 3}, {2, 2, 2}, {1, 1, 1}); }, {x}); });
  check::same_bits([&] { return check::with_gradients([](auto& v) { return avg_pool(v[0], {3, 3, 3}, {2, 2, 2}, {1, 1, 1}); }, {x}); });
}

TEST_CASE("pooling says what is wrong", "[pool][misuse]") {
  Tensor x = made(1, {2, 5, 4, 3}, DType::f32);
  check::refuses([&] { max_pool(x, {2}); }, "max_pool", {"[2]", "2 spatial axes", "[2, 5, 4, 3]"});
  check::refuses([&] { avg_pool(x, {6, 1}); }, "avg_pool", {"[6, 1]", "larger", "[2, 5, 4, 3]"});
  check::refuses([&] { max_pool(x, {2, 2}, {}, {2, 0}); }, "max_pool", {"padding [2, 0]", "half"});
  check::refuses([&] { max_pool(x, {2, 2}, {0, 1}); }, "max_pool", {"stride [0, 1]"});
  check::refuses([&] { max_pool(x.to(DType::i32), {2, 2}); }, "max_pool", {"i32"});
  check::refuses([&] { avg_pool(made(1, {2, 3}, DType::f32), {}); }, "avg_pool", {"[2, 3]", "spatial"});
}

TEST_CASE("pooling refuses windows that its sizes cannot hold", "[pool][misuse]") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(), half = std::int64_t(1) << 62;
  const Tensor x = made(1, {1, 10, 2}, DType::f32);
  check::refuses([&] { max_pool(x, {2}, {1}, {huge}); }, "max_pool", {"padding [9223372036854775807]"});
  check::refuses([&] { avg_pool(x, {2}, {1}, {half}); }, "avg_pool", {"padding"});
  check::refuses([&] { max_pool(x, {huge}, {1}, {half}); }, "max_pool", {"kernel 9223372036854775807 does not fit 31 bits"});
  check::refuses([&] { max_pool(x, {2}, {huge}); }, "max_pool", {"stride 9223372036854775807 does not fit 31 bits"});
}
