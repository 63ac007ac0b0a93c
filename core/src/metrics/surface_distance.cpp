#include "tenon/surface_distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/check.hpp"
#include "tenon/distance_transform.hpp"
#include "tenon/error.hpp"

namespace tenon {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Size = std::array<std::int64_t, 3>;

/// Surface points of a mask on a lattice that both masks share.
struct Surface {
  std::vector<std::uint8_t> point;
  std::vector<double> weight;
};

struct Lattice {
  Size low{}, size{};  ///< in voxels of the grid
};

/// A mask's value; outside the grid there is nothing.
class Mask {
 public:
  Mask(std::span<const std::uint8_t> values, const Size& size) : values_(values), size_(size) {}
  bool operator()(std::int64_t z, std::int64_t y, std::int64_t x) const {
    if (z < 0 || y < 0 || x < 0 || z >= size_[0] || y >= size_[1] || x >= size_[2]) return false;
    return values_[std::size_t((z * size_[1] + y) * size_[2] + x)] != 0;
  }

 private:
  std::span<const std::uint8_t> values_;
  Size size_;
};

template <class F>
void each(const Size& size, F&& f) {
  std::size_t i = 0;
  for (std::int64_t z = 0; z < size[0]; ++z)
    for (std::int64_t y = 0; y < size[1]; ++y)
      for (std::int64_t x = 0; x < size[2]; ++x) f(i++, z, y, x);
}

Surface surfels(const Mask& mask, const Lattice& l, const std::array<double, 256>& areas) {
  Surface s;
  const auto n = std::size_t(l.size[0] * l.size[1] * l.size[2]);
  s.point.assign(n, 0);
  s.weight.assign(n, 0);
  each(l.size, [&](std::size_t i, std::int64_t z, std::int64_t y, std::int64_t x) {
    int code = 0;  // lattice point p lies between voxels p - 1 and p
    for (int c = 0; c < 8; ++c)
      code = 2 * code + int(mask(l.low[0] + z - 1 + (c >> 2), l.low[1] + y - 1 + ((c >> 1) & 1), l.low[2] + x - 1 + (c & 1)));
    s.point[i] = code != 0 && code != 255;
    s.weight[i] = areas[std::size_t(code)];
  });
  return s;
}

Surface rim(const Mask& mask, const Lattice& l) {
  Surface s;
  s.point.assign(std::size_t(l.size[0] * l.size[1] * l.size[2]), 0);
  s.weight.assign(s.point.size(), 1);
  each(l.size, [&](std::size_t i, std::int64_t z0, std::int64_t y0, std::int64_t x0) {
    const std::int64_t z = l.low[0] + z0, y = l.low[1] + y0, x = l.low[2] + x0;
    s.point[i] = mask(z, y, x) && !(mask(z - 1, y, x) && mask(z + 1, y, x) && mask(z, y - 1, x) && mask(z, y + 1, x) && mask(z, y, x - 1) &&
                                    mask(z, y, x + 1));
  });
  return s;
}

std::vector<SurfacePoint> distances(const Surface& from, const Surface& to, const Size& size, const std::array<double, 3>& spacing) {
  const auto squared = squared_distance(to.point, size, spacing);
  std::vector<SurfacePoint> points;
  for (std::size_t i = 0; i < from.point.size(); ++i)
    if (from.point[i]) points.push_back({std::sqrt(squared[i]), from.weight[i]});
  std::sort(points.begin(), points.end(), [](const SurfacePoint& a, const SurfacePoint& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.weight < b.weight;
  });
  return points;
}

double total(const std::vector<SurfacePoint>& points) {
  double sum = 0;
  for (const auto& p : points) sum += p.weight;
  return sum;
}

double moment(const std::vector<SurfacePoint>& points) {
  double sum = 0;
  for (const auto& p : points) sum += p.weight * p.distance;
  return sum;
}

double percentile(const std::vector<SurfacePoint>& points, double percent, SurfaceKind kind) {
  if (kind == SurfaceKind::voxel) {  // linear between order statistics, as numpy.percentile
    const double at = percent / 100 * double(points.size() - 1);
    const auto low = std::size_t(at), high = std::min(low + 1, points.size() - 1);
    return points[low].distance + (at - double(low)) * (points[high].distance - points[low].distance);
  }
  const double goal = percent / 100, all = total(points);
  double sum = 0;
  for (const auto& p : points) {
    sum += p.weight;
    if (sum / all >= goal) return p.distance;
  }
  return points.back().distance;
}

}  // namespace

