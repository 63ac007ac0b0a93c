#include <catch2/catch.hpp>
#include <cstring>

#include "tenon/device.hpp"
#include "tenon/error.hpp"
#include "tenon/nn/unet.hpp"
#include "tenon/optim.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::nn;
using Catch::Matchers::Contains;

namespace {

UNetOptions small(int axes = 3, DType compute = DType::f32) {
  UNetOptions o;
  o.classes = 3;
  o.widths = {4, 8, 16};
  o.spatial_axes = axes;
  o.compute = compute;
  return o;
}

Tensor image(const Shape& shape, std::uint64_t stream = 0) {
  std::vector<float> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = Random(6, stream).normal(i);
  return Tensor::from(v, shape);
}

Tensor labels(const Shape& shape, std::uint64_t stream = 0) {
  std::vector<std::uint8_t> v(std::size_t(shape.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::uint8_t(Random(7, stream).below(i, 3));
  return Tensor::from(v, shape);
}

std::int64_t conv_parameters(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return in * out * kernel + out;
}
/// Two convolutions with their norms.
std::int64_t stage_parameters(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return conv_parameters(in, out, kernel) + conv_parameters(out, out, kernel) + 4 * out;
}

}  // namespace

TEST_CASE("the U-Net has the layers of its options", "[unet]") {
  UNet net(small());
  const std::int64_t expected = stage_parameters(1, 4, 27) + stage_parameters(4, 8, 27) + stage_parameters(8, 16, 27) +
                                conv_parameters(16, 8, 8) + stage_parameters(16, 8, 27) + conv_parameters(8, 3, 1) +
                                conv_parameters(8, 4, 8) + stage_parameters(8, 4, 27) + conv_parameters(4, 3, 1);
  CHECK(net.parameter_count() == expected);
  CHECK(net.parameters()[0].first == "down0.conv1.weight");
}

TEST_CASE("the U-Net has as many heads as are supervised, so that every parameter gets a gradient", "[unet]") {
  UNetOptions options = small();
  options.heads = 1;
  UNet net(options);
  net.initialise(1);
  const std::vector<Tensor> outputs = net.forward_all({image({1, 8, 8, 8, 1})});
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0].shape() == Shape({1, 8, 8, 8, 3}));
  CHECK(net.forward(image({1, 8, 8, 8, 1})).to_vector() == outputs[0].to_vector());
  sum(outputs[0]).backward();
  for (const auto& [name, p] : net.parameters()) {
    INFO(name);
    CHECK(p.grad().defined());
  }
}

TEST_CASE("the U-Net keeps sizes in 1 to 3 axes and gives logits at every resolution", "[unet]") {
  for (int axes : {1, 2, 3}) {
    UNet net(small(axes));
    net.initialise(1);
    Shape in{2}, half{2};
    for (int a = 0; a < axes; ++a) {
      in.push_back(8);
      half.push_back(4);
    }
    in.push_back(1);
    half.push_back(3);
    Tensor x = image(in);
    auto all = net.forward_all({x});
    REQUIRE(all.size() == 2);
    Shape full = in;
    full[-1] = 3;
    CHECK(all[0].shape() == full);
    CHECK(all[1].shape() == half);
    CHECK(net.forward(x).to_vector() == all[0].to_vector());
  }
}

TEST_CASE("bf16 activations stay near f32 ones and the logits come back in f32", "[unet]") {
  UNet exact(small()), narrow(small(3, DType::bf16));
  exact.initialise(1);
  narrow.initialise(1);
  Tensor x = image({1, 8, 8, 8, 1});
  Tensor a = exact.forward(x), b = narrow.forward(x);
  CHECK(b.dtype() == DType::f32);
  double difference = 0, size = 0;
  auto va = a.to_vector(), vb = b.to_vector();
  for (std::size_t i = 0; i < va.size(); ++i) {
    difference += (va[i] - vb[i]) * (va[i] - vb[i]);
    size += va[i] * va[i];
  }
  CHECK(difference > 0);
  CHECK(difference < 0.03 * 0.03 * size);
}

