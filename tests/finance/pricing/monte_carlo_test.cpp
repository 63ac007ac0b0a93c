#include "finance/pricing/monte_carlo.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>

#include "finance/io/csv.hpp"
#include "finance/pricing/closed_form.hpp"
#include "finance/pricing/lanes.hpp"
#include "finance/pricing/paths.hpp"
#include "finance/shared_data.hpp"
#include "tenon/device.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

void require_within(const Estimate& e, double exact, double errors = 4) {
  INFO(e.value << " +- " << e.standard_error << ", exact " << exact);
  CHECK(std::abs(e.value - exact) < errors * e.standard_error);
  CHECK(std::abs(e.raw_value - exact) < errors * e.raw_standard_error);
}

}  // namespace

TEST_CASE("pricing: lanes are right to the last digits", "[finance][pricing]") {
  double log_error = 0, exp_error = 0, turn_error = 0;
  for (int i = 1; i < 200000; ++i) {
    const double u = (i * 21473.0 + 0.5) / 4294967296.0, x = (i - 100000) * 7e-3;
    log_error = std::max(log_error, std::abs(log4(lanes(u))[1] / std::log(u) - 1));
    exp_error = std::max(exp_error, std::abs(exp4(lanes(x))[2] / std::exp(x) - 1));
    V4 s, c;
    sincos_turns(lanes(u), s, c);
    turn_error = std::max({turn_error, double(std::abs(s[0] - std::sin(2 * 3.14159265358979323846L * u))), double(std::abs(c[3] - std::cos(2 * 3.14159265358979323846L * u)))});
  }
  CHECK(log_error < 5e-16);
  CHECK(exp_error < 5e-16);
  CHECK(turn_error < 5e-16);
}

TEST_CASE("pricing: words are those of Random, keyed by path, step and factor", "[finance][pricing]") {
  Philox4 w[2];
  const std::uint64_t seed = 0x123456789abcdefULL, stream = path_stream(7, 1), path = 4294967290ULL;  // across 2^32
  philox<2>(seed, stream, path, w);
  for (int s = 0; s < 2; ++s) {
    for (int lane = 0; lane < 4; ++lane) {
      const auto want = Random(seed, stream).bits(path + std::uint64_t(4 * s + lane));
      CHECK(std::uint32_t(w[s].c0[lane]) == want[0]);
      CHECK(std::uint32_t(w[s].c1[lane]) == want[1]);
      CHECK(std::uint32_t(w[s].c2[lane]) == want[2]);
      CHECK(std::uint32_t(w[s].c3[lane]) == want[3]);
    }
  }
}

TEST_CASE("pricing: normals have the moments and tails of a normal", "[finance][pricing]") {
  std::vector<double> z(1 << 18);
  path_normals(3, 0, 1 << 12, 64, z.data());
  double m[5] = {};
  std::int64_t tail = 0;
  for (double v : z) {
    for (int k = 1; k < 5; ++k) m[k] += std::pow(v, k) / double(z.size());
    tail += std::abs(v) > 3;
  }
  const double root = 1 / std::sqrt(double(z.size()));
  CHECK(std::abs(m[1]) < 4 * root);
  CHECK(std::abs(m[2] - 1) < 4 * std::sqrt(2.0) * root);
  CHECK(std::abs(m[3]) < 4 * std::sqrt(15.0) * root);
  CHECK(std::abs(m[4] - 3) < 4 * std::sqrt(96.0) * root);
  CHECK(double(tail) / double(z.size()) == Approx(0.0026998).epsilon(0.15));
  // The same numbers whatever block they are asked for in.
  std::vector<double> part(8 * 64);
  path_normals(3, 100, 8, 64, part.data());
  CHECK(std::equal(part.begin(), part.end(), z.begin() + 100 * 64));
}

TEST_CASE("pricing: GBM against closed forms", "[finance][pricing]") {
  const BlackScholes m{100, 0.05, 0.02, 0.25};
  MonteCarlo how;
  how.paths = 100000;
  for (bool call : {true, false}) {
    for (double strike : {80.0, 105.0, 130.0}) {
      Option o{Payoff::european, call, strike, 1.5, 1};
      how.steps = 5;
      require_within(simulate_price(m, o, how), black_scholes(m, o).price);
      o.payoff = Payoff::asian_geometric;
      o.fixings = 10;
      how.steps = 20;
      require_within(simulate_price(m, o, how), geometric_asian(m, o).price);
    }
  }
  // Put and call on the same paths: parity of the discounted means holds up to the error of the forward.
  how.steps = 4;
  const Option c{Payoff::european, true, 100, 1, 1}, p{Payoff::european, false, 100, 1, 1};
  CHECK(simulate_price(m, c, how).value - simulate_price(m, p, how).value == Approx(100 * std::exp(-0.02) - 100 * std::exp(-0.05)).epsilon(1e-9));
}

