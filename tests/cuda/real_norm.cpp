// Norms of rows at sizes for which cuDNN is asked, too large for a CPU to play the device.
#include <catch2/catch.hpp>

#include <iostream>

#include "backend/backend.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "tenon/norms.hpp"

using namespace tenon;
using namespace under_test;
using check::made;
using check::spread;
using In = std::vector<Tensor>;

namespace {

void layer(const Shape& shape, double middle = 0) {
  const std::int64_t n = shape[-1];
  check::first_gradients([](const In& x) { return layer_norm(x[0], x[1], x[2]); }, {made(1, shape) + middle, spread({n}, 0.5, 2), spread({n})});
}
void rms(const Shape& shape) {
  check::first_gradients([](const In& x) { return rms_norm(x[0], x[1]); }, {made(1, shape), spread({shape[-1]}, 0.5, 2)});
}

}  // namespace

TEST_CASE("norms of many rows on the device give what the CPU gives, whoever computes them", "[cuda][extra][row_norm]") {
  TENON_NEEDS_DEVICE();
  for (DType type : {DType::f32, DType::bf16, DType::f16})
    for (const Shape& shape : {Shape{4096, 256}, {4, 256, 768}, {1024, 1024}, {200, 4096}, {1000, 1023}, {40, 30000}, {100000, 7}}) {
      compare("layer norm of " + shape.str(), [=] { layer(shape); }, type);
      compare("RMS norm of " + shape.str(), [=] { rms(shape); }, type);
    }
  compare("layer norm of rows about 20", [] { layer({2048, 768}, 20); }, DType::f32);
  for (const std::string& line : device_choices()) std::cout << "# chosen: " << line << "\n";
}

TEST_CASE("a norm of rows off the 16 bytes that a library wants is computed all the same", "[cuda][extra][row_norm]") {
  TENON_NEEDS_DEVICE();
  compare("layer norm off its place", [] {
    auto shifted = [](const Tensor& t) { return t.narrow(0, 1, 2048 * 768).reshape({2048, 768}); };
    check::first_gradients([=](const In& x) { return layer_norm(shifted(x[0]), x[1], x[2]); }, {made(1, {2048 * 768 + 8}), spread({768}, 0.5, 2), spread({768})});
  }, DType::bf16);
}

TEST_CASE("a recorded step gives the bits of the same norms alone", "[cuda][extra][row_norm]") {
  TENON_NEEDS_DEVICE();
  for (DType type : {DType::f32, DType::bf16}) {
    auto operand = [=](const Shape& shape, DType t) { return made(1, shape, t).to(kDevice).set_requires_grad(true); };
    const Tensor x = operand({512, 4096}, type), scale = operand({4096}, DType::f32), shift = operand({4096}, DType::f32), d_y = made(2, {512, 4096}, type).to(kDevice);
    check_recorded_bits([&] { return gradients({rms_norm(layer_norm(x, scale, shift), scale)}, {x, scale, shift}, {d_y}); });
  }
}
