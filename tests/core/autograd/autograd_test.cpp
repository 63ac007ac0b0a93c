#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

#include "core/ops/gradient_check.hpp"
#include "tenon/error.hpp"
#include "tenon/storage.hpp"

using namespace tenon;
using Catch::Matchers::Contains;
using check::spread;

namespace {
Tensor leaf(std::vector<double> values, const Shape& shape) {
  Tensor t = Tensor::from(values, shape);
  t.set_requires_grad();
  return t;
}
using Values = std::vector<double>;

void check_gradients(const check::Function& f, const std::vector<Tensor>& inputs) {
  check::first_gradients(f, inputs);
  check::second_gradients(f, inputs);
}
}  // namespace

TEST_CASE("backward fills the leaves and adds up over calls", "[autograd]") {
  Tensor x = leaf({1, 2, 3}, {3});
  sum(square(x)).backward();
  CHECK(x.grad().to_vector() == Values{2, 4, 6});
  sum(mul(x, 10.0)).backward();
  CHECK(x.grad().to_vector() == Values{12, 14, 16});
  x.set_grad({});
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("shared subexpressions and diamonds count every path once", "[autograd]") {
  Tensor x = leaf({2, 3}, {2});
  Tensor s = square(x);                  // 4, 9
  Tensor y = add(mul(s, s), mul(s, x));  // x^4 + x^3
  sum(y).backward();
  CHECK(x.grad().to_vector() == Values{4 * 8 + 3 * 4, 4 * 27 + 3 * 9});
  Tensor w = leaf({1.5}, {1});
  Tensor d = w;
  for (int i = 0; i < 20; ++i) d = add(d, d);  // 2^20 paths, 20 nodes
  d.backward();
  CHECK(w.grad().item() == 1048576);
}

TEST_CASE("a leaf used with itself gets both gradients", "[autograd]") {
  Tensor x = leaf({3}, {1});
  mul(x, x).backward();
  CHECK(x.grad().item() == 6);
  x.set_grad({});
  x.backward();
  CHECK(x.grad().item() == 1);
}

TEST_CASE("gradients of leaves are dense and share memory with nothing", "[autograd]") {
  Tensor a = leaf({1, 2}, {2}), b = leaf({3, 4}, {2});
  sum(add(a, b)).backward();
  CHECK(a.grad().data<double>()[1] == 1);
  a.grad().fill(7);
  CHECK(b.grad().to_vector() == Values{1, 1});
}

TEST_CASE("using a freed history again is an error that names the op", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  Tensor y = sum(exp(x));
  y.backward();
  CHECK_THROWS_WITH(y.backward(), Contains("backward: the history of 'sum' was already used and freed"));
  CHECK(x.grad().to_vector()[0] == Approx(std::exp(1.0)));  // untouched by the failure
  Tensor shared = exp(x), first = sum(shared), second = mean(square(shared));
  first.backward();
  CHECK_THROWS_WITH(second.backward(), Contains("the history of 'exp'"));
}

TEST_CASE("backward needs a scalar with history", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  CHECK_THROWS_WITH(square(x).backward(), Contains("is not a scalar"));
  CHECK_THROWS_WITH(Tensor::zeros({}).backward(), Contains("has no history"));
  NoGrad no_grad;
  CHECK_THROWS_WITH(sum(x).backward(), Contains("outside NoGrad"));
}

TEST_CASE("NoGrad and detach cut history, on their own thread only", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  {
    NoGrad outer;
    {
      NoGrad inner;
      CHECK_FALSE(square(x).requires_grad());
    }
    CHECK_FALSE(square(x).requires_grad());
    bool elsewhere = false;
    std::thread([&] { elsewhere = square(x).requires_grad(); }).join();
    CHECK(elsewhere);
  }
  CHECK(square(x).requires_grad());
  Tensor y = mul(square(x).detach(), x);
  sum(y).backward();
  CHECK(x.grad().to_vector() == Values{1, 4});  // x^2 taken as a constant
  CHECK(x.detach().storage() == x.storage());
  CHECK_FALSE(x.detach().requires_grad());
}

TEST_CASE("set_requires_grad refuses integers and results of ops", "[autograd]") {
  Tensor i = Tensor::arange(3);
  CHECK_THROWS_WITH(i.set_requires_grad(), Contains("i64[3] cpu is not a floating-point or complex tensor"));
  Tensor y = square(leaf({1}, {1}));
  CHECK_THROWS_WITH(y.set_requires_grad(), Contains("detach()"));
  CHECK_THROWS_WITH(Tensor::zeros({1}).set_grad(Tensor::zeros({1})), Contains("does not require a gradient"));
  Tensor x = leaf({1}, {1});
  x.set_requires_grad(false);
  CHECK_FALSE(square(x).requires_grad());
}

TEST_CASE("gradients() reaches leaves and intermediates, and gives zeros where nothing leads", "[autograd]") {
  Tensor x = leaf({1, 2}, {2}), unused = leaf({5}, {1});
  Tensor y = square(x), z = sum(mul(y, x));
  auto g = gradients({z}, {x, y, unused});
  CHECK(g[0].to_vector() == Values{3, 12});
  CHECK(g[1].to_vector() == Values{1, 2});
  CHECK(g[2].to_vector() == Values{0});
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(g[0].requires_grad());
}

TEST_CASE("gradients() takes weights for outputs that are no scalars", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  auto g = gradients({square(x), mul(x, 3.0)}, {x}, {Tensor::from(Values{1, 10}, {2}), Tensor::from(Values{0, 1}, {2})});
  CHECK(g[0].to_vector() == Values{2, 43});
  CHECK_THROWS_WITH(gradients({square(x)}, {x}), Contains("gradients: the output f64[2] cpu is not a scalar"));
  CHECK_THROWS_WITH(gradients({square(x)}, {x}, {Tensor::from(Values{1}, {1})}),
                    Contains("gradient f64[1] cpu given for output f64[2] cpu"));
  CHECK_THROWS_WITH(gradients({square(x)}, {x}, {Tensor::zeros({2})}), Contains("gradient f32[2] cpu given"));
  CHECK_THROWS_WITH(gradients({sum(x)}, {x}, {Tensor(), Tensor()}), Contains("2 gradients given for 1 outputs"));
  CHECK_THROWS_WITH(gradients({sum(x)}, {Tensor::zeros({2})}), Contains("does not require a gradient"));
}

TEST_CASE("derivatives nest to any order", "[autograd]") {
  Tensor x = leaf({1.3}, {1});
  Tensor y = sin(x), d = y;
  const double expected[] = {std::cos(1.3), -std::sin(1.3), -std::cos(1.3), std::sin(1.3), std::cos(1.3)};
  for (double e : expected) {
    d = gradients({d}, {x}, {}, true)[0];
    CHECK(d.item() == Approx(e).epsilon(1e-12));
  }
  Tensor p = leaf({1, 2, 3, 4, 5, 6}, {1, 2, 3});
  Tensor cubes = mul(p.permute({2, 0, 1}), square(p.permute({2, 0, 1})));
  Tensor g = sum(cubes);
  for (int order = 0; order < 3; ++order) g = sum(gradients({g}, {p}, {}, true)[0]);
  CHECK(g.item() == 36);  // d3 of x^3 is 6, six times
}

TEST_CASE("the gradient of a gradient norm reaches the parameters", "[autograd]") {
  check::first_gradients(
      [](const std::vector<Tensor>& in) {
        Tensor x = Tensor::from(Values{0.2, 0.9}, {2});
        x.set_requires_grad();
        Tensor g = gradients({sum(tanh(mul(x, in[0])))}, {x}, {}, true)[0];
        return sum(square(g));
      },
      {Tensor::from(Values{0.5, -0.3}, {2})});
}

TEST_CASE("a fused gradient refuses a second derivative by its name", "[autograd]") {
  auto fused = [](const Tensor& x) {
    return differentiable(
        "fused_square", square(x.detach()), {x}, [x](const std::vector<Tensor>& d) { return std::vector{mul(d[0], mul(x.detach(), 2.0))}; },
        true);
  };
  Tensor x = leaf({1, 2}, {2});
  CHECK(gradients({sum(fused(x))}, {x})[0].to_vector() == Values{2, 4});
  CHECK_THROWS_WITH(gradients({sum(fused(x))}, {x}, {}, true), Contains("'fused_square' has no second derivative"));
}

TEST_CASE("an op whose gradient gives the wrong number of tensors is an internal error that names it", "[autograd]") {
  Tensor x = leaf({1}, {1});
  Tensor y = differentiable("lopsided", x.clone().detach(), {x}, [](const std::vector<Tensor>&) { return std::vector<Tensor>{}; });
  try {
    y.backward();
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::internal);
    CHECK_THAT(e.what(), Contains("'lopsided' returned 0 tensors for 1 inputs"));
  }
  CHECK(square(x).requires_grad());  // the thread's mode was put back
}

