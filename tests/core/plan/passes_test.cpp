// What a plan does to a recorded step before it lays out memory: the bits stay those of the ops done one by one.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "core/plan/chain_ops.hpp"
#include "core/plan/same_values.hpp"
#include "tenon/autograd.hpp"
#include "tenon/complex.hpp"
#include "tenon/kernel.hpp"
#include "tenon/losses.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

using Step = std::function<std::vector<Tensor>()>;

/// Records, runs twice, and checks each result against the step done op by op. The plan, for a look at it.
StepPlan compare(const std::string& what, const Step& step) {
  const NoGrad off;
  const std::vector<Tensor> eager = step();
  std::vector<Tensor> planned;
  StepPlan plan = StepPlan::record([&] { planned = step(); });
  for (int run = 0; run < 2; ++run) {
    plan.run();
    for (std::size_t i = 0; i < eager.size(); ++i)
      if (!same_values(eager[i], planned[i])) FAIL(what << ", result " << i << ", run " << run << "\n" << plan.explain());
  }
  return plan;
}

/// Numbers of all sizes, and those that are none.
Tensor numbers(const Shape& shape, DType type, std::uint64_t seed) {
  Tensor x = random_normal(shape, seed, 1).to(DType::f32).contiguous();
  float* v = x.data<float>();
  const float odd[] = {0, -0.0f, 1, -1, 0.5f, 1e-30f, 1e30f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 2, -3};
  for (std::int64_t i = 0; i < x.numel(); i += 7) v[i] = odd[std::size_t(i / 7) % std::size(odd)];
  return x.to(type);
}

const DType kTypes[] = {DType::f32, DType::bf16, DType::f16, DType::f64};

}  // namespace

TEST_CASE("chains of every op have the bits of the ops one by one", "[plan]") {
  for (const DType type : kTypes)
    for (const auto& [name, op] : chain_ops()) {
      const Tensor x = numbers({5, 333}, type, 1), y = numbers({5, 333}, type, 2);
      const auto step = [&] { return std::vector{op(x * 0.9, y + 0.1) * 1.1}; };
      const StepPlan plan = compare(name + " of " + std::string(name_of(type)), step);
      if (name != "sin" && name != "atan2") CHECK(plan.launches() == 1);
    }
}

TEST_CASE("chains read what is broadcast, strided, or bool, and write several results", "[plan]") {
  for (const DType type : kTypes) {
    const Tensor x = numbers({3, 4, 700}, type, 1), row = numbers({700}, type, 2), column = numbers({3, 1, 1}, type, 3), turned = numbers({700, 4, 3}, type, 4).permute({2, 1, 0});
    const Tensor flags = greater(numbers({4, 700}, type, 5), Tensor::zeros(Shape{}, type)), one = numbers({}, type, 6), part = numbers({3, 9, 800}, type, 7).narrow(1, 2, 4).narrow(2, 50, 700);
    compare("broadcast " + std::string(name_of(type)), [&] {
      const Tensor a = x * row + column, b = a - turned, c = where(flags, b, one), d = less(c, part);
      return std::vector{a, tanh(c) * part, d, where(d, a, b)};
    });
    const StepPlan plan = compare("many values " + std::string(name_of(type)), [&] {
      std::vector<Tensor> v{x};
      for (int i = 0; i < 40; ++i) v.push_back(v[std::size_t(i) / 2] * 0.5 + v[std::size_t(i)]);
      return v;
    });
    CHECK(plan.launches() > 2);  // more results than a chain has
  }
}

TEST_CASE("chains that read a turned operand write whole rows", "[plan]") {
  for (const DType type : kTypes) {
    const Tensor x = numbers({3, 45, 70}, type, 1), turned = numbers({3, 70, 45}, type, 2).transpose(1, 2), row = numbers({70}, type, 3), column = numbers({45, 1}, type, 4);
    const StepPlan plan = compare("turned " + std::string(name_of(type)), [&] {
      const Tensor a = x * turned, b = less(a, row), c = where(b, turned + column, a), d = c * row;
      return std::vector{a, b, c, d};
    });
    CHECK(plan.launches() == 1);
  }
}

