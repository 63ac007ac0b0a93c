#include "tenon/plan_cache.hpp"

#include <catch2/catch.hpp>
#include <numeric>

#include "tenon/error.hpp"
#include "tenon/ops.hpp"
#include "tenon/storage.hpp"

using namespace tenon;
using Catch::Matchers::Contains;

namespace {

/// Sums of rows, weighted; counts how often it was recorded.
struct Sums {
  explicit Sums(std::size_t capacity = PlanCache::kCapacity) : plans(capacity) {}
  std::vector<double> of(std::int64_t rows, std::int64_t columns) {
    PlanCache::Entry& e = plans.get({{{rows, columns}}}, kCpu, [&](const std::vector<Tensor>& in) { return std::vector{sum(in[0] * weight, {1})}; });
    std::vector<float> values(std::size_t(rows * columns));
    std::iota(values.begin(), values.end(), 1.0f);
    e.inputs[0].copy_from_host(values.data(), values.size() * sizeof(float));
    e.plan.run();
    return e.outputs[0].to_vector();
  }
  PlanCache plans;
  Tensor weight = Tensor::full({1}, 2);
};

}  // namespace

TEST_CASE("plans are kept by shape and type of their inputs and share what was made before", "[plan][plan_cache]") {
  Sums sums;
  CHECK(sums.of(2, 3) == std::vector<double>{12, 30});
  CHECK(sums.of(3, 2) == std::vector<double>{6, 14, 22});
  sums.weight.fill(10);
  CHECK(sums.of(2, 3) == std::vector<double>{60, 150});
  CHECK(sums.of(3, 2) == std::vector<double>{30, 70, 110});
  CHECK(sums.plans.recorded() == 2);
  auto copy = [](const std::vector<Tensor>& in) { return std::vector{in[0] * in[0]}; };
  CHECK(sums.plans.get({{{2, 3}, DType::f64}}, kCpu, copy).outputs[0].dtype() == DType::f64);
  sums.plans.get({{{2, 3}}, {{1}}}, kCpu, copy);
  CHECK(sums.plans.recorded() == 4);
  CHECK(sums.plans.size() == 4);
}

TEST_CASE("the plan that was not used for longest goes, with its memory", "[plan][plan_cache]") {
  Sums sums(3);
  for (const std::int64_t rows : {1000, 2000, 3000}) sums.of(rows, 64);
  sums.of(1000, 64);
  CHECK(sums.plans.recorded() == 3);
  const std::size_t before = allocator(DeviceType::cpu).stats().in_use;
  sums.of(2001, 64);  // in place of 2000
  CHECK(sums.plans.size() == 3);
  CHECK(allocator(DeviceType::cpu).stats().in_use < before + 64 * 1024);
  sums.of(1000, 64);
  sums.of(3000, 64);
  sums.of(2001, 64);
  CHECK(sums.plans.recorded() == 4);
  sums.of(2000, 64);
  CHECK(sums.plans.recorded() == 5);
  CHECK(sums.of(2, 2) == std::vector<double>{6, 14});
  sums.plans.clear();
  CHECK(sums.plans.size() == 0);
  CHECK(allocator(DeviceType::cpu).stats().in_use < before / 2);
}

TEST_CASE("where memory runs out the other plans are given up and the step is recorded once more", "[plan][plan_cache]") {
  Sums sums;
  sums.of(2, 2);
  sums.of(2, 3);
  int tried = 0;
  auto step = [&](const std::vector<Tensor>& in) {
    if (++tried == 1) throw Error(ErrorKind::device, "memory.exhausted", "no more");
    return std::vector{in[0] * in[0]};
  };
  sums.plans.get({{{4, 4}}}, kCpu, step);
  CHECK(tried == 2);
  CHECK(sums.plans.size() == 1);
  sums.plans.clear();
  tried = 0;
  CHECK_THROWS_WITH(sums.plans.get({{{4, 5}}}, kCpu, step), Contains("no more"));  // there is nothing to give up
}

TEST_CASE("what recording throws comes to the caller, and the other plans stay", "[plan][plan_cache][misuse]") {
  Sums sums;
  sums.of(2, 2);
  CHECK_THROWS_WITH(sums.plans.get({{{2, 3}}}, kCpu, [](const std::vector<Tensor>& in) { return std::vector{in[0].item() > 0 ? in[0] : in[0]}; }), Contains("expected one element"));
  CHECK(sums.plans.size() == 1);
  sums.of(2, 2);
  CHECK(sums.plans.recorded() == 1);
  CHECK_THROWS_WITH(PlanCache(0), Contains("PlanCache") && Contains("capacity of 0"));
  CHECK_THROWS_WITH(StepPlan::record([&] { sums.of(5, 5); }), Contains("PlanCache::get"));
}
