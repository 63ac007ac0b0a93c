#include <catch2/catch.hpp>
#include <cmath>

#include "tenon/autograd.hpp"
#include "tenon/error.hpp"
#include "tenon/gradient_sum.hpp"
#include "tenon/nn/ensemble.hpp"
#include "tenon/nn/layers.hpp"
#include "tenon/ops.hpp"
#include "tenon/optim.hpp"

using namespace tenon;
using namespace tenon::nn;
using Catch::Matchers::Contains;

namespace {

class Scale : public Module {
 public:
  explicit Scale(double value) {
    factor = add_parameter("factor", {2}, {Init::Kind::constant, value});
    count = add_buffer("count", {1}, 7);
  }
  Tensor forward(const Tensor& x) override { return x * factor; }
  Tensor factor, count;
};

class Noisy : public Module {
 public:
  Noisy(std::string name, Init init, std::int64_t n) { weight = add_parameter(std::move(name), {n}, init); }
  Tensor weight;
  using Module::Init;
};

class Tree : public Module {
 public:
  Tree() {
    own = add_parameter("own", {3}, {Init::Kind::normal, 1.0});
    left = add_module("left", std::make_shared<Scale>(2));
    right =
        add_module("right", std::make_shared<Sequential>(std::vector<ModulePtr>{std::make_shared<Scale>(3), std::make_shared<Scale>(4)}));
  }
  std::vector<Tensor> forward_all(const std::vector<Tensor>& in) override { return {left->forward(in[0]), right->forward(in[0])}; }
  Tensor own;
  std::shared_ptr<Scale> left;
  std::shared_ptr<Sequential> right;
};

class Twice : public Module {
 public:
  Twice() {
    add_parameter("w", {1}, {});
    add_buffer("w", {1}, 0);
  }
};

class Children : public Module {
 public:
  Children(std::string first, ModulePtr a, std::string second, ModulePtr b) {
    add_module(std::move(first), std::move(a));
    add_module(std::move(second), std::move(b));
  }
};

std::vector<std::string> names(const NamedTensors& all) {
  std::vector<std::string> n;
  for (const auto& [name, t] : all) n.push_back(name);
  return n;
}

NamedTensors state_of(const Module& m) {
  NamedTensors all = m.parameters();
  for (auto& b : m.buffers()) all.push_back(b);
  return all;
}

using Values = std::vector<double>;

}  // namespace

TEST_CASE("parameters and buffers have stable dotted names in order of registration", "[module]") {
  Tree tree;
  CHECK(names(tree.parameters()) == std::vector<std::string>{"own", "left.factor", "right.0.factor", "right.1.factor"});
  CHECK(names(tree.buffers()) == std::vector<std::string>{"left.count", "right.0.count", "right.1.count"});
  CHECK(tree.parameter_count() == 9);
  for (const auto& [name, t] : tree.parameters()) CHECK(t.requires_grad());
  for (const auto& [name, t] : tree.buffers()) CHECK_FALSE(t.requires_grad());
  CHECK_THROWS_WITH(Twice(), Contains("the name 'w' is registered twice"));
}

TEST_CASE("forward and forward_all serve one another", "[module]") {
  Tree tree;
  tree.initialise(1);
  Tensor x = Tensor::full({2}, 1);
  CHECK(tree.forward(x).to_vector() == Values{2, 2});
  CHECK(tree.forward_all({x})[1].to_vector() == Values{12, 12});
  Scale scale(5);
  scale.initialise(1);
  CHECK(scale.forward_all({x})[0].to_vector() == Values{5, 5});
  CHECK_THROWS_WITH(scale.forward_all({x, x}), Contains("takes one input, got 2"));
}

TEST_CASE("train and eval reach every child", "[module]") {
  Tree tree;
  CHECK(tree.training());
  tree.eval();
  CHECK_FALSE(tree.left->training());
  CHECK_FALSE(tree.right->training());
  tree.train();
  CHECK(tree.left->training());
}

