/// Losses and their gradients against PyTorch and written-out definitions (tests/golden/make_losses.py), and what they refuse.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "core/ops/gradient_check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

using Values = std::vector<double>;
struct Golden {
  std::string name;
  double value;
  Values gradient;
};
const std::vector<Golden> kGolden{
#include "golden/losses.inc"
};

/// As make_losses.py makes them.
Tensor made(double k, const Shape& shape) {
  Values v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(std::sin(1.3 * double(i) + k));
  return Tensor::from(v, shape);
}
Tensor labels(std::int64_t classes, const Shape& shape) {
  std::vector<std::int64_t> v;
  for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back((5 * i + i / 3) % classes);
  return Tensor::from(v, shape);
}

const Shape kFull{2, 3, 4}, kLabels{2, 3};

Tensor ignored_labels() {
  Tensor y = labels(4, kLabels).clone();
  y.data<std::int64_t>()[1] = -100;
  return y;
}
Tensor masked_logits() {
  Tensor z = made(3, kFull);
  const std::int64_t first = labels(4, kLabels).data<std::int64_t>()[0];
  z.data<double>()[(first + 1) % 4] = -std::numeric_limits<double>::infinity();
  return z;
}

struct Case {
  Tensor start;
  std::function<Tensor(const Tensor&)> loss;
};

std::map<std::string, Case> cases() {
  const Tensor x = made(1, kFull), t = made(2, kFull), z = made(3, kFull), y = labels(4, kLabels), positive = square(made(4, kFull)) + 0.5;
  const Tensor w = Tensor::from(Values{0.5, 1, 2, 1.5}, {4}), target = made(5, kLabels), members = made(6, kFull), counts = labels(6, kFull).to(DType::f64);
  const Tensor mu = made(7, {6}), sigma = square(made(8, {6})) + 0.5, observed = made(9, {6});
  const Tensor field = made(1, {2, 5, 4, 2}), field_target = made(2, {2, 5, 4, 2}), ignored = ignored_labels();
  return {
      {"l1", {x, [=](const Tensor& v) { return l1_loss(v, t); }}},
      {"huber", {x, [=](const Tensor& v) { return huber_loss(v, t, 0.7); }}},
      {"huber_sum", {x, [=](const Tensor& v) { return huber_loss(v, t, 0.7, Reduction::sum); }}},
      {"quantile", {x, [=](const Tensor& v) { return quantile_loss(v, target, {0.1, 0.5, 0.8, 0.95}); }}},
      {"relative_l2", {x, [=](const Tensor& v) { return relative_l2_loss(v, t); }}},
      {"relative_h1", {field, [=](const Tensor& v) { return relative_h1_loss(v, field_target, {0.5, 2}); }}},
      {"relative_h1_periodic", {field, [=](const Tensor& v) { return relative_h1_loss(v, field_target, {0.5, 2}, true); }}},
      {"cross_entropy", {z, [=](const Tensor& v) { return cross_entropy(v, y, CrossEntropyOptions{}); }}},
      {"cross_entropy_all", {z, [=](const Tensor& v) { return cross_entropy(v, ignored, {.class_weights = w, .label_smoothing = 0.2}); }}},
      {"cross_entropy_sum", {z, [=](const Tensor& v) { return cross_entropy(v, ignored, {.class_weights = w, .reduction = Reduction::sum}); }}},
      {"cross_entropy_masked", {masked_logits(), [=](const Tensor& v) { return cross_entropy(v, y, CrossEntropyOptions{}); }}},
      {"focal", {z, [=](const Tensor& v) { return focal_loss(v, y, 2, w); }}},
      {"bce", {z, [=](const Tensor& v) { return bce_with_logits(v, abs(t)); }}},
      {"bce_weight", {z, [=](const Tensor& v) { return bce_with_logits(v, abs(t), w); }}},
      {"tversky", {z, [=](const Tensor& v) { return tversky_loss(v, y, {0.3, 0.7, 1e-5, false}); }}},
      {"dice", {z, [=](const Tensor& v) { return dice_loss(v, y, 1, true); }}},
      {"poisson", {x, [=](const Tensor& v) { return poisson_nll(v, counts); }}},
      {"poisson_full", {x, [=](const Tensor& v) { return poisson_nll(v, counts, true); }}},
      {"gaussian", {x, [=](const Tensor& v) { return gaussian_nll(v, positive, t, true); }}},
      {"gaussian_variance", {positive, [=](const Tensor& v) { return gaussian_nll(x, v, t); }}},
      {"student_t", {x, [=](const Tensor& v) { return student_t_nll(Tensor::full({}, 3.5, DType::f64), v, positive, t); }}},
      {"student_t_degrees", {positive, [=](const Tensor& v) { return student_t_nll(v + 1.0, x, Tensor::full({}, 1.5, DType::f64), t); }}},
      {"crps_gaussian", {mu, [=](const Tensor& v) { return crps_gaussian(v, sigma, observed); }}},
      {"crps_gaussian_deviation", {sigma, [=](const Tensor& v) { return crps_gaussian(mu, v, observed); }}},
      {"crps_ensemble", {members, [=](const Tensor& v) { return crps_ensemble(v, target); }}},
      {"crps_ensemble_fair", {members, [=](const Tensor& v) { return crps_ensemble(v, target, true); }}},
      {"kl", {z, [=](const Tensor& v) { return kl_divergence(log_softmax(v), softmax(made(10, kFull))); }}},
  };
}

}  // namespace

