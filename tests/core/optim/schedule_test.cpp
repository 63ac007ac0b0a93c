/// Schedules of each kind against torch.optim.lr_scheduler over 100 steps (tests/golden/make_schedules.py).
#include <catch2/catch.hpp>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tenon/optim.hpp"

using namespace tenon;

namespace {

struct Golden {
  std::string name;
  std::vector<double> rates;
};
const std::vector<Golden> kGolden{
#include "golden/schedules.inc"
};

constexpr double kBase = 0.4;

Schedule schedule(const std::string& name, double power = 1, double warmup = 0, double floor = 0) {
  return {name, kBase, power, warmup, floor};
}

Schedule plateau(double factor, std::int64_t patience, double floor) {
  Schedule s = schedule("plateau", 1, 0, floor);
  s.factor = factor, s.patience = patience;
  return s;
}

std::map<std::string, Schedule> schedules() {
  std::map<std::string, Schedule> all{
      {"constant", schedule("constant")},
      {"step", schedule("step")},
      {"step floor", schedule("step", 1, 0, 0.02)},
      {"multi_step", schedule("multi_step")},
      {"cosine", schedule("cosine")},
      {"cosine floor", schedule("cosine", 1, 0, 0.1)},
      {"one_cycle", schedule("one_cycle")},
      {"poly", schedule("poly", 0.9)},
      {"warmup cosine", schedule("cosine", 1, 0.1)},
      {"warmup poly", schedule("poly", 2, 0.1)},
      {"warmup constant", schedule("constant", 1, 0.1)},
      {"plateau", plateau(0.5, 3, 0)},
      {"plateau floor", plateau(0.3, 2, 0.05)},
  };
  all["step"].every = 0.3;
  all["step floor"].every = 0.1, all["step floor"].factor = 0.5;
  all["multi_step"].milestones = {0.5, 0.75, 0.9}, all["multi_step"].factor = 0.3;
  ParamValues v(schedule_params());
  v.set(schedule_params(), "name", std::string("chained"), "test");
  v.set(schedule_params(), "learning_rate", kBase, "test");
  v.set(schedule_params(), "parts", std::vector<std::string>{"0.2 constant", "0.5 cosine 1 0.1", "1 poly 0.1"}, "test");
  all["chained"] = make_schedule(v);
  return all;
}

/// As in make_schedules.py.
double score(int step) {
  return std::sin(0.11 * step) + 0.004 * step;
}

}  // namespace

TEST_CASE("every kind of schedule gives PyTorch's rates", "[optim]") {
  std::map<std::string, Schedule> all = schedules();
  CHECK(kGolden.size() == all.size());
  for (const Golden& golden : kGolden) {
    INFO(golden.name);
    REQUIRE(all.count(golden.name) == 1);
    REQUIRE(golden.rates.size() == 100);
    Schedule& s = all.at(golden.name);
    for (int t = 0; t < 100; ++t) {
      INFO("step " << t);
      // ours begins a warm-up at a thousandth of the rate, PyTorch's at nothing
      const double expected = s.warmup > 0 && t == 0 ? 1e-3 * kBase : golden.rates[std::size_t(t)];
      CHECK(s.at(t / 100.0) == Approx(expected).epsilon(1e-10).margin(1e-13));
      s.observe(score(t));
    }
  }
}
