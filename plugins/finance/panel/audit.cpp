// Proof by recomputation that no cell uses what came after it.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "finance/panel/panel.hpp"
#include "tenon/error.hpp"
#include "tenon/random.hpp"

namespace tenon::finance {
namespace {

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b); }

std::string cell_text(double v) { return v != v ? "missing" : fmt::format("{:.17g}", v); }

/// Row of `times` that holds `time`, or -1.
std::int64_t row_of(const Panel& panel, std::int64_t time) {
  auto found = std::lower_bound(panel.times.begin(), panel.times.end(), time);
  return found != panel.times.end() && *found == time ? found - panel.times.begin() : -1;
}

}  // namespace

std::vector<Leak> audit(const Panel& panel, const Pipeline& pipeline, int cuts, std::uint64_t seed) {
  if (panel.rows() < 2) throw_usage("audit", fmt::format("a panel of {} rows", panel.rows()), "a history is cut between two rows at least");
  const Panel whole = pipeline(panel);
  std::vector<Leak> leaks;
  std::vector<bool> leaked(whole.names.size(), false);
  const auto report = [&](std::int64_t column, std::int64_t row, std::int64_t cut, double a, double b) {
    if (leaked[std::size_t(column)]) return;
    leaked[std::size_t(column)] = true;
    leaks.push_back({whole.names[std::size_t(column)], row, cut, a, b});
  };
  if (!whole.available_at.empty()) {
    for (std::int64_t t = 0; t < whole.rows(); ++t)
      for (std::int64_t c = 0; c < whole.columns(); ++c)
        if (whole.available_at[std::size_t(t * whole.columns() + c)] > whole.times[std::size_t(t)]) report(c, t, t + 1, whole.at(t, c), whole.at(t, c));
  }
  // Random cuts, and always the last row dropped and the half: a statistic of the whole history changes at any cut.
  std::set<std::int64_t> at{panel.rows() - 1, std::max<std::int64_t>(1, panel.rows() / 2)};
  const Random random(seed, 0xA0D17);
  for (int i = 0; i < cuts; ++i) at.insert(1 + std::int64_t(random.below(std::uint64_t(i), std::uint64_t(panel.rows() - 1))));
  for (std::int64_t cut : at) {
    const Panel part = pipeline(panel.head(cut));
    if (part.names != whole.names) {
      throw Error(ErrorKind::data, "finance.look_ahead", fmt::format("the columns made from the first {} rows are not those made from all {}", cut, panel.rows()),
                  "columns must not hang on the data", panel.source);
    }
    const std::int64_t last = panel.times[std::size_t(cut - 1)];
    for (std::int64_t t = 0; t < whole.rows() && whole.times[std::size_t(t)] <= last; ++t) {
      const std::int64_t row = row_of(part, whole.times[std::size_t(t)]);
      for (std::int64_t c = 0; c < whole.columns(); ++c) {
        const double then = row < 0 ? std::numeric_limits<double>::quiet_NaN() : part.at(row, c);
        if (row < 0 || !same_bits(whole.at(t, c), then)) report(c, t, cut, whole.at(t, c), then);
      }
    }
  }
  return leaks;
}

void require_no_look_ahead(const Panel& panel, const Pipeline& pipeline, int cuts, std::uint64_t seed) {
  const auto leaks = audit(panel, pipeline, cuts, seed);
  if (leaks.empty()) return;
  const Leak& l = leaks.front();
  const Panel whole = pipeline(panel);
  throw Error(ErrorKind::data, "finance.look_ahead",
              fmt::format("column '{}' uses the future: at {} it is {}, but {} when only the first {} rows are known{}", l.column,
                          whole.has_calendar ? time_text(whole.times[std::size_t(l.row)]) : fmt::format("row {}", l.row), cell_text(l.whole), cell_text(l.truncated), l.cut,
                          leaks.size() > 1 ? fmt::format(" ({} more columns leak)", leaks.size() - 1) : ""),
              "shift the column, or fit what it uses on earlier rows only", panel.source);
}

}  // namespace tenon::finance
