#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "climate/tools/common.hpp"
#include "climate/tools/select.hpp"
#include "climate/tools/tools.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

[[noreturn]] void nothing(const LabelledArray& a, const std::string& what) {
  throw Error(ErrorKind::data, "climate.nothing_selected", fmt::format("'{}' has no position in {}", a.name, what), "`tenon climate info` shows what the file covers");
}

int run(const std::vector<std::string>& inputs, const ParamValues& params, ToolContext& context) {
  const auto [in, out] = in_and_out("select", inputs, params);
  Provenance provenance(in);
  const auto file = open_input(in, params, context);
  LabelledArray array = read_variable(*file, params.text("variable").empty() ? only_variable(*file) : params.text("variable"), read_options(params, in, context));
  std::string done = "select";
  try {
    if (params.given("lat")) {
      const auto& box = params.reals("lat");
      if (box.size() != 2) throw_usage("select", "--lat takes two numbers, south and north", "for example --lat 30,70");
      array = select_latitudes(array, box[0], box[1]);
      done += fmt::format(" --lat {},{}", box[0], box[1]);
    }
    if (params.given("lon")) {
      const auto& box = params.reals("lon");
      if (box.size() != 2) throw_usage("select", "--lon takes two numbers, west and east", "for example --lon 350,20 or --lon -10,20");
      array = select_longitudes(array, box[0], box[1]);
      done += fmt::format(" --lon {},{}", box[0], box[1]);
    }
    if (const auto& period = params.text("time"); !period.empty()) {
      const int k = require_axis(array, AxisRole::time);
      const Axis& time = array.axes[std::size_t(k)];
      const auto order = within(time, parse_period(period, calendar_from_name(time.time->calendar), "time"));
      if (order.empty()) nothing(array, "the period " + period);
      array = taken(array, k, order);
      done += " --time " + period;
    }
    if (const auto& levels = params.reals("levels"); !levels.empty()) {
      array = select_levels(array, levels);
      done += " --levels";
      for (std::size_t i = 0; i < levels.size(); ++i) done += fmt::format("{}{}", i ? "," : " ", levels[i]);
    }
  } catch (const Error& e) {
    throw e.at(in.string());
  }
  write_output(out, std::move(array), *file, provenance, params, done, context);
  return 0;
}

}  // namespace

LabelledArray select_latitudes(const LabelledArray& array, double south, double north) {
  if (south > north) throw_usage("select", fmt::format("--lat {},{}: the southern edge comes first", south, north));
  const int k = require_axis(array, AxisRole::latitude);
  std::vector<std::int64_t> order;
  const auto& lat = array.axes[std::size_t(k)].coordinates;
  for (std::size_t i = 0; i < lat.size(); ++i)
    if (lat[i] >= south - 1e-9 && lat[i] <= north + 1e-9) order.push_back(std::int64_t(i));
  if (order.empty()) nothing(array, fmt::format("latitudes {} to {}", south, north));
  return taken(array, k, order);
}

LabelledArray select_longitudes(const LabelledArray& array, double west, double east) {
  const int k = require_axis(array, AxisRole::longitude);
  const auto& lon = array.axes[std::size_t(k)].coordinates;
  const double turn = east - west, span = std::abs(turn) >= 360 ? 360 : turn - 360 * std::floor(turn / 360);
  std::vector<std::pair<double, std::int64_t>> found;
  for (std::size_t i = 0; i < lon.size(); ++i) {
    double d = lon[i] - west;
    d -= 360 * std::floor((d + 1e-9) / 360);
    if (d <= span + 1e-9) found.emplace_back(d, std::int64_t(i));
  }
  if (found.empty()) nothing(array, fmt::format("longitudes {} to {}", west, east));
  const bool east_first = lon.size() > 1 && lon.back() < lon.front() && std::abs(lon[1] - lon[0]) < 180 && lon[1] < lon[0];
  // A meridian that the file has twice, at both ends of a circle: it closes the circle where all of that is asked for, and is taken once otherwise.
  std::vector<std::pair<double, std::int64_t>> once;
  for (const auto& f : found) {
    const auto before = std::find_if(once.begin(), once.end(), [&](const auto& o) { return std::abs(o.first - f.first) < 1e-9; });
    if (before == once.end()) {
      once.push_back(f);
    } else if (span == 360 && std::abs(f.first) < 1e-9) {  // the eastern one of the two is a turn further on
      if (lon[std::size_t(f.second)] > lon[std::size_t(before->second)]) {
        once.emplace_back(f.first + 360, f.second);
      } else {
        before->first += 360;
        once.push_back(f);
      }
    }
  }
  found = std::move(once);
  std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return east_first ? a.first > b.first : a.first < b.first; });
  std::vector<std::int64_t> order;
  for (const auto& f : found) order.push_back(f.second);
  LabelledArray out = taken(array, k, order);
  // Across the seam the longitudes go on from the first, so that they stay in order.
  Axis& axis = out.axes[std::size_t(k)];
  for (std::size_t i = 1; i < axis.coordinates.size(); ++i) {
    const double shift = -360 * std::round((axis.coordinates[i] - axis.coordinates[i - 1]) / 360);
    axis.coordinates[i] += shift;
    if (!axis.bounds.empty())
      for (double& e : axis.bounds[i]) e += shift;
  }
  return out;
}

LabelledArray select_levels(const LabelledArray& array, const std::vector<double>& levels) {
  const int k = require_axis(array, AxisRole::vertical);
  const auto& z = array.axes[std::size_t(k)].coordinates;
  std::vector<std::int64_t> order;
  for (double level : levels) {
    auto found = std::find_if(z.begin(), z.end(), [&](double x) { return std::abs(x - level) <= 1e-6 * std::max(1.0, std::abs(level)); });
    if (found == z.end()) {
      std::string there;
      for (double x : z) there += fmt::format("{}{}", there.empty() ? "" : ", ", x);
      throw Error(ErrorKind::data, "climate.nothing_selected", fmt::format("'{}' has no level {} {}; levels: {}", array.name, level, array.axes[std::size_t(k)].unit, there), "give levels of the file, in its unit");
    }
    order.push_back(found - z.begin());
  }
  std::sort(order.begin(), order.end());  // as the file has them: an axis runs one way
  if (const auto twice = std::adjacent_find(order.begin(), order.end()); twice != order.end())
    throw_usage("select", fmt::format("--levels names level {} twice", z[std::size_t(*twice)]), "name each once");
  return taken(array, k, order);
}

ToolEntry select_tool() {
  ParamSpec spec = writing_params();
  spec.add(reals_param("lat", {}, "southern and northern edge, both inside", -90, 90, "degrees"));
  spec.add(reals_param("lon", {}, "western and eastern edge, both inside, eastwards: 350,20 passes Greenwich", -720, 720, "degrees"));
  spec.add(text_param("time", "", "period, both ends inside: 2001/2006 or 2001-03-01/2001-05-31"));
  spec.add(reals_param("levels", {}, "levels, in the unit of the file"));
  return {"select", "a variable, a box, a period, levels of a file", "IN OUT [--variable V] [--lat S,N] [--lon W,E] [--time PERIOD] [--levels L,...]", spec, run};
}

}  // namespace tenon::climate
