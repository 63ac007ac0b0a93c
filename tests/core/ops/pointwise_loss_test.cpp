/// Losses of each element alone: their kernels against loops in double, and their gradients against those of the plain ops.
#include <bit>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "core/ops/ulps.hpp"
#include "kernels/pointwise_loss.hpp"
#include "tenon/losses.hpp"

using namespace tenon;

namespace {

using Values = std::vector<double>;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  const char* name;
  std::size_t operands;
  std::function<Tensor(const std::vector<Tensor>&, Reduction)> loss;
  double (*value)(double, double, double);
  /// What a mean divides by.
  double shared(const Shape& shape) const { return double(name == std::string("kl") ? shape[0] : shape.numel()); }
};

const Case kCases[] = {
    {"l1", 2, [](auto& v, Reduction r) { return l1_loss(v[0], v[1], r); }, [](double x, double t, double) { return std::abs(x - t); }},
    {"l2", 2, [](auto& v, Reduction r) { return l2_loss(v[0], v[1], r); }, [](double x, double t, double) { return (x - t) * (x - t); }},
    {"huber", 2, [](auto& v, Reduction r) { return huber_loss(v[0], v[1], 0.7, r); },
     [](double x, double t, double) { return std::abs(x - t) <= 0.7 ? (x - t) * (x - t) / 2 : 0.7 * (std::abs(x - t) - 0.35); }},
    {"bce", 2, [](auto& v, Reduction r) { return bce_with_logits(v[0], v[1], {}, r); },
     [](double x, double t, double) { return (1 - t) * x + std::log1p(std::exp(-x)); }},
    {"poisson", 2, [](auto& v, Reduction r) { return poisson_nll(v[0], v[1], false, r); },
     [](double x, double t, double) { return std::exp(x) - t * x; }},
    {"kl", 2, [](auto& v, Reduction r) { return kl_divergence(v[0], v[1], r); },
     [](double x, double t, double) { return t == 0 ? 0 : t * (std::log(t) - x); }},
    {"gaussian", 3, [](auto& v, Reduction r) { return gaussian_nll(v[0], v[1], v[2], true, 0.5, r); },
     [](double m, double v, double t) {
       v = std::max(v, 0.5);
       return (std::log(v) + (t - m) * (t - m) / v + std::log(2 * 3.14159265358979323846)) / 2;
     }},
    {"crps", 3, [](auto& v, Reduction r) { return crps_gaussian(v[0], v[1], v[2], r); },
     [](double m, double s, double t) {
       const double z = (t - m) / s;
       return s * (z * std::erf(z / std::sqrt(2.0)) + 2 * std::exp(-z * z / 2) * 0.39894228040143267794 - 0.56418958354775628695);
     }},
};

/// Numbers around 0; second operands above it.
std::vector<Tensor> operands(const Case& c, const Shape& shape, DType type) {
  std::vector<Tensor> in{random_normal(shape, 1, 1), square(random_normal(shape, 1, 2)) + 0.1, random_normal(shape, 1, 3)};
  in.resize(c.operands);
  for (Tensor& t : in) t = t.to(type);
  return in;
}

void require_near(const Values& got, const Values& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i]))))
      check::require_close({got[i]}, {expected[i]}, tolerance);
}
void require_same(const Values& got, const Values& expected) {
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK((std::isnan(expected[i]) ? std::isnan(got[i]) : got[i] == Approx(expected[i]).margin(1e-12)));
}

/// First gradients by the kernel, and by plain ops as they are taken where they are to be differentiated again.
void compare_gradients(const Case& c, const std::vector<Tensor>& in, Reduction r, double tolerance) {
  const std::vector<Tensor> x = check::leaves(in);
  const Tensor y = c.loss(x, r), d = check::leaves({random_normal(y.shape(), 2, 1).to(y.dtype()) + 0.5})[0];
  const auto plain = gradients({y}, x, {d}, true), fused = gradients({y}, x, {d});
  for (std::size_t k = 0; k < x.size(); ++k) {
    INFO("operand " << k);
    REQUIRE(plain[k].requires_grad());
    const double n = r == Reduction::mean ? c.shared(in[0].shape()) : 1;  // so that the tolerance says something
    require_near((fused[k] * n).to_vector(), (plain[k] * n).to_vector(), tolerance);
    std::vector<Tensor> alone = in;
    alone[k] = check::leaves({in[k]})[0];
    REQUIRE(gradients({c.loss(alone, r)}, {alone[k]}, {d})[0].to_vector() == fused[k].to_vector());
  }
}

}  // namespace

TEST_CASE("pointwise losses of every size, type and reduction against the definition", "[losses]") {
  for (const Case& c : kCases)
    for (const Shape& shape : {Shape{1, 1}, Shape{3, 171}, Shape{17, 1031}})
      for (auto [type, tolerance] : {std::pair{DType::f32, 3e-6}, std::pair{DType::f64, 1e-12}}) {
        INFO(c.name << " of " << shape.str() << ", " << name_of(type));
        const auto in = operands(c, shape, type);
        Values each;
        double total = 0;
        const Values a = in[0].to_vector(), b = in[1].to_vector(), last = in.back().to_vector();
        for (std::size_t i = 0; i < a.size(); ++i) each.push_back(c.value(a[i], b[i], last[i])), total += each.back();
        require_near(c.loss(in, Reduction::none).to_vector(), each, tolerance);
        CHECK(c.loss(in, Reduction::sum).item() == Approx(total).epsilon(tolerance));
        CHECK(c.loss(in, Reduction::mean).item() == Approx(total / c.shared(shape)).epsilon(tolerance));
        for (Reduction r : {Reduction::none, Reduction::sum, Reduction::mean}) compare_gradients(c, in, r, 10 * tolerance);
      }
}

