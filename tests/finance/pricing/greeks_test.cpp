#include "finance/pricing/greeks.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "finance/pricing/closed_form.hpp"
#include "finance/shared_data.hpp"
#include "tenon/device.hpp"

using namespace tenon;
using namespace tenon::finance;

namespace {

/// Closed forms against central differences of their own price.
void require_derivatives(Greeks (*f)(const BlackScholes&, const Option&), const BlackScholes& m, const Option& o) {
  const Greeks g = f(m, o);
  const auto price = [&](double ds, double dv, double dr, double dt) {
    BlackScholes b{m.spot + ds, m.rate + dr, m.dividend, m.volatility + dv};
    Option x = o;
    x.years += dt;
    return f(b, x).price;
  };
  const double h = 1e-3, k = 1e-5;
  CHECK(g.delta == Approx((price(h, 0, 0, 0) - price(-h, 0, 0, 0)) / (2 * h)).epsilon(1e-7));
  CHECK(g.gamma == Approx((price(0.05, 0, 0, 0) - 2 * g.price + price(-0.05, 0, 0, 0)) / (0.05 * 0.05)).epsilon(1e-5));
  CHECK(g.vega == Approx((price(0, k, 0, 0) - price(0, -k, 0, 0)) / (2 * k)).epsilon(1e-7));
  CHECK(g.rho == Approx((price(0, 0, k, 0) - price(0, 0, -k, 0)) / (2 * k)).epsilon(1e-7));
  CHECK(g.theta == Approx(-(price(0, 0, 0, k) - price(0, 0, 0, -k)) / (2 * k)).epsilon(1e-6));
}

}  // namespace

TEST_CASE("greeks: closed forms are the derivatives of their prices", "[finance][greeks]") {
  const BlackScholes m{100, 0.05, 0.02, 0.25};
  for (bool call : {true, false}) {
    require_derivatives(black_scholes, m, {Payoff::european, call, 105, 0.8, 1});
    require_derivatives(geometric_asian, m, {Payoff::asian_geometric, call, 105, 0.8, 7});
  }
}

TEST_CASE("greeks: pathwise within three standard errors of closed form and of bump", "[finance][greeks]") {
  const BlackScholes m{100, 0.05, 0.02, 0.25};
  MonteCarlo how;
  how.paths = 16384;
  how.steps = 8;
  for (Payoff payoff : {Payoff::european, Payoff::asian_geometric, Payoff::asian_arithmetic}) {
    for (bool call : {true, false}) {
      const Option o{payoff, call, 105, 0.8, 8};
      const GreekTable path = pathwise_greeks(m, o, how), bump = bump_greeks(m, o, how);
      const auto exact = exact_greeks(m, o);
      for (int i = 0; i < kGreeks; ++i) {
        const auto g = std::size_t(i);
        INFO(name_of_greek(i) << " of payoff " << int(payoff) << (call ? " call" : " put") << ": " << path[g].value << " +- " << path[g].standard_error << ", bump " << bump[g].value << " +- "
                              << bump[g].standard_error << ", exact " << exact[g]);
        CHECK(path[g].standard_error > 0);
        if (!std::isnan(exact[g])) CHECK(std::abs(path[g].value - exact[g]) < 3 * path[g].standard_error);
        CHECK(std::abs(path[g].value - bump[g].value) < 3 * std::hypot(path[g].standard_error, bump[g].standard_error));
      }
    }
  }
}

TEST_CASE("greeks: bumps are as fine as the distribution is narrow", "[finance][greeks][slow]") {
  struct Case {
    double volatility, years, rate;
    std::int64_t paths;
  };
  for (const Case& c : {Case{0.15, 0.02, 0, 100000}, Case{0.05, 0.05, 0.03, 4000}, Case{0.05, 0.05, 0, 100000}, Case{1e-4, 1, 0, 20000}, Case{3, 1, 0, 20000}}) {
    for (Payoff payoff : {Payoff::european, Payoff::asian_geometric, Payoff::asian_arithmetic}) {
      const BlackScholes m{100, c.rate, 0, c.volatility};
      const Option o{payoff, true, 100, c.years, 12};
      MonteCarlo how;
      how.paths = payoff == Payoff::european ? c.paths : std::min<std::int64_t>(c.paths, 10000);
      const GreekComparison both = compare_greeks(m, o, how);
      const auto exact = exact_greeks(m, o);
      for (std::size_t g = 0; g < kGreeks; ++g) {
        INFO(name_of_greek(int(g)) << " of payoff " << int(payoff) << ", volatility " << c.volatility << ", years " << c.years << ": " << both.pathwise[g].value << " +- "
                                   << both.pathwise[g].standard_error << ", bump " << both.bump[g].value << " +- " << both.bump[g].standard_error << ", exact " << exact[g]);
        if (!both.difference[g].trouble.empty()) {
          CHECK(c.volatility > 1);  // wide distributions may lack carriers, narrow ones at the money do not
          continue;
        }
        CHECK(std::abs(both.difference[g].value) < 3.5 * both.difference[g].standard_error);
        if (!std::isnan(exact[g])) CHECK(std::abs(both.bump[g].value - exact[g]) < 3.5 * both.bump[g].standard_error);
        if (!std::isnan(exact[g])) CHECK(std::abs(both.pathwise[g].value - exact[g]) < 3.5 * both.pathwise[g].standard_error + 1e-9 * std::abs(exact[g]));
      }
    }
  }
}

