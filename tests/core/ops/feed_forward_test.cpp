/// The feed-forward block beside its three ops, on a device that has no products with an activation; wrong use.
#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "tenon/dropout.hpp"
#include "tenon/feed_forward.hpp"
#include "tenon/nn/attention.hpp"

using namespace tenon;
using check::made;
using In = std::vector<Tensor>;

namespace {

Tensor of_ops(const In& x, FeedForwardActivation a) {
  const Tensor h = linear(x[0], x[1], x[2]);
  return linear(a == FeedForwardActivation::relu ? relu(h) : a == FeedForwardActivation::gelu ? gelu(h) : gelu_tanh(h), x[3], x[4]);
}
Tensor block(const In& x, FeedForwardActivation a) { return feed_forward(x[0], x[1], x[2], x[3], x[4], a); }

constexpr FeedForwardActivation kActivations[] = {FeedForwardActivation::relu, FeedForwardActivation::gelu, FeedForwardActivation::gelu_tanh};

}  // namespace

TEST_CASE("a feed-forward block has the bits of its ops on the CPU", "[feed_forward]") {
  for (const DType type : {DType::f64, DType::f32, DType::bf16, DType::f16})
    for (const auto a : kActivations)
      for (const Shape& x : {Shape{7}, Shape{5, 7}, Shape{2, 3, 7}, Shape{0, 7}, Shape{2, 0, 7}}) {
        const DType wide = type == DType::f64 ? type : DType::f32;
        const In inputs{made(1, x, type), made(2, {11, 7}, wide), made(3, {11}, wide), made(4, {5, 11}, wide), made(5, {5}, wide)};
        const auto got = check::with_gradients([=](const In& v) { return block(v, a); }, inputs), want = check::with_gradients([=](const In& v) { return of_ops(v, a); }, inputs);
        INFO(name_of(type) << " " << x.str() << ", activation " << int(a));
        REQUIRE(got.size() == want.size());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i].to_vector() == want[i].to_vector());
      }
}

TEST_CASE("a feed-forward block says what does not fit", "[feed_forward]") {
  const Tensor x = made(1, {2, 4}), w1 = made(2, {5, 4}), b1 = made(3, {5}), w2 = made(4, {3, 5}), b2 = made(5, {3});
  const auto relu = FeedForwardActivation::relu;
  check::refuses([&] { feed_forward({}, w1, b1, w2, b2, relu); }, "feed_forward", {"undefined"});
  check::refuses([&] { feed_forward(x, {}, b1, w2, b2, relu); }, "feed_forward", {"undefined"});
  check::refuses([&] { feed_forward(x, w2, b1, w1, b2, relu); }, "feed_forward", {"[2, 4]", "[3, 5]", "reads 5 features"});
  check::refuses([&] { feed_forward(x, w1, b1, w1, b2, relu); }, "feed_forward", {"[2, 5]", "[5, 4]", "reads 4 features"});
  check::refuses([&] { feed_forward(x, w1, b2, w2, b2, relu); }, "feed_forward", {"bias [3]"});
  check::refuses([&] { feed_forward(x, w1, b1, w2, b1, relu); }, "feed_forward", {"bias [5]"});
  check::refuses([&] { feed_forward(x, w1, b1, w2.to(DType::f32), b2, relu); }, "feed_forward", {"does not go with"});
}

TEST_CASE("an encoder layer's feed-forward block takes gelu_tanh, with dropout as without", "[feed_forward]") {
  nn::TransformerOptions o;
  o.channels = 8, o.heads = 2, o.feedforward = 12, o.dropout = 0.1;
  const Tensor x = made(1, {2, 3, 8}, DType::f32);
  std::vector<std::vector<double>> results;
  for (const auto a : kActivations) {
    o.activation = a;
    nn::TransformerEncoderLayer layer(o);
    layer.initialise(3);
    layer.eval();
    results.push_back(layer.forward(x).to_vector());
    // with dropout between the products they are ops of their own: of a rate at which nothing is dropped
    nn::TransformerOptions rare = o;
    rare.dropout = 1e-12;
    nn::TransformerEncoderLayer training(rare);
    training.initialise(3);
    training.train();
    training.set_random_key(random_key(1));
    check::require_close(training.forward(x).to_vector(), results.back(), 1e-6);
  }
  CHECK(results[1] != results[0]);
  CHECK(results[1] != results[2]);
  check::require_close(results[2], results[1], 1e-2);
}

TEST_CASE("gradients of gradients go through layers of 16-bit values and f32 weights", "[feed_forward]") {
  const std::vector<Tensor> w{made(2, {9, 5}, DType::f32) * 0.1, made(3, {9}, DType::f32) * 0.1, made(4, {4, 9}, DType::f32) * 0.1, made(5, {4}, DType::f32) * 0.1};
  const auto penalty = [&](DType type) {  // of a gradient's size, by the weights
    std::vector<Tensor> leaves;
    for (const Tensor& t : w) leaves.push_back(t.detach().clone().set_requires_grad(true));
    Tensor x = (made(1, {6, 5}, DType::f32) * 0.3).detach().clone().set_requires_grad(true);
    const Tensor y = feed_forward(x.to(type), leaves[0], leaves[1], leaves[2], leaves[3], FeedForwardActivation::gelu_tanh).to(DType::f32);
    const Tensor d_x = gradients({sum(y * y)}, {x}, {}, true)[0];
    return gradients({sum(d_x * d_x)}, {leaves[0], leaves[2]});
  };
  const auto exact = penalty(DType::f32);
  for (const DType type : {DType::bf16, DType::f16}) {
    const auto rounded = penalty(type);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      CHECK(rounded[i].dtype() == DType::f32);
      const double off = sum((rounded[i] - exact[i]) * (rounded[i] - exact[i])).item(), whole = sum(exact[i] * exact[i]).item();
      CHECK(off <= 1e-2 * whole);  // some roundings to 8 bits
    }
  }
}
