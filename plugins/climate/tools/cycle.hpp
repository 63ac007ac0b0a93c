/// The annual cycle of a variable: means of months, of days of the year, or annual harmonics, fitted on a base period and taken off.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "climate/io/calendar.hpp"
#include "climate/io/dataset.hpp"
#include "tenon/labelled.hpp"

namespace tenon::climate {

enum class CycleKind { monthly, daily, harmonics };
CycleKind cycle_from_name(const std::string& name);

struct CycleOptions {
  CycleKind kind = CycleKind::monthly;
  int harmonics = 3;  ///< of the year, besides the mean
  int window = 1;     ///< of daily: days averaged around each, odd
  std::pair<std::int64_t, std::int64_t> base = {INT64_MIN, INT64_MAX};  ///< ticks, both inside
};

/// A fitted cycle, [slots or coefficients, points]: points are all axes but time, in their order.
///
/// Slots are months (12) or days of a year with 29 February (366; 365 and 360 where the calendar has no more). The harmonics' phase is the time since
/// the year began over the calendar's mean year (365.2425 days for standard, 365.25 julian). Means leave out what is missing; a slot without any value is NaN
/// (29 February then lies between its neighbours). A point whose valid times do not determine the harmonics is NaN.
class Cycle {
 public:
  /// `array` must have a decoded time axis. Throws climate.base where the base period holds no time, does not determine the harmonics, or leaves out
  /// most of the months or days that the array has.
  Cycle(const LabelledArray& array, const CycleOptions& options);
  /// The same from a variable read block by block, each once and none kept (of harmonics: all of it). `blocks` has time first and decoded.
  Cycle(const VariableBlocks& blocks, const CycleOptions& options);
  /// From a file that holds one: 12 months or 360 to 366 days along its time axis, each once (climate.base). `calendar`: of the moments that it is to be
  /// asked for; empty: its own. Bring it onto their places first (alignment.hpp).
  static Cycle from_climatology(const LabelledArray& climatology, std::optional<Calendar> calendar = {});

  /// Value of the cycle at a moment, all points. `out` has points() values.
  void at(std::int64_t ticks, double* out) const;
  std::int64_t points() const noexcept { return points_; }
  CycleKind kind() const noexcept { return options_.kind; }
  /// What the base leaves out, one line each.
  const std::vector<std::string>& notes() const noexcept { return notes_; }
  /// The cycle as a variable with a climatological time axis (CF section 7.4): months, or each day of a year.
  LabelledArray as_array() const;

 private:
  Cycle() = default;
  /// What can be told without values; the rows in the base.
  std::vector<std::int64_t> begin(const LabelledArray& labels, const std::vector<std::int64_t>& sizes);
  /// Means in three steps: sums of nothing, rows of time added in their order, sums over counts.
  void begin_means();
  void add_to_means(const Tensor& rows, std::int64_t first);
  void finish_means();
  void fit_harmonics(const std::vector<std::int64_t>& times, const float* f, const double* d);
  bool fit_harmonics_of(std::int64_t point, const std::vector<std::int64_t>& times, const std::vector<std::size_t>& through_year, const std::vector<double>& phi, const float* f, const double* d);
  void check_coverage(const std::vector<std::int64_t>& times, const std::string& name);
  std::int64_t slot(std::int64_t ticks) const;
  bool in_base(std::int64_t ticks) const;

  CycleOptions options_;
  Calendar calendar_ = Calendar::standard;
  std::int64_t points_ = 0, slots_ = 0;
  Tensor values_;                    ///< [slots or 1 + 2 harmonics, points], f64
  std::vector<std::int64_t> rows_;   ///< in the base, of each slot
  Tensor gaps_;                      ///< [slots, points], i32: missing values among them; not defined while there are none
  std::vector<std::int64_t> ticks_;  ///< of the array fitted on
  LabelledArray shape_;              ///< axes and attributes, time first; no values
  std::vector<std::int64_t> sizes_;  ///< of the axes but time
  bool single_ = false;              ///< fitted on f32
  std::int64_t first_ = 0, last_ = 0;  ///< of the base, ticks
  std::vector<std::string> notes_;
};

/// The array with its time axis first.
LabelledArray time_first(const LabelledArray& array);
/// array minus its cycle; time first, type kept (f32 or f64).
LabelledArray anomaly_of(const LabelledArray& array, const Cycle& cycle);

}  // namespace tenon::climate
