// Random programs on the device: planned and eager give the same bits.
#include <catch2/catch.hpp>

#include "core/plan/random_programs.hpp"
#include "core/plan/same_values.hpp"
#include "cuda/device.hpp"
#include "tenon/device.hpp"

using namespace tenon;
using namespace under_test;

TEST_CASE("random programs on the device give the same bits planned as eager", "[cuda][plan][slow]") {
  TENON_NEEDS_DEVICE();
  const DeviceScope on(kDevice);
  std::size_t joined = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    begin_run(int(seed % 3));
    const bool gradient = seed % 3 == 0;
    RandomProgram program(seed, false);
    std::vector<Tensor> eager, planned;
    for (const Tensor& t : program.run(gradient)) eager.push_back(t.clone());
    for (const Tensor& t : program.state()) eager.push_back(t.clone());
    program.reset();
    const StepPlan plan = StepPlan::record([&] { planned = program.run(gradient); });
    for (const Tensor& t : program.state()) planned.push_back(t);
    REQUIRE(planned.size() == eager.size());
    for (int run = 0; run < 3; ++run) {  // by launches, captured, and as the graph
      program.reset();
      plan.run();
      for (std::size_t i = 0; i < eager.size(); ++i)
        if (!same_values(eager[i], planned[i])) FAIL("program " << seed << ", run " << run << ", result " << i << "\n" << plan.explain());
    }
    end_run();
    joined += plan.explain().find("one pass over the elements") != std::string::npos;
  }
  CHECK(joined > 20);  // the programs do ask something
}