TEST_CASE("losses and gradients are PyTorch's", "[losses]") {
  auto all = cases();
  CHECK(all.size() == kGolden.size());
  for (const Golden& g : kGolden) {
    INFO(g.name);
    REQUIRE(all.count(g.name) == 1);
    // the integral behind the golden CRPS has an error of its own
    const double close = g.name.rfind("crps_gaussian", 0) == 0 ? 1e-7 : 1e-10;
    Tensor v = all.at(g.name).start.detach().clone();
    v.set_requires_grad();
    const Tensor loss = all.at(g.name).loss(v);
    CHECK(loss.item() == Approx(g.value).epsilon(close));
    const Values d = gradients({loss}, {v})[0].to_vector();
    REQUIRE(d.size() == g.gradient.size());
    for (std::size_t i = 0; i < d.size(); ++i) CHECK(d[i] == Approx(g.gradient[i]).epsilon(close).margin(close));
  }
}

TEST_CASE("losses are computed in f32 for 16-bit inputs", "[losses]") {
  const Tensor x = made(1, {64}).to(DType::bf16), t = made(2, {64}).to(DType::bf16);
  CHECK(l1_loss(x, t).dtype() == DType::f32);
  CHECK(l1_loss(x, t).item() == Approx(l1_loss(x.to(DType::f64), t.to(DType::f64)).item()).epsilon(1e-6));
  CHECK(cross_entropy(made(3, kFull).to(DType::bf16), labels(4, kLabels), CrossEntropyOptions{}).dtype() == DType::f32);
}

TEST_CASE("plain options are the fused cross entropy, and unreduced losses keep their shape", "[losses]") {
  const Tensor z = made(3, kFull), y = labels(4, kLabels);
  CHECK(cross_entropy(z, y, CrossEntropyOptions{}).item() == Approx(cross_entropy(z, y).item()).epsilon(1e-12));
  CHECK(cross_entropy(z, y, {.reduction = Reduction::none}).shape() == kLabels);
  CHECK(l1_loss(z, z, Reduction::none).shape() == kFull);
  CHECK(relative_l2_loss(z, made(4, kFull), Reduction::none).shape() == Shape{2});
  CHECK(crps_ensemble(z, made(5, kLabels), false, Reduction::none).shape() == kLabels);
}

TEST_CASE("losses have second derivatives", "[losses]") {
  const Tensor t = made(2, kFull), y = labels(4, kLabels);
  const std::vector<check::Function> functions{
      [=](const auto& v) { return focal_loss(v[0], y); },
      [=](const auto& v) { return tversky_loss(v[0], y); },
      [=](const auto& v) { return cross_entropy(v[0], y, {.label_smoothing = 0.1}); },
      [=](const auto& v) { return bce_with_logits(v[0], abs(t)); },
      [=](const auto& v) { return gaussian_nll(v[0], square(v[0]) + 1.0, t); },
      [=](const auto& v) { return crps_gaussian(v[0], square(v[0]) + 1.0, t); },
      [=](const auto& v) { return relative_l2_loss(v[0], t); },
  };
  for (const auto& f : functions) {
    check::first_gradients(f, {made(3, kFull)});
    check::second_gradients(f, {made(3, kFull)});
  }
}

