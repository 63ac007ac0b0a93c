/// Recurrent, attention and transformer layers against PyTorch (tests/golden/make_sequence.py): outputs and all gradients.
#include <catch2/catch.hpp>

#include <map>

#include "core/ops/gradient_check.hpp"
#include "tenon/attention.hpp"
#include "tenon/conv_codes.hpp"
#include "tenon/embedding.hpp"
#include "tenon/nn/attention.hpp"
#include "tenon/nn/embedding.hpp"
#include "tenon/nn/recurrent.hpp"
#include "tenon/nn/rms_norm.hpp"
#include "tenon/norms.hpp"

using namespace tenon;
using check::made;
using List = std::vector<Tensor>;

namespace {

struct Golden {
  std::string name;
  std::vector<std::vector<double>> values;  ///< outputs, then gradients of inputs and weights
};
const std::vector<Golden> kGolden{
#include "golden/sequence.inc"
};

const Golden& golden(const std::string& name) {
  for (const Golden& g : kGolden)
    if (g.name == name) return g;
  throw std::runtime_error("no golden values of " + name);
}

/// Weight number k is 0.2 made(20 + k) without made's own offset; leaves in the order of registration.
List fill(nn::Module& module) {
  List leaves;
  for (const auto& [name, p] : module.parameters()) {
    const int k = 20 + int(leaves.size());
    p.assign(made(k, p.shape()) * 0.2 + -0.05 * k);
    leaves.push_back(p);
  }
  return leaves;
}

Tensor leaf(Tensor t, DType type = DType::f32) {
  return t.to(type).clone().detach().set_requires_grad();
}

void compare(const std::string& name, const List& outputs, const List& leaves, double tolerance) {
  INFO(name);
  const Golden& g = golden(name);
  Tensor total;
  for (const Tensor& o : outputs) {
    Tensor part = sum(o * made(11, o.shape(), o.dtype()));
    total = total.defined() ? total + part : part;
  }
  List all = outputs;
  for (const Tensor& d : gradients({total}, leaves)) all.push_back(d);
  REQUIRE(all.size() == g.values.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO("tensor " << i << " " << all[i].str());
    check::require_close(all[i].to_vector(), g.values[i], tolerance);
  }
}

List joined(List a, const List& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr double kF32 = 2e-5, kF64 = 1e-9;

}  // namespace

TEST_CASE("LSTM and GRU stacks against PyTorch", "[sequence][recurrent]") {
  const std::int64_t N = 3, T = 4, F = 2, H = 3;
  const bool both = GENERATE(false, true);
  const std::int64_t cells = both ? 4 : 2;
  const std::string end = both ? " both directions, lengths" : " two layers";
  Tensor lengths = both ? Tensor::from(std::vector<std::int64_t>{4, 2, 3}, {N}) : Tensor();
  nn::RecurrentStackOptions options{.layers = 2, .bidirectional = both};
  Tensor x = leaf(made(1, {N, T, F})), h = leaf(made(2, {cells, N, H}) * 0.3), c = leaf(made(3, {cells, N, H}) * 0.3);
  nn::Lstm lstm(F, H, options);
  List weights = fill(lstm);
  compare("LSTM" + end, lstm.forward_all({x, h, c}, lengths), joined({x, h, c}, weights), kF32);
  nn::Gru gru(F, H, options);
  weights = fill(gru);
  compare("GRU" + end, gru.forward_all({x, h}, lengths), joined({x, h}, weights), kF32);
}

TEST_CASE("attention against PyTorch, in both types", "[sequence][attention]") {
  const DType type = GENERATE(DType::f32, DType::f64);
  const double tolerance = type == DType::f64 ? kF64 : kF32;
  auto run = [&](const std::string& name, std::int64_t L, const AttentionOptions& options) {
    Tensor q = leaf(made(1, {2, L, 2, 3}), type), k = leaf(made(2, {2, 4, 2, 3}), type), v = leaf(made(3, {2, 4, 2, 3}), type);
    compare(name, {scaled_dot_product_attention(q, k, v, options)}, {q, k, v}, tolerance);
  };
  run("attention", 3, {});
  run("attention causal", 4, {.causal = true});
  Tensor allowed = not_equal(Tensor::from(std::vector<float>{1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1}, {3, 4}), Tensor::zeros({}));
  run("attention bool mask", 3, {.mask = allowed});
  run("attention additive mask", 3, {.mask = made(4, {2, 1, 3, 4})});
}

TEST_CASE("transformer layers against PyTorch", "[sequence][attention]") {
  nn::TransformerOptions options;
  options.channels = 4, options.heads = 2, options.feedforward = 6, options.dropout = 0;
  auto mask = [](std::vector<std::int64_t> real, const Shape& shape) {
    return greater(Tensor::from(real, shape), Tensor::zeros({}, DType::i64));
  };
  Tensor x = leaf(made(1, {2, 3, 4})), memory = leaf(made(2, {2, 5, 4}));
  options.norm_first = true;
  options.activation = nn::FeedForwardActivation::gelu;
  nn::TransformerEncoderLayer first(options);
  List weights = fill(first);
  compare("encoder norm first", {first.forward(x)}, joined({x}, weights), kF32);
  nn::TransformerDecoderLayer decoder(options);
  weights = fill(decoder);
  compare("decoder norm first", {decoder.run(x, memory, {.causal = true}, {.key_mask = mask({1, 1, 1, 0, 0, 1, 1, 1, 1, 1}, {2, 5})})},
          joined({x, memory}, weights), kF32);
  options.norm_first = false;
  options.activation = nn::FeedForwardActivation::relu;
  nn::TransformerEncoderLayer last(options);
  weights = fill(last);
  compare("encoder norm last, padding", {last.run(x, {.key_mask = mask({1, 1, 0, 1, 1, 1}, {2, 3})})}, joined({x}, weights), kF32);
}

TEST_CASE("embedding and RMS norm against PyTorch", "[sequence]") {
  Tensor table = leaf(made(1, {5, 3}), DType::f64), index = Tensor::from(std::vector<std::int64_t>{0, 3, 3, 4, 1, 0}, {2, 3});
  compare("embedding", {embedding(table, index, 3)}, {table}, kF64);
  Tensor x = leaf(made(1, {3, 5}), DType::f64), scale = leaf(made(2, {5}), DType::f64);
  compare("rms_norm", {rms_norm(x, scale, 1e-6)}, {x, scale}, kF64);
}

TEST_CASE("convolution of letters kept as codes against PyTorch's of one-hot vectors", "[sequence][conv]") {
  const Tensor codes = Tensor::from(std::vector<std::uint8_t>{0, 3, 4, 1, 2, 2, 0, 1, 1, 3, 0, 9, 2, 3}, {2, 7});
  Tensor weight = leaf(made(1, {3, 4, 4}), DType::f64), bias = leaf(made(2, {3}), DType::f64);
  compare("conv_codes", {conv_codes(codes, weight, bias, 2)}, {weight, bias}, kF64);
}

TEST_CASE("encoder and decoder stacks run their layers in order", "[sequence][attention]") {
  nn::TransformerOptions options;
  options.channels = 4, options.heads = 2, options.feedforward = 6, options.dropout = 0;
  nn::TransformerEncoder encoder(2, options, true);
  encoder.initialise(1);
  nn::TransformerEncoderLayer one(options), two(options);
  nn::NamedTensors first, second;
  Tensor scale, shift;
  for (const auto& [name, p] : encoder.parameters()) {
    if (name.rfind("layers.0.", 0) == 0) first.emplace_back(name.substr(9), p);
    if (name.rfind("layers.1.", 0) == 0) second.emplace_back(name.substr(9), p);
    if (name == "norm.scale") scale = p;
    if (name == "norm.shift") shift = p;
  }
  one.load(first);
  two.load(second);
  Tensor x = made(3, {2, 3, 4}, DType::f32);
  check::require_close(encoder.forward(x).to_vector(), layer_norm(two.forward(one.forward(x)), scale, shift).to_vector(), 1e-6);
  nn::TransformerDecoder decoder(2, options);
  decoder.initialise(2);
  // causal: the first positions do not see later ones
  Tensor memory = made(4, {2, 5, 4}, DType::f32), a = decoder.forward_all({x, memory})[0];
  Tensor changed = concat({x.narrow(1, 0, 2), x.narrow(1, 2, 1) * 3.0}, 1), b = decoder.forward_all({changed, memory})[0];
  CHECK(a.narrow(1, 0, 2).to_vector() == b.narrow(1, 0, 2).to_vector());
  CHECK(a.narrow(1, 2, 1).to_vector() != b.narrow(1, 2, 1).to_vector());
}

TEST_CASE("sequence layers refuse what does not fit", "[sequence]") {
  check::refuses([] { nn::MultiHeadAttention(6, 4); }, "MultiHeadAttention", {"6 channels", "4 heads"});
  check::refuses([] { nn::Lstm(0, 3); }, "Lstm", {"0 features"});
  check::refuses([] { nn::Embedding(4, 0); }, "Embedding", {"4 rows"});
  check::refuses([] { nn::RmsNorm(0); }, "RmsNorm", {"0 features"});
  nn::Gru gru(2, 3);
  check::refuses([&] { gru.forward_all({Tensor::zeros({1, 2, 2}), Tensor::zeros({2, 1, 3})}); }, "Gru", {"[2, 1, 3]"});
  nn::MultiHeadAttention attention(4, 2);
  check::refuses(
      [&] {
        attention.self(Tensor::zeros({1, 2, 4}), {.key_mask = Tensor::zeros({1, 3}, DType::boolean)});
      },
      "MultiHeadAttention", {"[1, 3]", "2 keys"});
}

TEST_CASE("RMS norm takes a scale of its input's type", "[rms_norm]") {
  for (DType type : {DType::bf16, DType::f16}) {
    Tensor x = made(1, {3, 8}).to(type).detach(), scale = made(2, {8}).to(type).detach();
    scale.set_requires_grad();
    Tensor y = rms_norm(x, scale);
    CHECK(y.dtype() == type);
    check::require_close(y.to_vector(), rms_norm(x.to(DType::f32), scale.detach().to(DType::f32)).to(type).to_vector(), 0);
    sum(y).backward();
    CHECK(scale.grad().dtype() == type);
  }
}

TEST_CASE("Transformers have no fewer than no layers", "[transformer][misuse]") {
  check::refuses([] { nn::TransformerEncoder(-1, {.channels = 4, .heads = 2, .feedforward = 4}); }, "TransformerEncoder", {"-1 layers"});
  check::refuses([] { nn::TransformerDecoder(-1, {.channels = 4, .heads = 2, .feedforward = 4}); }, "TransformerDecoder", {"-1 layers"});
}
