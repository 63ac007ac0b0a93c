#include "climate/tools/cycle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>

#include "climate/io/coordinates.hpp"
#include "climate/tools/year_coverage.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kPointsPerTask = 1024;

double days_of_year(Calendar c) {
  switch (c) {
    case Calendar::julian: return 365.25;
    case Calendar::noleap: return 365;
    case Calendar::all_leap: return 366;
    case Calendar::day_360: return 360;
    default: return 365.2425;
  }
}

/// A year of the calendar with as many days as any.
std::int64_t longest_year(Calendar c, std::int64_t from) {
  for (std::int64_t y = from; y < from + 12; ++y)
    if (days_in_year(c, y) == 366) return y;
  return from;
}

int slots_of(Calendar c) { return c == Calendar::day_360 ? 360 : c == Calendar::noleap ? 365 : 366; }

/// Place of a day in a year with 29 February.
std::int64_t day_slot(Calendar c, const Date& d) {
  static constexpr std::array<int, 12> kBefore = {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335};
  if (c == Calendar::day_360) return (d.month - 1) * 30 + d.day - 1;
  if (c == Calendar::noleap) return kBefore[std::size_t(d.month - 1)] - (d.month > 2) + d.day - 1;
  return kBefore[std::size_t(d.month - 1)] + d.day - 1;
}

/// 1, cos, sin, cos 2, sin 2...
void basis(double phase, int harmonics, double* out) {
  out[0] = 1;
  for (int k = 1; k <= harmonics; ++k) {
    out[2 * k - 1] = std::cos(k * phase);
    out[2 * k] = std::sin(k * phase);
  }
}

/// Time since the year began over the calendar's mean year: by the day of the year, so that a date has nearly the same phase every year.
double phase_of(Calendar c, std::int64_t ticks) {
  const std::int64_t begin = days_from_date(c, date_from_ticks(c, ticks).year, 1, 1) * kTicksPerDay;
  return 2 * std::numbers::pi * double(ticks - begin) / double(kTicksPerDay) / days_of_year(c);
}

double share_of(Calendar c, std::int64_t ticks) { return phase_of(c, ticks) / (2 * std::numbers::pi); }

/// Solves the symmetric positive system in place by Cholesky; false where it is singular.
bool solve(std::vector<double>& a, std::vector<double>& b, int n) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j <= i; ++j) {
      double s = a[std::size_t(i * n + j)];
      for (int k = 0; k < j; ++k) s -= a[std::size_t(i * n + k)] * a[std::size_t(j * n + k)];
      if (i == j) {
        if (!(s > 1e-9)) return false;
        a[std::size_t(i * n + i)] = std::sqrt(s);
      } else {
        a[std::size_t(i * n + j)] = s / a[std::size_t(j * n + j)];
      }
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < i; ++k) b[std::size_t(i)] -= a[std::size_t(i * n + k)] * b[std::size_t(k)];
    b[std::size_t(i)] /= a[std::size_t(i * n + i)];
  }
  for (int i = n - 1; i >= 0; --i) {
    for (int k = i + 1; k < n; ++k) b[std::size_t(i)] -= a[std::size_t(k * n + i)] * b[std::size_t(k)];
    b[std::size_t(i)] /= a[std::size_t(i * n + i)];
  }
  return true;
}

}  // namespace

CycleKind cycle_from_name(const std::string& name) {
  if (name == "monthly") return CycleKind::monthly;
  if (name == "daily") return CycleKind::daily;
  if (name == "harmonics") return CycleKind::harmonics;
  throw_usage("climatology", "kind '" + name + "' is not known", "monthly, daily or harmonics");
}

