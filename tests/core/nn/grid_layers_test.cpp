/// Layers on grids: convolution with edges, normalisation with activation, blocks, pooling and resizing layers.
#include <cmath>
#include <limits>
#include <map>

#include "core/grid_golden.hpp"
#include "tenon/nn/blocks.hpp"
#include "tenon/nn/pooling.hpp"
#include "tenon/nn/resizing.hpp"
#include "tenon/nn/unet.hpp"
#include "tenon/normalisation.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using check::made;

namespace {

std::vector<std::string> names(const nn::Module& m) {
  std::vector<std::string> all;
  for (const auto& [name, t] : m.parameters()) all.push_back(name);
  return all;
}

/// The layer in double, with weights of PyTorch's layout [O, I, kernel...].
Tensor in_double(const nn::Conv& layer, const Tensor& x, const std::vector<AxisPadding>& padding, const ConvOptions& o) {
  return conv(pad_axes(x, padding), layer.weight.to(DType::f64), layer.bias.defined() ? layer.bias.to(DType::f64) : Tensor{}, o);
}

}  // namespace

TEST_CASE("a convolution pads by the rule of each axis", "[nn][padding]") {
  const PaddingMode c = PaddingMode::circular, r = PaddingMode::reflect;
  Tensor weight = made(3, {3, 2, 3, 3}).permute({0, 2, 3, 1}).contiguous(), bias = made(4, {3});
  golden::matches("conv_circular",
                  [&](auto& x) {
                    return conv(pad_axes(x, {{1, {1, r}, {1, r}}, {2, {1, c}, {1, c}}}), weight, bias);
                  },
                  5, {1, 5, 4, 2});

  nn::Conv layer(2, 3, {3, 3}, {}, true, {{r, c}, true});
  layer.initialise(1);
  Tensor x = random_normal({2, 6, 7, 2}, 1, 1);
  Tensor y = layer(x);
  REQUIRE(y.shape() == Shape{2, 6, 7, 3});
  check::require_close(y.to_vector(), in_double(layer, x.to(DType::f64), {{1, {1, r}, {1, r}}, {2, {1, c}, {1, c}}}, {}).to_vector(), 1e-5);

  nn::Conv zeros(2, 3, {3, 3}, {{}, {1, 1}, {}, 1}, true, {{PaddingMode::constant, c}, false});
  zeros.initialise(2);
  check::require_close(zeros(x).to_vector(), in_double(zeros, x.to(DType::f64), {{2, {1, c}, {1, c}}}, {{}, {1, 0}, {}, 1}).to_vector(),
                       1e-5);
}

TEST_CASE("'same' keeps sizes with even kernels and dilation, as PyTorch", "[nn][padding]") {
  Tensor weight = made(3, {3, 2, 4, 2}).permute({0, 2, 3, 1}).contiguous();
  nn::Conv layer(2, 3, {4, 2}, {{}, {}, {1, 2}, 1}, false, {{}, true});
  layer.weight.assign(weight);
  const auto& at = *std::find_if(golden::grid().begin(), golden::grid().end(), [](auto& g) { return g.name == "conv_same_even"; });
  check::require_close(layer(made(5, {1, 5, 4, 2}, DType::f32)).to_vector(), at.y, 1e-5);
  // zeros that are alike on both sides cost no copy: the step is the convolution alone
  for (bool same : {true, false}) {
    nn::Conv plain(2, 3, {3}, {{}, same ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{1}, {}, 1}, true,
                   {{PaddingMode::constant}, same});
    Tensor x = random_normal({1, 9, 2}, 1, 1);
    StepPlan plan = StepPlan::record([&] { plain(x); });
    REQUIRE(plan.explain().find("pad") == std::string::npos);
  }
}

TEST_CASE("normalisations with an activation agree with PyTorch, and with the two ops apart", "[norm]") {
  Tensor scale = made(2, {4}), shift = made(3, {4});
  const Shape s{2, 3, 2, 4};
  golden::matches(
      "group_norm_relu", [&](auto& x) { return group_norm(x, 2, scale, shift, 1e-5, 0.1); }, 1, s, 1e-11);
  golden::matches(
      "batch_norm_relu", [&](auto& x) { return batch_norm(x, scale, shift, {}, {}, true, 0.1, 1e-5, 0); }, 1, s, 1e-11);
  Tensor x = random_normal({2, 9, 8, 12}, 1, 1);
  nn::BatchNorm fused(12, 0.1, 1e-5, 0), apart(12);
  nn::GroupNorm group(4, 12, 1e-5, 0);
  for (nn::Module* m : std::initializer_list<nn::Module*>{&fused, &apart, &group}) m->initialise(0);
  REQUIRE(fused(x).to_vector() == relu(apart(x)).to_vector());
  REQUIRE(group(x).to_vector() == relu(group_norm(x, 4, group.scale, group.shift)).to_vector());
  check::same_bits([&] { return check::with_gradients([&](auto& v) { return group(v[0]); }, {x}); });
}