TEST_CASE("ops with several outputs get zeros for the unused ones", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  std::vector<Tensor> outs{mul(x.detach(), 2.0), mul(x.detach(), 3.0)};
  differentiable("two", outs, std::vector<Tensor>{x},
                 [](const std::vector<Tensor>& d) { return std::vector{add(mul(d[0], 2.0), mul(d[1], 3.0))}; });
  CHECK(gradients({sum(outs[1])}, {x})[0].to_vector() == Values{3, 3});
}

TEST_CASE("very long histories are freed without deep recursion", "[autograd]") {
  Tensor x = leaf({1}, {1});
  auto work = [&] {
    Tensor y = x;
    for (int i = 0; i < 20000; ++i) y = add(y, 1.0);
    y.backward();
    Tensor z = x;
    for (int i = 0; i < 20000; ++i) z = square(mul(z, 0.0));
    z = {};  // dropped unused
  };
  pthread_attr_t small;  // of a stack on which recursion would end the program 20 times before its last step
  REQUIRE(pthread_attr_init(&small) == 0);
  REQUIRE(pthread_attr_setstacksize(&small, 128 << 10) == 0);
  pthread_t thread{};
  REQUIRE(pthread_create(&thread, &small, [](void* w) -> void* { return (*static_cast<decltype(work)*>(w))(), nullptr; }, &work) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&small);
  CHECK(x.grad().item() == 1);
  CHECK(x.requires_grad());
}

