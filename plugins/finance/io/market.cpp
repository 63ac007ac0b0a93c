#include "finance/io/market.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "finance/io/datetime.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

const Column* named(const Table& t, std::initializer_list<const char*> names) {
  for (const Column& c : t.columns)
    for (const char* n : names)
      if (c.is_number() && plain_name(c.name) == n) return &c;
  return nullptr;
}

/// The plausible ratios: of whole numbers up to 20, and their kin.
bool is_split_ratio(double ratio) {
  static constexpr double kRatios[] = {1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 28, 30, 50, 100};
  const double r = ratio >= 1 ? ratio : 1 / ratio;
  return std::any_of(std::begin(kRatios), std::end(kRatios), [r](double k) { return std::abs(r / k - 1) < 0.03; });
}

struct Declared {
  double ratio;
  bool used;
};

std::string span_text(std::int64_t ns) { return ns % kNsPerDay == 0 ? fmt::format("{} d", ns / kNsPerDay) : fmt::format("{:g} h", double(ns) / 3600 / kNsPerSecond); }

class Checker {
 public:
  Checker(const Table& t, const MarketRules& rules) : t_(t), rules_(rules) {
    open_ = named(t, {"open"}), high_ = named(t, {"high"}), low_ = named(t, {"low"}), close_ = named(t, {"close", "price", "last"}), adjusted_ = named(t, {"adjclose", "adjustedclose"});
    volume_ = named(t, {"volume"}), split_ = named(t, {"split", "stocksplits", "splitratio"});
    for (const Column& c : t.columns)
      if (c.is_time() && !time_) time_ = &c;
    price_ = rules.price.empty() ? close_ : &t.at(rules.price);
    if (!rules.symbol.empty()) symbol_ = &t.at(rules.symbol);
    for (const auto& s : rules.splits) declare(s);
  }

  MarketFindings run() {
    for (std::int64_t r = 0; r < t_.rows; ++r) row(r);
    std::int64_t begin = 0;
    for (std::int64_t r = 1; r <= t_.rows; ++r) {
      if (r < t_.rows && !(symbol_ && key(r) != key(r - 1))) continue;
      series(begin, r);
      begin = r;
    }
    for (const auto& [day, split] : declared_)
      if (!split.used) refuse_unused(day, split.ratio);
    return std::move(found_);
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
    if (equals == text.npos || !(ratio > 0) || !std::isfinite(ratio) || split_date(std::string_view(text).substr(0, equals), parts) != DateForm::iso || !is_year_of_times(parts.year)) {
      throw Error(ErrorKind::usage, "command.bad_value", fmt::format("--splits: '{}' is no declared split", text), "write DATE=RATIO, for example 2014-06-09=7");
    }
    const auto [at, fresh] = declared_.try_emplace(days_from_civil(parts.year, parts.month, parts.day) * kNsPerDay, Declared{ratio, false});
    if (!fresh && at->second.ratio != ratio) {
      throw Error(ErrorKind::usage, "finance.splits", fmt::format("--splits: {} has the ratios {} and {}", time_text(at->first), at->second.ratio, ratio), "declare one", t_.source);
    }
  }