TEST_CASE("initial values depend on seed and name alone", "[module]") {
  using Init = Noisy::Init;
  const Init normal{Init::Kind::normal, 1.0};
  Noisy a("w", normal, 50), b("w", normal, 50), other("v", normal, 50);
  for (Module* m : std::initializer_list<Module*>{&a, &b, &other}) m->initialise(3);
  CHECK(a.weight.to_vector() == b.weight.to_vector());
  CHECK(a.weight.to_vector() != other.weight.to_vector());
  b.initialise(4);
  CHECK(a.weight.to_vector() != b.weight.to_vector());
  // the place among other layers does not matter, the full name does
  Tree tree, again;
  again.initialise(8);
  tree.initialise(1);
  tree.initialise(8);
  CHECK(tree.own.to_vector() == again.own.to_vector());
  CHECK(tree.left->factor.to_vector() == Values{2, 2});
}

TEST_CASE("initialisers have their variance", "[module]") {
  using Init = Noisy::Init;
  constexpr std::int64_t kCount = 40000;
  struct Case {
    Init init;
    double variance, bound;
  };
  const std::vector<Case> cases{
      {{Init::Kind::kaiming_normal, 0.01, 50}, 2 / (1 + 1e-4) / 50, 10},
      {{Init::Kind::kaiming_uniform, 0.0, 50}, 2.0 / 50, std::sqrt(6.0 / 50)},
      {{Init::Kind::xavier_uniform, 0, 30, 70}, 2.0 / 100, std::sqrt(6.0 / 100)},
      {{Init::Kind::normal, 0.3}, 0.09, 10},
      {{Init::Kind::uniform, 0.3}, 0.03, 0.3},
  };
  for (const Case& c : cases) {
    Noisy m("w", c.init, kCount);
    m.initialise(2);
    double sum = 0, squares = 0, largest = 0;
    for (double v : m.weight.to_vector()) {
      sum += v;
      squares += v * v;
      largest = std::max(largest, std::fabs(v));
    }
    CHECK(std::fabs(sum / kCount) < 5 * std::sqrt(c.variance / kCount));
    CHECK(squares / kCount == Approx(c.variance).epsilon(0.05));
    CHECK(largest <= c.bound * (1 + 1e-6));
  }
  Linear linear(16, 4);
  linear.initialise(1);
  for (double v : linear.weight.to_vector()) CHECK(std::fabs(v) <= 0.25);
}

TEST_CASE("load copies by name, whatever the order", "[module]") {
  Tree from, to;
  from.initialise(1);
  to.initialise(2);
  from.left->count.fill(42);
  NamedTensors state = state_of(from);
  std::reverse(state.begin(), state.end());
  to.load(state);
  CHECK(to.own.to_vector() == from.own.to_vector());
  CHECK(to.left->count.item() == 42);
  CHECK(to.own.storage() != from.own.storage());
  CHECK(to.own.requires_grad());
}

TEST_CASE("load is all or nothing and names what is wrong", "[module]") {
  Tree from, to;
  from.initialise(1);
  to.initialise(2);
  const auto before = to.own.to_vector();
  auto refuses = [&](NamedTensors state, const char* code, const char* text) {
    try {
      to.load(state);
      FAIL("loaded");
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::data);
      CHECK(e.code() == code);
      CHECK_THAT(e.what(), Contains(text));
    }
    CHECK(to.own.to_vector() == before);
  };
  NamedTensors state = state_of(from);
  NamedTensors missing(state.begin(), state.end() - 1);
  refuses(missing, "model.missing_weight", "right.1.count");
  NamedTensors unknown = state;
  unknown.emplace_back("left.extra", Tensor::zeros({1}));
  refuses(unknown, "model.unknown_weight", "left.extra");
  NamedTensors shape = state;
  shape[3].second = Tensor::zeros({5});
  refuses(shape, "model.weight_shape", "'right.1.factor' is [5] in the weights and [2] in the model");
  for (DType other : {DType::i64, DType::c64, DType::boolean}) {
    NamedTensors type = state;
    type[3].second = Tensor::zeros({2}, other);
    refuses(type, "model.weight_type", "in the weights and f32 in the model");
  }
  NamedTensors halves = state;  // a rounding is no other kind of number
  halves[1].second = Tensor::full({2}, 0.5, DType::f16);
  CHECK_NOTHROW(to.load(halves));
  CHECK(to.left->factor.to_vector() == Values{0.5, 0.5});
}