TEST_CASE("types change within a chain", "[plan]") {
  const Tensor x = numbers({2000}, DType::f32, 1);
  const StepPlan plan = compare("f32, bf16, f16", [&] { return std::vector{((x * 3.0).to(DType::bf16) + x.to(DType::bf16)).to(DType::f32) * x, (x * 1e-5).to(DType::f16).to(DType::f32) - x}; });
  CHECK(plan.launches() == 1);
  const Tensor wide = numbers({2000}, DType::f64, 2), flags = greater(x, x * 0.5);
  compare("f64 and f32 apart", [&] { return std::vector{(wide * 2.0).to(DType::f32) * 3.0, (x * 2.0).to(DType::f64) * wide}; });
  compare("flags as numbers", [&] { return std::vector{flags.to(DType::f32) * x, flags.to(DType::f64) * wide, flags.to(DType::i32).to(DType::f32) + x}; });
}

TEST_CASE("integers, complex numbers and empty tensors are computed as before", "[plan]") {
  const Tensor n = Tensor::full({7}, 3, DType::i32), z = numbers({6}, DType::f32, 1).to(DType::c64), none = Tensor::zeros({0, 3});
  compare("others", [&] { return std::vector{n * n + n, real(z * z + z), none * 2.0 + none}; });
}

TEST_CASE("what is read in another order ends a chain", "[plan]") {
  const Tensor x = numbers({30, 30}, DType::f32, 1);
  const StepPlan plan = compare("turned", [&] {
    const Tensor y = x * 2.0;
    return std::vector{y + y.transpose(0, 1)};
  });
  CHECK(plan.launches() == 2);
  compare("a part of it", [&] {
    const Tensor y = x * 2.0;
    return std::vector{y.narrow(0, 0, 1) + y.narrow(0, 3, 1), y * 3.0, y.narrow(0, 0, 1) * 4.0};
  });
  compare("one row of it, everywhere", [&] {
    const Tensor y = x * 2.0;
    return std::vector{y + y.narrow(0, 4, 1)};
  });
}

namespace {

using Programs = std::map<std::string, std::function<std::vector<Tensor>(std::vector<Tensor>&)>>;

/// Each of the programs reads and writes `state`, which is older than the step: its results, and what it leaves, are those of the eager run.
void compare_with_state(const std::vector<Tensor>& initial, const Programs& programs) {
  const NoGrad off;
  for (const auto& [name, program] : programs) {
    std::vector<Tensor> state, planned;
    for (const Tensor& t : initial) state.push_back(t.clone());
    std::vector<Tensor> wanted = program(state);
    for (Tensor& t : wanted) t = t.clone();
    for (const Tensor& t : state) wanted.push_back(t.clone());
    const auto reset = [&] {
      for (std::size_t i = 0; i < state.size(); ++i) state[i].assign(initial[i]);
    };
    reset();
    const StepPlan plan = StepPlan::record([&] { planned = program(state); });
    planned.insert(planned.end(), state.begin(), state.end());
    for (int run = 0; run < 3; ++run) {
      reset();
      plan.run();
      for (std::size_t i = 0; i < wanted.size(); ++i)
        if (!same_values(wanted[i], planned[i])) FAIL(name << ", result " << i << ", run " << run << "\n" << plan.explain());
    }
  }
}

Tensor plain(const Shape& shape, std::uint64_t seed) { return random_normal(shape, seed, 1).to(DType::f32).contiguous(); }

}  // namespace

