/// Dropout: its numbers, its place in recorded steps, in modules and in resumed runs.
#include "tenon/dropout.hpp"

#include <catch2/catch.hpp>

#include "core/ops/gradient_check.hpp"
#include "tenon/nn/dropout.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;

namespace {

class Pair : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override { return concat({first_->forward(x), second_->forward(x)}, 0); }

 private:
  std::shared_ptr<nn::Dropout> first_ = add_module("first", std::make_shared<nn::Dropout>(0.5)),
                               second_ = add_module("second", std::make_shared<nn::Dropout>(0.5));
};

}  // namespace

TEST_CASE("dropout keeps what Philox says, scaled", "[dropout]") {
  const std::int64_t n = 9001;  // no multiple of a block, a chunk or a task
  Tensor x = check::made(1, {n}, DType::f32), key = random_key(77);
  set_random_step(key, 5);
  std::vector<double> y = dropout(x, 0.3, key, 1234).to_vector(), from = x.to_vector();
  const Random random = Random(77, 1234).child(5);
  std::int64_t dropped = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool out = double(random.bits(std::uint64_t(i / 4))[std::size_t(i % 4)]) < 0.3 * 4294967296.0;
    dropped += out;
    REQUIRE(y[std::size_t(i)] == (out ? 0.0 : double(float(from[std::size_t(i)]) * float(1 / 0.7))));
  }
  CHECK(std::abs(double(dropped) - 0.3 * double(n)) < 4 * std::sqrt(0.21 * double(n)));
  CHECK(dropout(x, 0, key, 1).to_vector() == from);
  CHECK(dropout(x, 1, key, 1).to_vector() == std::vector<double>(std::size_t(n), 0.0));
  for (DType type : {DType::bf16, DType::f16, DType::f64}) {
    Tensor other = dropout(Tensor::full({n}, 0.7, type), 0.3, key, 1234);
    for (std::int64_t i = 0; i < n; i += 97) REQUIRE((other.to_vector()[std::size_t(i)] == 0) == (y[std::size_t(i)] == 0));
  }
}

TEST_CASE("a replayed step draws new numbers, the ones of the eager step, and uses them in its gradient", "[dropout][plan]") {
  Tensor x = Tensor::full({4096}, 1).set_requires_grad(), key = random_key(3), y, d;
  auto step = [&] {
    Tensor out = dropout(x, 0.4, key, 9);
    d = gradients({sum(out)}, {x})[0];
    y = out.detach();
  };
  std::vector<std::vector<double>> eager;
  for (std::int64_t s = 0; s < 3; ++s) {
    set_random_step(key, s);
    step();
    eager.push_back(y.to_vector());
    CHECK(d.to_vector() == eager.back());  // of ones: the mask itself
  }
  CHECK(eager[0] != eager[1]);
  CHECK(eager[1] != eager[2]);
  StepPlan plan = StepPlan::record(step);
  for (std::int64_t s : {2, 0, 1}) {
    set_random_step(key, s);
    plan.run();
    CHECK(y.to_vector() == eager[std::size_t(s)]);
    CHECK(d.to_vector() == eager[std::size_t(s)]);
  }
}

TEST_CASE("the gradient uses the key of its forward pass", "[dropout]") {
  Tensor x = Tensor::full({256}, 1).set_requires_grad(), key = random_key(3);
  Tensor y = dropout(x, 0.5, key, 1);
  set_random_step(key, 1);
  CHECK(gradients({sum(y)}, {x})[0].to_vector() == y.to_vector());
}

TEST_CASE("layers draw by their names from the key of their tree, evaluation is the identity", "[dropout]") {
  Pair model;
  Tensor x = Tensor::full({512}, 1);
  check::refuses([&] { model.forward(x); }, "Dropout", {"no random key", "set_random_key"});
  Tensor key = random_key(1);
  model.set_random_key(key);
  std::vector<double> y = model.forward(x).to_vector();
  CHECK(std::vector<double>(y.begin(), y.begin() + 512) != std::vector<double>(y.begin() + 512, y.end()));
  CHECK(model.forward(x).to_vector() == y);
  set_random_step(key, 1);
  CHECK(model.forward(x).to_vector() != y);
  model.eval();
  CHECK(model.forward(x).to_vector() == std::vector<double>(1024, 1.0));
}

TEST_CASE("dropout gives the same bits for any number of threads", "[dropout][threads]") {
  check::same_bits([] { return std::vector<Tensor>{dropout(check::made(1, {40000}, DType::f32), 0.2, random_key(8), 2)}; });
}

TEST_CASE("dropout refuses what does not fit", "[dropout]") {
  Tensor x = Tensor::zeros({3}), key = random_key(1);
  check::refuses([&] { dropout(x, 1.5, key, 0); }, "dropout", {"1.5"});
  check::refuses([&] { dropout(x.to(DType::i32), 0.5, key, 0); }, "dropout", {"i32"});
  check::refuses([&] { dropout(x, 0.5, x, 0); }, "dropout", {"f32[3]", "i64 [2]"});
  check::refuses([&] { dropout(x, 0.5, {}, 0); }, "dropout", {"undefined"});
  check::refuses([] { nn::Dropout(-1); }, "Dropout", {"-1"});
}
