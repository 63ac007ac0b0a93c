#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "core/plan/chain_ops.hpp"
#include "core/plan/same_values.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
using Values = std::vector<double>;

namespace {

const double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

struct UnaryCase {
  const char* name;
  std::function<Tensor(const Tensor&)> op;
  std::function<double(double)> reference;
  double low, high;
};

const std::vector<UnaryCase>& unary_cases() {
  auto sigmoid_of = [](double v) { return 1 / (1 + std::exp(-v)); };
  static const std::vector<UnaryCase> cases{
      {"neg", [](auto& x) { return neg(x); }, [](double v) { return -v; }, -5, 5},
      {"abs", [](auto& x) { return abs(x); }, [](double v) { return std::fabs(v); }, -5, 5},
      {"exp", [](auto& x) { return exp(x); }, [](double v) { return std::exp(v); }, -5, 5},
      {"log", [](auto& x) { return log(x); }, [](double v) { return std::log(v); }, 0.01, 9},
      {"sqrt", [](auto& x) { return sqrt(x); }, [](double v) { return std::sqrt(v); }, 0, 9},
      {"rsqrt", [](auto& x) { return rsqrt(x); }, [](double v) { return 1 / std::sqrt(v); }, 0.01, 9},
      {"square", [](auto& x) { return square(x); }, [](double v) { return v * v; }, -5, 5},
      {"sin", [](auto& x) { return sin(x); }, [](double v) { return std::sin(v); }, -9, 9},
      {"cos", [](auto& x) { return cos(x); }, [](double v) { return std::cos(v); }, -9, 9},
      {"tanh", [](auto& x) { return tanh(x); }, [](double v) { return std::tanh(v); }, -5, 5},
      {"sigmoid", [](auto& x) { return sigmoid(x); }, sigmoid_of, -9, 9},
      {"relu", [](auto& x) { return relu(x); }, [](double v) { return std::max(v, 0.0); }, -5, 5},
      {"leaky_relu", [](auto& x) { return leaky_relu(x, 0.1); }, [](double v) { return v > 0 ? v : 0.1 * v; }, -5, 5},
      {"elu", [](auto& x) { return elu(x, 0.7); }, [](double v) { return v > 0 ? v : 0.7 * std::expm1(v); }, -5, 5},
      {"gelu", [](auto& x) { return gelu(x); }, [](double v) { return 0.5 * v * std::erfc(-v / std::sqrt(2.0)); }, -5, 5},
      {"gelu_tanh", [](auto& x) { return gelu_tanh(x); }, [](double v) { return 0.5 * v * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v))); }, -5, 5},
      {"silu", [](auto& x) { return silu(x); }, [=](double v) { return v * sigmoid_of(v); }, -9, 9},
      {"softplus", [](auto& x) { return softplus(x); }, [](double v) { return std::log1p(std::exp(v)); }, -9, 9},
      {"clamp", [](auto& x) { return clamp(x, -1, 2); }, [](double v) { return std::min(std::max(v, -1.0), 2.0); }, -5, 5},
      {"pow", [](auto& x) { return pow(x, 2.5); }, [](double v) { return std::pow(v, 2.5); }, 0, 5},
      {"add", [](auto& x) { return x + 1.5; }, [](double v) { return v + 1.5; }, -5, 5},
      {"mul", [](auto& x) { return -2.5 * x; }, [](double v) { return v * -2.5; }, -5, 5},
      {"div", [](auto& x) { return x / 4.0; }, [](double v) { return v / 4; }, -5, 5},
  };
  return cases;
}

/// Distance of a stored value from the exact one, relative to 1 + |exact|, that a type may show.
double tolerance(DType t) {
  return t == DType::f64 ? 1e-14 : t == DType::f32 ? 1e-6 : t == DType::f16 ? 5e-4 : 4e-3;
}

}  // namespace

