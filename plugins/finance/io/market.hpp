/// What tables of prices must hold, beyond being well-formed numbers.
#pragma once

#include <string>
#include <vector>

#include "finance/io/table.hpp"

namespace tenon::finance {

struct MarketRules {
  bool allow_negative_prices = false;   ///< the instrument's flag (WTI, April 2020)
  std::vector<std::string> splits;      ///< "DATE=RATIO", declared beside those of a column `split`
  std::string symbol;                   ///< column that tells several series apart; rows of one series stand together
};

/// Columns are known by name, case and blanks aside: open, high, low, close, adj close, price, volume, split. Tables without any
/// of them, and without a time column, pass. Errors: finance.price (zero or below without the flag), finance.price_order (open, high, low
/// and close out of order), finance.volume (below zero), finance.split (a jump of a split's ratio that nobody declared),
/// finance.time_order, finance.duplicate_time, all with file and line. Returns warnings: a price that stands still for long, a declared split without a
/// jump (the prices are adjusted already), the newest row first.
std::vector<std::string> check_market(const Table& table, const MarketRules& rules = {});

}  // namespace tenon::finance
