// Against the Fiorentini-Calzolari-Panattoni benchmark, independent reference fits, and numerical derivatives.
#include "finance/volatility/garch.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "finance/io/csv.hpp"
#include "finance/panel/panel.hpp"
#include "finance/shared_data.hpp"
#include "finance/volatility/special.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

const GarchModel kModels[] = {{Innovation::normal, false}, {Innovation::student, false}, {Innovation::normal, true}, {Innovation::student, true}};

std::string reference_name(const GarchModel& m) {
  return std::string(m.leverage ? "gjr-" : "") + (m.innovation == Innovation::student ? "t" : "normal");
}

std::vector<double> simulated(std::int64_t n, std::uint64_t seed, double omega, double alpha, double beta) {
  const Random random(seed, 9);
  std::vector<double> y;
  double h = omega / (1 - alpha - beta), e = 0;
  for (std::int64_t t = 0; t < n; ++t) {
    h = t ? omega + alpha * e * e + beta * h : h;
    e = std::sqrt(h) * double(random.normal(std::uint64_t(t)));
    y.push_back(0.05 + e);
  }
  return y;
}

/// Fits of one series against the rows of a table of references.
void compare(const std::vector<double>& y, const Table& references, const std::string& series, double parameter_tolerance) {
  for (const GarchModel& m : kModels) {
    const GarchFit fit = fit_garch(y, m);
    const auto names = m.names();
    int compared = 0;
    for (std::int64_t r = 0; r < references.rows; ++r) {
      const auto i = std::size_t(r);
      if (references.at("series").texts[i] != series || references.at("model").texts[i] != reference_name(m)) continue;
      const auto at = std::find(names.begin(), names.end(), references.at("parameter").texts[i]) - names.begin();
      INFO(series << " " << m.str() << " " << names[std::size_t(at)]);
      const double se = references.at("se_hessian").reals[i];
      CHECK(std::abs(fit.parameters[std::size_t(at)] - references.at("estimate").reals[i]) < parameter_tolerance);
      CHECK(std::abs(fit.log_likelihood - references.at("log_likelihood").reals[i]) < 1e-8);
      CHECK(fit.converged);
      if (std::isnan(se)) {
        CHECK(std::isnan(fit.se_hessian[std::size_t(at)]));
        CHECK(!fit.flags.empty());
      } else {
        CHECK(fit.se_hessian[std::size_t(at)] == Approx(se).epsilon(1e-6));
        CHECK(fit.se_robust[std::size_t(at)] == Approx(references.at("se_robust").reals[i]).epsilon(1e-6));
      }
      ++compared;
    }
    CHECK(compared == m.size());
  }
}

}  // namespace

TEST_CASE("GARCH: the FCP benchmark from default starts", "[finance][garch]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const Table published = read_csv(data / "garch_fcp" / "published.csv");
  const auto y = read_csv(data / "garch_fcp" / "MarkPound.csv").at("value").reals;
  const GarchFit fit = fit_garch(y, {});
  std::map<std::string, double> want;
  for (std::int64_t r = 0; r < published.rows; ++r) want[std::string(published.columns[0].texts[std::size_t(r)])] = published.columns[1].reals[std::size_t(r)];
  CHECK(std::abs(fit.log_likelihood - want["log_likelihood"]) < 1e-9);
  const char* names[] = {"mu", "omega", "alpha", "beta"};
  for (std::size_t i = 0; i < 4; ++i) {
    INFO(names[i]);
    CHECK(std::abs(fit.parameters[i] - want[names[i]]) < 1e-8);
    CHECK(std::abs(fit.se_robust[i] - want[std::string("se_robust_") + names[i]]) < 1e-6);
  }
  CHECK(fit.flags.empty());
  CHECK(fit.converged);
}

TEST_CASE("GARCH: independent reference fits of four models", "[finance][garch]") {
  TENON_NEEDS_FINANCE_DATA(data);
  compare(read_csv(data / "garch_fcp" / "MarkPound.csv").at("value").reals, read_csv(data / "garch_fcp" / "reference_fits.csv"), "dem_gbp", 1e-8);
}

TEST_CASE("GARCH: reference fits of two indices, bounds flagged", "[finance][garch]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const Table references = read_csv(data / "arch_data" / "reference_fits.csv");
  for (const char* name : {"sp500", "nasdaq"}) {
    auto y = returns_of(read_csv(data / "arch_data" / (std::string(name) + ".csv.gz")).at("Adj Close").reals, ReturnKind::simple);
    y.erase(y.begin());
    for (double& v : y) v *= 100;
    compare(y, references, name, 1e-7);  // the references' own gradients are below 1e-9, which leaves this much in beta
  }
}

