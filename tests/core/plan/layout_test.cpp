// Random graphs: whatever the lives of the buffers, the arena must never let two living ones share memory. A clash shows
// as a result that differs from the eager one.
#include <catch2/catch.hpp>
#include <regex>
#include <sstream>

#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/random.hpp"

using namespace tenon;

namespace {

constexpr int kRows = 3, kColumns = 40;

/// A pseudo-random program over `x`: the same calls in the same order for the same seed. Results are pushed to `kept`.
void random_program(std::uint64_t seed, const Tensor& x, std::vector<Tensor>& kept) {
  Random random(seed, 77);
  std::uint64_t at = 0;
  auto below = [&](std::uint64_t n) { return random.below(at++, n); };
  std::vector<Tensor> live{x, x * 0.5};
  const int length = 10 + int(below(30));
  for (int step = 0; step < length; ++step) {
    const Tensor a = live[below(live.size())], b = live[below(live.size())];
    Tensor y;
    switch (below(9)) {
      case 0:
        y = a + b;
        break;
      case 1:
        y = a * b;
        break;
      case 2:
        y = tanh(a);
        break;
      case 3:
        y = a - mean(b, {1}, true);
        break;
      case 4:
        y = sum(a.transpose(0, 1) * 0.1, {0}).unsqueeze(1).expand({kRows, kColumns}).contiguous();
        break;
      case 5:
        y = a.narrow(1, 0, 20).reshape({kRows, 20}).expand({2, kRows, 20}).permute({1, 0, 2}).reshape({kRows, kColumns});
        break;
      case 6: {  // written in place after it was read elsewhere
        y = a * 0.9;
        live.push_back(sin(y.detach()));  // with a history its gradient would need what is written now, and say so
        y.detach().narrow(1, 5, 10).assign(b.narrow(1, 20, 10));
        break;
      }
      case 7:
        y = maximum(a, b) - a.to(DType::bf16).to(DType::f32);
        break;
      default:
        y = Tensor::full({kRows, kColumns}, 0.25) * a;
        break;
    }
    live.push_back(tanh(y));
    if (below(4) == 0) kept.push_back(y);
    while (live.size() > 2 + below(6)) live.erase(live.begin() + long(below(live.size())));
  }
  kept.push_back(live.back());
}

}  // namespace

TEST_CASE("random programs give the same bits planned as eager", "[plan]") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    Tensor x = Tensor::zeros({kRows, kColumns});
    std::vector<Tensor> planned;
    StepPlan plan = StepPlan::record([&] { random_program(seed, x, planned); });
    for (int run = 0; run < 3; ++run) {
      for (std::int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = Random(seed, std::uint64_t(run)).normal(std::uint64_t(i));
      std::vector<Tensor> eager;
      random_program(seed, x, eager);
      plan.run();
      REQUIRE(eager.size() == planned.size());
      for (std::size_t i = 0; i < eager.size(); ++i)
        if (eager[i].to_vector() != planned[i].to_vector())
          FAIL("program " << seed << ", run " << run << ", result " << i << "\n" << plan.explain());
    }
    CHECK(plan.arena_bytes() <= plan.unshared_bytes());
  }
}

TEST_CASE("random programs with gradients give the same bits planned as eager", "[plan]") {
  for (std::uint64_t seed = 200; seed < 240; ++seed) {
    Tensor x = Tensor::zeros({kRows, kColumns}), w = Tensor::full({kColumns}, 0.7);
    w.set_requires_grad();
    auto step = [&] {
      std::vector<Tensor> results;
      random_program(seed, x * w, results);
      Tensor loss = mean(square(results.back()));
      if (!loss.requires_grad()) loss = loss + sum(w);
      return gradients({loss}, {w})[0];
    };
    Tensor planned;
    StepPlan plan = StepPlan::record([&] { planned = step(); });
    for (int run = 0; run < 2; ++run) {
      for (std::int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = Random(seed, std::uint64_t(run)).normal(std::uint64_t(i));
      plan.run();
      Tensor eager = step();
      if (eager.to_vector() != planned.to_vector()) FAIL("program " << seed << ", run " << run << "\n" << plan.explain());
    }
  }
}

TEST_CASE("a chain takes the memory of its two longest neighbours, and offsets stay inside the arena", "[plan]") {
  Tensor x = Tensor::full({1024}, 0.1), out;
  StepPlan plan = StepPlan::record([&] {
    Tensor y = x;
    for (int i = 0; i < 20; ++i) y = sin(y);
    out = sum(y);
  });
  CHECK(plan.unshared_bytes() >= 20 * 4096);
  CHECK(plan.arena_bytes() <= 2 * 4096 + 64);
  std::istringstream lines(plan.explain());
  const std::regex offset(R"((f32|f64)\[(\d*)[^\]]*\]@(\d+))");
  std::size_t seen = 0;
  for (std::string line; std::getline(lines, line);)
    for (std::sregex_iterator it(line.begin(), line.end(), offset), end; it != end; ++it, ++seen) {
      const std::size_t bytes = (it->str(1) == "f64" ? 8u : 4u) * (it->str(2).empty() ? 1u : std::stoul(it->str(2)));
      CHECK(std::stoul(it->str(3)) + bytes <= plan.arena_bytes());
      CHECK(std::stoul(it->str(3)) % 64 == 0);
    }
  CHECK(seen >= 39);
}