LabelledArray time_first(const LabelledArray& array) {
  const int k = require_axis(array, AxisRole::time);
  if (!array.axes[std::size_t(k)].time) throw Error(ErrorKind::data, "climate.no_axis", "the time axis of '" + array.name + "' is not decoded", "mend its units");
  if (k == 0) return array;
  LabelledArray out = array;
  for (int i = k; i > 0; --i) {
    out.values = out.values.transpose(i, i - 1);
    std::swap(out.axes[std::size_t(i)], out.axes[std::size_t(i - 1)]);
  }
  return out;
}

std::vector<std::int64_t> Cycle::begin(const LabelledArray& labels, const std::vector<std::int64_t>& sizes) {
  const auto& time = *labels.axes[0].time;
  calendar_ = calendar_from_name(time.calendar);
  if (calendar_ == Calendar::none) throw Error(ErrorKind::data, "climate.calendar", "the calendar 'none' has no annual cycle", "give a file with dates");
  ticks_ = time.ticks;
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < ticks_.size(); ++i)
    if (in_base(ticks_[i])) times.push_back(std::int64_t(i));
  if (times.empty()) throw Error(ErrorKind::data, "climate.base", fmt::format("'{}' has no time in the base period", labels.name), "`tenon climate info` shows what the file covers");
  first_ = ticks_[std::size_t(times.front())];
  last_ = ticks_[std::size_t(times.back())];
  sizes_.assign(sizes.begin() + 1, sizes.end());
  points_ = 1;
  for (auto s : sizes_) points_ *= s;
  slots_ = options_.kind == CycleKind::monthly ? 12 : options_.kind == CycleKind::daily ? slots_of(calendar_) : 1 + 2 * options_.harmonics;
  shape_ = labels;
  shape_.values = {};
  values_ = Tensor::zeros({slots_, points_}, DType::f64, kCpu);
  check_coverage(times, labels.name);
  return times;
}

Cycle::Cycle(const LabelledArray& input, const CycleOptions& options) : options_(options) {
  const LabelledArray array = time_first(input);
  const auto times = begin(array, {array.values.shape().begin(), array.values.shape().end()});
  single_ = array.values.dtype() == DType::f32;
  const Tensor values = (single_ ? array.values : array.values.to(DType::f64)).contiguous();
  if (options.kind == CycleKind::harmonics) {
    fit_harmonics(times, single_ ? values.data<float>() : nullptr, single_ ? nullptr : values.data<double>());
  } else {
    begin_means();
    add_to_means(values, 0);
    finish_means();
  }
  ticks_.clear();
}

Cycle::Cycle(const VariableBlocks& blocks, const CycleOptions& options) : options_(options) {
  const auto times = begin(blocks.labels, blocks.sizes);
  single_ = blocks.dtype == DType::f32;
  if (options.kind == CycleKind::harmonics) {
    const Tensor values = blocks.read(0, blocks.sizes[0]);
    fit_harmonics(times, single_ ? values.data<float>() : nullptr, single_ ? nullptr : values.data<double>());
  } else {
    begin_means();
    for (std::int64_t row = 0; row < blocks.sizes[0]; row += blocks.rows) add_to_means(blocks.read(row, std::min(blocks.rows, blocks.sizes[0] - row)), row);
    finish_means();
  }
  ticks_.clear();
}

bool Cycle::in_base(std::int64_t ticks) const { return ticks >= options_.base.first && ticks <= options_.base.second; }

std::int64_t Cycle::slot(std::int64_t ticks) const {
  const Date date = date_from_ticks(calendar_, ticks);
  return options_.kind == CycleKind::monthly ? date.month - 1 : day_slot(calendar_, date);
}