TEST_CASE("losses refuse what does not fit, by name and with shapes", "[losses]") {
  const Tensor x = made(1, kFull), y = labels(4, kLabels);
  CHECK_THROWS_WITH(l1_loss(x, made(1, {2, 3})), Contains("l1_loss") && Contains("[2, 3, 4]") && Contains("[2, 3]"));
  CHECK_THROWS_WITH(huber_loss(x, x, 0), Contains("huber_loss") && Contains("delta"));
  CHECK_THROWS_WITH(quantile_loss(x, made(1, kLabels), {0.5}), Contains("quantile_loss") && Contains("[2, 3, 1]"));
  CHECK_THROWS_WITH(quantile_loss(x, made(1, kLabels), {0.1, 0.2, 0.3, 1}), Contains("quantile 1"));
  CHECK_THROWS_WITH(focal_loss(x, labels(4, {3, 2})), Contains("focal_loss") && Contains("[2, 3]"));
  CHECK_THROWS_WITH(focal_loss(x, x), Contains("not an integer type"));
  CHECK_THROWS_WITH(cross_entropy(x, y, {.class_weights = made(1, {3})}), Contains("class weights") && Contains("4 classes"));
  CHECK_THROWS_WITH(cross_entropy(x, y, {.label_smoothing = 1}), Contains("label smoothing"));
  CHECK_THROWS_WITH(relative_h1_loss(made(1, {2, 4}), made(1, {2, 4})), Contains("no spatial axis"));
  CHECK_THROWS_WITH(crps_ensemble(made(1, {2, 1}), made(1, {2}), true), Contains("two members"));
  CHECK_THROWS_WITH(l1_loss(y, y), Contains("l1_loss") && Contains("not floating point"));
  CHECK_THROWS_WITH(l1_loss(made(1, {0}), made(1, {0})), Contains("no elements"));
}

TEST_CASE("the Dice loss refuses by its own name", "[losses]") {
  CHECK_THROWS_WITH(dice_loss(Tensor::zeros({4}), Tensor::zeros({}, DType::u8)), Catch::Matchers::StartsWith("dice_loss: "));
}

TEST_CASE("relative losses have a gradient of 0 where a sample is met exactly", "[losses]") {
  const Tensor target = random_normal({2, 8, 1}, 1, 1).to(DType::f64);
  Tensor x = target.clone();
  x.set_requires_grad();
  for (const auto& loss : {relative_l2_loss(x, target), relative_h1_loss(x, target)})
    for (double d : gradients({loss}, {x})[0].to_vector()) CHECK(d == 0);
  // one sample exact, the other not: the other's gradient is untouched
  Tensor half = concat({target.narrow(0, 0, 1), target.narrow(0, 1, 1) * 1.5}, 0).detach();
  half.set_requires_grad();
  Tensor alone = (target.narrow(0, 1, 1) * 1.5).detach();
  alone.set_requires_grad();
  const auto both = gradients({relative_l2_loss(half, target, Reduction::sum)}, {half})[0].to_vector();
  const auto one = gradients({relative_l2_loss(alone, target.narrow(0, 1, 1), Reduction::sum)}, {alone})[0].to_vector();
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(both[i] == 0);
    CHECK(both[8 + i] == Approx(one[i]).epsilon(1e-14));
  }
}

TEST_CASE("a label outside the classes is refused by every loss", "[losses][misuse]") {
  const Tensor logits = Tensor::zeros({1, 3, 2}), volume = Tensor::zeros({1, 3, 2}, DType::f64);
  const auto labels = [](const std::vector<std::int64_t>& v) { return Tensor::from(v, {1, 3}); };
  const std::vector<std::pair<const char*, std::function<Tensor(const Tensor&)>>> losses{
      {"cross_entropy", [&](const Tensor& l) { return cross_entropy(logits, l); }},
      {"cross_entropy", [&](const Tensor& l) { return cross_entropy(logits, l, CrossEntropyOptions{}); }},
      {"focal_loss", [&](const Tensor& l) { return focal_loss(volume, l); }},
      {"dice_loss", [&](const Tensor& l) { return dice_loss(volume, l); }},
      {"tversky_loss", [&](const Tensor& l) { return tversky_loss(logits, l); }},
  };
  for (const auto& [name, loss] : losses) {
    INFO(name);
    for (std::int64_t bad : {std::int64_t(2), std::int64_t(-1), std::int64_t(1) << 40}) {
      try {
        loss(labels({0, 1, bad}));
        FAIL("taken: " << bad);
      } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::data);
        CHECK(e.code() == "loss.label_range");
        CHECK_THAT(e.message(), Contains(name) && Contains("label " + std::to_string(bad) + " at element 2 is outside 0..1"));
      }
    }
    CHECK_THROWS_WITH(loss(Tensor::zeros({1, 3}, DType::c64)), Catch::Matchers::StartsWith(name) && Contains("c64[1, 3]"));
  }
  // ignored labels are those of the options alone
  CHECK_THROWS_WITH(cross_entropy(logits, labels({0, 1, -100})), Contains("label -100 at element 2"));
  CHECK(cross_entropy(logits, labels({0, 1, -100}), CrossEntropyOptions{}).item() == Approx(std::log(2.0)));
  CrossEntropyOptions o;
  o.ignore_index = 255;
  CHECK(cross_entropy(logits, labels({0, 1, 255}).to(DType::u8), o).item() == Approx(std::log(2.0)));
  CHECK_THROWS_WITH(cross_entropy(logits, labels({0, 1, -100}), o), Contains("label -100"));
}

