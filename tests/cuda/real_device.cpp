#include "cuda/device.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>

#include "backend/backend.hpp"
#include "core/ops/gradient_check.hpp"
#include "tenon/autograd.hpp"
#include "tenon/feed_forward.hpp"
#include "tenon/ops.hpp"
#include "tenon/precision.hpp"

using namespace tenon;

namespace under_test {

bool has_device() {
  static const bool has = [] {
    for (const tenon::DeviceInfo& d : tenon::list_devices())
      if (d.device == kDevice && d.usable) return true;
    return false;
  }();
  return has;
}
void begin_run(int) {}
void end_run() {}

}  // namespace under_test

// What only NVIDIA's libraries do.
namespace {

/// Mean squared error over mean square.
double error(const Tensor& found, const Tensor& wanted) {
  const std::vector<double> x = found.to(kCpu).to_vector(), y = wanted.to_vector();
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    size += y[i] * y[i];
  }
  return difference / size;
}

Tensor on_device(const Tensor& x, DType type = DType::f32) { return x.to(type).to(under_test::kDevice); }

/// The gradient of a feed-forward block's first weight.
Tensor block(DType type, FeedForwardActivation activation) {
  const Tensor x = on_device(check::made(1, {512, 64}), type), b1 = on_device(check::made(3, {256})), b2 = on_device(check::made(5, {64}));
  Tensor w1 = on_device(check::made(2, {256, 64}) * 0.1);
  const Tensor w2 = on_device(check::made(4, {64, 256}) * 0.1);
  w1.set_requires_grad();
  Tensor bias = b1;
  bias.set_requires_grad();
  return gradients({sum(feed_forward(x, w1, bias, w2, b2, activation).to(DType::f32))}, {w1})[0];
}

}  // namespace

TEST_CASE("f32 is f32, and near it where TF32 is allowed", "[extra][tf32]") {
  TENON_NEEDS_DEVICE();
  const Tensor a = check::made(1, {384, 512}), b = check::made(2, {512, 320});
  const Tensor wanted = matmul(a.to(DType::f64), b.to(DType::f64));
  const Tensor x = on_device(a), y = on_device(b);
  const Tensor before = matmul(x, y);
  CHECK(error(before, wanted) < 1e-11);
  {
    const Tf32Scope allowed;
    const double rounded = error(matmul(x, y), wanted);
    CHECK(rounded > 1e-10);
    CHECK(rounded < 1e-5);
    const Tf32Scope not_here(false);
    CHECK(matmul(x, y).to(kCpu).to_vector() == before.to(kCpu).to_vector());
  }
  CHECK(matmul(x, y).to(kCpu).to_vector() == before.to(kCpu).to_vector());

  const Tensor image = check::made(3, {4, 32, 32, 64}), weight = check::made(4, {64, 3, 3, 64});
  ConvOptions options;
  options.padding = {1, 1};
  const Tensor convolved = conv(image.to(DType::f64), weight.to(DType::f64), {}, options);
  CHECK(error(conv(on_device(image), on_device(weight), {}, options), convolved) < 1e-9);
  const Tf32Scope allowed;
  CHECK(error(conv(on_device(image), on_device(weight), {}, options), convolved) < 1e-5);
}

// What the library does on the way of a product, and what not, and why: to be read.
TEST_CASE("products with an activation are told", "[extra][feed_forward]") {
  TENON_NEEDS_DEVICE();
  for (DType type : {DType::f32, DType::bf16, DType::f16})
    for (const auto activation : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh}) block(type, activation);
  int told = 0;
  for (const std::string& line : device_choices())
    if (line.rfind("product ", 0) == 0) {
      std::cout << "# chosen: " << line << "\n";
      ++told;
    }
  CHECK(told >= 9);  // of ReLU forward and backward, of GELU forward at least
}

// Run by gpu.sh twice with a memory of its own: the second process adds nothing to it.
TEST_CASE("products and convolutions of each kind", "[kept]") {
  TENON_NEEDS_DEVICE();
  for (const bool tf32 : {false, true}) {
    const Tf32Scope scope(tf32);
    for (DType type : {DType::f64, DType::f32, DType::bf16, DType::f16})
      for (std::int64_t n : {64, 96, 256}) {
        const Tensor x = on_device(check::made(1, {3, 128, n}), type), y = on_device(check::made(2, {3, n, 64}), type);
        for (const Tensor& product : {matmul(x, y), matmul(x, y.narrow(0, 0, 1)), matmul(y.transpose(1, 2), x.transpose(1, 2)),
                                      linear(x, x.narrow(0, 0, 1).reshape({128, n}), x.narrow(0, 0, 1).narrow(2, 0, 1).reshape({128}))})
          CHECK(std::isfinite(sum(product.to(DType::f32)).to(kCpu).to_vector().at(0)));
      }
    for (DType type : {DType::f32, DType::bf16, DType::f16})
      for (const auto activation : {FeedForwardActivation::relu, FeedForwardActivation::gelu_tanh}) CHECK(std::isfinite(block(type, activation).to(kCpu).to_vector().at(0)));
    const Tensor image = on_device(check::made(3, {4, 32, 32, 64})), weight = on_device(check::made(4, {64, 3, 3, 64}));
    CHECK(std::isfinite(sum(conv(image, weight, {})).to(kCpu).to_vector().at(0)));
  }
}
