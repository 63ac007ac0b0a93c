#include "tensor/ranges.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tenon/autograd.hpp"
#include "tenon/ops.hpp"
#include "tenon/plan.hpp"

using namespace tenon;

namespace {

std::vector<std::string>& said() {
  static std::vector<std::string> all;
  return all;
}

/// The calls of a profiler that writes down what it is told.
struct Written {
  Written() {
    static constexpr RangeHooks hooks{[](const char* name) { said().push_back(name); }, [] { said().push_back("."); }};
    said().clear();
    set_range_hooks(&hooks);
  }
  ~Written() { set_range_hooks(nullptr); }
};

}  // namespace

TEST_CASE("a profiler is told of ranges: scopes, and each launch, eager or replayed", "[ranges]") {
  const Tensor x = Tensor::full({4}, 2.0);
  Tensor y;
  {
    const Written written;
    {
      const Range outer("outer");
      y = sqrt(x);
    }
    REQUIRE(said().size() == 4);
    CHECK(said()[0] == "outer");
    CHECK(said()[1] == "sqrt");
    CHECK((said()[2] == "." && said()[3] == "."));
  }
  const StepPlan plan = StepPlan::record([&] { y = sqrt(x) + x; });
  const Written written;
  plan.run();
  CHECK(said().size() == 2 * plan.launches());
  said().clear();
  set_range_hooks(nullptr);
  y = sqrt(x);
  CHECK(said().empty());
}