TEST_CASE("history ends when the result goes: saved tensors are freed by backward", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  std::weak_ptr<Storage> saved;
  Tensor y;
  {
    Tensor middle = exp(x);
    saved = middle.storage();
    y = sum(square(middle));
  }
  CHECK_FALSE(saved.expired());
  y.backward();
  CHECK(saved.expired());
}

TEST_CASE("views carry gradients", "[autograd][views]") {
  auto x = [] { return spread({2, 3, 4}, -1, 1); };
  using In = std::vector<Tensor>;
  // squared, so that a second derivative exists
  check_gradients([](const In& in) { return square(in[0].reshape({4, 6})); }, {x()});
  check_gradients([](const In& in) { return square(in[0].permute({2, 0, 1}).reshape({4, 6})); }, {x()});
  check_gradients([](const In& in) { return square(in[0].permute({1, 2, 0})); }, {x()});
  check_gradients([](const In& in) { return square(in[0].transpose(0, 2)); }, {x()});
  check_gradients([](const In& in) { return square(in[0].narrow(1, 1, 2)); }, {x()});
  check_gradients([](const In& in) { return square(in[0].select(2, 3)); }, {x()});
  check_gradients([](const In& in) { return square(in[0].unsqueeze(1).expand({2, 5, 3, 4})); }, {x()});
  check_gradients([](const In& in) { return square(in[0].narrow(0, 0, 1).squeeze(0)); }, {x()});
  check_gradients([](const In& in) { return square(in[0].transpose(0, 1).contiguous()); }, {x()});
  check_gradients([](const In& in) { return square(in[0].clone()); }, {x()});
  // through f32: the gradient itself is what f32 holds
  Tensor narrow = x();
  narrow.set_requires_grad();
  auto g = gradients({sum(square(narrow.to(DType::f32)).to(DType::f64))}, {narrow})[0];
  CHECK(g.dtype() == DType::f64);
  CHECK(g.to_vector() == mul(narrow.detach().to(DType::f32), 2.0).to_vector());
}

