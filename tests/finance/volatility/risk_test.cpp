#include "finance/volatility/risk.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "finance/io/csv.hpp"
#include "finance/panel/panel.hpp"
#include "finance/shared_data.hpp"
#include "tenon/device.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

std::vector<double> sp500(const std::filesystem::path& data) {
  auto y = returns_of(read_csv(data / "arch_data" / "sp500.csv.gz").at("Adj Close").reals, ReturnKind::simple);
  y.erase(y.begin());
  for (double& v : y) v *= 100;
  return y;
}

}  // namespace

TEST_CASE("VaR: Kupiec's test against its formula and known regions", "[finance][var]") {
  // -2 ln[.99^245 .01^10 / (.9607843^245 .0392157^10)]
  const double x = 10, n = 255, p = 0.01;
  CHECK(kupiec(255, 10, 0.01).statistic == Approx(-2 * ((n - x) * std::log((1 - p) / (1 - x / n)) + x * std::log(p / (x / n)))).epsilon(1e-12));
  // Kupiec's own table: at 255 days and p = 1 % fewer than 7 exceedances are not rejected at 5 %.
  CHECK(kupiec(255, 6, 0.01).p > 0.05);
  CHECK(kupiec(255, 7, 0.01).p < 0.05);
  // 1,000 days, p = 5 %: 38 to 64 exceedances are accepted.
  CHECK(kupiec(1000, 37, 0.05).p < 0.05);
  CHECK(kupiec(1000, 38, 0.05).p > 0.05);
  CHECK(kupiec(1000, 64, 0.05).p > 0.05);
  CHECK(kupiec(1000, 65, 0.05).p < 0.05);
  CHECK(kupiec(100, 0, 0.01).statistic == Approx(-200 * std::log(0.99)).epsilon(1e-12));
  CHECK(kupiec(200, 10, 0.05).statistic == Approx(0).margin(1e-12));
}

TEST_CASE("VaR: Christoffersen's test counts transitions", "[finance][var]") {
  // 00 x 5, 01 x 2, 10 x 2, 11 x 1 of 0 0 1 1 0 0 0 1 0 0 0 -> by hand
  const std::vector<std::uint8_t> hits = {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0};
  const double n00 = 5, n01 = 2, n10 = 2, n11 = 1, pi = 3.0 / 10, p0 = n01 / (n00 + n01), p1 = n11 / (n10 + n11);
  const double one = (n00 + n10) * std::log(1 - pi) + (n01 + n11) * std::log(pi), two = n00 * std::log(1 - p0) + n01 * std::log(p0) + n10 * std::log(1 - p1) + n11 * std::log(p1);
  CHECK(christoffersen(hits).statistic == Approx(-2 * (one - two)).epsilon(1e-12));
  std::vector<std::uint8_t> clustered(500, 0), spread(500, 0);
  for (std::size_t i = 0; i < 25; ++i) clustered[200 + i] = 1, spread[20 * i + 7] = 1;
  CHECK(christoffersen(clustered).p < 1e-6);
  CHECK(christoffersen(spread).p > 0.05);
  const auto both = conditional_coverage(clustered, 0.05);
  CHECK(both.statistic == Approx(kupiec(500, 25, 0.05).statistic + christoffersen(clustered).statistic));
}

TEST_CASE("VaR: historical quantiles, and QLIKE", "[finance][var]") {
  CHECK(sample_quantile({4, 1, 3, 2}, 0.25) == Approx(1.75));
  std::vector<double> y;
  for (int i = 0; i < 300; ++i) y.push_back(double(i * 7919 % 101) - 50);
  VarOptions o;
  o.window = 200;
  const auto f = forecast_var(y, 200, 300, o);
  std::vector<double> window(y.begin() + 37, y.begin() + 237);
  CHECK(f.var[1][37] == Approx(-sample_quantile(window, 0.025)));
  CHECK(f.shortfall[0][5] >= f.var[0][5]);
  const std::vector<double> s = {1, 2, 0, 4}, h = {1, 1, 1, 2};
  CHECK(qlike(s, h) == Approx((0 + (2 - std::log(2.0) - 1) + (2 - std::log(2.0) - 1)) / 3));
  CHECK(error_of([&] { forecast_var(y, 100, 300, o); }).starts_with("finance.window |"));
}

TEST_CASE("VaR: forecasts use the past only and do not depend on threads", "[finance][var]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const auto y = sp500(data);
  VarOptions o;
  o.window = 500;
  o.refit_every = 25;
  const int before = thread_count();
  for (const char* method : {"filtered", "garch-t"}) {
    o.method = method[0] == 'f' ? VarMethod::filtered : VarMethod::garch;
    o.model.innovation = method[0] == 'f' ? Innovation::normal : Innovation::student;
    set_thread_count(1);
    const auto whole = forecast_var(y, 1000, 1600, o);
    set_thread_count(4);
    const auto again = forecast_var(y, 1000, 1600, o);
    CHECK(whole.var == again.var);
    // A shorter history gives the same bits.
    const auto cut = forecast_var(std::span(y).first(1300), 1000, 1300, o);
    for (std::size_t l = 0; l < 3; ++l) CHECK(std::equal(cut.var[l].begin(), cut.var[l].end(), whole.var[l].begin()));
    const GarchFit fit = fit_garch(std::span(y).subspan(500, 500), o.model);
    CHECK(whole.variance[0] == fit.next_variance);
  }
  set_thread_count(before);
}
