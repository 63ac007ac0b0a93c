// Attention at sizes for which cuDNN is asked, too long for a CPU to play the device.
#include <catch2/catch.hpp>

#include <iostream>

#include "backend/backend.hpp"
#include "core/ops/gradient_check.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "tenon/attention.hpp"

using namespace tenon;
using namespace under_test;
using check::spread;
using In = std::vector<Tensor>;

namespace {

check::Function attention(bool causal, double scale = 0) {
  return [=](const In& x) { return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = causal, .scale = scale}); };
}

In operands(std::int64_t samples, std::int64_t queries, std::int64_t keys, std::int64_t heads, std::int64_t width) {
  return {spread({samples, queries, heads, width}), spread({samples, keys, heads, width}, -0.9, 1.1), spread({samples, keys, heads, width}, -2, 1)};
}

}  // namespace

TEST_CASE("long attention on the device gives what the CPU gives, whoever computes it", "[cuda][extra][attention]") {
  TENON_NEEDS_DEVICE();
  for (DType type : {DType::bf16, DType::f16}) {
    for (bool causal : {false, true}) {
      const std::string name = causal ? "causal attention" : "attention";
      compare(name, [=] { check::first_gradients(attention(causal), operands(2, 2048, 2048, 4, 64)); }, type);
      compare(name + ", more queries than keys", [=] { check::first_gradients(attention(causal), operands(2, 2048, 1536, 4, 64)); }, type);
      compare(name + ", fewer", [=] { check::first_gradients(attention(causal, 0.2), operands(2, 1024, 3000, 4, 64)); }, type);
      compare(name + " of wide heads", [=] { check::first_gradients(attention(causal), operands(1, 2048, 2048, 4, 128)); }, type);
      compare(name + " of odd heads", [=] { check::first_gradients(attention(causal), operands(1, 1500, 1500, 4, 40)); }, type);
      compare(name + " of one tensor", [=] { check::first_gradients([=](const In& x) { return self_attention(x[0], {.causal = causal}); }, {spread({2, 2048, 3, 4, 64}, -1, 1.1)}); }, type);
    }
  }
  // gradients in four parts: some heads of a sample each
  compare("attention in parts", [] { check::first_gradients(attention(true), operands(2, 4096, 4096, 20, 32)); }, DType::bf16);
  for (const std::string& line : device_choices()) std::cout << "# chosen: " << line << "\n";
}

TEST_CASE("a query off the 16 bytes that a library wants is computed all the same", "[cuda][extra][attention]") {
  TENON_NEEDS_DEVICE();
  compare("attention off its place", [] {
    auto shifted = [](const Tensor& t) { return t.reshape({t.numel()}).narrow(0, 1, 2048 * 4 * 64).reshape({1, 2048, 4, 64}); };
    check::first_gradients([=](const In& x) { return scaled_dot_product_attention(shifted(x[0]), shifted(x[1]), shifted(x[2])); },
                           {spread({2048 * 4 * 64 + 8}), spread({2048 * 4 * 64 + 8}, -0.9, 1.1), spread({2048 * 4 * 64 + 8}, -2, 1)});
  }, DType::bf16);
}

TEST_CASE("a recorded step gives the bits of the same attention alone", "[cuda][extra][attention]") {
  TENON_NEEDS_DEVICE();
  auto operand = [](double low) { return spread({2, 2048, 4, 64}, low, 1, DType::bf16).to(kDevice).set_requires_grad(true); };
  const Tensor q = operand(-1), k = operand(-0.9), v = operand(-2), d_y = spread({2, 2048, 4, 64}, -1, 1, DType::bf16).to(kDevice);
  check_recorded_bits([&] { return gradients({scaled_dot_product_attention(q, k, v, {.causal = true})}, {q, k, v}, {d_y}); });
}