TEST_CASE("activations by name", "[nn]") {
  Tensor x = made(1, {3, 5});
  REQUIRE(nn::Activation("relu")(x).to_vector() == relu(x).to_vector());
  REQUIRE(nn::Activation("leaky_relu", 0.2)(x).to_vector() == leaky_relu(x, 0.2).to_vector());
  REQUIRE(nn::Activation("elu")(x).to_vector() == elu(x).to_vector());
  REQUIRE(nn::Activation("gelu")(x).to_vector() == gelu(x).to_vector());
  REQUIRE(nn::Activation("gelu_tanh")(x).to_vector() == gelu_tanh(x).to_vector());
  REQUIRE(nn::Activation("silu")(x).to_vector() == silu(x).to_vector());
  REQUIRE(nn::Activation("softplus")(x).to_vector() == softplus(x).to_vector());
  REQUIRE(nn::Activation("tanh")(x).to_vector() == tanh(x).to_vector());
  REQUIRE(nn::Activation("sigmoid")(x).to_vector() == sigmoid(x).to_vector());
  REQUIRE(nn::Activation("identity")(x).to_vector() == x.to_vector());
  check::refuses([] { nn::Activation("relo"); }, "Activation", {"relo", "'relu'"});
  check::refuses([] { nn::Activation("tanh", 2); }, "Activation", {"tanh", "no parameter"});
}

TEST_CASE("norm_activation makes one pass where it can", "[nn]") {
  REQUIRE(names(*nn::norm_activation(12, {"group", "relu", 8})) == std::vector<std::string>{"scale", "shift"});
  REQUIRE(names(*nn::norm_activation(12, {"batch", "gelu"})) == std::vector<std::string>{"0.scale", "0.shift"});
  REQUIRE(names(*nn::norm_activation(12, {"none", "gelu"})).empty());
  Tensor x = random_normal({2, 5, 6, 12}, 1, 1);
  for (const char* norm : {"batch", "group", "instance", "layer"})
    for (const char* activation : {"relu", "gelu", "identity"}) {
      INFO(norm << ", " << activation);
      nn::ModulePtr both = nn::norm_activation(12, {norm, activation, 5}), bare = nn::norm_activation(12, {norm, "identity", 5});
      both->initialise(0);
      bare->initialise(0);
      check::require_close(both->forward(x).to_vector(), nn::Activation(activation)(bare->forward(x)).to_vector(), 1e-6);
    }
  check::refuses([] { nn::norm_activation(4, {"bach"}); }, "norm_activation", {"bach", "'batch'"});
}

TEST_CASE("residual blocks are what their definition says", "[nn]") {
  Tensor x = random_normal({2, 8, 6, 5}, 1, 1);
  nn::Residual twice(std::make_shared<nn::Activation>("identity"));
  REQUIRE(twice(x).to_vector() == (x + x).to_vector());
  REQUIRE(nn::Flatten()(x).shape() == Shape{2, 240});
  check::refuses([&] { nn::Residual(std::make_shared<nn::Flatten>())(x); }, "Residual", {"[2, 240]", "[2, 8, 6, 5]"});

  for (bool pre : {false, true}) {
    nn::ResNetBlock block({.in = 5,
                           .out = 7,
                           .stride = {2, 1},
                           .pre_activation = pre,
                           .norm = {"group", "relu", 1},
                           .edges = {PaddingMode::edge, PaddingMode::circular}});
    block.initialise(3);
    std::map<std::string, Tensor> p;
    for (const auto& [name, t] : block.parameters()) p[name] = t;
    auto convolve = [&](const Tensor& v, const std::string& name, std::vector<std::int64_t> stride) {
      return conv(
          pad_axes(v, {{1, {1, PaddingMode::edge}, {1, PaddingMode::edge}}, {2, {1, PaddingMode::circular}, {1, PaddingMode::circular}}}),
          p.at(name + ".weight"), p.count(name + ".bias") ? p.at(name + ".bias") : Tensor{}, {std::move(stride), {}, {}, 1});
    };
    auto norm = [&](const Tensor& v, const std::string& name) { return group_norm(v, 1, p.at(name + ".scale"), p.at(name + ".shift")); };
    Tensor expected;
    if (pre) {
      Tensor a = relu(norm(x, "norm1"));
      expected = conv(a, p.at("shortcut.weight"), p.at("shortcut.bias"), {{2, 1}, {}, {}, 1}) +
                 convolve(relu(norm(convolve(a, "conv1", {2, 1}), "norm2")), "conv2", {});
    } else {
      Tensor y = norm(convolve(relu(norm(convolve(x, "conv1", {2, 1}), "norm1")), "conv2", {}), "norm2");
      expected = relu(norm(conv(x, p.at("shortcut.weight"), {}, {{2, 1}, {}, {}, 1}), "shortcut_norm") + y);
    }
    REQUIRE(block(x).shape() == Shape{2, 4, 6, 7});
    check::require_close(block(x).to_vector(), expected.to_vector(), 1e-6);
    REQUIRE(p.count("conv1.bias") == 0);
  }
  nn::ResNetBlock same({.in = 4, .out = 4, .spatial_axes = 1});
  REQUIRE(same.parameter_count() == 2 * 4 * 4 * 3 + 4 * 4);
  REQUIRE(nn::ResNetBlock({.in = 2, .out = 4, .spatial_axes = 3, .stride = {2, 2, 2}})(random_normal({1, 4, 4, 4, 2}, 1, 1)).shape() ==
          Shape{1, 2, 2, 2, 4});
  check::refuses([] { nn::ResNetBlock({.kernel = 4}); }, "ResNetBlock", {"kernel 4"});
  check::refuses([] { nn::ResNetBlock({.stride = {2}}); }, "ResNetBlock", {"1 strides", "2 spatial"});
}