void Cycle::check_coverage(const std::vector<std::int64_t>& times, const std::string& name) {
  const std::string base = options_.base.first == INT64_MIN ? "'" + name + "'" : "the base period of '" + name + "'";
  if (options_.kind == CycleKind::harmonics) {
    std::vector<double> shares;
    for (auto t : times) shares.push_back(share_of(calendar_, ticks_[std::size_t(t)]));
    if (const auto lack = what_is_lacking(std::move(shares), options_.harmonics, calendar_))
      throw Error(ErrorKind::data, "climate.base", fmt::format("{} does not determine the annual cycle: {}", base, *lack), "give a base of whole years, fewer harmonics, or the kind monthly or daily");
    return;
  }
  const std::int64_t half = options_.kind == CycleKind::daily ? options_.window / 2 : 0;
  auto mark = [&](std::vector<char>& covered, std::int64_t ticks) {
    const std::int64_t s = slot(ticks);
    for (std::int64_t k = s - half; k <= s + half; ++k) covered[std::size_t((k + slots_) % slots_)] = 1;
  };
  std::vector<char> by_base(std::size_t(slots_), 0), by_file(std::size_t(slots_), 0);
  for (auto t : times) mark(by_base, ticks_[std::size_t(t)]);
  for (auto t : ticks_) mark(by_file, t);
  if (options_.kind == CycleKind::daily && slots_ == 366 && by_base[58] && by_base[60] && !by_base[59]) {
    by_base[59] = 1;
    notes_.push_back(base + " has no 29 February: its climatology is the mean of those of 28 February and 1 March");
  }
  std::int64_t wanted = 0, lacking = 0;
  for (std::size_t s = 0; s < by_base.size(); ++s) {
    wanted += by_file[s];
    lacking += by_file[s] && !by_base[s];
  }
  if (std::find(by_base.begin(), by_base.end(), 0) == by_base.end()) return;
  const std::string text = fmt::format("{} has no time in {}", base, uncovered_text(by_base, calendar_));
  if (2 * lacking > wanted) throw Error(ErrorKind::data, "climate.base", fmt::format("{}, most of what the file covers", text), "give a base of whole years");
  notes_.push_back(text + ": the climatology is missing there");
}

void Cycle::begin_means() {
  rows_.assign(std::size_t(slots_), 0);
  for (auto t : ticks_)
    if (in_base(t)) ++rows_[std::size_t(slot(t))];
}

void Cycle::add_to_means(const Tensor& rows, std::int64_t first) {
  const float* f = single_ ? rows.data<float>() : nullptr;
  const double* d = single_ ? nullptr : rows.data<double>();
  std::vector<std::int64_t> slots;  // -1: not in the base
  for (std::int64_t r = 0; r < rows.size(0); ++r) {
    const std::int64_t t = ticks_[std::size_t(first + r)];
    slots.push_back(in_base(t) ? slot(t) : -1);
  }
  double* sums = values_.data<double>();
  std::mutex first_gap;
  auto gaps = [&] {
    std::lock_guard hold(first_gap);
    if (!gaps_.defined()) gaps_ = Tensor::zeros({slots_, points_}, DType::i32, kCpu);
    return gaps_.data<std::int32_t>();
  };
  auto add = [&](const auto* values, std::int64_t from, std::int64_t n) {
    for (std::size_t r = 0; r < slots.size(); ++r) {
      if (slots[r] < 0) continue;
      const auto* x = values + std::int64_t(r) * points_ + from;
      double* sum = sums + slots[r] * points_ + from;
      int missing = 0;
      for (std::int64_t p = 0; p < n; ++p) {
        const bool valid = x[p] == x[p];
        sum[p] += valid ? double(x[p]) : 0.0;
        missing += !valid;
      }
      if (missing == 0) continue;
      std::int32_t* of = gaps() + slots[r] * points_ + from;
      for (std::int64_t p = 0; p < n; ++p) of[p] += x[p] != x[p];
    }
  };
  parallel_blocks(points_, kPointsPerTask, [&](std::int64_t from, std::int64_t to) {
    if (f) add(f, from, to - from);
    else add(d, from, to - from);
  });
}

