#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "finance/models/lstm.hpp"
#include "finance/models/nlinear.hpp"
#include "finance/models/patchtst.hpp"
#include "tenon/error.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"

using namespace tenon;
using namespace tenon::finance;

namespace {

constexpr std::int64_t kLookBack = 24, kHorizon = 5;

ModelContext context(std::int64_t features = 1, std::int64_t outputs = 1) { return {features, outputs, {kLookBack, kHorizon}}; }

nn::ModulePtr make(const ModelEntry& entry, const std::vector<std::pair<std::string, std::string>>& values, const ModelContext& c = context()) {
  ParamValues v(entry.params);
  for (const auto& [name, text] : values) v.set_from_text(entry.params, name, text, "test");
  auto model = entry.make(v, c);
  model->initialise(3);
  model->eval();
  return model;
}

/// Windows of one wave each, at different levels and sizes.
Tensor windows(std::int64_t features = 1, double shift = 0, double factor = 1) {
  std::vector<float> x;
  for (int b = 0; b < 3; ++b)
    for (std::int64_t l = 0; l < kLookBack; ++l)
      for (std::int64_t f = 0; f < features; ++f) x.push_back(float(f == 0 ? shift + factor * (b + (b + 1) * std::sin(0.5 * double(l) + b)) : 0.1 * double(f)));
  return Tensor::from(x, Shape{3, kLookBack, features});
}

std::vector<ModelEntry> all() { return {nlinear_model(), lstm_model(), patchtst_model()}; }

std::string code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.code();
  }
  return "none";
}

}  // namespace

TEST_CASE("forecasting models give every step and output, and every parameter gets a gradient") {
  for (const auto& entry : all()) {
    INFO(entry.name);
    for (std::int64_t features : {1, 3}) {
      auto model = make(entry, {}, context(features, 4));
      const Tensor y = model->forward(windows(features));
      CHECK(y.shape() == Shape{3, kHorizon, 4});
      for (double v : y.to_vector()) CHECK(std::isfinite(v));
      mean(square(y)).backward();
      for (const auto& [name, parameter] : model->parameters()) {
        INFO(name);
        CHECK(parameter.grad().defined());
      }
    }
  }
}

TEST_CASE("models compute in the types that they declare") {
  for (const auto& entry : {lstm_model(), patchtst_model()}) {
    INFO(entry.name);
    auto whole = make(entry, {});
    whole->eval();
    const auto expected = whole->forward(windows()).to_vector();
    for (const DType type : {DType::bf16, DType::f16}) {
      ModelContext c = context();
      c.compute = type;
      auto model = make(entry, {}, c);
      model->eval();
      const Tensor y = model->forward(windows());
      CHECK(y.dtype() == DType::f32);
      const auto got = y.to_vector();
      CHECK(got != expected);
      for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(0.05));
    }
  }
  CHECK(nlinear_model().computes == std::vector<DType>{DType::f32});
}

TEST_CASE("a forecast moves with the window's level, and with its scale where that is normalised") {
  for (const auto& entry : all()) {
    INFO(entry.name);
    for (const char* norm : {"last", "instance"}) {
      INFO(norm);
      auto model = make(entry, {{"normalise", norm}});
      const auto base = model->forward(windows()).to_vector(), shifted = model->forward(windows(1, 10)).to_vector();
      for (std::size_t i = 0; i < base.size(); ++i) CHECK(shifted[i] - base[i] == Approx(10).margin(2e-4));
    }
    auto model = make(entry, {{"normalise", "instance"}});
    const auto base = model->forward(windows()).to_vector(), scaled = model->forward(windows(1, 0, 4)).to_vector();
    for (std::size_t i = 0; i < base.size(); ++i) CHECK(scaled[i] == Approx(4 * base[i]).epsilon(1e-3).margin(2e-3));
  }
}

TEST_CASE("nlinear at zero weights repeats the last value, and reversion pulls it to the training mean") {
  const Tensor x = windows(1, 2);
  const auto values = x.to_vector();
  auto model = make(nlinear_model(), {{"zero_start", "true"}});
  const auto y = model->forward(x).to_vector();
  auto pulled = make(nlinear_model(), {{"zero_start", "true"}, {"reversion", "0.1"}});
  const auto p = pulled->forward(x).to_vector();
  auto alone = make(nlinear_model(), {{"window", "false"}, {"reversion", "0.1"}});
  const auto a = alone->forward(x).to_vector();
  CHECK(alone->parameter_count() == 1);
  for (std::size_t b = 0; b < 3; ++b)
    for (std::size_t h = 0; h < kHorizon; ++h) {
      const double last = values[(b + 1) * kLookBack - 1];
      CHECK(y[b * kHorizon + h] == last);
      CHECK(p[b * kHorizon + h] == Approx(last * std::exp(-0.1 * double(h + 1))).epsilon(1e-5));
      CHECK(a[b * kHorizon + h] == Approx(last * std::exp(-0.1 * double(h + 1))).epsilon(1e-5));
    }
}

TEST_CASE("nlinear is the linear map of its weights") {
  auto model = make(nlinear_model(), {});
  const auto parameters = model->parameters();
  REQUIRE(parameters.size() == 2);
  const auto w = parameters[0].second.to_vector(), b = parameters[1].second.to_vector(), x = windows().to_vector(), y = model->forward(windows()).to_vector();
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t h = 0; h < kHorizon; ++h) {
      const double last = x[(n + 1) * kLookBack - 1];
      double sum = last + b[h];
      for (std::size_t l = 0; l < kLookBack; ++l) sum += w[h * kLookBack + l] * (x[n * kLookBack + l] - last);
      CHECK(y[n * kHorizon + h] == Approx(sum).margin(1e-5));
    }
}

TEST_CASE("patchtst sees every step of the window, and no window sees another") {
  auto model = make(patchtst_model(), {{"patch", "8"}, {"stride", "4"}, {"normalise", "none"}});
  const Tensor x = windows();
  const auto base = model->forward(x).to_vector();
  for (std::int64_t l = 0; l < kLookBack; ++l) {
    Tensor changed = x.clone();
    changed.data<float>()[kLookBack + l] += 1;  // of the second window
    const auto y = model->forward(changed).to_vector();
    double own = 0;
    for (std::size_t h = 0; h < kHorizon; ++h) {
      own += std::fabs(y[kHorizon + h] - base[kHorizon + h]);
      CHECK(y[h] == base[h]);
      CHECK(y[2 * kHorizon + h] == base[2 * kHorizon + h]);
    }
    CHECK(own > 0);
  }
}

TEST_CASE("forecasting models refuse what cannot work") {
  CHECK(code_of([] { make(patchtst_model(), {{"patch", "25"}}); }) == "finance.model_options");
  CHECK(code_of([] { make(patchtst_model(), {{"width", "18"}}); }) == "finance.model_options");
  CHECK(code_of([] { make(nlinear_model(), {{"window", "false"}}); }) == "finance.model_options");
  CHECK(code_of([] { make(lstm_model(), {}, ModelContext{1, 1, {8, 8, 8}}); }) == "finance.model_context");
}