TEST_CASE("a chain ends where memory is read in another order, in part, or written again", "[plan]") {
  using List = std::vector<Tensor>;
  compare_with_state({plain({6, 6}, 1), plain({6, 6}, 2)},
                     {{"written after it was read turned",
                       [](List& t) {
                         const Tensor a = t[0].transpose(0, 1) * 2.0;
                         t[0].assign(t[1] + 1.0);
                         return List{a};
                       }},
                      {"written after a row of it was read everywhere",
                       [](List& t) {
                         const Tensor a = t[1] * t[0].narrow(0, 3, 1);
                         t[0].assign(t[1] + 1.0);
                         return List{a};
                       }},
                      {"read at another place than written",
                       [](List& t) {
                         const Tensor a = t[0] * 2.0, b = Tensor::empty({12, 6});
                         b.narrow(0, 0, 6).assign(a);
                         b.narrow(0, 6, 6).assign(t[1]);
                         return List{b.narrow(0, 3, 6) * 2.0};
                       }},
                      {"read ahead of where it is written",
                       [](List& t) {
                         const Tensor b = Tensor::zeros({4000}), a = t[0].reshape({36}).narrow(0, 0, 1).expand({2000}) * 2.0;
                         b.narrow(0, 1000, 2000).assign(a);
                         return List{b.narrow(0, 1500, 2000) * 2.0};
                       }},
                      {"written twice",
                       [](List& t) {
                         const Tensor b = Tensor::empty({6, 6});
                         b.assign(t[0] * 2.0);
                         const Tensor c = b + 1.0;
                         b.assign(t[1]);
                         return List{b * 1.0, c};
                       }},
                      {"the same place in two orders", [](List& t) { return List{t[0] + t[0].transpose(0, 1) * 2.0}; }},
                      {"the same place as row and column",
                       [](List& t) {
                         const Tensor v = t[0].reshape({36}).narrow(0, 0, 6);
                         return List{v.reshape({6, 1}).expand({6, 6}) * 2.0 + v.reshape({1, 6}).expand({6, 6})};
                       }},
                      {"a result that is not dense",
                       [](List& t) {
                         const Tensor b = Tensor::empty({6, 6}), a = t[0] * 2.0;
                         b.transpose(0, 1).assign(a);
                         return List{b * 1.0, a + 1.0};
                       }},
                      {"a result outside that is not dense",
                       [](List& t) {
                         const Tensor a = t[0] * 2.0;
                         t[1].transpose(0, 1).assign(a + 1.0);
                         return List{a};
                       }},
                      {"numbers as flags as numbers", [](List& t) { return List{(t[0] * 2.0).to(DType::boolean).to(DType::f32) * t[1]}; }},
                      {"flags read in steps", [](List& t) {
                         const Tensor flags = greater(t[0], t[1]);
                         return List{where(flags.transpose(0, 1), t[0] * 2.0, t[1]) + 1.0, flags};
                       }}});
}

TEST_CASE("what is filled and then changed is no constant", "[plan]") {
  using List = std::vector<Tensor>;
  compare_with_state({plain({6, 6}, 1), plain({16}, 3), plain({8}, 4), plain({1}, 5)},
                     {{"a part of it is added to",
                       [](List& t) {
                         const Tensor z = Tensor::zeros({6, 6});
                         z.narrow(0, 0, 2).assign(z.narrow(0, 0, 2) + t[0].narrow(0, 0, 2));
                         return List{z * 1.0};
                       }},
                      {"in place",
                       [](List& t) {
                         const Tensor z = Tensor::full({6, 6}, 1);
                         z.assign(z * 2.0);
                         z.assign(z + t[0]);
                         return List{sum(z, {0})};
                       }},
                      {"a cast into a part",
                       [](List& t) {
                         const Tensor h = t[1].to(DType::bf16).reshape({4, 4}), m = matmul(h, h), b = Tensor::full({16}, 7, DType::bf16), q = matmul(b.reshape({4, 4}), m);
                         b.narrow(0, 0, 8).assign(t[2].to(DType::bf16));
                         return List{q, matmul(b.reshape({4, 4}), m)};
                       }},
                      {"a cast over what was computed",
                       [](List& t) {
                         const Tensor h = t[1].to(DType::bf16).reshape({4, 4}), m = matmul(h, h), b = sin(m).reshape({16}), q = matmul(b.reshape({4, 4}), m);
                         b.narrow(0, 0, 8).assign(t[2]);
                         return List{q, matmul(b.reshape({4, 4}), m)};
                       }},
                      {"a cast of what is broadcast",
                       [](List& t) {
                         const Tensor h = t[1].to(DType::bf16).reshape({4, 4}), m = matmul(h, h);
                         return List{matmul(m, t[3].expand({16}).to(DType::bf16).reshape({4, 4}))};
                       }},
                      {"a cast of what the step made", [](List& t) {
                         const Tensor made = sin(t[1]), h = t[1].to(DType::bf16).reshape({4, 4});
                         return List{matmul(made.to(DType::bf16).reshape({4, 4}), h)};
                       }}});
  // a kernel that adds to what it names as written alone
  const Tensor x = Tensor::full({4}, 2);
  Tensor out;
  const StepPlan plan = StepPlan::record([&] {
    const Tensor total = Tensor::zeros({4});
    out = Tensor::empty({4});
    launch("adds", std::vector{x}, std::vector{out, total}, [](void* const* p) {
      for (int i = 0; i < 4; ++i) static_cast<float*>(p[1])[i] = static_cast<float*>(p[2])[i] += static_cast<const float*>(p[0])[i];
    });
  });
  for (int run = 0; run < 3; ++run) {
    plan.run();
    CHECK(out.to_vector() == std::vector<double>(4, 2));
  }
}