TEST_CASE("unary ops equal the C library in every floating type and any layout", "[elementwise]") {
  for (const UnaryCase& c : unary_cases())
    for (DType t : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
      INFO(c.name << " " << name_of(t));
      Tensor x = check::spread({3, 5, 7}, c.low, c.high).to(t);
      auto in = x.to_vector(), out = c.op(x).to_vector();
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double e = c.reference(in[i]);
        if (!(std::fabs(out[i] - e) <= tolerance(t) * (1 + std::fabs(e))))
          FAIL(c.name << "(" << in[i] << ") = " << out[i] << ", expected " << e);
      }
      CHECK(c.op(x).dtype() == t);
      Tensor view = x.permute({2, 0, 1}).narrow(1, 1, 2);
      CHECK(c.op(view).to_vector() == c.op(view.contiguous()).to_vector());
    }
}

TEST_CASE("unary ops keep to the edges", "[elementwise]") {
  auto one = [](double v) { return Tensor::from(Values{v}, {1}); };
  CHECK(relu(one(-kInf)).item() == 0);
  CHECK_FALSE(std::signbit(relu(one(-3)).item()));
  CHECK(std::isnan(relu(one(kNaN)).item()));
  CHECK(sigmoid(one(-1000)).item() == 0);
  CHECK(sigmoid(one(1000)).item() == 1);
  CHECK(softplus(one(1000)).item() == 1000);
  CHECK(softplus(one(-1000)).item() == 0);
  CHECK_FALSE(std::signbit(abs(one(-0.0)).item()));
  CHECK(elu(one(-1e-12)).item() == Approx(-1e-12).epsilon(1e-9));
  CHECK(std::isnan(clamp(one(kNaN), 0, 1).item()));
  CHECK(std::isnan(log(one(-1)).item()));
  CHECK(log(one(0)).item() == -kInf);
  CHECK(rsqrt(one(0)).item() == kInf);
}

TEST_CASE("binary ops broadcast", "[elementwise]") {
  Tensor a = Tensor::arange(6, DType::f64).reshape({2, 3}), b = Tensor::from(Values{10, 20, 30}, {3}),
         c = Tensor::from(Values{1, 2}, {2, 1});
  CHECK((a + b).to_vector() == Values{10, 21, 32, 13, 24, 35});
  CHECK((a - c).to_vector() == Values{-1, 0, 1, 1, 2, 3});
  CHECK((c * b).to_vector() == Values{10, 20, 30, 20, 40, 60});
  CHECK((b / c).to_vector() == Values{10, 20, 30, 5, 10, 15});
  CHECK((b - a).to_vector() == Values{10, 19, 28, 7, 16, 25});
  CHECK(maximum(a, c).to_vector() == Values{1, 1, 2, 3, 4, 5});
  CHECK(minimum(a, c).to_vector() == Values{0, 1, 1, 2, 2, 2});
  CHECK(pow(c, a).to_vector() == Values{1, 1, 1, 8, 16, 32});
  CHECK((a + Tensor::full({}, 1, DType::f64)).to_vector() == Values{1, 2, 3, 4, 5, 6});
  CHECK((Tensor::zeros({0, 3}, DType::f64) + b).shape() == Shape{0, 3});
  CHECK((a.transpose(0, 1) + c.reshape({2})).to_vector() == Values{1, 5, 2, 6, 3, 7});
}

TEST_CASE("broadcasts over many axes equal plain loops", "[elementwise]") {
  Tensor a = check::spread({4, 1, 5, 1, 3}), b = check::spread({2, 1, 6, 3}, 1, 2);
  Tensor y = a * b;
  REQUIRE(y.shape() == Shape{4, 2, 5, 6, 3});
  auto va = a.to_vector(), vb = b.to_vector(), vy = y.to_vector();
  std::size_t e = 0;
  bool right = true;
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      for (std::size_t k = 0; k < 5; ++k)
        for (std::size_t l = 0; l < 6; ++l)
          for (std::size_t m = 0; m < 3; ++m) right = right && vy[e++] == va[(i * 5 + k) * 3 + m] * vb[(j * 6 + l) * 3 + m];
  CHECK(right);
}

