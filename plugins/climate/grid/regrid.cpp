#include "climate/grid/regrid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "climate/io/coordinates.hpp"
#include "climate/io/stored.hpp"
#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::climate {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t(1) << 26;

/// Targets a task of the parallel loop computes.
constexpr std::int64_t kGrain = 4096;

/// One slab, targets [from, to). Differences from the first value are weighed, so that a constant stays exactly that.
template <class T> void slab(const T* x, T* out, const Weights& w, std::int64_t from, std::int64_t to, double least) {
  for (std::int64_t t = from; t < to; ++t) {
    const std::int64_t begin = w.begin[std::size_t(t)], end = w.begin[std::size_t(t) + 1];
    double reference = 0, sum = 0, total = 0;
    std::int64_t k = begin;
    while (k < end && std::isnan(x[w.source[std::size_t(k)]])) ++k;
    if (k < end) reference = double(x[w.source[std::size_t(k)]]);
    for (; k < end; ++k) {
      const double v = double(x[w.source[std::size_t(k)]]), weight = w.weight[std::size_t(k)];
      const bool valid = !std::isnan(v);
      sum += valid ? weight * (v - reference) : 0.0;
      total += valid ? weight : 0.0;
    }
    // Weights of a whole row sum to one up to rounding.
    out[t] = total > 0 && total >= least - 1e-9 ? T(reference + sum / total) : std::numeric_limits<T>::quiet_NaN();
  }
}

}  // namespace

Tensor apply_weights(const Tensor& values, const Weights& w, std::int64_t rows, std::int64_t columns, double least_valid) {
  Shape shape = values.shape();
  if (shape.rank() < 2 || shape[-1] * shape[-2] != w.sources || rows * columns != w.targets) {
    throw_usage("apply_weights", fmt::format("values {} do not lie on the source of {} cells", values.str(), w.sources));
  }
  const DType dtype = values.dtype() == DType::f64 || values.dtype() == DType::i64 || values.dtype() == DType::i32 ? DType::f64 : DType::f32;
  const Tensor in = values.to(dtype).contiguous();
  const std::int64_t slabs = w.sources ? in.numel() / w.sources : 0;
  shape[-2] = rows;
  shape[-1] = columns;
  const Tensor out = Tensor::empty(shape, dtype, kCpu);
  auto run = [&](auto zero) {
    using T = decltype(zero);
    const T* x = in.data<T>();
    T* y = out.data<T>();
    const std::int64_t pieces = (w.targets + kGrain - 1) / kGrain;
    parallel_for(slabs * pieces, [&](std::int64_t task) {
      const std::int64_t s = task / pieces, from = task % pieces * kGrain;
      slab(x + s * w.sources, y + s * w.targets, w, from, std::min(from + kGrain, w.targets), least_valid);
    });
  };
  if (slabs > 0) {
    if (dtype == DType::f64) run(double{});
    else run(float{});
  }
  return out;
}

namespace {

Weights weights_of(const LabelledArray& labels, const Grid& target, const RegridOptions& options) {
  const Grid source = grid_of(labels, options.note);
  if (options.method == Method::conservative && source.derived_cells && source.points_along.empty()) options.note(fmt::format("'{}' has no bounds: cells are taken halfway between its centres", labels.name));
  return make_weights(source, target, options.method);
}

/// What lay on the old grid goes to the new one where it is a term of a formula (the pressure at the surface), else it is dropped, with a note.
void leave_old_grid(LabelledArray& out, const std::string& lat_name, const std::string& lon_name, const Grid& target, const RegridOptions& options) {
  std::vector<LabelledArray> kept;
  for (auto& extra : out.auxiliary) {
    auto has = [&](const std::string& name) { return std::any_of(extra.axes.begin(), extra.axes.end(), [&](const Axis& a) { return a.name == name; }); };
    const bool old = has(lat_name) || has(lon_name), mapping = link_of(extra) == "grid_mapping";
    if (!old && !mapping) {
      kept.push_back(std::move(extra));
    } else if (link_of(extra) == "formula_terms" && has(lat_name) && has(lon_name) && (extra.values.dtype() == DType::f32 || extra.values.dtype() == DType::f64)) {
      kept.push_back(regrid(extra, target, options));
    } else {
      options.note(fmt::format("'{}' {} the old grid and is dropped", extra.name, mapping ? "describes" : "lies on"));
    }
  }
  out.auxiliary = std::move(kept);
  for (const char* attribute : {"cell_measures", "grid_mapping"}) {
    const std::string text = text_of(out.attributes, attribute);
    if (text.empty()) continue;
    options.note(fmt::format("the {} '{}' of the old grid is dropped", attribute, text));
    out.attributes.erase(attribute);
  }
}

/// Axes and auxiliary arrays of the result; latitude and longitude are the last axes.
void put_on(const Grid& target, LabelledArray& out, const RegridOptions& options) {
  const std::string lat_name = out.axes[out.axes.size() - 2].name, lon_name = out.axes.back().name;
  out.axes[out.axes.size() - 2] = latitude_axis(target);
  out.axes.back() = longitude_axis(target);
  leave_old_grid(out, lat_name, lon_name, target, options);
}

}  // namespace

