#include "tenon/memory.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <string>
#include <thread>

#include "tenon/kernel.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"
#include "tenon/profile.hpp"
#include "tenon/tensor.hpp"

using namespace tenon;

namespace {

MemoryUse use(MemoryTag tag) { return memory_use(DeviceType::cpu)[std::size_t(tag)]; }

}  // namespace

TEST_CASE("buffers are counted by the tag in force where they were made", "[memory]") {
  const auto before = use(MemoryTag::gradients), data = use(MemoryTag::data);
  {
    Tensor kept;
    {
      const MemoryScope outer(MemoryTag::gradients);
      kept = Tensor::zeros({1000});
      const MemoryScope inner(MemoryTag::data);
      const Tensor other = Tensor::zeros({10});
      CHECK(use(MemoryTag::data).in_use == data.in_use + 40);
      std::thread([] { CHECK(MemoryScope::current() == MemoryTag::other); }).join();
    }
    CHECK(MemoryScope::current() == MemoryTag::other);
    CHECK(use(MemoryTag::gradients).in_use == before.in_use + 4000);
    CHECK(use(MemoryTag::data).in_use == data.in_use);
    const MemoryScope elsewhere(MemoryTag::workspace);  // it is given back to the tag that took it
    kept = {};
  }
  CHECK(use(MemoryTag::gradients).in_use == before.in_use);
  CHECK(use(MemoryTag::gradients).peak >= before.in_use + 4000);
}

TEST_CASE("buffers made in a parallel loop carry the tag of its caller", "[memory]") {
  const std::size_t before = use(MemoryTag::data).in_use;
  std::vector<Tensor> made(64);
  {
    const MemoryScope tag(MemoryTag::data);
    parallel_for(64, [&](std::int64_t i) { made[std::size_t(i)] = Tensor::zeros({100}); });
  }
  CHECK(use(MemoryTag::data).in_use == before + std::size_t(64 * 400));
}

TEST_CASE("a plan's arena counts as activations, and tells what is in it", "[memory]") {
  const std::size_t before = use(MemoryTag::activations).in_use;
  const Tensor x = Tensor::full({1024}, 2);
  Tensor y;
  const StepPlan plan = StepPlan::record([&] {
    Tensor a = sin(x);  // sines are not joined to chains
    Tensor work;
    {
      const MemoryScope tag(MemoryTag::workspace);
      work = sin(a);
    }
    y = a * work;
  });
  CHECK(use(MemoryTag::activations).in_use == before + plan.arena_bytes());
  CHECK(plan.arena_use()[std::size_t(MemoryTag::activations)] == 4096);
  CHECK(plan.arena_use()[std::size_t(MemoryTag::workspace)] == 4096);
  plan.run();
  CHECK(y.to_vector()[7] == Approx(std::sin(2.0) * std::sin(std::sin(2.0))));
}

TEST_CASE("a watch sees each launch, eager and replayed, and changes nothing", "[profile]") {
  const Tensor x = Tensor::full({100}, 2);
  Tensor y;
  const StepPlan plan = StepPlan::record([&] { y = exp(x) + x; });
  plan.run();
  const auto alone = y.to_vector();
  std::map<std::string, int> seen;
  double end = 0;
  {
    const LaunchWatch watch([&](const LaunchTime& t) {
      ++seen[t.name];
      CHECK(t.seconds >= 0);
      CHECK(t.start >= end);  // one after the other
      end = t.start + t.seconds;
    });
    plan.run();
    CHECK(seen.size() == plan.launches());
    exp(x);
  }
  const auto total = seen;
  exp(x);
  CHECK(seen == total);
  CHECK(y.to_vector() == alone);
  int sum = 0;
  for (const auto& [name, n] : seen) sum += n;
  CHECK(sum == int(plan.launches()) + 1);
  CHECK(plan.profile().size() == plan.launches());
}