TEST_CASE("NaN goes through maximum and minimum from either side", "[elementwise]") {
  Tensor x = Tensor::from(Values{kNaN, 1, kNaN}, {3}), y = Tensor::from(Values{1, kNaN, kNaN}, {3});
  for (double v : maximum(x, y).to_vector()) CHECK(std::isnan(v));
  for (double v : minimum(x, y).to_vector()) CHECK(std::isnan(v));
}

TEST_CASE("comparisons give bool and where chooses", "[elementwise]") {
  Tensor a = Tensor::from(Values{1, 2, 3, kNaN}, {4}), b = Tensor::from(Values{2, 2, 2, kNaN}, {4});
  CHECK(equal(a, b).to_vector() == Values{0, 1, 0, 0});
  CHECK(less(a, b).to_vector() == Values{1, 0, 0, 0});
  CHECK(greater(a, b).to_vector() == Values{0, 0, 1, 0});
  CHECK(less(a, b).dtype() == DType::boolean);
  CHECK(where(less(a, b), a, Tensor::full({}, -1, DType::f64)).to_vector() == Values{1, -1, -1, -1});
  CHECK(where(Tensor::full({2, 1}, 1, DType::boolean), a.narrow(0, 0, 3), b.narrow(0, 0, 3)).shape() == Shape{2, 3});
  // a NaN that is not chosen stays out
  CHECK(where(Tensor::full({}, 0, DType::boolean), Tensor::from(Values{kNaN}, {1}), Tensor::from(Values{4}, {1})).item() == 4);
}

TEST_CASE("integer arithmetic", "[elementwise]") {
  using I = std::int32_t;
  Tensor a = Tensor::from(std::vector<I>{7, -7, 5, 0}, {4}), b = Tensor::from(std::vector<I>{2, 2, 0, 3}, {4});
  CHECK((a + b).to_vector() == Values{9, -5, 5, 3});
  CHECK((a / b).to_vector() == Values{3, -3, 0, 0});
  CHECK(maximum(a, b).to_vector() == Values{7, 2, 5, 3});
  const std::int64_t smallest = std::numeric_limits<std::int64_t>::min();
  Tensor wrapped = div(Tensor::from(std::vector<std::int64_t>{smallest, 9}, {2}), Tensor::from(std::vector<std::int64_t>{-1, -1}, {2}));
  CHECK(wrapped.data<std::int64_t>()[0] == smallest);
  CHECK(wrapped.data<std::int64_t>()[1] == -9);
}

TEST_CASE("16-bit arithmetic is done in float and rounded once", "[elementwise]") {
  Tensor a = check::spread({1000}, -3, 3).to(DType::bf16), b = check::spread({1000}, 1, 4).to(DType::bf16);
  auto va = a.to_vector(), vb = b.to_vector(), got = (a * b).to_vector();
  bool right = true;
  for (std::size_t i = 0; i < va.size(); ++i) right = right && got[i] == double(float(bf16(float(va[i]) * float(vb[i]))));
  CHECK(right);
}

TEST_CASE("derivatives at kinks and zeros are finite and follow convention", "[elementwise]") {
  auto slope = [](const std::function<Tensor(const Tensor&)>& f, double at) {
    Tensor x = Tensor::from(Values{at}, {1});
    x.set_requires_grad();
    return gradients({f(x)}, {x})[0].item();
  };
  CHECK(slope([](auto& x) { return relu(x); }, 0) == 0);
  CHECK(slope([](auto& x) { return leaky_relu(x, 0.1); }, 0) == 0.1);
  CHECK(slope([](auto& x) { return abs(x); }, 0) == 0);
  CHECK(slope([](auto& x) { return clamp(x, 0, 1); }, 1) == 1);
  CHECK(slope([](auto& x) { return clamp(x, 0, 1); }, 1.5) == 0);
  CHECK(slope([](auto& x) { return pow(x, 0.0); }, 0) == 0);
  CHECK(slope([](auto& x) { return pow(x, 1.0); }, 0) == 1);
  CHECK(slope([](auto& x) { return pow(x, 2.0); }, 0) == 0);
  CHECK(slope([](auto& x) { return maximum(x, x.detach()); }, 2) == 0.5);
  CHECK(slope([](auto& x) { return minimum(x.detach(), x); }, 2) == 0.5);
  Tensor base = Tensor::from(Values{0, 0, 2}, {3}), exponent = Tensor::from(Values{0, 3, 0}, {3});
  base.set_requires_grad();
  exponent.set_requires_grad();
  auto g = gradients({sum(pow(base, exponent))}, {base, exponent});
  CHECK(g[0].to_vector() == Values{0, 0, 0});
  CHECK(g[1].to_vector()[1] == 0);
  CHECK(g[1].to_vector()[2] == Approx(std::log(2.0)));
}