TEST_CASE("empty constants, and sums of nothing", "[plan]") {
  compare("nothing", [] {
    const Tensor none = Tensor::zeros({0}), rows = Tensor::full({0, 3}, 1).to(DType::bf16);
    return std::vector{sum(none) + 1.0, sum(rows.to(DType::f32), {0}) * 2.0, none * 2.0};
  });
}

TEST_CASE("tensors of one block of memory keep their order, whoever wrapped them", "[plan]") {
  std::vector<float> memory(64);
  const auto tensor = [&](std::int64_t at, const Shape& shape) { return Tensor::wrap(memory.data() + at, shape, DType::f32, {}); };
  const Tensor a = tensor(0, {3, 3}), b = tensor(0, {3, 3}), late = tensor(4, {3, 3}), w = plain({3, 3}, 1);
  const auto step = [&] {
    a.assign(w + 1.0);
    const Tensor turned = b.transpose(0, 1) * w, shifted = late * w;
    const Tensor m = matmul(w.to(DType::bf16), w.to(DType::bf16));
    a.assign(w * 3.0);
    return std::vector{turned, shifted, matmul(b.to(DType::bf16), m)};
  };
  std::vector<Tensor> planned;
  const NoGrad off;
  const StepPlan plan = StepPlan::record([&] { planned = step(); });
  for (int run = 0; run < 2; ++run) {
    std::iota(memory.begin(), memory.end(), 0.0f);
    std::vector<Tensor> eager = step();
    for (Tensor& t : eager) t = t.clone();
    std::iota(memory.begin(), memory.end(), 0.0f);
    plan.run();
    for (std::size_t i = 0; i < eager.size(); ++i) CHECK(same_values(eager[i], planned[i]));
  }
}

TEST_CASE("a column beside short rows is not joined to what is flat", "[plan]") {
  const Tensor x = plain({20000, 3}, 1), column = plain({20000, 1}, 2), row = plain({3}, 3);
  CHECK(compare("short", [&] { return std::vector{tanh(x * 2.0) * column}; }).launches() == 2);
  CHECK(compare("short rows", [&] { return std::vector{(x * row + row) * column}; }).launches() == 1);  // all alike
  CHECK(compare("few", [&] { return std::vector{tanh(x.narrow(0, 0, 50) * 2.0) * column.narrow(0, 0, 50)}; }).launches() == 1);
  const Tensor wide = plain({600, 100}, 4), tall = plain({600, 1}, 5);
  CHECK(compare("long", [&] { return std::vector{tanh(wide * 2.0) * tall}; }).launches() == 1);
}

TEST_CASE("what is written over is not joined to what reads it", "[plan]") {
  Tensor state = Tensor::full({50}, 1);
  const Tensor x = Tensor::full({50}, 2);
  Tensor out;
  const StepPlan plan = StepPlan::record([&] {
    const Tensor before = state * 3.0;
    state.assign(before + x);
    out = state * 10.0;
  });
  double expected = 1;
  for (int run = 0; run < 3; ++run) {
    plan.run();
    expected = expected * 3 + 2;
    CHECK(state.to_vector() == std::vector<double>(50, expected));
    CHECK(out.to_vector() == std::vector<double>(50, expected * 10));
  }
}

