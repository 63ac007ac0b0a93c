/// Losses against PyTorch, the definition in double and central differences; wrong use; the same bits for any thread count.
#include "core/ops/gradient_check.hpp"
#include "golden/fused_ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using check::made;

namespace {

/// Label i of the golden inputs, and of every other test here: i * 7 / 3 modulo the classes.
Tensor labels_for(const Shape& shape, std::int64_t classes, DType type = DType::u8) {
  std::vector<std::int64_t> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::int64_t(i) * 7 / 3 % classes;
  return Tensor::from(v, shape).to(type);
}

/// Cross entropy, and 1 - mean soft Dice, by the definition.
std::pair<double, double> by_definition(const Tensor& logits, const Tensor& labels, double smooth) {
  const std::size_t K = std::size_t(logits.size(-1)), N = std::size_t(logits.size(0)), V = std::size_t(labels.numel()) / N;
  std::vector<double> x = logits.to_vector(), t = labels.to_vector();
  double entropy = 0, dice = 0;
  for (std::size_t n = 0; n < N; ++n) {
    std::vector<double> I(K), P(K), T(K);
    for (std::size_t v = n * V; v < (n + 1) * V; ++v) {
      double top = *std::max_element(x.begin() + std::ptrdiff_t(v * K), x.begin() + std::ptrdiff_t((v + 1) * K)), sum = 0;
      for (std::size_t k = 0; k < K; ++k) sum += std::exp(x[v * K + k] - top);
      for (std::size_t k = 0; k < K; ++k) {
        double p = std::exp(x[v * K + k] - top) / sum, hit = double(k) == t[v];
        I[k] += p * hit, P[k] += p, T[k] += hit;
        if (hit) entropy -= std::log(p);
      }
    }
    for (std::size_t k = 1; k < K; ++k) dice += (2 * I[k] + smooth) / (P[k] + T[k] + smooth);
  }
  return {entropy / double(N * V), 1 - dice / double(N * (K - 1))};
}

}  // namespace

TEST_CASE("losses agree with PyTorch in double, with their gradients", "[loss]") {
  Tensor labels = labels_for({2, 3, 2}, 4);
  auto x = check::leaves({made(1, {2, 3, 2, 4})});
  Tensor d = made(9, {1}).reshape({});
  Tensor ce = cross_entropy(x[0], labels), both = dice_cross_entropy(x[0], labels);
  check::require_close(ce.to_vector(), golden::cross_entropy, 1e-12);
  check::require_close(both.to_vector(), golden::dice_cross_entropy, 1e-12);
  check::require_close(gradients({ce}, x, {d})[0].to_vector(), golden::cross_entropy_d0, 1e-12);
  check::require_close(gradients({both}, x, {d})[0].to_vector(), golden::dice_cross_entropy_d0, 1e-12);
  auto pair = check::leaves({made(1, {2, 3, 2, 4}), made(4, {2, 3, 2, 4})});
  Tensor mse = mse_loss(pair[0], pair[1]);
  check::require_close(mse.to_vector(), golden::mse_loss, 1e-12);
  auto both_sides = gradients({mse}, pair, {d});
  check::require_close(both_sides[0].to_vector(), golden::mse_loss_d0, 1e-12);
  check::require_close(both_sides[1].to_vector(), golden::mse_loss_d1, 1e-12);
}

TEST_CASE("losses of every class count and type against the definition", "[loss]") {
  for (std::int64_t K : {2, 3, 4, 5, 7, 16, 17, 100, 256, 300})
    for (auto [type, tolerance] : {std::pair{DType::f32, 1e-5}, std::pair{DType::bf16, 1e-5}, std::pair{DType::f64, 1e-12}}) {
      INFO(K << " classes, " << name_of(type));
      Tensor logits = random_normal({2, 5, 41, K}, 3, std::uint64_t(K), 0, 3).to(type);
      auto [entropy, dice] = by_definition(logits, labels_for({2, 5, 41}, K, DType::i32), 1e-5);
      for (DType label_type : {DType::i16, DType::i64})
        REQUIRE(cross_entropy(logits, labels_for({2, 5, 41}, K, label_type)).item() == Approx(entropy).epsilon(tolerance));
      if (K > 256) continue;
      Tensor both = dice_cross_entropy(logits, labels_for({2, 5, 41}, K));
      REQUIRE(both.dtype() == (type == DType::f64 ? DType::f64 : DType::f32));
      REQUIRE(both.item() == Approx(entropy + dice).epsilon(tolerance));
    }
}

TEST_CASE("f32 and bf16 gradients of the label losses are the f64 ones, rounded", "[loss]") {
  for (std::int64_t K : {3, 20, 300}) {
    Tensor logits = random_normal({2, 700, K}, 3, std::uint64_t(K), 0, 2).to(DType::bf16),
           labels = labels_for({2, 700}, K, K > 256 ? DType::i32 : DType::u8);
    for (bool dice : {false, true}) {
      if (dice && K > 256) continue;
      auto gradient_in = [&](DType type) {
        auto x = check::leaves({logits.to(type)});
        return gradients({dice ? dice_cross_entropy(x[0], labels) : cross_entropy(x[0], labels)}, x)[0].to_vector();
      };
      std::vector<double> exact = gradient_in(DType::f64), f32 = gradient_in(DType::f32), bf16 = gradient_in(DType::bf16);
      const double size = 1.0 / 1400;  // of one voxel's share
      for (std::size_t i = 0; i < exact.size(); ++i) {
        REQUIRE(std::abs(f32[i] - exact[i]) < 2e-6 * size + 2e-6 * std::abs(exact[i]));
        REQUIRE(std::abs(bf16[i] - exact[i]) < 2e-6 * size + 4e-3 * std::abs(exact[i]));
      }
    }
  }
}

