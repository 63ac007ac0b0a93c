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

namespace {

/// As check::require_close, without a word on the many that are near.
void require_near(const std::vector<double>& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i]))))
      check::require_close({got[i]}, {expected[i]}, tolerance);
}

/// Softmax, its logarithm and their gradients of x along `axis` against loops in double.
void against_definition(const Tensor& x, int axis, double tolerance) {
  const auto in = check::leaves({x});
  const Tensor d = random_normal(x.shape(), 6, 1).to(x.dtype()), p = softmax(in[0], axis), l = log_softmax(in[0], axis);
  REQUIRE(p.is_contiguous());
  std::int64_t stride = 1;
  for (int a = axis + 1; a < x.rank(); ++a) stride *= x.size(a);
  const std::int64_t K = x.size(axis);
  const std::vector<double> v = x.to_vector(), g = d.to_vector();
  std::vector<double> share(v.size()), logs(v.size()), d_share(v.size()), d_log(v.size());
  for (std::int64_t r = 0; r < x.numel() / K; ++r) {
    const auto at = [&](std::int64_t k) { return std::size_t(r / stride * stride * K + k * stride + r % stride); };
    double sum = 0, top = -INFINITY, g_sum = 0, pg_sum = 0;
    for (std::int64_t k = 0; k < K; ++k) top = std::max(top, v[at(k)]);
    for (std::int64_t k = 0; k < K; ++k) sum += std::exp(v[at(k)] - top);
    for (std::int64_t k = 0; k < K; ++k) {
      logs[at(k)] = v[at(k)] - top - std::log(sum);
      share[at(k)] = std::exp(v[at(k)] - top) / sum;
      g_sum += g[at(k)], pg_sum += share[at(k)] * g[at(k)];
    }
    for (std::int64_t k = 0; k < K; ++k) {
      d_share[at(k)] = share[at(k)] * (g[at(k)] - pg_sum);
      d_log[at(k)] = g[at(k)] - share[at(k)] * g_sum;
    }
  }
  require_near(p.to_vector(), share, tolerance);
  require_near(l.to_vector(), logs, tolerance);
  require_near(gradients({p}, in, {d})[0].to_vector(), d_share, 2 * tolerance);
  // narrow logarithms are rounded before the gradient reads them
  if (x.dtype() != DType::bf16 && x.dtype() != DType::f16) require_near(gradients({l}, in, {d})[0].to_vector(), d_log, 20 * tolerance);
}

const std::pair<DType, double> kTypes[] = {{DType::f32, 1e-6}, {DType::bf16, 8e-3}, {DType::f64, 1e-13}};

}  // namespace

TEST_CASE("softmax of every class count and type against the definition", "[softmax]") {
  for (std::int64_t K : {1, 2, 3, 4, 5, 6, 9, 16, 17, 31, 40, 113, 300})
    for (auto [type, tolerance] : kTypes) {
      INFO(K << " classes, " << name_of(type));
      against_definition(random_normal({67, K}, 5, std::uint64_t(K), 3, 4).to(type), 1, tolerance);
    }
}

TEST_CASE("softmax along an axis that is not the last against the definition", "[softmax]") {
  for (std::int64_t stride : {8, 11, 16, 64, 103})
    for (auto [type, tolerance] : kTypes) {
      INFO(stride << " columns, " << name_of(type));
      against_definition(random_normal({3, 19, stride}, 5, std::uint64_t(stride), 3, 4).to(type), 1, tolerance);
    }
  against_definition(random_normal({3, 40}, 5, 3).to(DType::f16), 1, 2e-3);
  against_definition(random_normal({5, 2, 9, 2}, 5, 1).transpose(1, 2).contiguous(), 0, 1e-6);
  const Tensor turned = random_normal({19, 3, 40}, 5, 2).transpose(0, 1);
  REQUIRE(softmax(turned, 1).to_vector() == softmax(turned.contiguous(), 1).to_vector());
}

TEST_CASE("softmax of rows that are cut into pieces against the definition", "[softmax]") {
  against_definition(random_normal({2, 131072 + 77}, 5, 1, 3, 4), 1, 1e-6);
  against_definition(random_normal({1, 200001}, 5, 1, 3, 4).to(DType::bf16), 1, 8e-3);
  Tensor x = Tensor::full({2, 140000}, -INFINITY, DType::f32);  // a piece of nothing but masked classes
  x.data<float>()[139999] = 2, x.data<float>()[139998] = 2, x.data<float>()[140000] = NAN;
  const std::vector<double> p = softmax(x).to_vector(), l = log_softmax(x).to_vector();
  REQUIRE(p[0] == 0);
  REQUIRE(p[139999] == 0.5);
  REQUIRE(l[0] == -INFINITY);
  REQUIRE(l[139999] == Approx(std::log(0.5)));
  REQUIRE(std::isnan(p[279999]));
  REQUIRE(std::isnan(l[279999]));
}

TEST_CASE("one NaN, an infinity or nothing but masks make a whole row NaN", "[softmax]") {
  for (std::int64_t K : {5, 40, 140000})
    for (float odd : {NAN, INFINITY, -INFINITY}) {
      INFO(K << " classes with " << odd);
      Tensor x = Tensor::full({1, K}, odd < 0 ? odd : 1, DType::f32);
      x.data<float>()[K / 2] = odd;
      for (const Tensor& y : {softmax(x), log_softmax(x), softmax(x.reshape({K, 1}).expand({K, 20}), 0)})
        for (double v : y.to_vector())
          if (!std::isnan(v)) FAIL("a number");
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
  for (std::int64_t K : {3, 200, 140000}) {
    Tensor x = random_normal({std::max<std::int64_t>(1, 20000 / K), K > 7000 ? 1 : 7, K}, 1, 1);
    check::same_bits([&] { return check::with_gradients([](auto& v) { return softmax(v[0]); }, {x}); });
    check::same_bits([&] { return check::with_gradients([](auto& v) { return log_softmax(v[0]); }, {x}); });
    check::same_bits([&] { return check::with_gradients([](auto& v) { return softmax(v[0], 0); }, {x}); });
  }
}

TEST_CASE("softmax says what is wrong", "[softmax][misuse]") {
  check::refuses([] { softmax(made(1, {2, 3}, DType::f32), 2); }, "softmax", {"axis 2", "[2, 3]"});
  check::refuses([] { log_softmax(Tensor::arange(3)); }, "log_softmax", {"i64"});
}