TEST_CASE("GARCH: derivatives agree with differences", "[finance][garch]") {
  const auto y = simulated(400, 4, 0.05, 0.1, 0.8);
  for (const GarchModel& m : kModels) {
    GarchVector p{0.03, 0.06, 0.12, 0.75, 0, 0};
    if (m.leverage) p[4] = 0.05;
    if (m.innovation == Innovation::student) p[4 + m.leverage] = 6;
    const GarchLikelihood l = garch_likelihood(y, m, p);
    for (std::size_t i = 0; i < std::size_t(m.size()); ++i) {
      const double h = 1e-6 * (1 + std::abs(p[i]));
      GarchVector up = p, down = p;
      up[i] += h, down[i] -= h;
      const auto a = garch_likelihood(y, m, up), b = garch_likelihood(y, m, down);
      INFO(m.str() << " " << m.names()[i]);
      CHECK(l.score[i] == Approx((a.value - b.value) / (2 * h)).epsilon(1e-6));
      for (std::size_t j = 0; j < std::size_t(m.size()); ++j) CHECK(l.hessian[i][j] == Approx((a.score[j] - b.score[j]) / (2 * h)).epsilon(1e-5).margin(1e-4));
    }
  }
}

TEST_CASE("GARCH: the fit does not hang on the unit", "[finance][garch]") {
  auto y = simulated(1000, 5, 0.05, 0.1, 0.8);
  const GarchFit a = fit_garch(y, {});
  for (double& v : y) v *= 0.01;
  const GarchFit b = fit_garch(y, {});
  CHECK(b.parameters[2] == Approx(a.parameters[2]).epsilon(1e-7));
  CHECK(b.parameters[3] == Approx(a.parameters[3]).epsilon(1e-7));
  CHECK(b.parameters[1] == Approx(1e-4 * a.parameters[1]).epsilon(1e-7));
}

TEST_CASE("GARCH: bad series are refused, degenerate fits flagged", "[finance][garch]") {
  CHECK(error_of([] { fit_garch(std::vector<double>(100, 0.5), {}); }).starts_with("finance.constant_series |"));
  CHECK(error_of([] { fit_garch(std::vector<double>(10, 0.5), {}); }).starts_with("finance.too_short |"));
  auto y = simulated(200, 6, 0.05, 0.1, 0.8);
  y[17] = NAN;
  const auto e = error_of([&] { fit_garch(y, {}); });
  CHECK(e.starts_with("finance.not_finite |"));
  CHECK(e.find("observation 18 ") != e.npos);
  // White noise: alpha, beta or both end on a bound, or no standard error says otherwise.
  std::vector<double> alternating;
  for (int i = 0; i < 300; ++i) alternating.push_back(i % 2 ? 1 + 1e-3 * (i % 7) : -1 - 1e-3 * (i % 5));
  const GarchFit flat = fit_garch(alternating, {});
  CHECK(!flat.flags.empty());
}

TEST_CASE("GARCH: variances and forecasts continue the recursion", "[finance][garch]") {
  const auto y = simulated(300, 7, 0.05, 0.1, 0.8);
  const GarchFit fit = fit_garch(y, {});
  const auto h = garch_variances(y, fit.model, fit.parameters);
  REQUIRE(h.size() == 301);
  const double e = y.back() - fit.parameters[0];
  CHECK(h[300] == Approx(fit.parameters[1] + fit.parameters[2] * e * e + fit.parameters[3] * h[299]).epsilon(1e-14));
  const auto f = garch_forecast(fit, 2000);
  CHECK(f[0] == fit.next_variance);
  CHECK(f[1999] == Approx(fit.parameters[1] / (1 - fit.persistence)).epsilon(1e-6));
}

TEST_CASE("special functions against tables", "[finance][garch]") {
  CHECK(digamma_of(1) == Approx(-0.57721566490153286061).epsilon(1e-14));
  CHECK(trigamma_of(1) == Approx(1.6449340668482264365).epsilon(1e-14));
  CHECK(trigamma_of(0.5) == Approx(4.9348022005446793094).epsilon(1e-14));
  CHECK(normal_quantile(0.975) == Approx(1.959963984540054).epsilon(1e-14));
  CHECK(normal_quantile(1e-10) == Approx(-6.361340902404056).epsilon(1e-13));
  CHECK(unit_t_quantile(0.01, 5) == Approx(-3.364929998907217 * std::sqrt(3.0 / 5)).epsilon(1e-12));
  CHECK(unit_t_cdf(unit_t_quantile(0.3, 4.1), 4.1) == Approx(0.3).epsilon(1e-13));
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  CHECK(normal_quantile(0) == -kInfinity);
  CHECK(normal_quantile(1) == kInfinity);
  for (const double outside : {-0.1, 1.1, std::nan("")}) CHECK(std::isnan(normal_quantile(outside)));
  CHECK(unit_t_quantile(0.01, kInfinity) == Approx(normal_quantile(0.01)).epsilon(1e-12));
  CHECK(unit_t_cdf(-2, 1e300) == Approx(normal_cdf(-2)).epsilon(1e-12));
  CHECK(std::isnan(unit_t_cdf(std::nan(""), 5)));
  CHECK(student_t_cdf(3, 2) == Approx(0.5 + 1.5 / std::sqrt(11.0)).epsilon(1e-14));
  CHECK(chi_squared_tail(3.841458820694124, 1) == Approx(0.05).epsilon(1e-12));
  CHECK(chi_squared_tail(5.991464547107979, 2) == Approx(0.05).epsilon(1e-12));
  CHECK(chi_squared_tail(7.814727903251179, 3) == Approx(0.05).epsilon(1e-12));
}