TEST_CASE("layers refuse impossible sizes", "[module]") {
  CHECK_THROWS_WITH(Linear(0, 3), Contains("Linear: sizes 0 -> 3"));
  CHECK_THROWS_WITH(Conv(3, 4, {3}, {{}, {}, {}, 2}), Contains("Conv: 3 -> 4 channels are not divisible by 2 groups"));
  CHECK_THROWS_WITH(ConvTranspose(4, 3, {2}, {{}, {}, {}, 2}), Contains("ConvTranspose: 4 -> 3"));
}

namespace {

struct Idle : Module {};
struct Many : Module {
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override { return {inputs[0] * 2.0}; }
};
struct Outer : Module {
  std::shared_ptr<Module> inner = add_module("inner", std::make_shared<Many>());
  std::vector<Tensor> forward_all(const std::vector<Tensor>& inputs) override { return {inner->forward(inputs[0])}; }
};

}  // namespace

TEST_CASE("a module without a forward function says so", "[nn][misuse]") {
  const Tensor x = Tensor::full({2}, 3);
  Idle idle;
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_WITH(idle.forward(x), Contains("Module::forward: the module overrides neither"));
    CHECK_THROWS_WITH(idle.forward_all({x}), Contains("Module::forward: the module overrides neither"));
  }
  CHECK(Many().forward(x).to_vector() == Values{6, 6});
  CHECK(Outer().forward(x).to_vector() == Values{6, 6});
  CHECK(Linear(2, 2).forward_all({Tensor::zeros({1, 2})}).size() == 1);
}

TEST_CASE("layers refuse what they cannot be made of", "[nn][misuse]") {
  CHECK_THROWS_WITH(Sequential({std::make_shared<Linear>(2, 2), nullptr}), Contains("Sequential: layer 1 of 2 is null"));
  CHECK_THROWS_WITH(Conv(-4, -4, {3}), Contains("Conv: -4 -> -4 channels"));
  CHECK_THROWS_WITH(Conv(0, 0, {3}), Contains("Conv: 0 -> 0 channels"));
  CHECK_THROWS_WITH(Conv(1, 1, {0}), Contains("Conv: kernel [0]"));
  CHECK_THROWS_WITH(Conv(1, 1, {}), Contains("Conv: kernel []"));
  CHECK_THROWS_WITH(Conv(1, 1, {1, 1, 1, 1}), Contains("Conv: kernel [1, 1, 1, 1]"));
  CHECK_THROWS_WITH(Conv(1, 1, {3}, {{0}, {}, {}, 1}), Contains("Conv: stride [0]"));
  CHECK_THROWS_WITH(Conv(1, 1, {3}, {{}, {-1}, {}, 1}), Contains("Conv: padding [-1]"));
  CHECK_THROWS_WITH(Conv(1, 1, {std::int64_t(1) << 40, std::int64_t(1) << 40}), Contains("Conv: ") && Contains("does not fit"));
  CHECK_THROWS_WITH(ConvTranspose(1, 1, {2}, {{0}, {}, {}, 1}), Contains("ConvTranspose: stride [0]"));
  CHECK_THROWS_WITH(InstanceNorm(-1), Contains("InstanceNorm: -1 channels"));
  CHECK_THROWS_WITH(LayerNorm(0), Contains("LayerNorm: 0 channels"));
  CHECK_THROWS_WITH(BatchNorm(0), Contains("BatchNorm: 0 channels"));
}

