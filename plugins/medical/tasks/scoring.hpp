/// Scores of one predicted label image against the truth, and the columns of the result table.
#pragma once

#include <string>
#include <vector>

#include "medical/image/volume.hpp"
#include "tenon/task.hpp"

namespace tenon::medical {

struct ScoreSettings {
  std::vector<std::string> label_names;
  std::vector<std::string> metrics{"dice"};  ///< "dice", "hd95", "nsd"
  std::string surface = "surfel";            ///< definition of the surface metrics: "surfel" or "voxel"
  double tolerance = 1;                      ///< of NSD, mm
};

/// Metric by metric, label by label (background left out): "Dice anterior", "Dice posterior", "HD95 anterior"...
std::vector<MetricColumn> score_columns(const ScoreSettings& settings);
/// One value a column; NaN where neither image has the label. `prediction` and `truth`: u8 [z, y, x].
std::vector<double> score_case(const ScoreSettings& settings, const Tensor& prediction, const Tensor& truth, const Geometry& geometry);
/// Mean of a case's or a table's Dice columns, NaN skipped; 0 when there is none.
double mean_dice(const std::vector<MetricColumn>& columns, const std::vector<double>& values);
/// Column by column over cases, NaN skipped; NaN where no case has a value.
std::vector<double> column_means(const std::vector<CaseResult>& cases, std::size_t columns);
/// What the table's reader must know: the rule for empty masks, the definition of the surface metrics.
std::vector<std::string> score_notes(const ScoreSettings& settings);

}  // namespace tenon::medical
