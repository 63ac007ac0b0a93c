/// What tables of prices must hold, beyond being well-formed numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finance/io/table.hpp"

namespace tenon::finance {

struct MarketRules {
  bool allow_negative_prices = false;   ///< the instrument's flag (WTI, April 2020)
  std::vector<std::string> splits = {};  ///< "DATE=RATIO", declared beside those of a column `split`
  std::string symbol = {};               ///< column that tells several series apart; rows of one series stand together
  std::string price = {};                ///< column whose jumps and standstills are looked at; empty: the close
};

/// A declared split whose jump is in the prices: from `row` on, in time, they count a share `ratio` times smaller.
struct SplitJump {
  std::int64_t row = 0;
  double ratio = 1;
};

struct MarketFindings {
  std::vector<std::string> warnings;
  std::vector<SplitJump> splits;  ///< in order of time within a series
};

/// Columns are known by name, case and blanks aside: open, high, low, close, adj close, price, volume, split. Tables without any
/// of them, and without a time column, pass. Errors: finance.price (zero or below without the flag), finance.price_order (open, high, low
/// and close out of order), finance.volume (below zero), finance.split (a jump of a split's ratio that nobody declared, a declared split whose jump has
/// another ratio), finance.time_order, finance.duplicate_time, all with file and line; usage errors finance.splits (declared outside the file's dates, two ratios for
/// a day). Warnings: a price that stands still for long, a declared split without a jump (the prices are adjusted already), the newest row first, gaps in the
/// calendar.
MarketFindings examine_market(const Table& table, const MarketRules& rules = {});
/// Its warnings alone.
std::vector<std::string> check_market(const Table& table, const MarketRules& rules = {});

/// A sentence about times, in rising order, whose steps are usually even and somewhere far longer; empty where there is none. Days without trade (weekends,
/// holidays, up to ten days) are no gap in a calendar that has them throughout.
std::string calendar_gaps(std::span<const std::int64_t> times);

}  // namespace tenon::finance
