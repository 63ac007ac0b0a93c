// Random programs: planned and eager give the same bits. What layout_test.cpp asks of memory, this asks of everything that a plan does with the launches.
#include <catch2/catch.hpp>

#include "core/plan/random_programs.hpp"
#include "core/plan/same_values.hpp"

using namespace tenon;

TEST_CASE("random programs of all types and views give the same bits planned as eager", "[plan]") {
  std::size_t joined = 0, results = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const bool gradient = seed % 3 == 0;
    under_test::RandomProgram program(seed);
    std::vector<Tensor> eager, planned;
    for (const Tensor& t : program.run(gradient)) eager.push_back(t.clone());
    for (const Tensor& t : program.state()) eager.push_back(t.clone());
    program.reset();
    const StepPlan plan = StepPlan::record([&] { planned = program.run(gradient); });
    for (const Tensor& t : program.state()) planned.push_back(t);
    REQUIRE(planned.size() == eager.size());
    for (int run = 0; run < 2; ++run) {
      program.reset();
      plan.run();
      for (std::size_t i = 0; i < eager.size(); ++i)
        if (!same_values(eager[i], planned[i])) FAIL("program " << seed << ", run " << run << ", result " << i << "\n" << plan.explain());
    }
    joined += plan.explain().find("one pass over the elements") != std::string::npos;
    results += eager.size();
  }
  CHECK(joined > 100);  // the programs do ask something
  CHECK(results > 2000);
}