TEST_CASE("pointwise losses of turned, narrow and broadcast operands", "[losses]") {
  for (const Case& c : kCases) {
    INFO(c.name);
    const auto dense = operands(c, {40, 23}, DType::f32);
    auto turned = dense, narrow = dense, wide = dense;
    for (std::size_t k = 0; k < dense.size(); ++k) {
      turned[k] = dense[k].transpose(0, 1).contiguous().transpose(0, 1);
      narrow[k] = dense[k].to(DType::bf16), wide[k] = narrow[k].to(DType::f32);
    }
    REQUIRE(c.loss(turned, Reduction::none).to_vector() == c.loss(dense, Reduction::none).to_vector());
    REQUIRE(c.loss(narrow, Reduction::mean).dtype() == DType::f32);
    REQUIRE(c.loss(narrow, Reduction::mean).item() == c.loss(wide, Reduction::mean).item());
    compare_gradients(c, turned, Reduction::mean, 3e-5);
    if (c.operands < 3) continue;
    auto one = dense, spread = dense;
    one[1] = Tensor::full({}, 1.5, DType::f32), spread[1] = Tensor::full({40, 23}, 1.5, DType::f32);
    require_near(c.loss(one, Reduction::none).to_vector(), c.loss(spread, Reduction::none).to_vector(), 3e-6);
  }
}

TEST_CASE("pointwise losses at their kinks, and of numbers that are not finite", "[losses]") {
  const auto at = [](const Case& c, std::vector<Values> v, const Values& value, const std::vector<Values>& slopes) {
    for (DType type : {DType::f32, DType::f64}) {
      INFO(c.name << ", " << name_of(type));
      std::vector<Tensor> in;
      for (const Values& one : v) in.push_back(Tensor::from(one, {std::int64_t(one.size())}).to(type));
      in = check::leaves(in);
      const Tensor y = c.loss(in, Reduction::none);
      require_same(y.to_vector(), value);
      const Tensor one = Tensor::full(y.shape(), 1, type);
      const auto plain = gradients({y}, in, {one}, true), d = gradients({y}, in, {one});
      for (std::size_t k = 0; k < slopes.size(); ++k)
        require_same(d[k].to_vector(), slopes[k]), require_same(plain[k].to_vector(), slopes[k]);
    }
  };
  at(kCases[0], {{1, kInf, 2, kNan}, {1, 0, 3, 0}}, {0, kInf, 1, kNan}, {{0, 1, -1, 0}, {0, -1, 1, 0}});
  at({"huber", 2, [](auto& v, Reduction r) { return huber_loss(v[0], v[1], 0.5, r); }, {}}, {{1, 0.5, 2, -3}, {1, 0, 0, 0}},
     {0, 0.125, 0.875, 1.375}, {{0, 0.5, 0.5, -0.5}, {0, -0.5, -0.5, 0.5}});
  at(kCases[3], {{-200, 200, kNan}, {0, 1, 0}}, {0, 0, kNan}, {{0, 0, kNan}});
  at(kCases[5], {{-5, 1, 0}, {0, 0, 1}}, {0, 0, 0}, {{0, 0, -1}, {0, 0, 1}});
  const double half = 0.5 * std::log(3.14159265358979323846);  // of a variance of 1/2, the least
  at(kCases[6], {{0, 0, 0}, {0.5, 0.1, -1}, {0, 0, 0}}, {half, half, kNan}, {{0, 0, kNan}, {0.5, 0, 0}, {0, 0, kNan}});
  at(kCases[7], {{1, 1, 1}, {0, 0, 0}, {1, 3, -1}}, {0, 2, 2}, {{0, -1, 1}, {0, 0, 0}, {0, 1, -1}});
}

TEST_CASE("pointwise losses give the same bits for every thread count", "[losses][determinism]") {
  for (const Case& c : kCases) {
    const auto in = operands(c, {5, 16000}, DType::f32);
    check::same_bits([&] { return check::with_gradients([&](auto& v) { return c.loss(v, Reduction::mean); }, in); });
  }
}

TEST_CASE("log_any of every kind of number", "[losses]") {
  double worst = 0;
  for (std::uint64_t u = 1; u < 0x7f800000u; u += 9973) {
    const float x = std::bit_cast<float>(std::uint32_t(u));
    if (x > 0.9f && x < 1.1f) continue;  // as log_f32, whose test looks there
    const double exact = std::log(double(x));
    worst = std::max(worst, std::abs(double(log_any(x)) - exact) / std::abs(std::ldexp(1.0, std::ilogb(exact) - 23)));
  }
  CHECK(worst < 1.5);
  CHECK(log_any(0.0f) == -INFINITY);
  CHECK(log_any(-0.0f) == -INFINITY);
  CHECK(log_any(INFINITY) == INFINITY);
  CHECK(std::isnan(log_any(-1.0f)));
  CHECK(std::isnan(log_any(float(kNan))));
  CHECK(log_any(1.0f) == 0);
}

TEST_CASE("the logarithm of losses is near that of long double for all numbers", "[loss]") {
  for (double x : check::numbers<double>(600)) {
    INFO("log of " << x << " is " << log_any(x));
    REQUIRE(check::ulps(log_any(x), std::log(static_cast<long double>(x))) <= 1);
  }
}