TEST_CASE("scalars keep their rank through second derivatives", "[elementwise]") {
  for (auto f : std::vector<std::function<Tensor(const Tensor&)>>{[](auto& x) { return elu(x); }, [](auto& x) { return gelu(x); }, [](auto& x) { return gelu_tanh(x); },
                                                                  [](auto& x) { return maximum(x, mul(x, 2.0)); },
                                                                  [](auto& x) { return pow(x, 3.0); }}) {
    Tensor x = Tensor::full({}, -0.7, DType::f64);
    x.set_requires_grad();
    Tensor first = gradients({f(x)}, {x}, {}, true)[0];
    CHECK(first.shape() == Shape{});
    if (first.requires_grad()) CHECK(gradients({first}, {x})[0].shape() == Shape{});
  }
}

TEST_CASE("gradients of long tensors have the bits of short ones, and are differentiated again", "[elementwise]") {
  using Op = std::function<Tensor(const Tensor&, const Tensor&)>;
  // the gradients of op's sum with weights, or those of their sum of squares
  const auto gradients_by = [](const Op& op, Tensor x, Tensor y, bool twice) {
    x.set_requires_grad(), y.set_requires_grad();
    const Tensor z = op(x, y), weights = check::spread({1, z.size(1)}, -2, 2, DType::f64).to(z.dtype()).expand(z.shape()).clone();
    std::vector<Tensor> d = gradients({z}, {x, y}, {weights}, twice);
    return twice ? gradients({sum(square(d[0]) + square(d[1]))}, {x, y}) : d;
  };
  const auto check_parts = [&](const Op& op, const Tensor& x, const Tensor& y, bool twice) {
    const auto whole = gradients_by(op, x, y, twice);
    std::vector<Tensor> parts[2];
    for (std::int64_t begin : {std::int64_t(0), std::int64_t(300)}) {
      const auto part = [&](const Tensor& t) { return t.narrow(0, begin, begin ? t.size(0) - begin : 300).clone(); };
      const auto d = gradients_by(op, part(x), part(y), twice);
      for (std::size_t k : {0, 1}) parts[k].push_back(d[k]);
    }
    for (std::size_t k : {0, 1}) CHECK(same_values(whole[k], concat(parts[k], 0)));
  };
  for (DType type : {DType::f32, DType::f64, DType::bf16})
    for (const char* name : {"silu", "elu", "clamp", "sin", "div", "maximum", "pow", "atan2"}) {
      if (type != DType::f32 && std::string(name) != "silu" && std::string(name) != "div") continue;
      INFO(name << " " << name_of(type));
      const Tensor x = check::spread({601, 127}, 0.1, 3, DType::f64).to(type), y = check::spread({601, 127}, -2, 2, DType::f64).to(type);
      check_parts(chain_ops().at(name), x, y, false);
    }
  const Tensor x = check::spread({601, 127}, 0.1, 3, DType::f32), column = check::spread({601, 1}, 1, 2, DType::f32);
  check_parts(chain_ops().at("div"), x, column, false);
  for (const char* name : {"silu", "div"}) check_parts(chain_ops().at(name), x, check::spread({601, 127}, 1, 2, DType::f32), true);
  Tensor overwritten = x.clone().set_requires_grad();
  const Tensor z = silu(overwritten);
  {
    NoGrad off;
    overwritten.assign(x);
  }
  CHECK_THROWS_WITH(gradients({sum(z)}, {overwritten}), Contains("silu"));
}