SurfaceDistances surface_distances(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> prediction, const Size& size,
                                   const std::array<double, 3>& spacing, SurfaceKind kind) {
  const char* op = "surface_distances";
  for (std::int64_t n : size)
    if (n < 0) throw_usage(op, "a grid of " + std::to_string(size[0]) + " x " + std::to_string(size[1]) + " x " + std::to_string(size[2]));
  const std::int64_t voxels = size_times(op, size_times(op, size[0], size[1]), size[2]);
  if (std::int64_t(truth.size()) != voxels || std::int64_t(prediction.size()) != voxels)
    throw_usage("surface_distances", std::to_string(truth.size()) + " and " + std::to_string(prediction.size()) + " voxels for a grid of " +
                                         std::to_string(voxels));
  for (double s : spacing)
    if (!(s > 0) || !std::isfinite(s)) throw_usage("surface_distances", "a spacing is " + std::to_string(s) + " mm", "finite, above 0");
  SurfaceDistances result;
  result.kind = kind;
  Size low = size, high{-1, -1, -1};
  result.truth_empty = result.prediction_empty = true;
  each(size, [&](std::size_t i, std::int64_t z, std::int64_t y, std::int64_t x) {
    if (truth[i]) result.truth_empty = false;
    if (prediction[i]) result.prediction_empty = false;
    if (!truth[i] && !prediction[i]) return;
    const Size p{z, y, x};
    for (std::size_t a = 0; a < 3; ++a) {
      low[a] = std::min(low[a], p[a]);
      high[a] = std::max(high[a], p[a]);
    }
  });
  for (std::size_t a = 0; a < 3; ++a) result.diagonal += spacing[a] * spacing[a] * double(size[a]) * double(size[a]);
  result.diagonal = std::sqrt(result.diagonal);
  if (result.truth_empty || result.prediction_empty) return result;

  Lattice lattice{low, {}};
  for (std::size_t a = 0; a < 3; ++a) lattice.size[a] = high[a] - low[a] + (kind == SurfaceKind::surfel ? 2 : 1);
  const Mask t(truth, size), p(prediction, size);
  Surface actual, guess;
  if (kind == SurfaceKind::surfel) {
    const auto areas = surfel_areas(spacing);
    actual = surfels(t, lattice, areas);
    guess = surfels(p, lattice, areas);
  } else {
    actual = rim(t, lattice);
    guess = rim(p, lattice);
  }
  result.truth_to_prediction = distances(actual, guess, lattice.size, spacing);
  result.prediction_to_truth = distances(guess, actual, lattice.size, spacing);
  return result;
}

std::array<double, 2> SurfaceDistances::average() const {
  if (truth_empty && prediction_empty) return {kNaN, kNaN};
  if (truth_empty || prediction_empty) return {diagonal, diagonal};
  return {moment(truth_to_prediction) / total(truth_to_prediction), moment(prediction_to_truth) / total(prediction_to_truth)};
}

double SurfaceDistances::symmetric_average() const {
  if (truth_empty || prediction_empty) return average()[0];
  return (moment(truth_to_prediction) + moment(prediction_to_truth)) / (total(truth_to_prediction) + total(prediction_to_truth));
}

double SurfaceDistances::hausdorff(double percent) const {
  if (!(percent >= 0 && percent <= 100)) throw_usage("hausdorff", "percentile " + std::to_string(percent), "0 to 100");
  if (truth_empty && prediction_empty) return kNaN;
  if (truth_empty || prediction_empty) return diagonal;
  return std::max(percentile(truth_to_prediction, percent, kind), percentile(prediction_to_truth, percent, kind));
}

double SurfaceDistances::surface_dice(double tolerance) const {
  if (!(tolerance >= 0)) throw_usage("surface_dice", "tolerance " + std::to_string(tolerance) + " mm", "0 or more");
  if (truth_empty && prediction_empty) return kNaN;
  if (truth_empty || prediction_empty) return 0;
  double near = 0;
  for (const auto* points : {&truth_to_prediction, &prediction_to_truth})
    for (const auto& p : *points)
      if (p.distance <= tolerance) near += p.weight;
  return near / (total(truth_to_prediction) + total(prediction_to_truth));
}

}  // namespace tenon