void Cycle::finish_means() {
  const std::int64_t half = options_.kind == CycleKind::daily ? options_.window / 2 : 0;
  double* values = values_.data<double>();
  const std::int32_t* gaps = gaps_.defined() ? gaps_.data<std::int32_t>() : nullptr;
  parallel_blocks(points_, kPointsPerTask, [&](std::int64_t from, std::int64_t to) {
    const std::int64_t n = to - from;
    std::vector<double> sums;  // a copy, where neighbours are needed after their means are made
    if (half > 0) {
      for (std::int64_t s = 0; s < slots_; ++s) sums.insert(sums.end(), values + s * points_ + from, values + s * points_ + to);
    }
    for (std::int64_t s = 0; s < slots_; ++s) {
      for (std::int64_t p = 0; p < n; ++p) {
        double total = 0;
        std::int64_t of = 0;
        for (std::int64_t k = s - half; k <= s + half; ++k) {
          const std::int64_t at = (k + slots_) % slots_;
          total += half > 0 ? sums[std::size_t(at * n + p)] : values[at * points_ + from + p];
          of += rows_[std::size_t(at)] - (gaps ? gaps[at * points_ + from + p] : 0);
        }
        values[s * points_ + from + p] = of > 0 ? total / double(of) : kNothing;
      }
    }
    if (options_.kind != CycleKind::daily || slots_ != 366 || rows_[59] > 0) return;  // a 29 February that is there may miss points as any day
    for (std::int64_t p = from; p < to; ++p)
      if (double& leap = values[59 * points_ + p]; std::isnan(leap)) leap = (values[58 * points_ + p] + values[60 * points_ + p]) / 2;
  });
  gaps_ = {};
}

void Cycle::fit_harmonics(const std::vector<std::int64_t>& times, const float* f, const double* d) {
  const int n = int(slots_);
  std::vector<double> phi(times.size() * std::size_t(n));
  for (std::size_t i = 0; i < times.size(); ++i) basis(phase_of(calendar_, ticks_[std::size_t(times[i])]), options_.harmonics, phi.data() + i * std::size_t(n));
  std::vector<double> gram(std::size_t(n * n), 0.0);  // of points without gaps, one for all
  for (std::size_t i = 0; i < times.size(); ++i)
    for (int a = 0; a < n; ++a)
      for (int b = 0; b <= a; ++b) gram[std::size_t(a * n + b)] += phi[i * std::size_t(n) + std::size_t(a)] * phi[i * std::size_t(n) + std::size_t(b)];
  std::vector<std::size_t> through_year(times.size());
  for (std::size_t i = 0; i < times.size(); ++i) through_year[i] = i;
  std::stable_sort(through_year.begin(), through_year.end(), [&](std::size_t a, std::size_t b) { return share_of(calendar_, ticks_[std::size_t(times[a])]) < share_of(calendar_, ticks_[std::size_t(times[b])]); });
  std::atomic<std::int64_t> undetermined = 0;
  parallel_for((points_ + kPointsPerTask - 1) / kPointsPerTask, [&](std::int64_t task) {
    const std::int64_t from = task * kPointsPerTask, m = std::min(points_, from + kPointsPerTask) - from;
    std::vector<double> right(std::size_t(n * m), 0.0), reference(static_cast<std::size_t>(m)), sum(static_cast<std::size_t>(m), 0.0);
    auto value = [&](std::int64_t row, std::int64_t p) { return f ? double(f[row * points_ + from + p]) : d[row * points_ + from + p]; };
    for (std::int64_t p = 0; p < m; ++p) reference[std::size_t(p)] = value(times[0], p);  // taken off: keeps the digits of fields such as pressure
    for (std::size_t i = 0; i < times.size(); ++i) {
      const double* row = phi.data() + i * std::size_t(n);
      for (int a = 0; a < n; ++a) {
        double* r = right.data() + a * m;
        for (std::int64_t p = 0; p < m; ++p) r[p] += row[a] * (value(times[i], p) - reference[std::size_t(p)]);
      }
    }
    for (std::int64_t p = 0; p < m; ++p) {
      if (std::isnan(right[std::size_t(p)])) {
        undetermined += !fit_harmonics_of(from + p, times, through_year, phi, f, d);
        continue;
      }
      std::vector<double> g = gram, b(static_cast<std::size_t>(n));
      for (int a = 0; a < n; ++a) b[std::size_t(a)] = right[std::size_t(a * m + p)];
      const bool solved = solve(g, b, n);
      for (int a = 0; a < n; ++a) values_.data<double>()[a * points_ + from + p] = solved ? b[std::size_t(a)] + (a == 0 ? reference[std::size_t(p)] : 0) : kNothing;
    }
  });
  if (undetermined > 0) notes_.push_back(fmt::format("{} of {} points have values in too few parts of the year for {} harmonics: their climatology is missing", undetermined.load(), points_, options_.harmonics));
}

