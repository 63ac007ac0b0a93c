#include "finance/tasks/series_data.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "finance/io/csv.hpp"
#include "finance/tasks/dates.hpp"
#include "tenon/error.hpp"

namespace tenon::finance {
namespace {

[[noreturn]] void refuse_rows(const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "finance.rows", what, hint, "data");
}

/// Row after the last one dated `until` or earlier.
std::int64_t row_after(const Panel& panel, const std::string& key, const std::string& until) {
  if (!panel.has_calendar) refuse_rows("data." + key + " is a date, and the file has none", "give data.train_rows and the others, in rows");
  const std::int64_t end = date_of(until, "data." + key) + kNsPerDay;
  return std::lower_bound(panel.times.begin(), panel.times.end(), end) - panel.times.begin();
}

constexpr double kLargest = 1e100;  ///< sums of squares stay far inside a double

/// Every cell of the columns asked for (all of numbers, where none is named) has a value that can be squared.
void require_values(const Table& table, const std::vector<std::string>& columns) {
  for (const Column& column : table.columns) {
    const bool asked = columns.empty() ? column.is_number() : std::find(columns.begin(), columns.end(), column.name) != columns.end();
    if (asked && column.type == CellType::real) {
      for (std::int64_t row = 0; row < table.rows; ++row)
        if (std::abs(column.reals[std::size_t(row)]) > kLargest)
          throw Error(ErrorKind::data, "finance.magnitude", "column '" + column.name + "' holds " + fmt::format("{}", column.reals[std::size_t(row)]) + ", too large to be squared",
                      "correct the cell, or give the column in another unit", table.source + ":" + std::to_string(table.line_of(row)));
    }
    if (!asked || column.missing == 0) continue;
    for (std::int64_t row = 0; row < table.rows; ++row)
      if (column.is_missing(row))
        throw Error(ErrorKind::data, "finance.missing",
                    "column '" + column.name + "' has no value in " + std::to_string(column.missing) + " of " + std::to_string(table.rows) + " rows, first here",
                    "leave the column out with data.columns, or fill it in the file: a forecast needs every cell",
                    table.source + ":" + std::to_string(table.line_of(row)));
  }
}

std::int64_t part_end(const Panel& panel, const ParamValues& data, const std::string& part, std::int64_t begin) {
  const std::string rows = part + "_rows", until = part + "_until";
  if (!data.text(until).empty()) {
    if (data.integer(rows) > 0) refuse_rows("data." + rows + " and data." + until + " both given", "give one of them");
    return row_after(panel, until, data.text(until));
  }
  if (data.integer(rows) == 0 && part == "test") return panel.rows();
  return begin + data.integer(rows);
}

/// Puts a fold in place of the parts.
void take_fold(SeriesData& s, const ParamValues& walk) {
  const std::int64_t folds = walk.integer("folds"), fold = walk.integer("fold"), first = walk.integer("first"), rows = walk.integer("rows"), embargo = walk.integer("embargo");
  const auto refuse = [](const std::string& what, const std::string& hint) { throw Error(ErrorKind::usage, "finance.walk_forward", what, hint, "walk_forward"); };
  if (fold > folds) refuse("fold " + std::to_string(fold) + " of " + std::to_string(folds), "set walk_forward.folds, and walk_forward.fold from 1 to it");
  if (first < 2 || rows < 1) refuse("folds need rows to fit on and rows to score", "set walk_forward.first and walk_forward.rows");
  const auto splits = walk_forward(s.validation.end, first + embargo, rows, walk.integer("step"), embargo);
  if (std::int64_t(splits.size()) < folds)
    refuse(std::to_string(splits.size()) + " folds end before the test rows, " + std::to_string(folds) + " are asked for", "begin earlier (walk_forward.first), or make the steps shorter");
  const Split& split = splits[std::size_t(fold - 1)];
  s.train = {0, split.fit_end};
  s.validation = {split.test_begin, split.test_end};
  s.test = {split.test_end, split.test_end};
  s.fold = "walk-forward fold " + std::to_string(fold) + " of " + std::to_string(folds) + ": fitted on rows 1 to " + std::to_string(split.fit_end) + ", scored on rows " +
           std::to_string(split.test_begin + 1) + " to " + std::to_string(split.test_end);
}

}  // namespace