LabelledArray regrid(const LabelledArray& input, const Grid& target, const RegridOptions& options) {
  const LabelledArray array = without_doubled_meridian(input);
  const int lat = require_axis(array, AxisRole::latitude), lon = require_axis(array, AxisRole::longitude);
  const Weights w = weights_of(array, target, options);

  LabelledArray out = array;
  // Latitude and longitude last, whatever the file's order.
  std::vector<int> order;
  for (int k = 0; k < array.values.rank(); ++k)
    if (k != lat && k != lon) order.push_back(k);
  order.push_back(lat);
  order.push_back(lon);
  std::vector<std::int64_t> sizes;
  Tensor values = array.values;
  std::vector<int> at(order.size());
  for (std::size_t k = 0; k < at.size(); ++k) at[k] = int(k);
  for (std::size_t k = 0; k < order.size(); ++k) {  // permute by swaps
    const auto where = std::size_t(std::find(at.begin(), at.end(), order[k]) - at.begin());
    if (where == k) continue;
    values = values.transpose(int(k), int(where));
    std::swap(at[k], at[where]);
  }
  out.axes.clear();
  for (int k : order) out.axes.push_back(array.axes[std::size_t(k)]);
  put_on(target, out, options);
  out.values = apply_weights(values, w, std::int64_t(target.lat.size()), std::int64_t(target.lon.size()), options.least_valid);
  return out;
}

std::optional<LabelledArray> regrid(const VariableBlocks& blocks, const Grid& target, const RegridOptions& options) {
  const int rank = int(blocks.sizes.size());
  if (rank < 3 || find_axis(blocks.labels, AxisRole::latitude) != rank - 2 || find_axis(blocks.labels, AxisRole::longitude) != rank - 1 || is_cyclic_doubled(blocks.labels.axes.back())) return {};
  const Weights w = weights_of(blocks.labels, target, options);
  const auto rows = std::int64_t(target.lat.size()), columns = std::int64_t(target.lon.size());
  LabelledArray out = blocks.labels;
  put_on(target, out, options);
  Shape shape;
  for (auto n : blocks.sizes) shape.push_back(n);
  shape[-2] = rows;
  shape[-1] = columns;
  out.values = Tensor::empty(shape, blocks.dtype, kCpu);
  for (std::int64_t first = 0; first < blocks.sizes[0]; first += blocks.rows) {
    const std::int64_t count = std::min(blocks.rows, blocks.sizes[0] - first);
    const Tensor block = blocks.read(first, count);
    // A block of a coarse grid may be large on a fine one: in pieces, between which a stop is heard.
    const std::int64_t bytes_of_row = std::max<std::int64_t>(1, out.values.numel() / blocks.sizes[0] * std::int64_t(size_of(blocks.dtype))), piece = std::max<std::int64_t>(1, kPieceBytes / bytes_of_row);
    for (std::int64_t at = 0; at < count; at += piece) {
      options.between();
      const std::int64_t n = std::min(piece, count - at);
      const Tensor part = apply_weights(block.narrow(0, at, n).contiguous(), w, rows, columns, options.least_valid);
      out.values.narrow(0, first + at, n).copy_from_host(part.raw(), part.nbytes());
    }
  }
  return out;
}

}  // namespace tenon::climate
