/// Initialisers by name: their distributions, orthonormality, patterns, wrong use.
#include "tenon/nn/initialisers.hpp"

#include <map>

#include "core/ops/gradient_check.hpp"
#include "tenon/nn/blocks.hpp"

using namespace tenon;

namespace {

struct Spread {
  double mean = 0, deviation = 0, most = 0;
};
Spread spread_of(const Tensor& t) {
  Spread s;
  const std::vector<double> v = t.to_vector();
  for (double x : v) s.mean += x / double(v.size()), s.most = std::max(s.most, std::abs(x));
  for (double x : v) s.deviation += (x - s.mean) * (x - s.mean) / double(v.size());
  s.deviation = std::sqrt(s.deviation);
  return s;
}

}  // namespace

TEST_CASE("initialisers have the spread that they are named for", "[nn][initialise]") {
  nn::Conv layer(64, 128, {3, 3});  // fan in 576, fan out 1152
  struct Case {
    const char* how;
    nn::InitialiserOptions options;
    double deviation, bound;
  };
  const double none = INFINITY;
  for (const Case& c :
       {Case{"kaiming_normal", {}, std::sqrt(2.0 / 576), none},
        Case{"kaiming_normal", {.gain = 0.5, .slope = 1, .fan_out = true}, 0.5 * std::sqrt(1.0 / 1152), none},
        Case{"kaiming_uniform", {}, std::sqrt(2.0 / 576), std::sqrt(6.0 / 576)}, Case{"xavier_normal", {}, std::sqrt(2.0 / 1728), none},
        Case{"xavier_uniform", {}, std::sqrt(2.0 / 1728), std::sqrt(6.0 / 1728)}, Case{"normal", {.stddev = 0.3}, 0.3, none},
        Case{"uniform", {.low = -0.6, .high = 0.6}, 0.6 / std::sqrt(3.0), 0.6},
        Case{"trunc_normal", {.stddev = 0.5}, 0.5 * 0.87962, 1.0}}) {  // deviation of a normal cut at two
    INFO(c.how);
    REQUIRE(nn::initialise(layer, "weight", c.how, 3, c.options) == 1);
    const Spread s = spread_of(layer.weight);
    CHECK(s.deviation == Approx(c.deviation).epsilon(0.01));
    CHECK(std::abs(s.mean) < 0.02 * c.deviation);
    CHECK(s.most <= c.bound * (1 + 1e-6));
    if (c.bound < none) CHECK(s.most > 0.99 * c.bound);
  }
  nn::initialise(layer, "bias", "constant", 0, {.value = -2});
  REQUIRE(layer.bias.to_vector() == std::vector<double>(128, -2));
  nn::initialise(layer, "bias", "ones", 0);
  REQUIRE(layer.bias.to_vector() == std::vector<double>(128, 1));
  nn::initialise(layer, "*", "zeros", 0);
  REQUIRE(spread_of(layer.weight).most == 0);
}

TEST_CASE("orthogonal weights have orthonormal rows or columns", "[nn][initialise]") {
  nn::Conv wide(5, 12, {3});
  nn::Linear tall(6, 20);
  nn::initialise(wide, "weight", "orthogonal", 1, {.gain = 2});
  nn::initialise(tall, "weight", "orthogonal", 1);
  Tensor w = wide.weight.to(DType::f64).reshape({12, 15}), t = tall.weight.to(DType::f64);
  Tensor rows = matmul(w, w.transpose(0, 1)), columns = matmul(t.transpose(0, 1), t);
  for (std::int64_t i = 0; i < 12; ++i)
    for (std::int64_t j = 0; j < 12; ++j) REQUIRE(rows.select(0, i).select(0, j).item() == Approx(i == j ? 4.0 : 0.0).margin(1e-6));
  for (std::int64_t i = 0; i < 6; ++i)
    for (std::int64_t j = 0; j < 6; ++j) REQUIRE(columns.select(0, i).select(0, j).item() == Approx(i == j ? 1.0 : 0.0).margin(1e-6));
}

TEST_CASE("patterns choose by full name, and values depend on seed and name alone", "[nn][initialise]") {
  nn::ResNetBlock a({.in = 2, .out = 3}), b({.in = 2, .out = 3, .pre_activation = true});
  for (nn::Module* m : {static_cast<nn::Module*>(&a), static_cast<nn::Module*>(&b)}) m->initialise(0);
  REQUIRE(nn::initialise(a, "*.weight", "normal", 7) == 3);
  REQUIRE(nn::initialise(a, "conv?.weight", "normal", 7) == 2);
  REQUIRE(nn::initialise(b, "conv2.*", "normal", 7) == 2);
  std::map<std::string, std::vector<double>> of_a, of_b;
  for (const auto& [name, t] : a.parameters()) of_a[name] = t.to_vector();
  for (const auto& [name, t] : b.parameters()) of_b[name] = t.to_vector();
  REQUIRE(of_a.at("conv2.weight") == of_b.at("conv2.weight"));
  REQUIRE(of_a.at("conv1.weight") != of_b.at("conv1.weight"));
  nn::initialise(a, "conv2.weight", "normal", 8);
  for (const auto& [name, t] : a.parameters())
    if (name == "conv2.weight") REQUIRE(t.to_vector() != of_a.at(name));
}

TEST_CASE("initialisers say what is wrong", "[nn][initialise][misuse]") {
  nn::Linear layer(3, 4);
  check::refuses([&] { nn::initialise(layer, "wieght", "zeros", 0); }, "initialise", {"wieght", "'weight'"});
  check::refuses([&] { nn::initialise(layer, "weight", "kaimin_normal", 0); }, "initialise", {"kaimin_normal", "kaiming_normal"});
  check::refuses([&] { nn::initialise(layer, "*", "xavier_normal", 0); }, "initialise", {"'bias'", "[4]"});
  check::refuses([&] { nn::initialise(layer, "*", "normal", 0, {.stddev = -1}); }, "initialise", {"stddev -1"});
}