TEST_CASE("elementwise ops refuse wrong use by name", "[elementwise]") {
  Tensor f = Tensor::zeros({2}), d = Tensor::zeros({2}, DType::f64), i = Tensor::arange(2);
  CHECK_THROWS_WITH(add(f, d), Contains("add: element types differ: f32[2] cpu and f64[2] cpu") && Contains(".to(dtype)"));
  CHECK_THROWS_WITH(mul(f, Tensor::zeros({3})), Contains("mul: shapes [2] and [3] do not broadcast"));
  CHECK_THROWS_WITH(exp(i), Contains("exp: i64[2] cpu is not floating point"));
  CHECK_THROWS_WITH(sub(f, Tensor()), Contains("sub: an operand is undefined"));
  CHECK_THROWS_WITH(relu(Tensor()), Contains("relu: the operand is undefined"));
  CHECK_THROWS_WITH(where(f, f, f), Contains("where: the condition f32[2] cpu is not bool"));
  CHECK_THROWS_WITH(clamp(f, 2, 1), Contains("clamp: low 2"));
}

TEST_CASE("elementwise ops give the same bits for any thread count", "[elementwise]") {
  const int before = thread_count();
  Tensor x = check::spread({50, 3000}, -3, 3, DType::f32), row = check::spread({3000}, 1, 2, DType::f32);
  std::vector<Values> results;
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    results.push_back(gelu(x * row).to_vector());
  }
  set_thread_count(before);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("an element's bits do not depend on where it lies in a loop", "[elementwise]") {
  auto all = chain_ops();
  all["cos"] = [](auto& x, auto&) { return cos(x); };
  all["tan"] = [](auto& x, auto&) { return tan(x); };
  all["lgamma"] = [](auto& x, auto&) { return lgamma(abs(x) + 0.1); };
  all["digamma"] = [](auto& x, auto&) { return digamma(abs(x) + 0.1); };
  all["hypot"] = [](auto& x, auto& y) { return hypot(x, y); };
  constexpr std::int64_t kCount = 600;
  for (const DType type : {DType::f32, DType::f64, DType::f16}) {
    const Tensor x = random_normal({kCount}, 5, 1).to(type), y = random_normal({kCount}, 5, 2).to(type), d = random_normal({kCount}, 5, 3).to(type);
    for (const auto& [name, op] : all) {
      const auto part = [&, f = op](std::int64_t from, std::int64_t count) {  // the value and both gradients
        const auto of = [&](const Tensor& t) { return t.narrow(0, from, count).clone(); };
        const Tensor a = of(x).set_requires_grad(), b = of(y).set_requires_grad(), r = f(a, b);
        std::vector<Tensor> out = gradients({r}, {a, b}, {of(d)});
        out.push_back(r.detach());
        return out;
      };
      const std::vector<Tensor> whole = part(0, kCount);
      for (std::int64_t from = 0; from < kCount - 15; from += 31)
        for (const std::int64_t count : {1, 7, 15}) {
          const std::vector<Tensor> some = part(from, count);
          for (std::size_t k = 0; k < some.size(); ++k)
            if (!same_values(some[k], whole[k].narrow(0, from, count))) FAIL(name << " of " << name_of(type) << ", " << count << " from " << from << ", tensor " << k);
        }
    }
  }
}

