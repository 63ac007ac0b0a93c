// Random programs on the device: planned and eager give the same bits.
#include <catch2/catch.hpp>

#include "core/plan/random_programs.hpp"
#include "cuda/device.hpp"

using namespace tenon;
using namespace under_test;

TEST_CASE("random programs on the device give the same bits planned as eager", "[cuda][plan][slow]") {
  TENON_NEEDS_DEVICE();
  const DeviceScope on(kDevice);
  std::size_t joined = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    begin_run(int(seed % 3));
    PlannedProgram p(seed, false);
    for (int run = 0; run < 3; ++run)  // by launches, captured, and as the graph
      if (const int i = p.differs(); i >= 0) FAIL("program " << seed << ", run " << run << ", result " << i << "\n" << p.plan.explain());
    end_run();
    joined += p.joined();
  }
  CHECK(joined > 20);  // the programs do ask something
}
