#include "finance/panel/panel.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "finance/io/csv.hpp"
#include "finance/shared_data.hpp"
#include "tenon/random.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

Panel random_walk(std::int64_t rows, std::uint64_t seed) {
  Panel p;
  p.names = {"a", "b"};
  const Random random(seed, 1);
  double x = 100, y = 50;
  for (std::int64_t t = 0; t < rows; ++t) {
    x *= std::exp(0.01 * double(random.normal(std::uint64_t(2 * t))));
    y *= std::exp(0.02 * double(random.normal(std::uint64_t(2 * t + 1))));
    p.times.push_back(t * kNsPerDay);
    p.values.insert(p.values.end(), {x, y});
  }
  return p;
}

/// One column computed from the first series.
Panel with_column(const Panel& p, const std::function<std::vector<double>(std::vector<double>)>& f) {
  Panel out = p;
  out.names = {"feature"};
  out.values = f(p.series(0));
  out.available_at.clear();
  return out;
}

}  // namespace

TEST_CASE("panel: calendar, order and duplicates", "[finance][panel]") {
  const Panel up = panel_of(parse_csv("Date,a,b\n2003-01-02,1,2\n2003-01-03,3,\n"));
  CHECK(up.rows() == 2);
  CHECK(up.at(1, 0) == 3);
  CHECK(std::isnan(up.at(1, 1)));
  const Panel down = panel_of(parse_csv("Date,a\n2003-01-06,1\n2003-01-03,3\n2003-01-02,4\n"));
  CHECK(down.at(0, 0) == 4);
  CHECK(down.notes.size() == 1);
  const auto twice = error_of([] { panel_of(parse_csv("Date,a\n2003-01-02,1\n2003-01-02,3\n", {}, "f.csv")); });
  CHECK(twice.starts_with("finance.duplicate_time |"));
  CHECK(twice.find("lines 2 and 3") != twice.npos);
  const auto back = error_of([] { panel_of(parse_csv("Date,a\n2003-01-02,1\n2003-01-05,3\n2003-01-04,3\n", {}, "f.csv")); });
  CHECK(back.starts_with("finance.time_order |"));
  CHECK(back.ends_with("f.csv:4"));
  CHECK(error_of([] { panel_of(parse_csv("a,b\n1,2\n")); }).starts_with("finance.no_time_column |"));
  CHECK(!panel_of(parse_csv("a,b\n1,2\n"), {}, false).has_calendar);
  CHECK(error_of([] { panel_of(parse_csv("Date,close\n2003-01-02,1\n"), {"clsoe"}); }).find("close") != std::string::npos);
}

TEST_CASE("panel: rolling operations are right-aligned", "[finance][panel]") {
  const std::vector<double> x = {1, 2, 4, 8, 16, NAN, 3, 5};
  const auto mean = rolling_mean(x, 2);
  CHECK(std::isnan(mean[0]));
  CHECK(mean[1] == 1.5);
  CHECK(mean[4] == 12);
  CHECK(std::isnan(mean[6]));
  CHECK(mean[7] == 4);
  CHECK(rolling_max(x, 3)[4] == 16);
  CHECK(rolling_min(x, 3)[4] == 4);
  CHECK(rolling_deviation(x, 3)[2] == Approx(std::sqrt(7.0 / 3)));
  CHECK(rolling_quantile(x, 4, 0.25)[3] == Approx(1.75));  // numpy.quantile([1, 2, 4, 8], 0.25)
  const auto r = returns_of(x, ReturnKind::simple);
  CHECK(std::isnan(r[0]));
  CHECK(r[1] == 1);
  CHECK(std::isnan(r[5]));
  CHECK(std::isnan(r[6]));  // no value is carried over the gap
}

TEST_CASE("panel: walk-forward splits never fit on what comes later", "[finance][panel]") {
  const auto splits = walk_forward(100, 60, 20, 0, 5, 10);
  REQUIRE(splits.size() == 2);
  CHECK(splits[0].fit_end == 45);
  CHECK(splits[1].test_begin == 80);
  CHECK(splits[1].test_end == 100);
  CHECK(walk_forward(100, 90, 20).front().test_end == 100);
  CHECK(error_of([] { walk_forward(100, 10, 20, 0, 5, 10); }).starts_with("finance.walk_forward |"));
  CHECK(error_of([] { walk_forward(100, 100, 20); }).starts_with("finance.walk_forward |"));
}

