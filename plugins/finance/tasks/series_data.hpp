/// What the forecasting tasks train and score on: a panel without gaps, cut by time into training, validation and test rows, standardised
/// by its training rows alone.
///
/// Rows are in order of time; [0, train_end) are fitted on, [train_end, validation_end) are for choices, [validation_end, test_end) for the
/// score. A forecast belongs to the part in which its first step lies, and all its steps lie there; its window may reach back into the part before.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "finance/panel/panel.hpp"
#include "tenon/params.hpp"

namespace tenon::finance {

const ParamSpec& series_data_params();
/// [walk_forward]: folds before the test rows, each fitted on the rows before a cut and scored on those behind it, for choices that use no test row.
const ParamSpec& walk_forward_params();

enum class Transform { none, log };

/// How the cells of a series become what the model sees, and back: z = (g(x) - mean) / deviation, g the transform.
struct SeriesScale {
  Transform transform = Transform::none;
  std::vector<std::string> names;
  std::vector<double> mean, deviation;  ///< one a series; population deviation of the training rows

  double to_model(std::size_t series, double x) const;
  double from_model(std::size_t series, double z) const;
};

/// Half open, in rows; a forecast of H steps has its first step in [begin, end - H + 1).
struct RowRange {
  std::int64_t begin = 0, end = 0;
  std::int64_t origins(std::int64_t horizon) const { return std::max<std::int64_t>(end - begin - horizon + 1, 0); }
};

struct SeriesData {
  Panel panel;
  SeriesScale scale;
  std::vector<std::vector<double>> z;  ///< [N][T] in the model's units
  RowRange train, validation, test;
  std::vector<std::string> notes;
  std::string fold;  ///< what the fold is, in words; empty where there is none

  std::int64_t series() const noexcept { return std::int64_t(z.size()); }
  const RowRange& part(const std::string& split) const;  ///< "train", "validation", "test"
};

/// Reads the file named in [data] as a panel: the columns asked for, renamed where names are given. Throws what read_csv and panel_of throw,
/// and finance.missing (with line and column), finance.not_positive (logarithm asked for), finance.names.
Panel read_series(const ParamValues& data, const std::filesystem::path& file);
/// Cuts and standardises; with `walk` and its `fold` above 0 the training rows are that fold's, the validation rows those it is scored on, and there are no test rows. Throws finance.rows where the counts or dates do not fit the file, finance.walk_forward where there is no such fold,
/// finance.constant_series for a series that does not move in the training rows.
SeriesData cut_series(Panel panel, const ParamValues& data, const ParamValues* walk = nullptr);
/// The scale of the first `rows` rows.
SeriesScale scale_of(const Panel& panel, std::int64_t rows, Transform transform, bool standardise);
/// Throws finance.not_positive for a cell that has no logarithm where that is the transform.
void require_transformable(const Panel& panel, Transform transform);
/// The series in the model's units, [N][T].
std::vector<std::vector<double>> to_model(const Panel& panel, const SeriesScale& scale);

}  // namespace tenon::finance
