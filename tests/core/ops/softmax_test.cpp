/// Softmax against PyTorch and the definition; the vectorised exponential and logarithm against libm in double.
#include <bit>

#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"
#include "kernels/softmax.hpp"

using namespace tenon;
using check::made;

namespace {

std::int64_t ulps(float a, float b) {
  return std::abs(std::int64_t(std::bit_cast<std::int32_t>(a)) - std::int64_t(std::bit_cast<std::int32_t>(b)));
}

}  // namespace

TEST_CASE("exp_f32 and log_f32 keep their stated accuracy", "[softmax]") {
  std::int64_t worst_exp = 0, worst_log = 0;
  double near_one = 0;
  for (std::uint64_t u = 0; u < 0xffffffffu; u += 9973) {
    float x = std::bit_cast<float>(std::uint32_t(u));
    if (std::isnan(x)) continue;
    worst_exp = std::max(worst_exp, ulps(exp_f32(x), float(std::exp(double(x)))));
    if (!std::isnormal(x) || x < 0) continue;
    if (x < 0.9f || x > 1.1f) worst_log = std::max(worst_log, ulps(log_f32(x), float(std::log(double(x)))));
  }
  for (float x = 0.9f; x < 1.1f; x = std::nextafter(x, 2.0f) + 1e-6f)
    near_one = std::max(near_one, std::abs(double(log_f32(x)) - std::log(double(x))));
  REQUIRE(worst_exp <= 2);
  REQUIRE(worst_log <= 2);
  REQUIRE(near_one <= 2e-8);
  REQUIRE(exp_f32(-INFINITY) == 0);
  REQUIRE(exp_f32(INFINITY) == INFINITY);
  REQUIRE(exp_f32(0) == 1);
  REQUIRE(std::isnan(exp_f32(NAN)));
}

TEST_CASE("softmax agrees with PyTorch in double", "[softmax]") {
  auto x = check::leaves({made(1, {2, 3, 2, 4})});
  Tensor a = softmax(x[0], 1), b = log_softmax(x[0]);
  check::require_close(a.to_vector(), golden::softmax_middle, 1e-12);
  check::require_close(b.to_vector(), golden::log_softmax_last, 1e-12);
  check::require_close(gradients({a}, x, {made(9, a.shape())})[0].to_vector(), golden::softmax_middle_d0, 1e-12);
  check::require_close(gradients({b}, x, {made(9, b.shape())})[0].to_vector(), golden::log_softmax_last_d0, 1e-12);
}

TEST_CASE("softmax of every class count and type against the definition", "[softmax]") {
  for (std::int64_t K : {1, 2, 3, 4, 5, 6, 9, 16, 17, 40, 300})
    for (auto [type, tolerance] : {std::pair{DType::f32, 1e-6}, std::pair{DType::bf16, 8e-3}, std::pair{DType::f64, 1e-13}}) {
      INFO(K << " classes, " << name_of(type));
      Tensor x = random_normal({67, K}, 5, std::uint64_t(K), 3, 4).to(type);
      std::vector<double> v = x.to_vector(), p = softmax(x).to_vector(), l = log_softmax(x).to_vector(), expected(v.size()), logs(v.size());
      for (std::size_t r = 0; r < 67; ++r) {
        double sum = 0, top = -INFINITY;
        for (std::size_t k = 0; k < std::size_t(K); ++k) top = std::max(top, v[r * std::size_t(K) + k]);
        for (std::size_t k = 0; k < std::size_t(K); ++k) sum += std::exp(v[r * std::size_t(K) + k] - top);
        for (std::size_t k = 0; k < std::size_t(K); ++k) {
          std::size_t i = r * std::size_t(K) + k;
          expected[i] = std::exp(v[i] - top) / sum;
          logs[i] = v[i] - top - std::log(sum);
        }
      }
      check::require_close(p, expected, tolerance);
      check::require_close(l, logs, tolerance);
    }
}

TEST_CASE("softmax takes large and infinite values, and keeps NaN", "[softmax]") {
  Tensor x = Tensor::from(std::vector<float>{1000, 1001, -INFINITY, NAN, 0, 0}, {2, 3});
  std::vector<double> y = softmax(x).to_vector();
  REQUIRE(y[0] == Approx(1 / (1 + std::exp(1.0))));
  REQUIRE(y[2] == 0);
  REQUIRE(std::isnan(y[4]));
}

TEST_CASE("gradients of softmax, first and second", "[softmax][gradient]") {
  for (std::int64_t K : {3, 18}) {
    std::vector<Tensor> in{made(1, {2, K, 3}) * 0.5};
    for (int axis : {1, -1}) {
      check::first_gradients([axis](auto& v) { return softmax(v[0], axis); }, in, 1e-6);
      check::first_gradients([axis](auto& v) { return log_softmax(v[0], axis); }, in, 1e-6);
      check::second_gradients([axis](auto& v) { return softmax(v[0], axis); }, in);
      check::second_gradients([axis](auto& v) { return log_softmax(v[0], axis); }, in);
    }
  }
}

TEST_CASE("softmax gives the same bits for every thread count", "[softmax][determinism]") {
  for (std::int64_t K : {3, 200}) {
    Tensor x = random_normal({20000 / K, 7, K}, 1, 1);
    check::same_bits([&] { return check::with_gradients([](auto& v) { return softmax(v[0]); }, {x}); });
    check::same_bits([&] { return check::with_gradients([](auto& v) { return log_softmax(v[0]); }, {x}); });
  }
}

TEST_CASE("softmax says what is wrong", "[softmax][misuse]") {
  check::refuses([] { softmax(made(1, {2, 3}, DType::f32), 2); }, "softmax", {"axis 2", "[2, 3]"});
  check::refuses([] { log_softmax(Tensor::arange(3)); }, "log_softmax", {"i64"});
}