TEST_CASE("hooks see a tensor's whole gradient and may change it", "[autograd]") {
  Tensor x = Tensor::full({2}, 3, DType::f64), seen_leaf, seen_middle;
  x.set_requires_grad();
  on_gradient(x, [&](const Tensor& d) {
    seen_leaf = d;
    return Tensor();
  });
  Tensor y = x * 2.0;
  on_gradient(y, [&](const Tensor& d) {
    seen_middle = d;
    return d * 10.0;
  });
  (sum(y) + sum(square(y))).backward();  // dy = 1 + 2 y = 13, on both paths together
  CHECK(seen_middle.to_vector() == std::vector<double>{13, 13});
  CHECK(x.grad().to_vector() == std::vector<double>{260, 260});
  CHECK(seen_leaf.to_vector() == x.grad().to_vector());
  CHECK_THROWS_WITH(on_gradient(Tensor::zeros({2}), [](const Tensor& d) { return d; }), Contains("requires no gradient"));
  CHECK_THROWS_WITH(on_gradient(y, [](const Tensor& d) { return d; }), Contains("already used and freed"));
  Tensor z = x * 1.0;
  on_gradient(z, [](const Tensor&) { return Tensor::zeros({3}, DType::f64); });
  CHECK_THROWS_WITH(sum(z).backward(), Contains("a hook returned f64[3]"));
}

TEST_CASE("recomputed functions have the same results and gradients, and keep nothing", "[autograd]") {
  Tensor x = Tensor::from(std::vector<double>{0.3, -0.7}, {2}), w = Tensor::from(std::vector<double>{1.5, 0.5}, {2});
  x.set_requires_grad();
  w.set_requires_grad();
  int runs = 0;
  const TensorFunction f = [&](const std::vector<Tensor>& in) {
    ++runs;
    const Tensor h = tanh(in[0] * w);
    return std::vector<Tensor>{sum(square(h)), exp(h)};
  };
  const auto plain = f({x});
  const auto wanted = gradients({plain[0] + sum(plain[1])}, {x, w});
  runs = 0;
  const auto cheap = recompute(f, {x}, {w});
  CHECK(runs == 1);
  CHECK(cheap[0].item() == plain[0].item());
  const auto got = gradients({cheap[0] + sum(cheap[1])}, {x, w});
  CHECK(runs == 2);
  CHECK(got[0].to_vector() == wanted[0].to_vector());
  CHECK(got[1].to_vector() == wanted[1].to_vector());
  // differentiated again, also where an input is given twice and captured
  const auto twice = [&](const auto& result) {
    const auto d = gradients({result}, {x, w}, {}, true);
    return gradients({sum(square(d[0])) + sum(square(d[1]))}, {x, w});
  };
  const TensorFunction g = [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{sum(tanh(in[0] * w) * in[1] * x)}; };
  const auto second = twice(g({x, x})[0]), second_again = twice(recompute(g, {x, x}, {w})[0]);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t k = 0; k < second[i].to_vector().size(); ++k)
      CHECK(second_again[i].to_vector()[k] == Approx(second[i].to_vector()[k]).epsilon(1e-5));
  // what its ops would save is freed at once: only the result is held
  const std::size_t before = allocator(DeviceType::cpu).stats().in_use;
  Tensor big = Tensor::zeros({1 << 16});
  big.set_requires_grad();
  const auto kept = recompute([](const std::vector<Tensor>& in) { return std::vector<Tensor>{sum(exp(tanh(in[0])))}; }, {big});
  CHECK(allocator(DeviceType::cpu).stats().in_use - before < 2 * big.nbytes());
}

TEST_CASE("the detector names the first op that made a number that is not finite", "[autograd]") {
  Tensor x = Tensor::from(std::vector<double>{1, 0, 4}, {3});
  x.set_requires_grad();
  CHECK_NOTHROW(log(x));
  const DetectNotFinite detect;
  CHECK_NOTHROW(sum(sqrt(x)));
  CHECK_THROWS_WITH(mul(log(x), 2.0), Contains("the result of 'log'") && Contains("-inf") && Contains("element 1") && Contains("from 0 to 4"));
  CHECK_THROWS_WITH(sum(sqrt(x)).backward(), Contains("the gradient of 'sqrt'") && Contains("element 1"));
}