TEST_CASE("panel: the audit catches 40 seeded leaks and raises no alarm on 40 clean pipelines", "[finance][panel]") {
  using Series = std::vector<double>;
  const auto shift_back = [](int k) {
    return [k](Series x) {
      Series y(x.size(), NAN);
      for (std::size_t t = 0; t + std::size_t(k) < x.size(); ++t) y[t] = x[t + std::size_t(k)];
      return y;
    };
  };
  const auto centred = [](int k) {
    return [k](Series x) {
      Series y(x.size(), NAN);
      for (std::size_t t = std::size_t(k); t + std::size_t(k) < x.size(); ++t) {
        y[t] = 0;
        for (std::size_t i = t - std::size_t(k); i <= t + std::size_t(k); ++i) y[t] += x[i];
      }
      return y;
    };
  };
  const auto scaled_by_all = [](Series x) {
    double sum = 0;
    for (double v : x) sum += v;
    for (double& v : x) v /= sum / double(x.size());
    return x;
  };
  const auto filled_back = [](int every) {
    return [every](Series x) {
      for (std::size_t t = 0; t < x.size(); ++t)
        if (t % std::size_t(every) != std::size_t(every - 1)) x[t] = NAN;
      for (std::size_t t = x.size(); t-- > 1;)
        if (std::isnan(x[t - 1])) x[t - 1] = x[t];
      return x;
    };
  };
  const auto peak_of_all = [](Series x) {
    const double peak = *std::max_element(x.begin(), x.end());
    for (double& v : x) v /= peak;
    return x;
  };
  int caught = 0, alarms = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Panel p = random_walk(200 + std::int64_t(seed), seed);
    const int k = 1 + int(seed) % 4;
    const std::function<Series(Series)> leaks[] = {shift_back(k), centred(k), scaled_by_all, filled_back(k + 1), peak_of_all};
    for (const auto& f : leaks) caught += !audit(p, [&](const Panel& q) { return with_column(q, f); }, 16, seed).empty();
    const std::function<Series(Series)> clean[] = {[k](Series x) { return rolling_mean(x, 5 + k); }, [k](Series x) { return rolling_deviation(x, 10 + k); },
                                                   [k](Series x) { return rolling_quantile(x, 7 + k, 0.1 * k); }, [](Series x) { return returns_of(x, ReturnKind::log); },
                                                   [k](Series x) { return rolling_max(x, 3 + k); }};
    for (const auto& f : clean) alarms += !audit(p, [&](const Panel& q) { return with_column(q, f); }, 16, seed).empty();
  }
  CHECK(caught == 40);
  CHECK(alarms == 0);
}

TEST_CASE("panel: the audit names column and time, and refuses cells that say they came later", "[finance][panel]") {
  const Panel p = random_walk(50, 3);
  const auto e = error_of([&] {
    require_no_look_ahead(p, [](const Panel& q) {
      Panel out = q;
      for (std::int64_t t = 0; t + 1 < q.rows(); ++t) out.values[std::size_t(2 * t + 1)] = q.at(t + 1, 1);
      return out;
    });
  });
  CHECK(e.starts_with("finance.look_ahead |"));
  CHECK(e.find("'b'") != e.npos);
  CHECK(e.find("1970-") != e.npos);
  const auto late = audit(p, [](const Panel& q) {
    Panel out = q;
    out.available_at.assign(q.values.size(), 0);
    for (std::int64_t t = 0; t < q.rows(); ++t)
      for (std::int64_t c = 0; c < 2; ++c) out.available_at[std::size_t(2 * t + c)] = q.times[std::size_t(t)] + (c == 0 && t == 7 ? 1 : 0);
    return out;
  });
  REQUIRE(late.size() == 1);
  CHECK(late[0].column == "a");
  CHECK(late[0].row == 7);
}