TEST_CASE("special functions have their tabled values", "[ops]") {
  // Abramowitz and Stegun, tables 6.1, 6.3 and 7.1; DLMF 5.4
  auto at = [](Tensor (*f)(const Tensor&), double x) { return f(Tensor::full(Shape{1}, x, DType::f64)).item(); };
  const double euler = 0.57721566490153286061, pi = 3.14159265358979323846;
  CHECK(at(lgamma, 0.5) == Approx(0.5 * std::log(pi)).epsilon(1e-14));
  CHECK(at(lgamma, 10) == Approx(std::log(362880.0)).epsilon(1e-14));
  CHECK(at(digamma, 1) == Approx(-euler).epsilon(1e-14));
  CHECK(at(digamma, 0.5) == Approx(-euler - 2 * std::log(2.0)).epsilon(1e-14));
  CHECK(at(digamma, 0.25) == Approx(-euler - pi / 2 - 3 * std::log(2.0)).epsilon(1e-14));
  CHECK(at(digamma, -0.5) == Approx(-euler - 2 * std::log(2.0) + 2).epsilon(1e-13));
  CHECK(at(digamma, 100) == Approx(4.60016185273808574).epsilon(1e-14));
  CHECK(at(erf, 0.5) == Approx(0.520499877813046537).epsilon(1e-14));
  CHECK(std::isnan(at(digamma, -2)));
  // the second derivative of log gamma, through the gradient of digamma
  Tensor x = Tensor::from(std::vector<double>{1, 0.5, -0.5}, {3});
  x.set_requires_grad();
  const auto d = gradients({sum(digamma(x))}, {x})[0].to_vector();
  CHECK(d[0] == Approx(pi * pi / 6).epsilon(1e-14));
  CHECK(d[1] == Approx(pi * pi / 2).epsilon(1e-14));
  CHECK(d[2] == Approx(pi * pi / 2 + 4).epsilon(1e-13));
  // the third: -2 zeta(3), -14 zeta(3)
  const double zeta3 = 1.20205690315959428540;
  const auto third = gradients({sum(gradients({sum(digamma(x))}, {x}, {}, true)[0])}, {x})[0].to_vector();
  CHECK(third[0] == Approx(-2 * zeta3).epsilon(1e-14));
  CHECK(third[1] == Approx(-14 * zeta3).epsilon(1e-14));
  CHECK(third[2] == Approx(-14 * zeta3 + 16).epsilon(1e-12));
}

TEST_CASE("steps and tests of numbers", "[ops]") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = Tensor::from(std::vector<double>{-2.5, -0.5, 0.5, 1.5, 2.4, inf, nan}, {7});
  auto first_five = [](const Tensor& t) {
    auto v = t.to_vector();
    v.resize(5);
    return v;
  };
  CHECK(first_five(round(x)) == std::vector<double>{-2, -0.0, 0, 2, 2});
  CHECK(first_five(floor(x)) == std::vector<double>{-3, -1, 0, 1, 2});
  CHECK(first_five(ceil(x)) == std::vector<double>{-2, -0.0, 1, 2, 3});
  CHECK(first_five(sign(x)) == std::vector<double>{-1, -1, 1, 1, 1});
  CHECK(is_finite(x).to_vector() == std::vector<double>{1, 1, 1, 1, 1, 0, 0});
  CHECK(is_nan(x).to_vector() == std::vector<double>{0, 0, 0, 0, 0, 0, 1});
  CHECK(not_equal(x, x).to_vector() == std::vector<double>{0, 0, 0, 0, 0, 0, 1});
  const Tensor zero = Tensor::zeros({}, DType::f64);
  CHECK(less_equal(x, zero).to_vector() == std::vector<double>{1, 1, 0, 0, 0, 0, 0});
  CHECK(greater_equal(x, zero).to_vector() == std::vector<double>{0, 0, 1, 1, 1, 1, 0});
  CHECK_THROWS_WITH(atan2(Tensor::zeros({2}, DType::i32), Tensor::zeros({2}, DType::i32)), Catch::Matchers::Contains("atan2"));
}

TEST_CASE("equal operands of maximum and minimum share the gradient", "[elementwise]") {
  for (DType type : {DType::f32, DType::f64, DType::bf16}) {
    const auto leaf = [&](const std::vector<double>& v) {
      Tensor t = Tensor::from(v, {3}).to(type).detach();
      t.set_requires_grad();
      return t;
    };
    Tensor a = leaf({1, 2, 5}), b = leaf({1, 3, 4});
    sum(maximum(a, b)).backward();
    CHECK(a.grad().to_vector() == Values{0.5, 0, 1});
    CHECK(b.grad().to_vector() == Values{0.5, 1, 0});
    a = leaf({1, 2, 5}), b = leaf({1, 3, 4});
    sum(minimum(a, b)).backward();
    CHECK(a.grad().to_vector() == Values{0.5, 1, 0});
    CHECK(b.grad().to_vector() == Values{0.5, 0, 1});
  }
}
