/// Panel data: series side by side on one calendar, each cell with the time from which on it was known.
///
/// `values` is [T, N] f64 row major, NaN where a series has no value; `times` strictly rises. `available_at` names, for each cell, the
/// time of the latest input that it was made from: a cell of row t may use nothing later than times[t] plus nothing. Features made by
/// the rolling operations below are right-aligned and carry it along; `audit` proves it by recomputation.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "finance/io/table.hpp"
#include "tenon/labelled.hpp"

namespace tenon::finance {

struct Panel {
  std::vector<std::int64_t> times;  ///< [T] ns UTC; 0, 1, 2... where `has_calendar` is false
  bool has_calendar = true;         ///< false: the file names no times (rows in order, nothing more)
  std::vector<std::string> names;   ///< [N]
  std::vector<double> values;       ///< [T, N]
  std::vector<std::int64_t> available_at;  ///< [T, N]; empty: each cell was known at its row's time
  std::string source;
  bool turned = false;              ///< the file has the newest row first
  std::vector<std::string> notes;

  std::int64_t rows() const noexcept { return std::int64_t(times.size()); }
  std::int64_t columns() const noexcept { return std::int64_t(names.size()); }
  double at(std::int64_t row, std::int64_t column) const { return values[std::size_t(row * columns() + column)]; }
  std::span<const double> row(std::int64_t t) const { return {values.data() + t * columns(), std::size_t(columns())}; }
  std::vector<double> series(std::int64_t column) const;
  /// Index of a column; a usage error finance.no_column with the nearest names.
  std::int64_t index_of(std::string_view name) const;
  /// The first `rows` rows: all that was known at times[rows - 1].
  Panel head(std::int64_t rows) const;
  std::vector<std::int64_t> available(std::int64_t column) const;  ///< [T]
};

/// The number columns of a table (`columns` empty: all) on its time column. Times must strictly rise; a table that strictly falls is
/// turned round and a note says so, another tells gaps in the calendar. Errors: finance.duplicate_time and finance.time_order, with both lines; finance.no_number_column.
/// Without a time column the rows are the calendar, when `need_times` is false.
Panel panel_of(const Table& table, const std::vector<std::string>& columns = {}, bool need_times = true);

/// Values [T, N] with axes "time" (UTC; nanoseconds are cut to the microseconds that axes hold) and "series", labelled, for writers and recipes.
LabelledArray to_labelled(const Panel& panel);

/// The last `length` rows are the test: fits on [0, fit_end), choices on [fit_end, test_begin), scores on [test_begin, test_end).
struct Split {
  std::int64_t fit_end = 0, test_begin = 0, test_end = 0;
};
/// Walk-forward origins: the first test begins at `first`, each is `length` rows long (the last may be cut), `step` apart (0: length). With
/// `embargo` rows between the end of fitting and each test, and of the history before that `validation` rows held back for choices.
/// Every test row is after every row fitted on. Throws finance.walk_forward where nothing remains to fit on.
std::vector<Split> walk_forward(std::int64_t rows, std::int64_t first, std::int64_t length, std::int64_t step = 0, std::int64_t embargo = 0,
                                std::int64_t validation = 0);

// ---- right-aligned operations over one series: y_t is made of x_(t-n+1) .. x_t, NaN until n values are there or where one is NaN ------
std::vector<double> rolling_mean(std::span<const double> x, std::int64_t n);
std::vector<double> rolling_deviation(std::span<const double> x, std::int64_t n, int ddof = 1);
std::vector<double> rolling_min(std::span<const double> x, std::int64_t n);
std::vector<double> rolling_max(std::span<const double> x, std::int64_t n);
/// Lower quantile by linear interpolation (numpy's default) of the last n values.
std::vector<double> rolling_quantile(std::span<const double> x, std::int64_t n, double q);
enum class ReturnKind : std::uint8_t { simple, log };
/// [T] with NaN first; a gap stays a gap: nothing is filled forward.
std::vector<double> returns_of(std::span<const double> prices, ReturnKind kind);

/// Where a pipeline looked ahead.
struct Leak {
  std::string column;
  std::int64_t row = 0, cut = 0;  ///< the cell of `row` changed when only rows before `cut` were given
  double whole = 0, truncated = 0;
};
/// A pipeline from a panel to a panel whose rows are among those it was given (same times).
using Pipeline = std::function<Panel(const Panel&)>;
/// Recomputes the pipeline on `cuts` histories cut at random rows; every cell up to the cut must have the same bits as with the whole history,
/// and no cell may carry an available_at later than its row. Returns the first leak of each column that has one, by column.
std::vector<Leak> audit(const Panel& panel, const Pipeline& pipeline, int cuts = 16, std::uint64_t seed = 0);
/// The same, as a data error finance.look_ahead that names column and time of the first leak.
void require_no_look_ahead(const Panel& panel, const Pipeline& pipeline, int cuts = 16, std::uint64_t seed = 0);

}  // namespace tenon::finance