TEST_CASE("names of children are given once", "[module]") {
  const auto scale = [] { return std::make_shared<Scale>(2); };
  CHECK_THROWS_WITH(Children("a", scale(), "a", scale()), Contains("Module: the child 'a' is registered twice"));
  CHECK_THROWS_WITH(Children("a", scale(), "b", nullptr), Contains("Module: the child 'b' is null"));
  CHECK(names(Children("a", scale(), "b", scale()).parameters()) == std::vector<std::string>{"a.factor", "b.factor"});
}

TEST_CASE("a layer that is registered in two places is one layer, by its first name", "[module]") {
  const auto shared = std::make_shared<Scale>(2);
  Children m("a", shared, "b", shared);
  m.initialise(1);
  CHECK(names(m.parameters()) == std::vector<std::string>{"a.factor"});
  CHECK(names(m.buffers()) == std::vector<std::string>{"a.count"});
  CHECK(m.parameter_count() == 2);
  const auto optimiser = make_sgd(m, {});
  sum(shared->forward(shared->forward(Tensor::full({2}, 1)))).backward();  // w^2, gradient 2 w = 4
  optimiser->begin_step(0.25);
  optimiser->step();
  CHECK(shared->factor.to_vector() == Values{1, 1});
  GradientSum gradients(m);
  sum(shared->forward(Tensor::full({2}, 3))).backward();
  gradients.begin();
  gradients.add();
  CHECK(gradients.sums().size() == 1);
  CHECK(gradients.sums()[0].to_vector() == Values{3, 3});
  Children copy("a", shared, "b", std::make_shared<Scale>(2));
  CHECK(copy.parameters().size() == 2);
}

TEST_CASE("batch normalisation under recompute moves its running statistics once", "[module]") {
  BatchNorm plain(1), cheap(1);
  plain.initialise(1), cheap.initialise(1);
  Tensor x = Tensor::from(std::vector<float>{0, 2, 4, 6}, {4, 1});
  x.set_requires_grad();
  sum(square(plain.forward(x))).backward();
  const auto wanted = x.grad().to_vector();
  x.set_grad({});
  const Tensor y = recompute([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{cheap.forward(in[0])}; }, {x})[0];
  sum(square(y)).backward();
  CHECK(cheap.running_mean.item() == plain.running_mean.item());
  CHECK(cheap.running_var.item() == plain.running_var.item());
  CHECK(x.grad().to_vector() == wanted);
  CHECK(cheap.scale.grad().to_vector() == plain.scale.grad().to_vector());
}

TEST_CASE("an ensemble gives each member's output and their mean", "[module]") {
  const auto make = [] { return std::make_shared<Linear>(3, 2); };
  Ensemble several(3, make);
  several.initialise(1);
  CHECK(names(several.parameters()) == std::vector<std::string>{"member0.weight", "member0.bias", "member1.weight", "member1.bias", "member2.weight", "member2.bias"});
  const Tensor x = Tensor::from(std::vector<float>{1, -2, 3}, {1, 3});
  const auto each = several.forward_all({x});
  REQUIRE(each.size() == 3);
  CHECK(each[0].to_vector() != each[1].to_vector());
  const Tensor mean = (each[0] + each[1] + each[2]) * (1.0 / 3);
  for (std::size_t i = 0; i < 2; ++i) CHECK(several.forward(x).to_vector()[i] == Approx(mean.to_vector()[i]).epsilon(1e-6));
  CHECK(ensemble(1, make)->parameters().size() == 2);
  CHECK_THROWS_WITH(Ensemble(0, make), Contains("Ensemble: 0 members"));
  CHECK_THROWS_WITH(several.forward_all({x, x}), Contains("takes one input"));
}

TEST_CASE("weights and groups that mean nothing are refused", "[module][misuse]") {
  Linear layer(2, 2);
  auto state = layer.parameters();
  state.push_back(state[0]);
  CHECK_THROWS_WITH(layer.load(state), Contains("'weight' is given twice"));
  SgdOptions options;
  options.groups = {{"nosuch*", 1, 0}};
  CHECK_THROWS_WITH(make_sgd(layer, options), Contains("ParameterGroup: no parameter matches 'nosuch*'"));
}