TEST_CASE("pooling and resizing layers", "[nn]") {
  Tensor x = made(1, {2, 6, 4, 3}, DType::f32);
  REQUIRE(nn::MaxPool({2, 2})(x).to_vector() == max_pool(x, {2, 2}).to_vector());
  REQUIRE(nn::AvgPool({3, 3}, {1, 1}, {1, 1}, false)(x).shape() == x.shape());
  REQUIRE(nn::AdaptivePool("max", {3, 3})(x).shape() == Shape{2, 3, 3, 3});
  REQUIRE(nn::GlobalPool("avg")(x).shape() == Shape{2, 3});
  REQUIRE(nn::Resize({3, 8}, {ResizeMode::cubic})(x).shape() == Shape{2, 3, 8, 3});
  REQUIRE(nn::Upsample({2.0, 1.5})(x).shape() == Shape{2, 12, 6, 3});
  REQUIRE(nn::PixelShuffle({1, 3})(x).shape() == Shape{2, 6, 12, 1});
  check::refuses([] { nn::GlobalPool("mean"); }, "GlobalPool", {"mean"});
  check::refuses([] { nn::Upsample({0.0}); }, "Upsample", {"factor"});
  check::refuses([&] { nn::Upsample({2.0})(x); }, "Upsample", {"1 factors", "[2, 6, 4, 3]"});
}

TEST_CASE("convolution layers say what is wrong with their edges", "[nn][misuse]") {
  check::refuses(
      [] {
        nn::Conv(1, 1, {3, 3}, {}, true, {{PaddingMode::edge}, false});
      },
      "Conv", {"1 values of padding modes", "2 spatial"});
  check::refuses([] { nn::Conv(1, 1, {3}, {{}, {1}, {}, 1}, true, {{}, true}); }, "Conv", {"same"});
  nn::Conv reflected(1, 1, {7}, {}, true, {{PaddingMode::reflect}, true});
  check::refuses([&] { reflected(Tensor::zeros({1, 3, 1})); }, "pad_axes", {"3 reflect values", "shorter"});
}

TEST_CASE("a U-Net takes a norm, an activation and edges, and a shift around a circular axis shifts its result", "[nn][unet]") {
  nn::UNetOptions o;
  o.widths = {4, 6};
  o.spatial_axes = 2;
  o.norm = "group", o.activation = "silu", o.groups = 2;
  o.edges = {PaddingMode::edge, PaddingMode::circular};
  nn::UNet model(o);
  model.initialise(1);
  Tensor x = random_normal({1, 8, 12, 1}, 1, 1), around = concat({x.narrow(2, 8, 4), x.narrow(2, 0, 8)}, 2);
  Tensor y = model(x), shifted = model(around);
  check::require_close(shifted.to_vector(), concat({y.narrow(2, 8, 4), y.narrow(2, 0, 8)}, 2).to_vector(), 1e-5);
  o.norm = "batched";
  check::refuses([&] { nn::UNet{o}; }, "norm_activation", {"batched"});
}

TEST_CASE("Upsample refuses sizes that no axis has", "[resizing][misuse]") {
  const Tensor x = Tensor::zeros({1, 2, 1});
  check::refuses([&] { nn::Upsample({1e30}).forward(x); }, "Upsample", {"spatial axis 0", "[1, 2, 1]"});
  check::refuses([&] { nn::Upsample({std::numeric_limits<double>::infinity()}).forward(x); }, "Upsample", {"inf"});
  check::refuses([&] { nn::Upsample({std::nan("")}); }, "Upsample", {"nan"});
}