TEST_CASE("pricing: the arithmetic Asian agrees with its control variate and its limits", "[finance][pricing]") {
  // Witnesses: the plain estimate beside the controlled one, the geometric mean below it, and the European option that one fixing is.
  const BlackScholes m{100, 0.03, 0.01, 0.3};
  const Option o{Payoff::asian_arithmetic, true, 100, 1, 12};
  MonteCarlo how;
  how.paths = 200000;
  const Estimate a = simulate_price(m, o, how);
  CHECK(a.standard_error < 0.05 * a.raw_standard_error);
  CHECK(std::abs(a.value - a.raw_value) < 4 * a.raw_standard_error);
  CHECK(a.value > geometric_asian(m, o).price);
  Option one = o;
  one.fixings = 1;  // then it is a European option
  const Estimate e = simulate_price(m, one, how);
  CHECK(std::abs(e.raw_value - black_scholes(m, one).price) < 4 * e.raw_standard_error);
  CHECK(e.value == Approx(black_scholes(m, one).price).epsilon(1e-9));  // the control is the payoff itself
}

TEST_CASE("pricing: Heston's integral equals two other programs", "[finance][pricing]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const Table golden = read_csv(data / "dax_heston" / "heston_golden.csv"), curve = read_csv(data / "dax_heston" / "dax_2002-07-05_zero_curve.csv");
  const auto days = curve.columns[0].numbers(), rates = curve.columns[1].numbers();
  double worst = 0, worst_volatility = 0;
  for (std::int64_t r = 0; r < golden.rows; ++r) {
    const auto i = std::size_t(r);
    const double d = double(golden.columns[1].integers[i]);
    std::size_t k = 1;
    while (k + 1 < days.size() && days[k] < d) ++k;
    const double rate = rates[k - 1] + (rates[k] - rates[k - 1]) * (d - days[k - 1]) / (days[k] - days[k - 1]);
    const Heston m{4468.17, rate, 0, 0.19566, 15.663, 0.07459, 3.3619, -0.5115};
    const Option o{Payoff::european, true, golden.columns[0].numbers()[i], d / 365, 1};
    const double price = heston_price(m, o);
    worst = std::max(worst, std::abs(price - golden.columns[2].reals[i]));
    worst_volatility = std::max(worst_volatility, std::abs(implied_volatility(price, {4468.17, rate, 0, 0.2}, o) - golden.columns[3].reals[i]));
  }
  CHECK(golden.rows == 104);
  CHECK(worst < 1e-9);
  CHECK(worst_volatility < 1e-11);
}

TEST_CASE("pricing: Heston's paths against the integral", "[finance][pricing]") {
  const Heston m{100, 0.03, 0.01, 0.04, 1.5, 0.05, 0.6, -0.6};
  MonteCarlo how;
  how.paths = 40000;
  how.steps = 64;
  for (double strike : {85.0, 100.0, 120.0}) {
    const Option o{Payoff::european, true, strike, 1, 1};
    const double exact = heston_price(m, o);
    const Estimate e = simulate_price(m, o, how);
    INFO(strike << ": " << e.value << " +- " << e.standard_error << ", exact " << exact);
    CHECK(std::abs(e.value - exact) < 4 * e.standard_error + 2e-3);  // the scheme's own bias at 64 steps
    how.scheme = HestonScheme::full_truncation;
    const Estimate f = simulate_price(m, o, how);
    INFO(f.value);
    CHECK(std::abs(f.value - exact) < 4 * f.standard_error + 2e-2);
    how.scheme = HestonScheme::quadratic_exponential;
  }
  // sigma -> 0: Black and Scholes with the mean variance
  const Heston calm{100, 0.03, 0.01, 0.04, 1.5, 0.04, 1e-4, 0};
  const Option o{Payoff::european, true, 100, 1, 1};
  CHECK(heston_price(calm, o) == Approx(black_scholes({100, 0.03, 0.01, 0.2}, o).price).epsilon(1e-7));
}

