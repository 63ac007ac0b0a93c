#include "finance/io/market.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "finance/io/datetime.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

std::string plain(std::string_view name) {
  std::string out;
  for (char c : name)
    if (c != ' ' && c != '_' && c != '.') out += char(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

const Column* named(const Table& t, std::initializer_list<const char*> names) {
  for (const Column& c : t.columns)
    for (const char* n : names)
      if (c.is_number() && plain(c.name) == n) return &c;
  return nullptr;
}

/// The plausible ratios: of whole numbers up to 20, and their kin.
bool is_split_ratio(double ratio) {
  static constexpr double kRatios[] = {1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 28, 30, 50, 100};
  const double r = ratio >= 1 ? ratio : 1 / ratio;
  return std::any_of(std::begin(kRatios), std::end(kRatios), [r](double k) { return std::abs(r / k - 1) < 0.03; });
}

class Checker {
 public:
  Checker(const Table& t, const MarketRules& rules) : t_(t), rules_(rules) {
    open_ = named(t, {"open"}), high_ = named(t, {"high"}), low_ = named(t, {"low"}), close_ = named(t, {"close", "price", "last"}), adjusted_ = named(t, {"adjclose", "adjustedclose"});
    volume_ = named(t, {"volume"}), split_ = named(t, {"split", "stocksplits", "splitratio"});
    for (const Column& c : t.columns)
      if (c.is_time() && !time_) time_ = &c;
    if (!rules.symbol.empty()) symbol_ = &t.at(rules.symbol);
    for (const auto& s : rules.splits) declare(s);
  }

  std::vector<std::string> run() {
    for (std::int64_t r = 0; r < t_.rows; ++r) row(r);
    std::int64_t begin = 0;
    for (std::int64_t r = 1; r <= t_.rows; ++r) {
      if (r < t_.rows && !(symbol_ && key(r) != key(r - 1))) continue;
      series(begin, r);
      begin = r;
    }
    return std::move(warnings_);
  }

 private:
  [[noreturn]] void fail(const char* code, std::int64_t row, const std::string& what, const char* hint) const {
    throw Error(ErrorKind::data, code, what, hint, fmt::format("{}:{}", t_.source, t_.line_of(row)));
  }
  static double value(const Column* c, std::int64_t r) {
    if (!c || c->is_missing(r)) return std::numeric_limits<double>::quiet_NaN();
    return c->type == CellType::real ? c->reals[std::size_t(r)] : double(c->integers[std::size_t(r)]);
  }
  std::string key(std::int64_t r) const {
    const auto i = std::size_t(r);
    return symbol_->type == CellType::text ? std::string(symbol_->texts[i]) : std::to_string(symbol_->type == CellType::real ? symbol_->reals[i] : double(symbol_->integers[i]));
  }
  void declare(const std::string& text) {
    const auto equals = text.find('=');
    DateParts parts;
    double ratio = 0;
    try {
      if (equals != text.npos) ratio = std::stod(text.substr(equals + 1));
    } catch (const std::exception&) {
    }
    if (equals == text.npos || !(ratio > 0) || split_date(std::string_view(text).substr(0, equals), parts) != DateForm::iso) {
      throw Error(ErrorKind::usage, "command.bad_value", fmt::format("--splits: '{}' is no declared split", text), "write DATE=RATIO, for example 2014-06-09=7");
    }
    declared_[days_from_civil(parts.year, parts.month, parts.day) * kNsPerDay] = ratio;
  }

  void row(std::int64_t r) const {
    const double o = value(open_, r), h = value(high_, r), l = value(low_, r), c = value(close_, r), v = value(volume_, r);
    if (!rules_.allow_negative_prices) {
      for (const auto& [column, price] : {std::pair{open_, o}, {high_, h}, {low_, l}, {close_, c}, {adjusted_, value(adjusted_, r)}})
        if (price <= 0) fail("finance.price", r, fmt::format("column '{}' holds the price {}", column->name, price), "correct it, or --negative-prices where the instrument trades there");
    }
    const double slack = 1e-9;  // files round each price on its own
    const auto above = [slack](double a, double b) { return a > b * (b > 0 ? 1 + slack : 1 - slack); };
    if (above(l, h) || above(o, h) || above(c, h) || above(l, o) || above(l, c)) {
      fail("finance.price_order", r, fmt::format("low {}, open {}, close {} and high {} are out of order", l, o, c, h), "low is the least and high the greatest of the four: correct the row");
    }
    if (v < 0) fail("finance.volume", r, fmt::format("a volume of {}", v), "correct it");
  }

  std::string when(std::int64_t r) const { return time_ && !time_->is_missing(r) ? time_text(time_->integers[std::size_t(r)]) : fmt::format("row {}", r + 1); }

  void series(std::int64_t begin, std::int64_t end) {
    bool falls = false;
    if (time_ && end - begin > 1) {
      const auto& t = time_->integers;
      falls = t[std::size_t(begin + 1)] < t[std::size_t(begin)];
      for (std::int64_t r = begin + 1; r < end; ++r) {
        const std::int64_t a = t[std::size_t(r - 1)], b = t[std::size_t(r)];
        if (a == kMissing || b == kMissing) fail("finance.time_missing", a == kMissing ? r - 1 : r, fmt::format("column '{}' has no time in this row", time_->name), "complete or drop the row");
        const auto lines = fmt::format("lines {} and {}", t_.line_of(r - 1), t_.line_of(r));
        if (a == b) fail("finance.duplicate_time", r, fmt::format("{} stands twice, {}", time_text(b), lines), "drop one row; name the column that tells several series apart: --series");
        if ((b < a) != falls) fail("finance.time_order", r, fmt::format("{} follows {}, against the order of the rows before, {}", time_text(b), time_text(a), lines), "sort the rows by time");
      }
      if (falls && !told_) warnings_.push_back("the newest row comes first"), told_ = true;
    }
    if (!close_) return;
    std::int64_t still = begin;
    for (std::int64_t r = begin + 1; r <= end; ++r) {
      const bool same = r < end && value(close_, r) == value(close_, r - 1);
      if (same) continue;
      if (r - still >= 20) warnings_.push_back(fmt::format("column '{}' stands still at {} for {} rows, lines {} to {}", close_->name, value(close_, still), r - still, t_.line_of(still), t_.line_of(r - 1)));
      still = r;
    }
    if (!time_) return;
    for (std::int64_t r = begin + 1; r < end; ++r) {
      const std::int64_t before = falls ? r : r - 1, after = falls ? r - 1 : r;
      const double a = value(close_, before), b = value(close_, after);
      if (!(a > 0 && b > 0)) continue;
      const double jump = a / b;
      double ratio = value(split_, after);
      const std::int64_t day = time_->integers[std::size_t(after)] / kNsPerDay * kNsPerDay;
      if (auto d = declared_.find(day); d != declared_.end()) ratio = d->second;
      const bool declared = ratio > 0 && ratio != 1;
      if (declared) {
        if (std::abs(std::log(jump / ratio)) > 0.5 * std::abs(std::log(ratio))) {
          warnings_.push_back(fmt::format("a split of {} is declared at {}, but the close goes from {} to {}: prices are adjusted already, the split is not applied", ratio, when(after), a, b));
        }
      } else if ((jump > 1.45 || jump < 1 / 1.45) && is_split_ratio(jump) && steady_around(begin, end, before, after, falls)) {
        fail("finance.split", after, fmt::format("column '{}' goes from {} to {} at {}, a jump of a split's ratio ({:.4g}) that nobody declared", close_->name, a, b, when(after), jump),
             "declare it (--splits DATE=RATIO; ratio 1 for a true move), or give adjusted prices");
      }
    }
  }

  /// A split's jump stands alone: the days around it move little. In a crash or a volatile instrument they do not.
  bool steady_around(std::int64_t begin, std::int64_t end, std::int64_t before, std::int64_t after, bool falls) const {
    if (auto d = declared_.find(time_->integers[std::size_t(after)] / kNsPerDay * kNsPerDay); d != declared_.end()) return false;
    const std::int64_t low = std::min(before, after), high = std::max(before, after);
    (void)falls;
    double sum = 0;
    int n = 0;
    for (std::int64_t r = std::max(begin + 1, low - 20); r < std::min(end, high + 21); ++r) {
      if (r == high) continue;
      const double a = value(close_, r - 1), b = value(close_, r);
      if (!(a > 0 && b > 0)) continue;
      sum += std::abs(std::log(a / b));
      ++n;
    }
    return n >= 4 && sum / n < 0.06;
  }

  const Table& t_;
  const MarketRules& rules_;
  const Column *open_, *high_, *low_, *close_, *adjusted_, *volume_, *split_, *time_ = nullptr, *symbol_ = nullptr;
  std::map<std::int64_t, double> declared_;
  std::vector<std::string> warnings_;
  bool told_ = false;
};

}  // namespace

std::vector<std::string> check_market(const Table& table, const MarketRules& rules) { return Checker(table, rules).run(); }

}  // namespace tenon::finance