  [[noreturn]] void refuse_unused(std::int64_t day, double ratio) const {
    std::string why = !time_ ? "the file has no dates" : !price_ ? "the file has no column of prices" : "no two prices of the file lie around that day";
    if (time_ && price_ && t_.rows > 0) {
      const auto [first, last] = std::minmax_element(time_->integers.begin(), time_->integers.end());
      why += fmt::format(", its rows go from {} to {}", time_text(*first), time_text(*last));
    }
    throw Error(ErrorKind::usage, "finance.splits", fmt::format("--splits: a split of {} is declared at {}, but {}", ratio, time_text(day), why), "correct the day, or leave it out", t_.source);
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
      std::string prices;
      for (const auto& [name, price] : {std::pair{"low", l}, {"open", o}, {"close", c}, {"high", h}})
        if (!std::isnan(price)) prices += fmt::format("{}{} {}", prices.empty() ? "" : ", ", name, price);
      fail("finance.price_order", r, prices + ": out of order", "low is the least and high the greatest of the four: correct the row");
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
      if (falls && !told_) found_.warnings.push_back("the newest row comes first"), told_ = true;
    }
    if (time_ && end - begin > 1) {
      std::vector<std::int64_t> times(time_->integers.begin() + begin, time_->integers.begin() + end);
      if (falls) std::reverse(times.begin(), times.end());
      if (auto gaps = calendar_gaps(times); !gaps.empty()) found_.warnings.push_back(gaps);
    }
    if (!price_) return;
    std::int64_t still = begin;
    for (std::int64_t r = begin + 1; r <= end; ++r) {
      const bool same = r < end && value(price_, r) == value(price_, r - 1);
      if (same) continue;
      if (r - still >= 20) found_.warnings.push_back(fmt::format("column '{}' stands still at {} for {} rows, lines {} to {}", price_->name, value(price_, still), r - still, t_.line_of(still), t_.line_of(r - 1)));
      still = r;
    }
    if (!time_) return;
    std::int64_t before = -1;
    double ratio = 1;  // of the column of splits, since the price before
    for (std::int64_t k = 0; k < end - begin; ++k) {
      const std::int64_t r = falls ? end - 1 - k : begin + k;
      if (const double split = value(split_, r); split > 0) ratio *= split;
      if (!(value(price_, r) > 0)) continue;
      if (before >= 0) jump(before, r, ratio, begin, end);
      before = r;
      ratio = 1;
    }
  }

  std::int64_t day_of(std::int64_t r) const {
    const std::int64_t t = time_->integers[std::size_t(r)];
    return (t / kNsPerDay - (t % kNsPerDay < 0)) * kNsPerDay;
  }

  /// From one price to the next: is it a split's, and was that said?
  void jump(std::int64_t before, std::int64_t after, double ratio, std::int64_t begin, std::int64_t end) {
    const double a = value(price_, before), b = value(price_, after), jump = a / b;
    bool declared = false;
    double given = 1;
    for (auto d = declared_.upper_bound(day_of(before)); d != declared_.end() && d->first <= day_of(after); ++d) declared = d->second.used = true, given *= d->second.ratio;
    if (declared) {
      if (ratio != 1 && std::abs(given / ratio - 1) > 1e-9) {
        throw Error(ErrorKind::usage, "finance.splits", fmt::format("--splits: a split of {} is declared at {}, the file's column '{}' says {}", given, when(after), split_->name, ratio), "declare what is true, once", t_.source);
      }
      ratio = given;
    }
    if (ratio == 1) {
      if (!declared && (jump > 1.45 || jump < 1 / 1.45) && is_split_ratio(jump) && stands_alone(std::abs(std::log(jump)), begin, end, before, after)) {
        fail("finance.split", after, fmt::format("column '{}' goes from {} to {} at {}, a jump of a split's ratio ({:.4g}) that nobody declared", price_->name, a, b, when(after), jump),
             "declare it (--splits DATE=RATIO; ratio 1 for a true move), or give adjusted prices");
      }
      return;
    }
    const double as_split = std::abs(std::log(jump / ratio)), as_move = std::abs(std::log(jump));
    if (std::min(as_split / std::log(1.3), as_move / std::log(1.45)) > 1) {
      fail("finance.split", after, fmt::format("a split of {} is declared at {}, but column '{}' goes from {} to {}, a ratio of {:.4g}", ratio, when(after), price_->name, a, b, jump),
           "declare the ratio of the jump (above 1 where the price falls), or give adjusted prices");
    }
    if (as_move < as_split) {
      found_.warnings.push_back(fmt::format("a split of {} is declared at {}, but the {} goes from {} to {}: prices are adjusted already, the split is not applied", ratio, when(after),
                                            price_ == close_ ? "close" : "column '" + price_->name + "'", a, b));
    } else {
      found_.splits.push_back({after, ratio});
    }
  }

  /// A split's jump stands alone: the days around it move little. In a crash or a volatile instrument they move, too.
  bool stands_alone(double log_jump, std::int64_t begin, std::int64_t end, std::int64_t before, std::int64_t after) const {
    const std::int64_t low = std::min(before, after), high = std::max(before, after);
    double sum = 0;
    int n = 0;
    for (std::int64_t r = std::max(begin + 1, low - 20); r < std::min(end, high + 21); ++r) {
      if (r == high) continue;
      const double a = value(price_, r - 1), b = value(price_, r);
      if (!(a > 0 && b > 0)) continue;
      sum += std::abs(std::log(a / b));
      ++n;
    }
    return n >= 4 && sum / n < 0.06 && log_jump > 12 * sum / n;  // oil in January 1991 fell by a third, 10.8 times
  }

  const Table& t_;
  const MarketRules& rules_;
  const Column *open_, *high_, *low_, *close_, *adjusted_, *volume_, *split_, *price_ = nullptr, *time_ = nullptr, *symbol_ = nullptr;
  std::map<std::int64_t, Declared> declared_;  ///< by the beginning of the day
  MarketFindings found_;
  bool told_ = false;
};

}  // namespace

MarketFindings examine_market(const Table& table, const MarketRules& rules) { return Checker(table, rules).run(); }

std::vector<std::string> check_market(const Table& table, const MarketRules& rules) { return examine_market(table, rules).warnings; }

std::string calendar_gaps(std::span<const std::int64_t> times) {
  if (times.size() < 20) return {};
  std::vector<std::int64_t> steps;
  for (std::size_t i = 1; i < times.size(); ++i) {
    std::int64_t step;
    steps.push_back(__builtin_sub_overflow(times[i], times[i - 1], &step) ? std::numeric_limits<std::int64_t>::max() : step);  // three centuries
  }
  std::vector<std::int64_t> sorted = steps;
  std::nth_element(sorted.begin(), sorted.begin() + std::ptrdiff_t(sorted.size() / 2), sorted.end());
  const std::int64_t usual = sorted[sorted.size() / 2];
  const std::int64_t others = std::count_if(steps.begin(), steps.end(), [usual](std::int64_t s) { return s != usual; });
  // hours of a market that rests at weekends are nearly even, too, but leave its steps often
  const bool even = others * 50 <= std::int64_t(steps.size()) && (usual >= kNsPerDay || others <= 10);
  const double longest_allowed = even ? 1.5 * double(usual) : std::max(10.0 * double(kNsPerDay), 2.5 * double(usual));
  std::int64_t gaps = 0, longest = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (double(steps[i]) <= longest_allowed) continue;
    ++gaps;
    if (steps[i] > longest) longest = steps[i], at = i;
  }
  if (gaps == 0) return {};
  return fmt::format("the calendar has {}, where steps of {} are usual: {} from {} to {}", gaps == 1 ? "a gap" : fmt::format("{} gaps", gaps), span_text(usual), gaps == 1 ? span_text(longest) : "the longest of " + span_text(longest),
                     time_text(times[at]), time_text(times[at + 1]));
}

}  // namespace tenon::finance
