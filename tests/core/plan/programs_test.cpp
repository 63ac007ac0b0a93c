// Random programs: planned and eager give the same bits. What layout_test.cpp asks of memory, this asks of everything that a plan does with the launches.
#include <catch2/catch.hpp>

#include "core/plan/random_programs.hpp"

TEST_CASE("random programs of all types and views give the same bits planned as eager", "[plan]") {
  std::size_t joined = 0, results = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    under_test::PlannedProgram p(seed);
    for (int run = 0; run < 2; ++run)
      if (const int i = p.differs(); i >= 0) FAIL("program " << seed << ", run " << run << ", result " << i << "\n" << p.plan.explain());
    joined += p.joined();
    results += p.eager.size();
  }
  CHECK(joined > 100);  // the programs do ask something
  CHECK(results > 2000);
}