TEST_CASE("a value that a gradient needs and that was written since is an error that names op and write", "[autograd]") {
  const auto refuses = [](const Tensor& loss, const char* op, const char* write) {
    try {
      loss.backward();
      FAIL("no error");
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
      CHECK(e.code() == "autograd.overwritten");
      CHECK_THAT(e.what(), Contains(std::string("backward: the gradient of '") + op + "' needs f64[2] cpu, which was written by '" + write + "'") && Contains("clone()"));
    }
  };
  const Tensor two = Tensor::full({2}, 2, DType::f64);
  SECTION("a leaf, by assign") {
    Tensor x = leaf({3, 4}, {2}), loss = sum(square(x));
    x.assign(two);
    refuses(loss, "square", "Tensor::assign");
  }
  SECTION("a result in between, by fill") {
    Tensor x = leaf({3, 4}, {2}), middle = x * 2.0, loss = sum(square(middle));
    middle.detach().fill(0);
    refuses(loss, "square", "Tensor::fill");
  }
  SECTION("a part of it, through a view") {
    Tensor x = leaf({3, 4}, {2}), middle = x * 2.0, loss = sum(mul(middle, middle));
    middle.detach().narrow(0, 0, 1).fill(0);
    refuses(loss, "mul", "Tensor::fill");
  }
  SECTION("by bytes from the host") {
    Tensor x = leaf({3, 4}, {2}), loss = sum(exp(x));
    const double values[] = {1, 2};
    x.copy_from_host(values, sizeof values);
    refuses(loss, "exp", "Tensor::copy_from_host");
  }
  SECTION("a result that the gradient is made of") {
    Tensor x = leaf({3, 4}, {2}), share = softmax(x), loss = sum(share * two);
    share.detach().fill(0);
    refuses(loss, "softmax", "Tensor::fill");
  }
  SECTION("a tensor that the op was not given as an input") {
    Tensor x = leaf({3, 4}, {2}), slope = two.clone();
    Tensor y = differentiable("sloped", mul(x.detach(), slope), {x}, [slope](const std::vector<Tensor>& d) { return std::vector{mul(d[0], slope)}; });
    slope.fill(9);
    refuses(sum(y), "sloped", "Tensor::fill");
  }
  SECTION("a value that the gradient reads on the host") {
    Tensor x = leaf({3, 4}, {2}), slope = two.clone();
    Tensor y = differentiable("sloped", mul(x.detach(), slope), {x}, [slope](const std::vector<Tensor>& d) { return std::vector{mul(d[0], slope.to_vector()[0])}; });
    slope.fill(9);
    refuses(sum(y), "sloped", "Tensor::fill");
  }
}

TEST_CASE("writes that no gradient minds are no errors", "[autograd]") {
  const Tensor seed = Tensor::full({2}, 1, DType::f64);
  Tensor x = leaf({3, 4}, {2}), other = leaf({1, 1}, {2});
  Tensor loss = sum(add(square(x), other));
  other.fill(7);  // the gradient of a sum does not read it
  CHECK_NOTHROW(loss.backward());
  CHECK(x.grad().to_vector() == Values{6, 8});
  x.fill(5);  // before the op
  Tensor y = square(x), given = seed.clone();
  given.fill(3);  // the gradient that comes down is younger than the op
  CHECK(gradients({y}, {x}, {given})[0].to_vector() == Values{30, 30});
  x.fill(1);  // after the gradient
  CHECK(x.to_vector() == Values{1, 1});
  // the next pass, and a second derivative, see the new value
  Tensor g = gradients({sum(square(x) * x)}, {x}, {}, true)[0];
  CHECK(gradients({sum(g)}, {x})[0].to_vector() == Values{6, 6});
}