TEST_CASE("pricing: the same bits for any thread count, and more paths extend a run", "[finance][pricing]") {
  const BlackScholes m{100, 0.05, 0, 0.2};
  const Heston h{100, 0.03, 0.01, 0.04, 1.5, 0.05, 0.6, -0.6};
  const Option o{Payoff::asian_arithmetic, true, 100, 1, 6};
  MonteCarlo how;
  how.paths = 30001;
  const int before = thread_count();
  std::vector<double> seen;
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    seen.push_back(simulate_price(m, o, how).value);
    seen.push_back(simulate_price(h, o, how).value);
  }
  set_thread_count(before);
  CHECK(seen[0] == seen[2]);
  CHECK(seen[0] == seen[4]);
  CHECK(seen[1] == seen[3]);
  CHECK(seen[1] == seen[5]);
  PathBlock a, b;
  simulate_block(m, 1, 12, 7, {}, 0, 64, a);
  simulate_block(m, 1, 12, 7, {}, 32, 8, b);
  CHECK(std::equal(b.terminal.begin(), b.terminal.end(), a.terminal.begin() + 32));
  how.seed = 1;
  CHECK(simulate_price(m, o, how).value != seen[0]);
}

TEST_CASE("pricing: what cannot be priced is refused", "[finance][pricing]") {
  MonteCarlo how;
  Option o;
  CHECK(error_of([&] { simulate_price(BlackScholes{-1, 0, 0, 0.2}, o, how); }).starts_with("finance.option |"));
  CHECK(error_of([&] { simulate_price(BlackScholes{100, 0, 0, 0}, o, how); }).starts_with("finance.option |"));
  CHECK(error_of([&] { simulate_price(Heston{100, 0, 0, 0.04, 2, 0.04, 0.5, 1}, o, how); }).starts_with("finance.option |"));
  o.payoff = Payoff::asian_arithmetic;
  o.fixings = 5;
  how.steps = 12;
  CHECK(error_of([&] { simulate_price(BlackScholes{}, o, how); }).find("multiple of the fixings") != std::string::npos);
}

TEST_CASE("pricing: implied volatility inverts the price", "[finance][pricing]") {
  for (double v : {0.01, 0.1, 0.35, 1.5}) {
    const BlackScholes m{100, 0.02, 0.01, v};
    const Option o{Payoff::european, false, 103, 0.7, 1};
    CHECK(implied_volatility(black_scholes(m, o).price, m, o) == Approx(v).epsilon(1e-9));
  }
  CHECK(std::isnan(implied_volatility(200, {100, 0, 0, 0.2}, {})));
}

TEST_CASE("pricing: a sample that cannot carry the price gives none", "[finance][pricing]") {
  MonteCarlo how;
  const Option call{}, put{Payoff::european, false, 100, 1, 1};
  // e^{10 z - 50}: no path of 100,000 ends above the strike, and the price is nearly the spot
  const Estimate none = simulate_price(BlackScholes{100, 0, 0, 10}, call, how);
  CHECK(std::isnan(none.value));
  CHECK(std::isnan(none.standard_error));
  CHECK(std::isnan(none.raw_value));
  CHECK(none.trouble.find("of 100000 paths") != std::string::npos);
  // wide, but the put's payoff is sampled well: parity with the known forward
  const BlackScholes wide{100, 0, 0, 6};
  for (Payoff payoff : {Payoff::european, Payoff::asian_arithmetic}) {
    Option o = call;
    o.payoff = payoff;
    o.fixings = 1;
    const Estimate e = simulate_price(wide, o, how);
    INFO(e.value << " +- " << e.standard_error << " " << e.trouble);
    CHECK(e.control == ControlUse::parity);
    CHECK(std::abs(e.value - black_scholes(wide, call).price) < 3 * e.standard_error);
    CHECK_FALSE(e.raw_trouble.empty());
  }
  const Estimate p = simulate_price(wide, put, how);
  CHECK(std::abs(p.value - black_scholes(wide, put).price) < 3 * p.standard_error);
  // far from the money
  CHECK(simulate_price(BlackScholes{100, 0, 0, 0.05}, {Payoff::european, true, 200, 1, 1}, how).trouble == "none of 100000 paths is paid");
  // deep in the money: that no path is left unpaid does not make the forward's value certain
  how.paths = 200;
  const Estimate deep = simulate_price(BlackScholes{100, 0, 0, 0.1}, {Payoff::european, true, 70, 1, 1}, how);
  CHECK(deep.standard_error > 1e-3);
  how.paths = 2;
  CHECK(simulate_price(BlackScholes{}, call, how).trouble == "2 paths are too few to tell an error");
}