/// False where the point has values, but too few of them.
bool Cycle::fit_harmonics_of(std::int64_t p, const std::vector<std::int64_t>& times, const std::vector<std::size_t>& through_year, const std::vector<double>& phi, const float* f, const double* d) {
  const int n = int(slots_);
  std::vector<double> shares;
  for (auto i : through_year) {
    const std::int64_t at = times[i] * points_ + p;
    if (!std::isnan(f ? double(f[at]) : d[at])) shares.push_back(share_of(calendar_, ticks_[std::size_t(times[i])]));
  }
  if (!determines(shares, options_.harmonics)) {
    for (int a = 0; a < n; ++a) values_.data<double>()[a * points_ + p] = kNothing;
    return shares.empty();
  }
  std::vector<double> gram(std::size_t(n * n), 0.0), right(std::size_t(n), 0.0);
  double reference = kNothing;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::int64_t at = times[i] * points_ + p;
    double x = f ? double(f[at]) : d[at];
    if (std::isnan(x)) continue;
    if (std::isnan(reference)) reference = x;
    x -= reference;
    const double* row = phi.data() + i * std::size_t(n);
    for (int a = 0; a < n; ++a) {
      right[std::size_t(a)] += row[a] * x;
      for (int b = 0; b <= a; ++b) gram[std::size_t(a * n + b)] += row[a] * row[b];
    }
  }
  const bool solved = !std::isnan(reference) && solve(gram, right, n);
  for (int a = 0; a < n; ++a) values_.data<double>()[a * points_ + p] = solved ? right[std::size_t(a)] + (a == 0 ? reference : 0) : kNothing;
  return true;
}

void Cycle::at(std::int64_t ticks, double* out) const {
  if (options_.kind == CycleKind::harmonics) {
    std::vector<double> phi(static_cast<std::size_t>(slots_));
    basis(phase_of(calendar_, ticks), options_.harmonics, phi.data());
    std::fill(out, out + points_, 0.0);
    for (std::int64_t a = 0; a < slots_; ++a)
      for (std::int64_t p = 0; p < points_; ++p) out[p] += phi[std::size_t(a)] * values_.data<double>()[a * points_ + p];
    return;
  }
  const double* row = values_.data<double>() + slot(ticks) * points_;
  std::copy(row, row + points_, out);
}