const ParamSpec& series_data_params() {
  static const ParamSpec spec{
      path_param("file", "", "CSV of the series, one a column, rows in order of time; .gz is read too", true),
      texts_param("columns", {}, "columns that are series; empty: every number column"),
      texts_param("names", {}, "names of the series, in the order of columns; empty: the file's"),
      text_param("header", "auto", "whether the first record names the columns", {"auto", "yes", "no"}),
      text_param("date_order", "auto", "order of dates such as 3/4/2005", {"auto", "day", "month"}),
      text_param("transform", "none", "of every cell before anything else", {"none", "log"}),
      boolean_param("standardise", true, "subtract each series' mean over the training rows, divide by its population deviation there"),
      integer_param("train_rows", 0, "rows fitted on, from the first; 0: by train_until", 0),
      integer_param("validation_rows", 0, "rows after those, for choices; 0: by validation_until, or none", 0),
      integer_param("test_rows", 0, "rows after those, for the score; 0: by test_until, or all that are left", 0),
      text_param("train_until", "", "last day fitted on, as 2002-12-31"),
      text_param("validation_until", "", "last day for choices"),
      text_param("test_until", "", "last day of the score"),
  };
  return spec;
}

const ParamSpec& walk_forward_params() {
  static const ParamSpec spec{
      integer_param("folds", 0, "folds before the test rows; 0: none", 0, 1000),
      integer_param("fold", 0, "the fold, from 1, whose rows are fitted and scored in place of the parts of [data]; 0: those", 0, 1000),
      integer_param("first", 0, "rows that the first fold is fitted on", 0),
      integer_param("step", 0, "rows that each fold is fitted on beyond those of the one before; 0: as many as are scored", 0),
      integer_param("rows", 0, "rows that each fold is scored on; the test rows cut the last", 0),
      integer_param("embargo", 0, "rows left out between those fitted on and those scored", 0),
  };
  return spec;
}

double SeriesScale::to_model(std::size_t series, double x) const {
  return ((transform == Transform::log ? std::log(x) : x) - mean[series]) / deviation[series];
}

double SeriesScale::from_model(std::size_t series, double z) const {
  const double x = z * deviation[series] + mean[series];
  return transform == Transform::log ? std::exp(x) : x;
}

const RowRange& SeriesData::part(const std::string& split) const {
  if (split == "train") return train;
  if (split == "validation") return validation;
  if (split == "test") return test;
  throw Error(ErrorKind::usage, "finance.part", "no split '" + split + "'", suggestion(split, {"train", "validation", "test"}), "split");
}

Panel read_series(const ParamValues& data, const std::filesystem::path& file) {
  CsvOptions options;
  if (data.text("header") != "auto") options.header = data.text("header") == "yes";
  if (data.text("date_order") != "auto") options.date_order = data.text("date_order") == "day" ? DateOrder::day_first : DateOrder::month_first;
  const Table table = read_csv(file, options);
  require_values(table, data.texts("columns"));
  Panel panel = panel_of(table, data.texts("columns"), false);
  if (data.texts("columns").empty()) {
    for (const Column& column : table.columns)
      if (column.type == CellType::text) panel.notes.push_back("column '" + column.name + "' holds text and is no series");
  }
  const auto& names = data.texts("names");
  if (!names.empty()) {
    if (names.size() != panel.names.size())
      throw Error(ErrorKind::usage, "finance.names", std::to_string(names.size()) + " names for " + std::to_string(panel.names.size()) + " series",
                  "give data.names one a column, or none", "data.names");
    panel.names = names;
  }
  return panel;
}