TEST_CASE("Dice reaches its closed forms", "[loss]") {
  // Certain and right: both terms vanish. Certain and wrong everywhere: Dice is smooth / (P + T + smooth).
  Tensor labels = Tensor::from(std::vector<std::uint8_t>{0, 1, 1, 0}, {1, 4});
  Tensor right = Tensor::from(std::vector<float>{50, -50, -50, 50, -50, 50, 50, -50}, {1, 4, 2});
  REQUIRE(dice_cross_entropy(right, labels).item() == Approx(0).margin(1e-6));
  Tensor wrong = neg(right);
  REQUIRE(dice_cross_entropy(wrong, labels, 1.0).item() == Approx(100 + 1 - 1.0 / (2 + 2 + 1)).epsilon(1e-6));
  // An absent class that is not predicted has Dice 1 through the smoothing alone.
  Tensor empty = Tensor::zeros({1, 4}, DType::u8);
  Tensor none = Tensor::from(std::vector<float>{90, -90, 90, -90, 90, -90, 90, -90}, {1, 4, 2});
  REQUIRE(dice_cross_entropy(none, empty).item() == Approx(0).margin(1e-6));
}

TEST_CASE("gradients of the losses against differences", "[loss][gradient]") {
  for (std::int64_t K : {3, 17}) {
    Tensor labels = labels_for({2, 5}, K), x = made(1, {2, 5, K}) * 0.7;
    check::first_gradients([&](auto& v) { return cross_entropy(v[0], labels); }, {x}, 1e-6);
    check::second_gradients([&](auto& v) { return cross_entropy(v[0], labels); }, {x});
    check::first_gradients([&](auto& v) { return dice_cross_entropy(v[0], labels, 0.1); }, {x}, 1e-6);
    check::second_gradients([&](auto& v) { return dice_cross_entropy(v[0], labels, 0.1); }, {x});
  }
  std::vector<Tensor> two{made(1, {3, 4}), made(2, {3, 4})};
  check::first_gradients([](auto& v) { return mse_loss(v[0], v[1]); }, two, 1e-6);
  check::second_gradients([](auto& v) { return mse_loss(v[0], v[1]); }, two);
}

TEST_CASE("losses give the same bits for every thread count", "[loss][determinism]") {
  for (DType type : {DType::f32, DType::bf16}) {
    Tensor x = random_normal({2, 30, 31, 29, 3}, 1, 1).to(type), t = random_normal({2, 30, 31, 29, 3}, 1, 2).to(type),
           labels = labels_for({2, 30, 31, 29}, 3);
    check::same_bits([&] { return check::with_gradients([&](auto& v) { return dice_cross_entropy(v[0], labels); }, {x}); });
    check::same_bits([&] { return check::with_gradients([&](auto& v) { return cross_entropy(v[0], labels); }, {x}); });
    check::same_bits([&] { return check::with_gradients([&](auto& v) { return mse_loss(v[0], v[1]); }, {x, t}); });
  }
}

TEST_CASE("the incoming gradient of a loss is read when the step runs", "[loss][plan]") {
  Tensor labels = labels_for({2, 50}, 3), weight = Tensor::full({}, 1);
  auto x = check::leaves({random_normal({2, 50, 3}, 1, 1)});
  std::vector<Tensor> d;
  StepPlan plan = StepPlan::record([&] { d = gradients({dice_cross_entropy(x[0], labels) * weight}, x); });
  plan.run();
  std::vector<double> once = d[0].to_vector();
  weight.fill(2);
  plan.run();
  std::vector<double> twice = d[0].to_vector();
  for (std::size_t i = 0; i < once.size(); ++i) REQUIRE(twice[i] == 2 * once[i]);
}

TEST_CASE("losses say what is wrong", "[loss][misuse]") {
  Tensor logits = made(1, {2, 5, 3}, DType::f32), labels = labels_for({2, 5}, 3);
  check::refuses([&] { cross_entropy(logits, labels_for({2, 4}, 3)); }, "cross_entropy", {"[2, 4]", "[2, 5, 3]"});
  check::refuses([&] { cross_entropy(logits, labels.to(DType::f32)); }, "cross_entropy", {"f32[2, 5]"});
  check::refuses([&] { dice_cross_entropy(logits, labels.to(DType::i32)); }, "dice_cross_entropy", {"i32", "u8"});
  check::refuses([&] { dice_cross_entropy(logits.narrow(2, 0, 1), labels); }, "dice_cross_entropy", {"1 classes"});
  check::refuses([&] { dice_cross_entropy(logits, labels, -1); }, "dice_cross_entropy", {"smooth"});
  check::refuses([&] { mse_loss(logits, logits.to(DType::f64)); }, "mse_loss", {"f32[2, 5, 3]", "f64[2, 5, 3]"});
  check::refuses([&] { mse_loss(logits, logits.narrow(0, 0, 1)); }, "mse_loss", {"[1, 5, 3]"});

  labels.narrow(0, 1, 1).narrow(1, 2, 1).fill(3);
  for (bool dice : {false, true}) {
    try {
      dice ? dice_cross_entropy(logits, labels) : cross_entropy(logits, labels);
      FAIL("a label outside the classes was taken");
    } catch (const Error& e) {
      REQUIRE(e.kind() == ErrorKind::data);
      REQUIRE(e.code() == "loss.label_range");
      REQUIRE(std::string(e.what()).find("label 3 at element 7 is outside 0..2") != std::string::npos);
    }
  }
}
