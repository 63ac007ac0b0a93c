#include "climate/tasks/fine_field.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "climate/io/dataset.hpp"
#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

constexpr int kReach = 2;  // cells to either side that an upsampled value depends on

/// Weights of cells -2 to 2 for each sub-point of a cell along one axis.
std::vector<std::array<float, 2 * kReach + 1>> taps(std::int64_t factor, Upsampling method) {
  std::vector<std::array<float, 2 * kReach + 1>> all;
  for (std::int64_t k = 0; k < factor; ++k) {
    const double x = (double(k) + 0.5) / double(factor) - 0.5;  // place of the sub-point, in cells from the cell's centre
    std::array<float, 2 * kReach + 1> w{};
    for (int j = -kReach; j <= kReach; ++j) {
      const double d = std::abs(x - j);
      double v = 0;
      if (method == Upsampling::nearest) v = j == 0;
      if (method == Upsampling::linear) v = std::max(0.0, 1 - d);
      if (method == Upsampling::cubic) v = d < 1 ? 1.5 * d * d * d - 2.5 * d * d + 1 : d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0;
      w[std::size_t(j + kReach)] = float(v);
    }
    all.push_back(w);
  }
  return all;
}

}  // namespace

FineField read_fine_field(const std::filesystem::path& file, const std::string& variable) {
  const auto opened = open_netcdf(file);
  LabelledArray array = read_variable(*opened, variable.empty() ? only_variable(*opened) : variable);
  int latitude = find_axis(array, AxisRole::latitude).value_or(-1), longitude = find_axis(array, AxisRole::longitude).value_or(-1);
  bool flat = latitude >= 0 && longitude >= 0;
  for (int a = 0; a < int(array.axes.size()); ++a) flat &= a == latitude || a == longitude || array.values.size(a) == 1;
  if (!flat)
    throw Error(ErrorKind::data, "climate.axes", "variable '" + array.name + "' is no single field of latitude and longitude",
                "pick one time and level: tenon climate select", file.string());
  FineField f;
  for (const auto& a : opened->header().attributes)
    if (a.name == "history" && a.is_text()) f.history = a.text();
  f.variable = array.name;
  f.unit = array.unit;
  f.grid = {array.axes[std::size_t(latitude)].coordinates, array.axes[std::size_t(longitude)].coordinates};
  Tensor values = array.values.to(DType::f32);
  for (int a = int(array.axes.size()) - 1; a >= 0; --a)
    if (a != latitude && a != longitude) {
      values = values.select(a, 0);
      array.axes.erase(array.axes.begin() + a);
      latitude -= latitude > a, longitude -= longitude > a;
    }
  values = values.permute({latitude, longitude}).contiguous();
  const auto data = values.span<float>();
  const auto bad = std::find_if(data.begin(), data.end(), [](float v) { return !std::isfinite(v); });
  if (bad != data.end()) {
    const auto at = bad - data.begin();
    throw Error(ErrorKind::data, std::isnan(*bad) ? "climate.missing" : "climate.not_finite",
                fmt::format("'{}' is {} at latitude {:g}, longitude {:g}", f.variable, std::isnan(*bad) ? "missing" : "infinite", f.grid.latitude[std::size_t(at / f.grid.columns())], f.grid.longitude[std::size_t(at % f.grid.columns())]),
                std::isnan(*bad) ? "the task needs a whole field: cut the region to where the variable is known" : "mend the value", file.string());
  }
  f.values.assign(data.begin(), data.end());
  const Axis axes[] = {array.axes[std::size_t(latitude)], array.axes[std::size_t(longitude)]};
  array.axes.assign(std::begin(axes), std::end(axes));
  array.values = {};
  f.source = std::move(array);
  const auto& x = f.grid.longitude;
  const double mean_step = x.size() > 1 ? (x.back() - x.front()) / double(x.size() - 1) : 0;
  f.global = x.size() > 2 && std::abs(std::abs(mean_step) * double(x.size()) - 360) < 0.5 * std::abs(mean_step);
  return f;
}

void trim_to_cells(FineField& f, std::int64_t factor) {
  const std::int64_t rows = f.grid.rows() / factor * factor, columns = f.grid.columns() / factor * factor, width = f.grid.columns();
  if (rows == f.grid.rows() && columns == width) return;
  if (rows == 0 || columns == 0) throw Error(ErrorKind::data, "climate.too_short", "a field of " + grid_text(f.grid) + " holds no cell of " + std::to_string(factor) + " points", "give a larger field");
  std::vector<float> kept;
  kept.reserve(std::size_t(rows * columns));
  for (std::int64_t r = 0; r < rows; ++r) kept.insert(kept.end(), f.values.begin() + r * width, f.values.begin() + r * width + columns);
  f.values = std::move(kept);
  f.global = f.global && columns == width;
  f.grid.latitude.resize(std::size_t(rows));
  f.grid.longitude.resize(std::size_t(columns));
}

void box_means(const float* fine, std::int64_t stride, std::int64_t rows, std::int64_t columns, std::int64_t factor, float* out) {
  const double share = 1.0 / double(factor * factor);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (std::int64_t i = 0; i < factor; ++i)
        for (std::int64_t j = 0; j < factor; ++j) sum += double(fine[(r * factor + i) * stride + c * factor + j]);
      out[r * columns + c] = float(sum * share);
    }
}

void by_cell(const float* fine, std::int64_t stride, std::int64_t rows, std::int64_t columns, std::int64_t factor, float* out) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t i = 0; i < factor; ++i) out = std::copy_n(fine + (r * factor + i) * stride + c * factor, factor, out);
}

void upsample(const float* coarse, std::int64_t rows, std::int64_t columns, std::int64_t factor, Upsampling method, float* out) {
  const auto weight = taps(factor, method);
  std::vector<float> wide(std::size_t(rows * columns * factor));  // along columns alone: [rows, columns, factor]
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      float v[2 * kReach + 1];
      for (int j = -kReach; j <= kReach; ++j) v[j + kReach] = coarse[r * columns + std::clamp<std::int64_t>(c + j, 0, columns - 1)];
      for (std::int64_t k = 0; k < factor; ++k) {
        float sum = 0;
        for (int j = 0; j <= 2 * kReach; ++j) sum += weight[std::size_t(k)][std::size_t(j)] * v[j];
        wide[std::size_t((r * columns + c) * factor + k)] = sum;
      }
    }
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t i = 0; i < factor; ++i)
        for (std::int64_t k = 0; k < factor; ++k) {
          float sum = 0;
          for (int j = -kReach; j <= kReach; ++j)
            sum += weight[std::size_t(i)][std::size_t(j + kReach)] * wide[std::size_t((std::clamp<std::int64_t>(r + j, 0, rows - 1) * columns + c) * factor + k)];
          *out++ = sum;
        }
}

void keep_means(const float* coarse, std::int64_t cells, std::int64_t factor, float* values) {
  const std::int64_t n = factor * factor;
  for (std::int64_t c = 0; c < cells; ++c) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += double(values[c * n + i]);
    const float shift = float(double(coarse[c]) - sum / double(n));
    for (std::int64_t i = 0; i < n; ++i) values[c * n + i] += shift;
  }
}

}  // namespace tenon::climate