LabelledArray Cycle::as_array() const {
  const std::int64_t year = date_from_ticks(calendar_, first_).year, last_year = date_from_ticks(calendar_, last_).year;
  const std::int64_t shown = options_.kind == CycleKind::monthly ? year : longest_year(calendar_, year);
  LabelledArray out = shape_;
  Axis& axis = out.axes[0];
  axis.time->ticks.clear();
  axis.time->bounds.clear();
  axis.bounds.clear();
  axis.coordinates.clear();
  axis.unit = fmt::format("days since {:04d}-01-01 00:00:00", year);
  axis.attributes.erase("bounds");
  axis.attributes["climatology"] = "yes";
  const std::int64_t rows = options_.kind == CycleKind::monthly ? 12 : days_in_year(calendar_, shown);
  const std::int64_t origin = days_from_date(calendar_, year, 1, 1) * kTicksPerDay;
  auto month = [&](std::int64_t y, std::int64_t m) { return days_from_date(calendar_, m == 12 ? y + 1 : y, m == 12 ? 1 : int(m) + 1, 1) * kTicksPerDay; };
  auto day = [&](std::int64_t y, const Date& d) { return days_from_date(calendar_, y, d.month, exists(calendar_, y, d.month, d.day) ? d.day : d.day - 1) * kTicksPerDay; };
  const Tensor values = Tensor::empty({rows, points_}, single_ ? DType::f32 : DType::f64, kCpu);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t middle, low, high;
    if (options_.kind == CycleKind::monthly) {
      low = month(year, r);
      high = month(last_year, r + 1);
      middle = (low + month(year, r + 1)) / 2;
    } else {
      const std::int64_t begin = (days_from_date(calendar_, shown, 1, 1) + r) * kTicksPerDay;
      const Date date = date_from_ticks(calendar_, begin);
      low = day(year, date);
      high = day(last_year, date) + kTicksPerDay;
      middle = begin + kTicksPerDay / 2;
    }
    axis.time->ticks.push_back(middle);
    axis.time->bounds.push_back({low, high});
    axis.coordinates.push_back(double(middle - origin) / double(kTicksPerDay));
    axis.bounds.push_back({double(low - origin) / double(kTicksPerDay), double(high - origin) / double(kTicksPerDay)});
  }
  parallel_for(rows, [&](std::int64_t r) {
    std::vector<double> row(static_cast<std::size_t>(points_));
    at(axis.time->ticks[std::size_t(r)], row.data());
    if (single_) std::transform(row.begin(), row.end(), values.data<float>() + r * points_, [](double x) { return float(x); });
    else std::copy(row.begin(), row.end(), values.data<double>() + r * points_);
  });
  Shape shape;
  shape.push_back(rows);
  for (auto s : sizes_) shape.push_back(s);
  out.values = values.reshape(shape);
  auto& methods = out.attributes["cell_methods"];
  methods += std::string(methods.empty() ? "" : " ") + (options_.kind == CycleKind::monthly ? "time: mean within years time: mean over years" : "time: mean within days time: mean over years");
  return out;
}

