#include "finance/panel/panel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "finance/io/market.hpp"
#include "tenon/error.hpp"
#include "tenon/params.hpp"

namespace tenon::finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string lines_text(const Table& table, std::int64_t a, std::int64_t b) { return fmt::format("lines {} and {}", table.line_of(a), table.line_of(b)); }

/// 1 when the times strictly rise, -1 when they strictly fall; else throws with the two lines that break it.
int direction_of(const Column& time, const Table& table) {
  const auto& t = time.integers;
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (t[i] == kMissing) {
      throw Error(ErrorKind::data, "finance.time_missing", fmt::format("column '{}' has no time in this row", time.name), "complete or drop the row",
                  fmt::format("{}:{}", table.source, table.line_of(std::int64_t(i))));
    }
  }
  if (t.size() < 2) return 1;
  const int direction = t[1] < t[0] ? -1 : 1;
  for (std::size_t i = 1; i < t.size(); ++i) {
    const auto row = std::int64_t(i);
    if (t[i] == t[i - 1]) {
      throw Error(ErrorKind::data, "finance.duplicate_time", fmt::format("{} stands twice, {}", time_text(t[i]), lines_text(table, row - 1, row)),
                  "drop one row; several series in one file need a column that tells them apart (--series)", fmt::format("{}:{}", table.source, table.line_of(row)));
    }
    if ((t[i] > t[i - 1]) != (direction > 0)) {
      throw Error(ErrorKind::data, "finance.time_order",
                  fmt::format("{} follows {}, against the order of the rows before, {}", time_text(t[i]), time_text(t[i - 1]), lines_text(table, row - 1, row)), "sort the rows by time",
                  fmt::format("{}:{}", table.source, table.line_of(row)));
    }
  }
  return direction;
}

}  // namespace

std::vector<double> Panel::series(std::int64_t column) const {
  std::vector<double> out(times.size());
  for (std::int64_t t = 0; t < rows(); ++t) out[std::size_t(t)] = at(t, column);
  return out;
}

std::int64_t Panel::index_of(std::string_view name) const {
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Error(ErrorKind::usage, "finance.no_column", fmt::format("there is no column '{}'", name), suggestion(name, names), source);
  return found - names.begin();
}

Panel Panel::head(std::int64_t n) const {
  if (n < 0 || n > rows()) throw_usage("Panel::head", fmt::format("{} of {} rows", n, rows()));
  Panel out;
  out.times.assign(times.begin(), times.begin() + n);
  out.has_calendar = has_calendar;
  out.names = names;
  out.values.assign(values.begin(), values.begin() + n * columns());
  if (!available_at.empty()) out.available_at.assign(available_at.begin(), available_at.begin() + n * columns());
  out.source = source;
  return out;
}

std::vector<std::int64_t> Panel::available(std::int64_t column) const {
  if (available_at.empty()) return times;
  std::vector<std::int64_t> out(times.size());
  for (std::int64_t t = 0; t < rows(); ++t) out[std::size_t(t)] = available_at[std::size_t(t * columns() + column)];
  return out;
}

Panel panel_of(const Table& table, const std::vector<std::string>& columns, bool need_times) {
  Panel out;
  out.source = table.source;
  const bool has_time = std::any_of(table.columns.begin(), table.columns.end(), [](const Column& c) { return c.is_time(); });
  std::vector<const Column*> chosen;
  if (columns.empty()) {
    for (const Column& c : table.columns)
      if (c.is_number()) chosen.push_back(&c);
  } else {
    for (const auto& name : columns) chosen.push_back(&table.at(name));
  }
  if (chosen.empty()) throw Error(ErrorKind::data, "finance.no_number_column", "no column holds numbers", "declare types, or give another file", table.source);
  int direction = 1;
  if (has_time || need_times) {
    const Column& time = table.time_column();
    direction = direction_of(time, table);
    out.times = time.integers;
    if (direction < 0) {
      std::reverse(out.times.begin(), out.times.end());
      out.turned = true;
      out.notes.push_back("the newest row came first; the rows were turned round");
    }
    if (auto gaps = calendar_gaps(out.times); !gaps.empty()) out.notes.push_back(gaps);
  } else {
    out.has_calendar = false;
    out.times.resize(std::size_t(table.rows));
    std::iota(out.times.begin(), out.times.end(), std::int64_t(0));
  }
  const std::size_t n = chosen.size();
  out.values.resize(std::size_t(table.rows) * n);
  for (std::size_t c = 0; c < n; ++c) {
    out.names.push_back(chosen[c]->name);
    const auto x = chosen[c]->numbers();
    for (std::int64_t t = 0; t < table.rows; ++t) out.values[std::size_t(t) * n + c] = x[std::size_t(direction > 0 ? t : table.rows - 1 - t)];
  }
  return out;
}

LabelledArray to_labelled(const Panel& panel) {
  LabelledArray out;
  out.values = Tensor::from(panel.values, {panel.rows(), panel.columns()});
  Axis time{panel.has_calendar ? "time" : "row", panel.has_calendar ? "seconds since 1970-01-01" : "", {}, {}};
  time.coordinates.reserve(panel.times.size());
  for (auto t : panel.times) time.coordinates.push_back(panel.has_calendar ? double(t) / double(kNsPerSecond) : double(t));
  if (panel.has_calendar) {
    TimeCoordinates exact{"standard", {}};
    for (auto t : panel.times) exact.ticks.push_back(t / 1000);
    time.time = std::move(exact);
  }
  Axis series{"series", "", {}, {}};
  series.labels = panel.names;
  out.axes = {std::move(time), std::move(series)};
  out.name = panel.names.size() == 1 ? panel.names[0] : "panel";
  for (std::size_t i = 0; i < panel.notes.size(); ++i) out.attributes[fmt::format("note{}", i)] = panel.notes[i];
  return out;
}

std::vector<Split> walk_forward(std::int64_t rows, std::int64_t first, std::int64_t length, std::int64_t step, std::int64_t embargo, std::int64_t validation) {
  if (length <= 0 || step < 0 || embargo < 0 || validation < 0) {
    throw_usage("walk_forward", fmt::format("length {}, step {}, embargo {}, validation {}", length, step, embargo, validation), "length is at least 1, the others at least 0");
  }
  std::vector<Split> out;
  for (std::int64_t begin = first; begin < rows; begin += step ? step : length) {
    Split s;
    s.test_begin = begin;
    s.test_end = std::min(rows, begin + length);
    s.fit_end = begin - embargo - validation;
    if (s.fit_end <= 0) {
      throw Error(ErrorKind::usage, "finance.walk_forward", fmt::format("nothing remains to fit on: the first test begins at row {}, after {} rows of embargo and {} of validation", begin, embargo, validation),
                  "begin later, or hold back less");
    }
    out.push_back(s);
  }
  if (out.empty()) throw Error(ErrorKind::usage, "finance.walk_forward", fmt::format("the first test would begin at row {} of {}", first, rows), "begin earlier");
  return out;
}

}  // namespace tenon::finance