TEST_CASE("gradients of another shape, type or device than their tensor are refused by name", "[autograd]") {
  Tensor x = leaf({1, 2}, {2});
  CHECK_THROWS_WITH(x.set_grad(Tensor::zeros({1}, DType::f64)), Contains("set_grad: gradient f64[1] cpu given for f64[2] cpu"));
  CHECK_THROWS_WITH(x.set_grad(Tensor::zeros({2})), Contains("set_grad: gradient f32[2] cpu given for f64[2] cpu"));
  static double there[2];
  const Tensor elsewhere = Tensor::wrap(there, {2}, DType::f64, {}, Device{DeviceType::cuda, 0});
  CHECK_THROWS_WITH(x.set_grad(elsewhere), Contains("set_grad: gradient f64[2] cuda:0 given for f64[2] cpu"));
  CHECK_THROWS_WITH(gradients({square(x)}, {x}, {elsewhere}), Contains("gradients: gradient f64[2] cuda:0 given for output f64[2] cpu"));
  const auto custom = [&](const Tensor& d) { return sum(differentiable("odd", x.detach() * 1.0, {x}, [d](const std::vector<Tensor>&) { return std::vector{d}; })); };
  for (const Tensor& d : {Tensor::zeros({1}, DType::f64), Tensor::zeros({2}), Tensor::zeros({2}, DType::i64), elsewhere}) try {
      custom(d).backward();
      FAIL("no error");
    } catch (const Error& e) {
      CHECK(e.code() == "autograd.gradient");
      CHECK_THAT(e.what(), Contains("the gradient of 'odd' is " + d.str() + " for input 0, which is f64[2] cpu"));
    }
  CHECK_FALSE(x.grad().defined());
  Tensor y = x * 1.0;
  on_gradient(y, [&](const Tensor&) { return elsewhere; });
  CHECK_THROWS_WITH(sum(y).backward(), Contains("on_gradient: a hook returned f64[2] cuda:0"));
}

TEST_CASE("gradients() runs the hooks of what it is asked for, once", "[autograd]") {
  Tensor x = leaf({3}, {1}), unused = leaf({1}, {1});
  int runs = 0;
  const auto tenfold = [&](const Tensor& d) {
    ++runs;
    return d * 10.0;
  };
  on_gradient(x, tenfold);
  on_gradient(unused, tenfold);
  const auto g = gradients({sum(square(x) + x)}, {x, x, unused});
  CHECK(runs == 1);
  CHECK(g[0].item() == 70);
  CHECK(g[1].item() == 70);
  CHECK(g[2].item() == 0);
  Tensor y = square(x);
  on_gradient(y, tenfold);
  CHECK(gradients({sum(y)}, {y})[0].item() == 10);  // what goes on is what is given
  CHECK(runs == 2);
}

TEST_CASE("recompute finds the parameters that nobody listed", "[autograd]") {
  Tensor x = leaf({1, 2}, {2}), w = leaf({3, 5}, {2}), v = leaf({2, 2}, {2}), idle = leaf({1}, {1});
  int hooks = 0;
  on_gradient(w, [&](const Tensor&) {
    ++hooks;
    return Tensor();
  });
  const Tensor outer = square(v);  // history of its own, older than the function
  const TensorFunction f = [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{sum(in[0] * w * outer)}; };
  recompute(f, {x}, {idle})[0].backward();
  CHECK(x.grad().to_vector() == Values{12, 20});
  CHECK(w.grad().to_vector() == Values{4, 8});
  CHECK(v.grad().to_vector() == Values{12, 40});
  CHECK(idle.grad().to_vector() == Values{0});
  CHECK(hooks == 1);
  // also where no input needs a gradient, and where the function only hands a leaf on
  recompute([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{sum(in[0] * w)}; }, {x.detach()})[0].backward();
  CHECK(w.grad().to_vector() == Values{5, 10});
  CHECK(gradients(recompute([&](const std::vector<Tensor>&) { return std::vector<Tensor>{idle}; }, {x}), {idle})[0].item() == 1);
  CHECK_THROWS_WITH(recompute({}, {x}), Contains("recompute: no function was given"));
}

TEST_CASE("the detector reads every type and layout", "[autograd]") {
  const Tensor dense = Tensor::from(std::vector<double>{1, 0, 4, 9}, {2, 2});
  const DetectNotFinite detect;
  for (DType type : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    INFO(name_of(type));
    CHECK_THROWS_WITH(log(dense.to(type)), Contains("the result of 'log'") && Contains("-inf at element 1"));
    CHECK_THROWS_WITH(log(dense.to(type).transpose(0, 1)), Contains("the result of 'log'") && Contains("-inf at element 2"));
    Tensor x = dense.to(type).transpose(0, 1);
    x.set_requires_grad();
    CHECK_THROWS_WITH(sum(sqrt(x)).backward(), Contains("the gradient of 'sqrt'") && Contains("element 2"));
    CHECK_NOTHROW(log(dense.to(type) + 1.0));
  }
  CHECK_THROWS_WITH(log(dense.to(DType::c64)), Contains("the result of 'log'"));
}

