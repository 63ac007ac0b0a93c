#include "finance/pricing/greeks.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "finance/pricing/closed_form.hpp"
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