TEST_CASE("pricing: estimates lie within their errors over many contracts", "[finance][pricing]") {
  int beyond = 0, told = 0;
  for (double volatility : {0.05, 0.2, 0.6, 1.5, 3.0, 4.5}) {
    for (double strike : {60.0, 90.0, 100.0, 115.0, 180.0}) {
      for (bool call : {true, false}) {
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
          MonteCarlo how;
          how.paths = 5000;
          how.seed = seed;
          const BlackScholes m{100, 0.02, 0.01, volatility};
          const Option o{Payoff::european, call, strike, 1, 1};
          const Estimate e = simulate_price(m, o, how);
          if (!e.trouble.empty()) continue;
          ++told;
          beyond += std::abs(e.value - black_scholes(m, o).price) > 3 * e.standard_error;
        }
      }
    }
  }
  CHECK(told > 230);
  CHECK(beyond <= told / 100);
}

TEST_CASE("pricing: Heston's own choice of steps keeps the bias below the error", "[finance][pricing][slow]") {
  MonteCarlo how;
  how.paths = 20000;
  for (const Heston& m : {Heston{100, 0, 0, 0.04, 2, 0.04, 0.5, -0.7}, Heston{100, 0, 0, 0.04, 200, 0.04, 2, -0.7}, Heston{100, 0.02, 0, 0.2, 15.66, 0.07459, 3.3619, -0.5115}, Heston{100, 0, 0, 0.04, 50, 0.09, 1, 0.5}, Heston{100, 0, 0, 0.04, 2, 0.04, 20, -0.7}}) {
    const Option o{Payoff::european, true, 100, 1, 1};
    const Estimate e = simulate_price(m, o, how);
    INFO("kappa " << m.kappa << ", sigma " << m.sigma << ", " << e.steps << " steps: " << e.value << " +- " << e.standard_error << ", exact " << heston_price(m, o));
    CHECK(std::abs(e.value - heston_price(m, o)) < 3 * e.standard_error);
  }
  const Option asian{Payoff::asian_arithmetic, true, 100, 1, 12};
  CHECK(steps_of(Heston{}, asian, how) % 24 == 0);
}

TEST_CASE("pricing: an interrupt stops a simulation of any length, within bounded memory", "[finance][pricing]") {
  MonteCarlo how;
  how.paths = kMostPaths;
  std::atomic<int> polls = 0;
  how.interrupted = [&polls] { return ++polls > 5; };
  CHECK(error_of([&] { simulate_price(BlackScholes{}, {}, how); }).starts_with("run.interrupted |"));
  how.paths = 1'000'000;
  how.steps = 1'000'000;
  polls = 0;
  CHECK(error_of([&] { simulate_price(Heston{}, {}, how); }).starts_with("run.interrupted |"));
  how.interrupted = {};
  how.paths = kMostPaths;
  CHECK(error_of([&] { simulate_price(BlackScholes{}, {}, how); }).find("1e13 path-steps") != std::string::npos);
  how.paths = kMostPaths + 1;
  CHECK(error_of([&] { simulate_price(BlackScholes{}, {}, how); }).find("2 to 1e10") != std::string::npos);
}

TEST_CASE("pricing: refusals name what is at fault", "[finance][pricing]") {
  MonteCarlo how;
  const auto why = [&](const BlackScholes& m, const Option& o) { return error_of([&] { simulate_price(m, o, how); }); };
  CHECK(why({}, {Payoff::european, true, 100, 1e6, 1}).find("an option of 1000000 years") != std::string::npos);
  CHECK(why({1e308, 0, 0, 0.2}, {}).find("a spot of 1e+308") != std::string::npos);
  CHECK(why({1e-308, 0, 0, 0.2}, {}).find("a spot of 1e-308") != std::string::npos);
  CHECK(why({100, 0, 0, 10}, {Payoff::european, true, 100, 100, 1}).find("a volatility of 10 a year over 100 years") != std::string::npos);
  CHECK(error_of([&] { simulate_price(Heston{.kappa = -1}, {}, how); }).find("Heston's kappa of -1") != std::string::npos);
}
