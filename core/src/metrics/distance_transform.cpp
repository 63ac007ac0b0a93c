#include "tenon/distance_transform.hpp"

#include <limits>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

/// d(q) = min over p of f(p) + (step (q - p))^2, in place over one line; infinite f(p) take no part.
void transform_line(std::vector<double>& f, double step, std::vector<std::int64_t>& site, std::vector<double>& from,
                    std::vector<double>& value) {
  const auto n = std::int64_t(f.size());
  const double square = step * step;
  std::int64_t last = -1;  // parabolas in the envelope: site[0..last], each from from[k] on
  for (std::int64_t q = 0; q < n; ++q) {
    const double fq = f[std::size_t(q)];
    if (fq == kFar) continue;
    double cross = -kFar;
    while (last >= 0) {
      const std::int64_t p = site[std::size_t(last)];
      cross = 0.5 * ((fq - value[std::size_t(last)]) / (square * double(q - p)) + double(q + p));
      if (cross > from[std::size_t(last)]) break;
      --last;
    }
    if (last < 0) cross = -kFar;
    ++last;
    site[std::size_t(last)] = q;
    from[std::size_t(last)] = cross;
    value[std::size_t(last)] = fq;
  }
  if (last < 0) return;
  std::int64_t k = 0;
  for (std::int64_t q = 0; q < n; ++q) {
    while (k < last && from[std::size_t(k + 1)] < double(q)) ++k;
    const double d = double(q - site[std::size_t(k)]);
    f[std::size_t(q)] = value[std::size_t(k)] + square * d * d;
  }
}

}  // namespace

std::vector<double> squared_distance(std::span<const std::uint8_t> set, const std::array<std::int64_t, 3>& size,
                                     const std::array<double, 3>& spacing) {
  const std::int64_t voxels = size[0] * size[1] * size[2];
  if (std::int64_t(set.size()) != voxels)
    throw_usage("squared_distance", std::to_string(set.size()) + " voxels for a grid of " + std::to_string(voxels));
  std::vector<double> d(set.size());
  for (std::size_t i = 0; i < set.size(); ++i) d[i] = set[i] ? 0.0 : kFar;
  const std::array<std::int64_t, 3> stride{size[1] * size[2], size[2], 1};
  for (std::size_t axis = 3; axis-- > 0;) {
    const std::int64_t n = size[axis];
    if (n == 0) continue;
    // Lines are counted by their start: first over the axes outside, then over those inside.
    parallel_blocks(voxels / n, 256, [&](std::int64_t begin, std::int64_t end) {
      std::vector<double> line(static_cast<std::size_t>(n)), from(line.size()), value(line.size());
      std::vector<std::int64_t> site(line.size());
      for (std::int64_t l = begin; l < end; ++l) {
        double* at = d.data() + l / stride[axis] * stride[axis] * n + l % stride[axis];
        for (std::int64_t k = 0; k < n; ++k) line[std::size_t(k)] = at[k * stride[axis]];
        transform_line(line, spacing[axis], site, from, value);
        for (std::int64_t k = 0; k < n; ++k) at[k * stride[axis]] = line[std::size_t(k)];
      }
    });
  }
  return d;
}

}  // namespace tenon
