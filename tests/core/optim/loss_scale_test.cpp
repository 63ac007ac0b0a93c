#include "tenon/loss_scale.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "tenon/error.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::vector<double>> kGolden{
#include "golden/loss_scale.inc"
};

}  // namespace

TEST_CASE("the loss scale moves as PyTorch's GradScaler does", "[optim][loss_scale]") {
  const std::set<int> bad{1, 2, 7, 12, 13, 14, 30};
  std::size_t k = 0;
  for (const double first : {65536.0, std::ldexp(1.0, 126)}) {
    LossScale scale({.initial = first, .interval = 3});
    Tensor g = Tensor::zeros({3});
    const StepPlan check = StepPlan::record([&] { scale.unscale({g}); });  // a replayed step sees each scale
    LossScale::State saved;
    for (int step = 1; step <= 40; ++step) {
      g.fill(1);
      if (bad.contains(step)) g.data<float>()[1] = std::numeric_limits<float>::infinity();
      const auto inverse = float(1.0 / scale.value());
      check.run();
      CHECK(scale.finite() == !bad.contains(step));
      CHECK(g.data<float>()[0] == inverse);
      scale.update();
      CHECK(scale.value() == kGolden[k][std::size_t(step - 1)]);
      if (step == 20) saved = scale.state();
    }
    LossScale again({.initial = 1, .interval = 3});  // from a checkpoint
    again.load(saved);
    for (int step = 21; step <= 40; ++step) {
      g.fill(bad.contains(step) ? std::nan("") : 0);
      again.unscale({g});
      again.update();
      CHECK(again.value() == kGolden[k][std::size_t(step - 1)]);
    }
    ++k;
  }
}

TEST_CASE("not finite is found wherever it stands", "[optim][loss_scale]") {
  LossScale scale;
  Tensor a = Tensor::zeros({40001}), b = Tensor::zeros({3, 5});
  for (const std::int64_t at : {0, 16383, 16384, 40000}) {
    a.fill(0);
    a.data<float>()[at] = -std::numeric_limits<float>::infinity();
    scale.unscale({a, b});
    CHECK_FALSE(scale.finite());
  }
  a.fill(std::numeric_limits<float>::max());
  b.fill(0);
  scale.unscale({a, b});
  CHECK(scale.finite());
  b.data<float>()[14] = std::nanf("");
  scale.unscale({a, b});
  CHECK_FALSE(scale.finite());
}

TEST_CASE("gradients that f16 loses are kept by the scale", "[optim][loss_scale]") {
  nn::Linear layer(1, 1, false);
  layer.weight.fill(1);
  const Tensor x = Tensor::full({1, 1}, 1, DType::f16);
  const auto gradient = [&](const LossScale* scale) {
    layer.weight.set_grad({});
    const Tensor loss = mean(layer(x).to(DType::f32)) * 1e-8;  // below f16's least number, 6e-8
    (scale ? scale->scaled(loss) : loss).backward();
    if (scale) scale->unscale({layer.weight.grad()});
    return layer.weight.grad().item();
  };
  CHECK(gradient(nullptr) == 0);
  const LossScale scale;
  CHECK(gradient(&scale) == Approx(1e-8).epsilon(1e-3));
  CHECK(scale.finite());
  const LossScale large({.initial = 1e14});  // 1e6 in f16: overflows
  gradient(&large);
  CHECK_FALSE(large.finite());
}

TEST_CASE("products and convolutions in f16 are those of the rounded operands", "[loss_scale]") {
  const auto values = [](const Shape& shape, double step) {
    std::vector<float> v;
    for (std::int64_t i = 0; i < shape.numel(); ++i) v.push_back(float(std::sin(step * double(i) + 0.3)));
    return Tensor::from(v, shape);
  };
  const auto rounded = [](const Tensor& t) { return t.to(DType::f16).to(DType::f32); };
  const Tensor x = values({3, 8}, 0.7), w = values({5, 8}, 1.1), image = values({1, 6, 6, 4}, 0.37), kernel = values({3, 3, 3, 4}, 0.9);
  CHECK(linear(x.to(DType::f16), w, {}).dtype() == DType::f16);
  CHECK(linear(x.to(DType::f16), w, {}).to_vector() == rounded(linear(rounded(x), rounded(w), {})).to_vector());
  CHECK(matmul(x.to(DType::f16), w.to(DType::f16).transpose(0, 1)).to_vector() == rounded(matmul(rounded(x), rounded(w).transpose(0, 1))).to_vector());
  CHECK(conv(image.to(DType::f16), kernel, {}, {}).to_vector() == rounded(conv(rounded(image), rounded(kernel), {}, {})).to_vector());
  const Tensor back = values({4, 3, 3, 2}, 0.8);
  CHECK(conv_transpose(image.to(DType::f16), back, {}, {}).to_vector() == rounded(conv_transpose(rounded(image), rounded(back), {}, {})).to_vector());
}

TEST_CASE("the loss scale says what is wrong", "[optim][loss_scale]") {
  CHECK_THROWS_WITH(LossScale({.initial = 0}), Contains("LossScale: initial scale 0"));
  CHECK_THROWS_WITH(LossScale({.growth = 1}), Contains("growth 1"));
  CHECK_THROWS_WITH(LossScale({.backoff = 1}), Contains("backoff 1"));
  CHECK_THROWS_WITH(LossScale({.interval = 0}), Contains("interval 0"));
  const LossScale scale;
  CHECK_THROWS_WITH(scale.scaled(Tensor::zeros({2})), Contains("LossScale::scaled: f32[2]"));
  CHECK_THROWS_WITH(scale.unscale({Tensor::zeros({2}, DType::f16)}), Contains("LossScale::unscale: f16[2]"));
}