TEST_CASE("the U-Net refuses shapes it cannot halve, with the shape in the message", "[unet]") {
  UNet net(small());
  CHECK_THROWS_WITH(net.forward(image({1, 8, 6, 8, 1})), Contains("size 6 along spatial axis 1") && Contains("not divisible by 4"));
  CHECK_THROWS_WITH(net.forward(image({1, 8, 8, 1})), Contains("expected [N, 3 spatial axes, 1]"));
  CHECK_THROWS_WITH(net.forward(image({1, 8, 8, 8, 2})), Contains("expected [N, 3 spatial axes, 1]"));
  UNetOptions o = small();
  o.widths = {4};
  CHECK_THROWS_WITH(UNet(o), Contains("at least two stages"));
  o = small(4);
  CHECK_THROWS_WITH(UNet(o), Contains("4 spatial axes"));
  o = small();
  o.strides = {{2, 2, 2}};
  CHECK_THROWS_WITH(UNet(o), Contains("3 widths need 2 strides"));
}

TEST_CASE("U-Net training, planned with 1 or 2 threads, equals eager training bit for bit", "[unet][plan]") {
  const int before = thread_count();
  const Shape in{2, 8, 8, 8, 1}, truth{2, 8, 8, 8};
  auto make_loss = [](UNet& net, const Tensor& x, const Tensor& y) {
    auto outputs = net.forward_all({x});
    Tensor coarse = y.narrow(1, 0, 4).narrow(2, 0, 4).narrow(3, 0, 4).contiguous();
    return dice_cross_entropy(outputs[0], y) + dice_cross_entropy(outputs[1], coarse) * 0.5;
  };
  auto train = [&](int threads, bool planned) {
    set_thread_count(threads);
    UNet net(small());
    net.initialise(3);
    auto optimiser = make_sgd(net, {.momentum = 0.99, .weight_decay = 3e-5, .clip = 12, .nesterov = true});
    Tensor x = Tensor::zeros(in), y = Tensor::zeros(truth, DType::u8), loss;
    auto step = [&] {
      loss = make_loss(net, x, y);
      loss.backward();
      optimiser->step();
      loss = loss.detach();
    };
    StepPlan plan;
    if (planned) plan = StepPlan::record(step);
    std::vector<double> trace;
    for (int i = 0; i < 3; ++i) {
      x.assign(image(in, std::uint64_t(i)));
      y.assign(labels(truth, std::uint64_t(i)));
      optimiser->begin_step(0.01 / (1 + i));
      planned ? plan.run() : step();
      trace.push_back(loss.item());
    }
    for (const auto& [name, t] : net.parameters())
      for (double v : t.to_vector()) trace.push_back(v);
    return trace;
  };
  const auto reference = train(1, false);
  CHECK(reference[2] < 1e3);
  CHECK(train(1, true) == reference);
  CHECK(train(2, true) == reference);
  CHECK(train(2, false) == reference);
  set_thread_count(before);
}

TEST_CASE("a U-Net refuses strides and kernels that do not fit its axes", "[unet][misuse]") {
  const auto made = [](std::vector<std::int64_t> stride, std::vector<std::int64_t> kernel, std::int64_t classes = 2) {
    UNetOptions o;
    o.spatial_axes = 2, o.widths = {4, 8}, o.classes = classes;
    o.strides = {std::move(stride)}, o.kernels = {{3, 3}, std::move(kernel)};
    return UNet(o).size_divisor();
  };
  CHECK(made({2, 1}, {3, 1}) == 2);
  CHECK_THROWS_WITH(made({2}, {3, 3}), Contains("UNet: strides [2] for 2 spatial axes"));
  CHECK_THROWS_WITH(made({2, 2, 2}, {3, 3}), Contains("UNet: strides [2, 2, 2]"));
  CHECK_THROWS_WITH(made({0, 2}, {3, 3}), Contains("UNet: strides [0, 2]"));
  CHECK_THROWS_WITH(made({2, 2}, {2, 3}), Contains("UNet: kernel [2, 3]"));
  CHECK_THROWS_WITH(made({2, 2}, {3}), Contains("UNet: kernel [3]"));
  CHECK_THROWS_WITH(made({2, 2}, {3, 3}, 0), Contains("UNet: ") && Contains("classes 0"));
}
