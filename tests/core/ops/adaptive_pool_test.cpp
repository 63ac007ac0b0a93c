/// Adaptive and global pooling and averages without padding, against PyTorch and the definition.
#include "core/grid_golden.hpp"
#include "tenon/pooling.hpp"

using namespace tenon;
using check::made;

TEST_CASE("adaptive pooling agrees with PyTorch in double, with gradients", "[pool]") {
  const Shape s{1, 5, 4, 2};
  golden::matches(
      "adaptive_avg_pool",
      [](auto& x) {
        return adaptive_avg_pool(x, {3, 7});
      },
      5, s);
  golden::matches("adaptive_avg_pool_3d", [](auto& x) { return adaptive_avg_pool(x, {2, 3, 2}); }, 6, {1, 3, 4, 2, 1});
  golden::matches(
      "adaptive_max_pool",
      [](auto& x) {
        return adaptive_max_pool(x, {3, 7});
      },
      5, s);
  golden::matches(
      "avg_pool_inside",
      [](auto& x) {
        return avg_pool(x, {3, 2}, {2, 1}, {1, 1}, false);
      },
      5, s);
}

TEST_CASE("global pooling against the definition, in every floating type", "[pool]") {
  for (DType type : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
    INFO(name_of(type));
    Tensor x = random_normal({2, 3, 4, 5, 7}, 1, 2).to(type);
    std::vector<double> v = x.to_vector(), average(14, 0), top(14, -INFINITY);
    for (std::size_t i = 0; i < v.size(); ++i) {
      const std::size_t at = i / 420 * 7 + i % 7;
      average[at] += v[i] / 60;
      top[at] = std::max(top[at], v[i]);
    }
    Tensor mean_of = global_avg_pool(x), max_of = global_max_pool(x);
    REQUIRE(mean_of.shape() == Shape{2, 7});
    REQUIRE(max_of.dtype() == type);
    REQUIRE(max_of.to_vector() == top);
    check::require_close(mean_of.to_vector(), average, type == DType::bf16 ? 4e-3 : type == DType::f16 ? 5e-4 : 1e-6);
    check::require_close(adaptive_avg_pool(x, {1, 1, 1}).to_vector(), average,
                         type == DType::bf16  ? 4e-3
                         : type == DType::f16 ? 5e-4
                                              : 1e-6);
    REQUIRE(adaptive_max_pool(x, {1, 1, 1}).to_vector() == top);
  }
}

TEST_CASE("counting the padding or not", "[pool]") {
  Tensor x = Tensor::full({1, 4, 1}, 6.0);
  REQUIRE(avg_pool(x, {3}, {1}, {1}, true).to_vector() == avg_pool(x, {3}, {1}, {1}).to_vector());
  REQUIRE(avg_pool(x, {3}, {1}, {1}, true).to_vector()[0] == Approx(4));
  check::require_close(avg_pool(x, {3}, {1}, {1}, false).to_vector(), {6, 6, 6, 6}, 1e-6);
}

TEST_CASE("adaptive pooling gives the same bits for every thread count", "[pool][determinism]") {
  Tensor x = random_normal({2, 31, 32, 33}, 1, 1);
  check::same_bits([&] { return check::with_gradients([](auto& v) { return adaptive_avg_pool(v[0], {7, 40}); }, {x}); });
  check::same_bits([&] { return check::with_gradients([](auto& v) { return adaptive_max_pool(v[0], {7, 40}); }, {x}); });
}

TEST_CASE("adaptive pooling says what is wrong", "[pool][misuse]") {
  Tensor x = made(1, {2, 5, 4, 3}, DType::f32);
  check::refuses([&] { adaptive_avg_pool(x, {2}); }, "adaptive_avg_pool", {"[2]", "2 spatial axes", "[2, 5, 4, 3]"});
  check::refuses([&] { adaptive_max_pool(x, {2, 0}); }, "adaptive_max_pool", {"[2, 0]", "at least 1"});
  check::refuses([&] { adaptive_max_pool(x.to(DType::i32), {2, 2}); }, "adaptive_max_pool", {"i32"});
  check::refuses([&] { global_avg_pool(made(1, {2, 3}, DType::f32)); }, "global_avg_pool", {"[2, 3]", "spatial"});
  check::refuses([&] { global_max_pool(Tensor::zeros({2, 0, 3})); }, "global_max_pool", {"[2, 0, 3]"});
  check::refuses([&] { avg_pool(x, {6, 1}, {}, {}, false); }, "avg_pool", {"[6, 1]", "larger"});
}