TEST_CASE("greeks: the second order of Asian options holds for many fixings", "[finance][greeks][slow]") {
  const BlackScholes m{100, 0.03, 0.01, 0.2};
  for (std::int64_t fixings : {1, 2, 52, 1000}) {
    for (bool call : {true, false}) {
      MonteCarlo how;
      how.paths = 1000;
      const Option geometric{Payoff::asian_geometric, call, 102, 1, fixings}, arithmetic{Payoff::asian_arithmetic, call, 102, 1, fixings};
      const GreekTable g = pathwise_greeks(m, geometric, how), a = pathwise_greeks(m, arithmetic, how);
      const auto exact = exact_greeks(m, geometric);
      INFO(fixings << " fixings: gamma " << g[kGamma].value << " +- " << g[kGamma].standard_error << ", exact " << exact[kGamma] << ", arithmetic " << a[kGamma].value);
      CHECK(std::abs(g[kGamma].value - exact[kGamma]) < 4 * g[kGamma].standard_error + 1e-12);
      CHECK(g[kGamma].standard_error < 0.02 * exact[kGamma]);
      CHECK(a[kGamma].value == Approx(exact[kGamma]).epsilon(0.1));  // the means differ by a few percent
      CHECK(a[kGamma].standard_error < 0.02 * a[kGamma].value);
      if (fixings == 1) {
        const auto european = exact_greeks(m, {Payoff::european, call, 102, 1, 1});
        for (std::size_t i = 0; i < kGreeks; ++i) CHECK(a[i].value == Approx(european[i]).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("greeks: an Asian's derivatives are those of its conditional price", "[finance][greeks]") {
  // On the same bridges the price is a smooth function of the market: its own differences are the truth for all of the second order.
  const BlackScholes m{100, 0.03, 0.01, 0.3};
  const Option o{Payoff::asian_arithmetic, false, 98, 0.7, 5};
  MonteCarlo how;
  how.paths = 1024;
  how.steps = 10;
  const auto price = [&](double ds, double dv) { return pathwise_greeks({m.spot + ds, m.rate, m.dividend, m.volatility + dv}, o, how)[kPrice].value; };
  const GreekTable g = pathwise_greeks(m, o, how);
  const double s = 0.05, v = 5e-4;
  CHECK(g[kDelta].value == Approx((price(s, 0) - price(-s, 0)) / (2 * s)).epsilon(1e-5));
  CHECK(g[kGamma].value == Approx((price(s, 0) - 2 * price(0, 0) + price(-s, 0)) / (s * s)).epsilon(1e-4));
  CHECK(g[kVega].value == Approx((price(0, v) - price(0, -v)) / (2 * v)).epsilon(1e-5));
  CHECK(g[kVanna].value == Approx((price(s, v) - price(s, -v) - price(-s, v) + price(-s, -v)) / (4 * s * v)).epsilon(1e-4));
  CHECK(g[kVolga].value == Approx((price(0, v) - 2 * price(0, 0) + price(0, -v)) / (v * v)).epsilon(1e-3));
}

TEST_CASE("greeks: what no path reaches has no estimate", "[finance][greeks]") {
  const BlackScholes m{100, 0.03, 0, 0.05};
  MonteCarlo how;
  how.paths = 4000;
  for (Payoff payoff : {Payoff::european, Payoff::asian_arithmetic, Payoff::asian_geometric}) {
    const GreekComparison both = compare_greeks(m, {payoff, true, 130, 0.05, 12}, how);
    for (std::size_t g = 0; g < kGreeks; ++g) {
      CHECK(both.bump[g].trouble == "no path reaches the strike");
      CHECK(std::isnan(both.bump[g].value));
      CHECK(std::isnan(both.difference[g].value));
      CHECK_FALSE(both.pathwise[g].trouble.empty());
    }
  }
}

TEST_CASE("greeks: an interrupt stops between blocks", "[finance][greeks]") {
  MonteCarlo how;
  how.paths = kMostPaths;
  int polls = 0;
  how.interrupted = [&polls] { return ++polls > 3; };
  CHECK(test::error_of([&] { compare_greeks({}, {Payoff::asian_arithmetic, true, 100, 1, 12}, how); }).starts_with("run.interrupted |"));
  CHECK(polls == 4);
}

TEST_CASE("greeks: one step leaves nothing to chance", "[finance][greeks]") {
  const BlackScholes m{100, 0.05, 0.02, 0.25};
  const Option o{Payoff::european, true, 105, 0.8, 1};
  MonteCarlo how;
  how.paths = 16;
  how.steps = 1;
  const GreekTable path = pathwise_greeks(m, o, how);
  const auto exact = exact_greeks(m, o);
  for (std::size_t i = 0; i < kGreeks; ++i) CHECK(path[i].value == Approx(exact[i]).epsilon(1e-10));
}

TEST_CASE("greeks: the same bits for any thread count", "[finance][greeks]") {
  const BlackScholes m{100, 0.05, 0, 0.2};
  const Option o{Payoff::asian_arithmetic, true, 100, 1, 6};
  MonteCarlo how;
  how.paths = 5000;
  const int before = thread_count();
  std::vector<GreekTable> seen;
  for (int threads : {1, 2, 4}) {
    set_thread_count(threads);
    seen.push_back(pathwise_greeks(m, o, how));
  }
  set_thread_count(before);
  for (std::size_t i = 0; i < kGreeks; ++i) {
    CHECK(seen[0][i].value == seen[1][i].value);
    CHECK(seen[0][i].value == seen[2][i].value);
    CHECK(seen[0][i].standard_error == seen[2][i].standard_error);
  }
}
