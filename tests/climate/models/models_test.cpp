#include <catch2/catch.hpp>

#include "climate/models/models.hpp"
#include "climate/task_test.hpp"
#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace tenon::climate;
using climate_test::code_of;

namespace {

nn::ModulePtr made(const ModelEntry& entry, const ModelContext& context, const climate_test::Overrides& overrides = {}) {
  ParamValues values(entry.params);
  for (const auto& [key, text] : overrides) values.set_from_text(entry.params, key, text, "test");
  auto model = entry.make(values, context);
  model->initialise(5);
  // The resnet's head begins as 0: give it something to say.
  for (auto& [name, tensor] : model->parameters())
    if (name.ends_with("last.weight")) tensor.assign(random_normal(tensor.shape(), 8, std::uint64_t(name.size() > 12 ? name[6] : 0)));
  return model;
}

/// x turned by `steps` columns around the globe.
Tensor rolled(const Tensor& x, std::int64_t steps) {
  const std::int64_t n = x.size(2);
  return concat({x.narrow(2, n - steps, steps).contiguous(), x.narrow(2, 0, n - steps).contiguous()}, 2);
}

double largest(const Tensor& x) { return max(abs(x).reshape({-1}), 0).item(); }

}  // namespace

TEST_CASE("climate models keep grids of any size", "[climate][models]") {
  const ModelContext context{3, 2, {17, 33}, DType::f32, 1};
  const Tensor x = random_normal({2, 17, 33, 3}, 1, 2);
  for (const auto& entry : {fno2d_model(), unet_model(), resnet_model()}) {
    INFO(entry.name);
    climate_test::Overrides small{{"width", "8"}};
    if (entry.name == "fno2d") small.emplace_back("modes", "[6, 8]");
    auto model = made(entry, context, small);
    CHECK(model->forward(x).shape() == Shape{2, 17, 33, 2});
    CHECK(model->forward(random_normal({1, 12, 21, 3}, 1, 3)).shape() == Shape{1, 12, 21, 2});
  }
}

TEST_CASE("circular longitude: a field turned around the globe gives its result turned", "[climate][models]") {
  const ModelContext context{2, 1, {8, 16}, DType::f32, 1};
  const Tensor x = random_normal({1, 8, 16, 2}, 4, 5);
  SECTION("resnet, any turn") {
    auto model = made(resnet_model(), context, {{"width", "6"}, {"blocks", "2"}, {"latitude", "reflect"}, {"longitude", "circular"}});
    CHECK(largest(model->forward(rolled(x, 5)) - rolled(model->forward(x), 5)) < 1e-5);
    auto zero = made(resnet_model(), context, {{"width", "6"}, {"blocks", "2"}});
    CHECK(largest(zero->forward(rolled(x, 5)) - rolled(zero->forward(x), 5)) > 1e-3);
  }
  SECTION("unet, turns by its coarsest cell") {
    auto model = made(unet_model(), context, {{"width", "4"}, {"latitude", "edge"}, {"longitude", "circular"}, {"norm", "none"}});
    CHECK(largest(model->forward(rolled(x, 4)) - rolled(model->forward(x), 4)) < 1e-5);
  }
}

TEST_CASE("members: one output each, their mean as the model's", "[climate][models]") {
  const ModelContext context{1, 1, {8, 8}, DType::f32, 1};
  auto model = made(resnet_model(), context, {{"width", "4"}, {"blocks", "1"}, {"members", "3"}});
  const Tensor x = random_normal({1, 8, 8, 1}, 6, 7);
  const auto outputs = model->forward_all({x});
  REQUIRE(outputs.size() == 3);
  CHECK(largest(outputs[0] - outputs[1]) > 1e-3);  // first values of their own
  CHECK(largest(model->forward(x) - (outputs[0] + outputs[1] + outputs[2]) / 3.0) < 1e-6);
}

TEST_CASE("fno2d answers on a finer grid as on a coarse one", "[climate][models]") {
  // A field of few waves, sampled twice as finely: the operator sees the same function.
  auto model = made(fno2d_model(), {1, 1, {16, 16}, DType::f32, 1}, {{"width", "6"}, {"modes", "[4, 4]"}, {"layers", "2"}});
  auto field = [](std::int64_t n) {
    std::vector<float> v;
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = 0; c < n; ++c) v.push_back(float(std::sin(2 * M_PI * double(r) / double(n)) + std::cos(2 * M_PI * double(c) / double(n))));
    return Tensor::from(v, Shape{1, n, n, 1});
  };
  const Tensor coarse = model->forward(field(16)), fine = model->forward(field(32));
  double worst = 0;
  for (std::int64_t r = 0; r < 16; ++r)
    for (std::int64_t c = 0; c < 16; ++c)
      worst = std::max(worst, std::abs(double(coarse.data<float>()[r * 16 + c] - fine.data<float>()[2 * r * 32 + 2 * c])));
  CHECK(worst < 0.02 * largest(coarse));
}

TEST_CASE("a resnet begins by correcting nothing", "[climate][models]") {
  ParamValues values(resnet_model().params);
  auto model = resnet_model().make(values, {2, 3, {8, 8}, DType::f32, 1});
  model->initialise(1);
  CHECK(largest(model->forward(random_normal({1, 8, 8, 2}, 1, 1))) == 0);
}

TEST_CASE("climate models refuse what cannot be", "[climate][models]") {
  const ModelContext context{1, 1, {16, 16}, DType::f32, 1};
  CHECK(code_of([&] { made(fno2d_model(), context, {{"modes", "[9, 4]"}}); }) == "climate.fno2d");
  CHECK(code_of([&] { made(fno2d_model(), context, {{"modes", "[4]"}}); }) == "climate.fno2d");
  CHECK(code_of([&] { made(fno2d_model(), {1, 1, {16, 16}, DType::bf16, 1}); }) == "climate.fno2d");
  CHECK(code_of([&] { made(unet_model(), context, {{"stages", "5"}}); }) == "climate.unet");
  CHECK(code_of([&] { made(resnet_model(), context, {{"kernel", "4"}}); }) == "climate.resnet");
}