void require_transformable(const Panel& panel, Transform transform) {
  if (transform != Transform::log) return;
  for (std::int64_t t = 0; t < panel.rows(); ++t)
    for (std::int64_t i = 0; i < panel.columns(); ++i)
      if (!(panel.at(t, i) > 0))
        throw Error(ErrorKind::data, "finance.not_positive", "series '" + panel.names[std::size_t(i)] + "' is " + std::to_string(panel.at(t, i)) + ": it has no logarithm",
                    "set data.transform = \"none\", or correct the cell", panel.source + ": row " + std::to_string(t + 1));
}

SeriesScale scale_of(const Panel& panel, std::int64_t rows, Transform transform, bool standardise) {
  SeriesScale scale;
  scale.transform = transform;
  scale.names = panel.names;
  for (std::int64_t i = 0; i < panel.columns(); ++i) {
    if (!standardise) {
      scale.mean.push_back(0);
      scale.deviation.push_back(1);
      continue;
    }
    auto value = [&](std::int64_t t) { return transform == Transform::log ? std::log(panel.at(t, i)) : panel.at(t, i); };
    double sum = 0, squares = 0;
    for (std::int64_t t = 0; t < rows; ++t) sum += value(t);
    const double mean = sum / double(rows);
    for (std::int64_t t = 0; t < rows; ++t) squares += (value(t) - mean) * (value(t) - mean);
    const double deviation = std::sqrt(squares / double(rows));
    if (!(deviation > 1e-12 * std::fabs(mean)))
      throw Error(ErrorKind::data, "finance.constant_series", "series '" + panel.names[std::size_t(i)] + "' is constant over the training rows",
                  "leave the column out with data.columns, or set data.standardise = false", panel.source);
    scale.mean.push_back(mean);
    scale.deviation.push_back(deviation);
  }
  return scale;
}

std::vector<std::vector<double>> to_model(const Panel& panel, const SeriesScale& scale) {
  std::vector<std::vector<double>> z(std::size_t(panel.columns()), std::vector<double>(std::size_t(panel.rows())));
  for (std::size_t i = 0; i < z.size(); ++i)
    for (std::int64_t t = 0; t < panel.rows(); ++t) z[i][std::size_t(t)] = scale.to_model(i, panel.at(t, std::int64_t(i)));
  return z;
}

SeriesData cut_series(Panel panel, const ParamValues& data, const ParamValues* walk) {
  SeriesData s;
  const std::int64_t rows = panel.rows();
  const std::int64_t train_end = part_end(panel, data, "train", 0);
  if (train_end < 2) refuse_rows("no rows to fit on", "give data.train_rows, or data.train_until for a file with dates");
  const std::int64_t validation_end = data.integer("validation_rows") > 0 || !data.text("validation_until").empty()
                                          ? part_end(panel, data, "validation", train_end)
                                          : train_end;
  const std::int64_t test_end = part_end(panel, data, "test", validation_end);
  if (train_end > validation_end || validation_end > test_end || test_end > rows)
    refuse_rows("training ends at row " + std::to_string(train_end) + ", validation at " + std::to_string(validation_end) + ", the test at " +
                    std::to_string(test_end) + ", and the file has " + std::to_string(rows) + " rows",
                "make the parts follow each other inside the file");
  s.train = {0, train_end};
  s.validation = {train_end, validation_end};
  s.test = {validation_end, test_end};
  if (walk && walk->integer("fold") > 0) take_fold(s, *walk);
  const Transform transform = data.text("transform") == "log" ? Transform::log : Transform::none;
  require_transformable(panel, transform);
  s.scale = scale_of(panel, s.train.end, transform, data.boolean("standardise"));
  s.z = to_model(panel, s.scale);
  s.notes = panel.notes;
  s.panel = std::move(panel);
  return s;
}

}  // namespace tenon::finance