TEST_CASE("losses speak for the ops they are made of", "[losses][misuse]") {
  const auto x = [](const Shape& s, DType t = DType::f32) { return Tensor::full(s, 1, t); };
  check::refuses([&] { gaussian_nll(x({3}), x({2}), x({3})); }, "gaussian_nll", {"[2]", "[3]"});
  check::refuses([&] { gaussian_nll(x({3}), x({3}), x({2})); }, "gaussian_nll", {"[2]"});
  check::refuses([&] { crps_gaussian(x({3}), x({2}), x({3})); }, "crps_gaussian", {"[2]"});
  check::refuses([&] { crps_gaussian(x({3}), x({3}), x({4})); }, "crps_gaussian", {"[4]"});
  check::refuses([&] { student_t_nll(x({2}), x({3}), x({3}), x({3})); }, "student_t_nll", {"[2]"});
  check::refuses([&] { student_t_nll(x({3}), x({3}), x({3}), x({2})); }, "student_t_nll", {"[2]"});
  check::refuses([&] { bce_with_logits(x({3}), x({3}), x({2})); }, "bce_with_logits", {"[2]"});
  check::refuses([&] { bce_with_logits(x({3}), x({3}), x({4, 3})); }, "bce_with_logits", {"[4, 3]"});
  check::refuses([&] { quantile_loss(x({3, 1}), {}, {0.5}); }, "quantile_loss", {"undefined"});
  check::refuses([&] { crps_ensemble(x({3}), x({3})); }, "crps_ensemble", {"[3]"});
}

TEST_CASE("Student's t keeps its digits where the degrees are many", "[losses]") {
  // one scale away: by the definition in extended precision, and where that has no digits left by the series 1/2 log(2 pi) + 1/2 + 1/(2 nu)
  for (double nu : {3.0, 15.5, 17.0, 300.0, 1e5, 1e7, 1e12}) {
    const long double v = nu, exact = lgammal(v / 2) - lgammal((v + 1) / 2) + 0.5L * logl(v * 3.14159265358979323846264338327950288L) + (v + 1) / 2 * log1pl(1 / v);
    INFO(nu);
    for (DType type : {DType::f32, DType::f64}) {
      Tensor degrees = Tensor::full({1}, nu, type);
      const Tensor zero = Tensor::zeros({1}, type), one = Tensor::full({1}, 1, type);
      degrees.set_requires_grad();
      const Tensor loss = student_t_nll(degrees, zero, one, one);
      CHECK(loss.item() == Approx(double(nu < 1e6 ? exact : 1.4189385332046727L + 0.5L / v)).epsilon(type == DType::f32 ? 2e-6 : 1e-12));
      const double slope = gradients({loss}, {degrees})[0].item();
      if (nu == 1e5) CHECK(slope == Approx(-0.5 / (nu * nu)).epsilon(0.2));
    }
  }
}

TEST_CASE("losses at the ends of their ranges", "[losses]") {
  const auto d = [](double v) { return Tensor::full({1}, v, DType::f64); };
  CHECK(crps_gaussian(d(1), d(0), d(3)).item() == 2);
  Tensor mean = d(1);
  mean.set_requires_grad();
  CHECK(gradients({crps_gaussian(mean, d(0), d(3))}, {mean})[0].item() == -1);
  CHECK(std::isnan(gaussian_nll(d(0), d(-1), d(0)).item()));
  CHECK(std::isfinite(gaussian_nll(d(0), d(0), d(0)).item()));
  CHECK(std::isnan(kl_divergence(d(-1), d(-0.5)).item()));
  CHECK(kl_divergence(d(-1), d(0)).item() == 0);
}