TEST_CASE("the detector sees products and convolutions, with history and without", "[autograd]") {
  Tensor huge = Tensor::full({2, 2}, 1e308, DType::f64), image = Tensor::full({1, 3, 2}, 1e308, DType::f64), kernel = Tensor::full({2, 3, 2}, 4, DType::f64);
  const DetectNotFinite detect;
  for (bool history : {false, true}) {
    if (history) huge.set_requires_grad(), image.set_requires_grad();
    CHECK_THROWS_WITH(matmul(huge, huge), Contains("the result of 'matmul'"));
    CHECK_THROWS_WITH(linear(huge, huge, {}), Contains("the result of 'linear'"));
    CHECK_THROWS_WITH(conv(image, kernel, {}), Contains("the result of 'conv'"));
    CHECK_THROWS_WITH(conv_transpose(image, kernel, {}), Contains("the result of 'conv_transpose'"));
  }
}

TEST_CASE("the detector names the op inside a recomputed function", "[autograd]") {
  const DetectNotFinite detect;
  Tensor x = Tensor::zeros({2}, DType::f64);
  x.set_requires_grad();
  const Tensor y = recompute([](const std::vector<Tensor>& in) { return std::vector<Tensor>{sum(sin(exp(sqrt(in[0]))))}; }, {x})[0];
  CHECK_THROWS_WITH(y.backward(), Contains("the gradient of 'sqrt' is inf"));
}

TEST_CASE("a result of a differentiable op is not written in place", "[autograd][misuse]") {
  Tensor x = Tensor::full({2}, 1);
  x.set_requires_grad();
  Tensor h = x * 2.0;
  CHECK_THROWS_WITH(h.assign(Tensor::full({2}, 5)), Contains("Tensor::assign: f32[2] cpu is the result of a differentiable op"));
  CHECK_THROWS_WITH(h.fill(5), Contains("Tensor::fill: f32[2] cpu is the result of a differentiable op"));
  x.assign(Tensor::full({2}, 3));  // a leaf is what optimisers write
  h.detach().fill(7);
  CHECK(h.to_vector() == std::vector<double>{7, 7});
}

TEST_CASE("angles at the origin have a gradient of 0", "[autograd]") {
  Tensor y = Tensor::from(std::vector<double>{0, 1}, {2}), x = Tensor::from(std::vector<double>{0, 1}, {2});
  y.set_requires_grad(), x.set_requires_grad();
  const auto d = gradients({sum(atan2(y, x))}, {y, x}, {}, true);
  CHECK(d[0].to_vector() == std::vector<double>{0, 0.5});
  CHECK(d[1].to_vector() == std::vector<double>{0, -0.5});
  for (double v : gradients({sum(d[0])}, {y})[0].to_vector()) CHECK(std::isfinite(v));
}

TEST_CASE("undefined tensors and too many axes are named", "[autograd][misuse]") {
  const Tensor none;
  CHECK_THROWS_WITH(none.to(DType::f64), Contains("to: the tensor is undefined"));
  CHECK_THROWS_WITH(none.clone(), Contains("clone: the tensor is undefined"));
  CHECK_THROWS_WITH(none.to_vector(), Contains("to_vector: the tensor is undefined"));
  CHECK_THROWS_WITH(none.reshape({1}), Contains("reshape: the tensor is undefined"));
  CHECK_THROWS_WITH(Tensor().set_requires_grad(), Contains("set_requires_grad: the tensor is undefined"));
  CHECK_THROWS_WITH(Tensor::zeros({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0), Contains("unsqueeze: f32[1, 1, 1, 1, 1, 1, 1, 1] cpu has 8 axes"));
  CHECK_THROWS_WITH(Tensor::arange(300, DType::u8), Contains("Tensor::arange: 299 does not fit u8"));
  CHECK(Tensor::arange(256, DType::u8).to_vector()[255] == 255);
  CHECK_THROWS_WITH(Tensor::wrap(nullptr, {3}, DType::f32, {}), Contains("Tensor::wrap: no memory given for f32[3]"));
}