TEST_CASE("what nobody reads is left out, and so is what only it read", "[plan]") {
  const Tensor x = numbers({40, 40}, DType::f32, 1), w = numbers({40, 40}, DType::f32, 2);
  Tensor out, held;
  const StepPlan plan = StepPlan::record([&] {
    const Tensor unused = matmul(x, w);
    const Tensor both = sum(unused * 2.0);
    held = sum(w, {0});
    out = softmax(x, -1);
  });
  CHECK(plan.launches() == 2);
  plan.run();
  CHECK(same_values(out, softmax(x, -1)));
  CHECK(same_values(held, sum(w, {0})));
  // a loss' gradient of its target is asked for by nobody
  Tensor p = numbers({8, 8}, DType::f32, 3);
  p.set_requires_grad();
  Tensor gradient;
  const auto names = StepPlan::record([&] { gradient = gradients({sum(square(p - x.narrow(0, 0, 8).narrow(1, 0, 8)))}, {p})[0]; }).explain();
  CHECK(names.find("neg") == std::string::npos);
}

TEST_CASE("what writes something outside is kept, though nobody reads it inside", "[plan]") {
  Tensor count = Tensor::zeros({1});
  int calls = 0;
  const StepPlan plan = StepPlan::record([&] {
    count.assign(count + 1.0);
    launch("a plugin's own", {count}, {}, [&calls](void* const*) { ++calls; });
  });
  for (int run = 1; run < 4; ++run) {
    plan.run();
    CHECK(count.item() == run);
    CHECK(calls == run);
  }
}

TEST_CASE("constants are computed once", "[plan]") {
  Tensor x = Tensor::full({100}, 2), out;
  const StepPlan plan = StepPlan::record([&] {
    const Tensor table = Tensor::full({100}, 4).to(DType::bf16).to(DType::f32) * 0.25, limit = Tensor::zeros(Shape{});
    out = where(greater(x, limit), matmul(x.reshape({1, 100}), table.reshape({100, 1})), limit).reshape({100});
  });
  for (const double v : {2.0, 5.0}) {
    x.fill(v);
    plan.run();
    CHECK(out.to_vector()[99] == 100 * v);
  }
  CHECK(plan.explain().find("fill") == std::string::npos);
  // what is filled and then written to is none
  Tensor y, z;
  const StepPlan changed = StepPlan::record([&] {
    Tensor sum_of = Tensor::zeros({4});
    sum_of.narrow(0, 1, 2).assign(sum_of.narrow(0, 1, 2) + x.narrow(0, 0, 2));
    y = sum_of * 1.0;
    z = Tensor::full({4}, 7);
  });
  for (const double v : {3.0, 6.0}) {
    x.fill(v);
    changed.run();
    CHECK(y.to_vector() == std::vector<double>{0, v, v, 0});
    CHECK(z.to_vector() == std::vector<double>(4, 7));
    z.fill(0);  // its holder may write over it
  }
}

TEST_CASE("casts of older tensors are one launch, of their values at each run", "[plan]") {
  Tensor a = numbers({300}, DType::f32, 1), b = numbers({20, 30}, DType::f32, 2), c = numbers({17}, DType::bf16, 3), moving = Tensor::full({60}, 1);
  std::vector<Tensor> out;
  const Step step = [&] {
    const Tensor first = matmul(a.to(DType::bf16).reshape({10, 30}), b.to(DType::bf16).transpose(0, 1));
    const Tensor wide = sum(c.to(DType::f32).reshape({1, 17}), {0});
    moving.assign(moving * 2.0);
    return std::vector{first, wide, matmul(moving.to(DType::f16).reshape({6, 10}), first.to(DType::f16))};
  };
  const StepPlan plan = StepPlan::record([&] { out = step(); });
  CHECK_THAT(plan.explain(), Contains("# fused: 1 x casts"));
  for (int run = 0; run < 3; ++run) {
    a.fill(run + 0.1);
    const Tensor before = moving.clone();
    plan.run();
    moving.assign(before);
    const NoGrad off;
    const std::vector<Tensor> eager = step();
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(same_values(out[i], eager[i]));
  }
}
