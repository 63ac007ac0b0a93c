// Joined launches of a plan on the device: the bits of the same ops done one by one there.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/ops/gradient_check.hpp"
#include "core/plan/chain_ops.hpp"
#include "core/plan/same_values.hpp"
#include "cuda/device.hpp"
#include "cuda/twin.hpp"
#include "tenon/autograd.hpp"
#include "tenon/plan.hpp"

using namespace tenon;
using namespace under_test;

namespace {

using Step = std::function<std::vector<Tensor>()>;

/// Eager on the device, planned there, and planned on the CPU: the first two alike to the bit, the last near them.
void compare(const std::string& what, const std::function<Step()>& make, double tolerance, int launches = 0) {
  const NoGrad off;
  std::vector<Tensor> eager, planned, twin;
  StepPlan plan;
  for (int run = 0; run < kRuns; ++run) {
    begin_run(run);
    {
      const DeviceScope on(kDevice);
      const Step step = make();
      eager = step();
      plan = StepPlan::record([&] { planned = step(); });
      plan.run();
    }
    for (std::size_t i = 0; i < eager.size(); ++i)
      if (!same_values(eager[i], planned[i])) FAIL(what << ", result " << i << "\n" << plan.explain());
    end_run();
  }
  const Step step = make();
  StepPlan::record([&] { twin = step(); }).run();
  for (std::size_t i = 0; i < twin.size(); ++i) {
    INFO(what << ", result " << i);
    CHECK(nmse(planned[i].to(kCpu), twin[i]) <= tolerance);
  }
  if (launches) CHECK(plan.launches() == std::size_t(launches));
}

Tensor numbers(const Shape& shape, DType type, int seed) {
  const DeviceScope host(kCpu);
  Tensor x = check::made(seed, shape).to(DType::f32).contiguous();
  float* v = x.data<float>();
  const float odd[] = {0, -0.0f, 1, -1, 0.5f, std::numeric_limits<float>::quiet_NaN(), 2, -3};
  for (std::int64_t i = 0; i < x.numel(); i += 7) v[i] = odd[std::size_t(i / 7) % std::size(odd)];
  return x.to(type);
}
Tensor here(const Tensor& x) { return x.to(default_device()); }

const DType kTypes[] = {DType::f32, DType::bf16, DType::f16, DType::f64};

}  // namespace

TEST_CASE("a chain on the device has the bits of its ops one by one", "[cuda][chains]") {
  TENON_NEEDS_DEVICE();
  for (const DType type : kTypes)
    for (const auto& [name, op] : chain_ops()) {
      const Tensor x = numbers({5, 133}, type, 1), y = numbers({5, 133}, type, 2);
      compare(name + " of " + std::string(name_of(type)), [&, f = op] { return [=, x = here(x), y = here(y)] { return std::vector{f(x * 0.9, y + 0.1) * 1.1}; }; }, tolerance_of(type),
              name == "sin" || name == "atan2" ? 0 : 1);
    }
}

TEST_CASE("a chain on the device reads what is broadcast, strided, or bool, at any length", "[cuda][chains]") {
  TENON_NEEDS_DEVICE();
  for (const DType type : {DType::f32, DType::bf16, DType::f64}) {
    for (const std::int64_t n : {1, 3, 4, 5, 255, 1024, 4099}) {
      const Tensor x = numbers({n}, type, 1), y = numbers({n + 2}, type, 2);
      compare("line of " + std::to_string(n), [&] { return [x = here(x), y = here(y), n] { return std::vector{tanh(x * y.narrow(0, 1, n)) + y.narrow(0, 2, n)}; }; }, tolerance_of(type), 1);
    }
    const Tensor line = numbers({4099}, type, 1), other = numbers({4099}, type, 2);
    compare("flags", [&] {
      return [x = here(line), y = here(other), flags = greater(here(other), Tensor::zeros(Shape{}, type))] { return std::vector{where(flags, x, y) * x}; };
    }, tolerance_of(type), 1);
    const Tensor x = numbers({3, 4, 72}, type, 1), row = numbers({72}, type, 2), column = numbers({3, 1, 1}, type, 3), turned = numbers({72, 4, 3}, type, 4), flags = numbers({4, 72}, type, 5),
                 one = numbers({}, type, 6), part = numbers({3, 9, 90}, type, 7);
    compare("broadcast", [&] {
      return [=, x = here(x), row = here(row), column = here(column), turned = here(turned).permute({2, 1, 0}), flags = greater(here(flags), Tensor::zeros(Shape{}, type)), one = here(one),
              part = here(part).narrow(1, 2, 4).narrow(2, 5, 72)] {
        const Tensor a = x * row + column, b = a - turned, c = where(flags, b, one), d = less(c, part);
        return std::vector{a, tanh(c) * part, d, where(d, a, b)};
      };
    }, tolerance_of(type));
  }
  const Tensor x = numbers({2001}, DType::f32, 1);
  compare("types", [&] {
    return [x = here(x)] { return std::vector{((x * 3.0).to(DType::bf16) + x.to(DType::bf16)).to(DType::f32) * x, (x * 1e-2).to(DType::f16).to(DType::f32) - x, greater(x, x * 0.5).to(DType::f32) * x}; };
  }, tolerance_of(DType::bf16));
}

TEST_CASE("casts in one launch on the device have the bits of each", "[cuda][chains][slow]") {
  TENON_NEEDS_DEVICE();
  std::vector<Tensor> given;
  for (const std::int64_t n : {1, 7, 8, 2047, 2048, 2049, 5000, 3})
    for (const DType type : {DType::f32, DType::bf16, DType::f16}) given.push_back(numbers({n + 1}, type, int(n)));
  for (int k = 0; k < 30; ++k) given.push_back(numbers({k + 2}, DType::f32, k));  // more than one launch holds
  compare("casts", [&] {
    std::vector<Tensor> all;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const Tensor x = here(given[i]);
      all.push_back(i % 3 == 0 ? x.narrow(0, 1, x.numel() - 1) : x.narrow(0, 0, x.numel() - 1));
    }
    return [all] {
      std::vector<Tensor> out;
      for (const Tensor& x : all) out.push_back(sum(x.to(x.dtype() == DType::f32 ? DType::bf16 : DType::f32).reshape({1, -1}), {0}));
      return out;
    };
  }, tolerance_of(DType::bf16));
}