Cycle Cycle::from_climatology(const LabelledArray& input, std::optional<Calendar> calendar) {
  const LabelledArray array = time_first(input);
  const auto& time = *array.axes[0].time;
  const auto rows = std::int64_t(time.ticks.size());
  const std::string remedy = "make one with `tenon climate climatology`";
  const Calendar own = calendar_from_name(time.calendar);
  if (own == Calendar::none) throw Error(ErrorKind::data, "climate.calendar", "the calendar 'none' has no annual cycle", "give a file with dates");
  if (rows != 12 && (rows < 360 || rows > 366)) {
    throw Error(ErrorKind::data, "climate.base", fmt::format("'{}' has {} times: a climatology has 12 months or the 360 to 366 days of a year", array.name, rows), remedy);
  }
  Cycle c;
  c.options_.kind = rows == 12 ? CycleKind::monthly : CycleKind::daily;
  c.calendar_ = calendar.value_or(own);
  if (c.kind() == CycleKind::daily && (own == Calendar::day_360) != (c.calendar_ == Calendar::day_360)) {
    throw Error(ErrorKind::data, "climate.calendar", fmt::format("the climatology is of the calendar {}, the times are of {}: their days are not the same", name_of(own), name_of(c.calendar_)), "give a climatology of months, or of the same calendar");
  }
  c.slots_ = rows == 12 ? 12 : slots_of(c.calendar_);
  c.points_ = array.values.numel() / rows;
  c.values_ = Tensor::full({c.slots_, c.points_}, kNothing, DType::f64, kCpu);
  double* values = c.values_.data<double>();
  c.shape_ = array;
  c.shape_.values = {};
  c.first_ = time.ticks.front();
  c.last_ = time.ticks.back();
  for (int k = 1; k < array.values.rank(); ++k) c.sizes_.push_back(array.values.size(k));
  const Tensor v = array.values.to(DType::f64).contiguous();
  std::vector<char> covered(std::size_t(c.slots_), 0);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Date date = date_from_ticks(own, time.ticks[std::size_t(r)]);
    if (rows != 12 && c.slots_ == 365 && date.month == 2 && date.day == 29) continue;
    const std::int64_t s = rows == 12 ? date.month - 1 : day_slot(c.calendar_, date);
    if (covered[std::size_t(s)]) {
      throw Error(ErrorKind::data, "climate.base", fmt::format("the {} times of '{}', {} to {}, are no climatology: {} comes twice", rows, array.name, date_text(own, time.ticks.front()).substr(0, 10), date_text(own, time.ticks.back()).substr(0, 10),
                                                               rows == 12 ? fmt::format("month {}", date.month) : fmt::format("the day {:02d}-{:02d}", date.month, date.day)), remedy);
    }
    covered[std::size_t(s)] = 1;
    const double* row = v.data<double>() + r * c.points_;
    std::copy(row, row + c.points_, values + s * c.points_);
  }
  if (c.slots_ == 366 && !covered[59] && covered[58] && covered[60]) {  // of years without 29 February: between its neighbours
    for (std::int64_t p = 0; p < c.points_; ++p) values[59 * c.points_ + p] = (values[58 * c.points_ + p] + values[60 * c.points_ + p]) / 2;
    covered[59] = 1;
  }
  if (std::find(covered.begin(), covered.end(), 0) != covered.end()) {
    throw Error(ErrorKind::data, "climate.base", fmt::format("the {} times of '{}', {} to {}, are no climatology: it lacks {}", rows, array.name, date_text(own, time.ticks.front()).substr(0, 10), date_text(own, time.ticks.back()).substr(0, 10),
                                                             uncovered_text(covered, c.calendar_)), remedy);
  }
  if (!array.axes[0].attributes.count("climatology")) {
    c.notes_.push_back(fmt::format("the time axis has no climatology bounds: its {} times are taken for the {} of a climatology", rows, rows == 12 ? "months" : "days"));
  }
  return c;
}

LabelledArray anomaly_of(const LabelledArray& input, const Cycle& cycle) {
  LabelledArray out = time_first(input);
  const std::int64_t rows = out.values.size(0), points = rows ? out.values.numel() / rows : 0;
  if (rows && points != cycle.points()) {
    throw Error(ErrorKind::data, "climate.base", fmt::format("'{}' has {} points a time, its climatology {}", out.name, points, cycle.points()), "make the climatology from the same grid and levels");
  }
  const bool single = out.values.dtype() == DType::f32;
  const Tensor in = out.values.to(single ? DType::f32 : DType::f64).contiguous(), result = Tensor::empty(in.shape(), in.dtype(), kCpu);
  const auto& ticks = out.axes[0].time->ticks;
  parallel_for(rows, [&](std::int64_t r) {
    std::vector<double> mean(static_cast<std::size_t>(points));
    cycle.at(ticks[std::size_t(r)], mean.data());
    for (std::int64_t p = 0; p < points; ++p) {
      const std::int64_t at = r * points + p;
      if (single) result.data<float>()[at] = float(double(in.data<float>()[at]) - mean[std::size_t(p)]);
      else result.data<double>()[at] = in.data<double>()[at] - mean[std::size_t(p)];
    }
  });
  out.values = result;
  // The difference of two temperatures is no temperature on the scale of either.
  if (auto name = out.attributes.find("standard_name"); name != out.attributes.end()) name->second += "_anomaly";
  if (auto name = out.attributes.find("long_name"); name != out.attributes.end()) name->second += " anomaly";
  return out;
}

}  // namespace tenon::climate
