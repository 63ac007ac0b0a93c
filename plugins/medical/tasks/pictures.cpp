#include "medical/tasks/pictures.hpp"

#include <algorithm>
#include <cmath>

#include "medical/image/orient.hpp"
#include "tenon/error.hpp"
#include "tenon/io/png.hpp"

namespace tenon::medical {
namespace {

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour kAgree{86, 180, 233}, kMissed{213, 94, 0}, kAdded{204, 121, 167};  // sky blue, vermilion, purple
constexpr float kFill = 0.35f;                                                      // opacity inside a region; its rim is opaque
constexpr int kTarget = 240, kGap = 6;  // pixels of a panel's longer side, about; between panels

/// One plane of a scan: rows x columns voxels, `at(r, c)` gives the voxel's index.
struct Plane {
  std::int64_t rows, columns;
  double row_mm, column_mm;
  std::int64_t origin, row_step, column_step;
  std::int64_t at(std::int64_t r, std::int64_t c) const { return origin + r * row_step + c * column_step; }
};

struct Canvas {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
  void set(int x, int y, const Colour& c) { std::copy(c.begin(), c.end(), rgb.begin() + (std::ptrdiff_t(y) * width + x) * 3); }
};

/// The slice along `axis` where prediction and truth differ most; the truth's mean position where they do not.
std::int64_t telling_slice(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> prediction,
                           const std::array<std::int64_t, 3>& size, int axis) {
  std::vector<std::int64_t> differ(std::size_t(size[std::size_t(axis)]), 0);
  double sum = 0, count = 0;
  std::size_t i = 0;
  std::array<std::int64_t, 3> p{};
  for (p[0] = 0; p[0] < size[0]; ++p[0])
    for (p[1] = 0; p[1] < size[1]; ++p[1])
      for (p[2] = 0; p[2] < size[2]; ++p[2], ++i) {
        const auto at = p[std::size_t(axis)];
        if (truth[i] != prediction[i]) ++differ[std::size_t(at)];
        if (truth[i] > 0) {
          sum += double(at);
          count += 1;
        }
      }
  const auto most = std::max_element(differ.begin(), differ.end());
  if (*most > 0) return most - differ.begin();
  return count > 0 ? std::int64_t(std::llround(sum / count)) : size[std::size_t(axis)] / 2;
}

/// Paints one panel: grey scan, regions by `colour(voxel)` (false: none), rims opaque.
template <class F>
void paint(Canvas& canvas, int left, int top, int width, int height, const Plane& plane, std::span<const float> image, float low,
           float high, F&& colour) {
  auto voxel = [&](int x, int y) { return std::pair{std::int64_t(y) * plane.rows / height, std::int64_t(x) * plane.columns / width}; };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto [r, c] = voxel(x, y);
      const std::int64_t at = plane.at(r, c);
      const float grey = std::clamp((image[std::size_t(at)] - low) / std::max(high - low, 1e-12f), 0.0f, 1.0f) * 255;
      Colour shade{std::uint8_t(grey), std::uint8_t(grey), std::uint8_t(grey)}, tint{};
      if (colour(at, tint)) {
        bool rim = false;
        for (const auto& [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
          const int nx = x + dx, ny = y + dy;
          Colour other{};
          if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
          const auto [nr, nc] = voxel(nx, ny);
          rim |= !colour(plane.at(nr, nc), other) || other != tint;
        }
        const float share = rim ? 1.0f : kFill;
        for (std::size_t k = 0; k < 3; ++k) shade[k] = std::uint8_t(share * tint[k] + (1 - share) * grey);
      }
      canvas.set(left + x, top + y, shade);
    }
}

}  // namespace

std::array<std::uint8_t, 3> label_colour(int label) {
  static constexpr Colour kColours[] = {{0, 158, 115},  {240, 228, 66},  {0, 114, 178}, {230, 159, 0},
                                        {86, 180, 233}, {204, 121, 167}, {213, 94, 0}};
  return kColours[std::size_t(label + 6) % 7];
}

std::vector<ColourKey> picture_key(const std::vector<std::string>& label_names) {
  std::vector<ColourKey> key;
  for (std::size_t label = 1; label < label_names.size(); ++label) key.push_back({label_names[label], label_colour(int(label))});
  key.insert(key.end(), {{"difference: both agree", kAgree}, {"difference: missed", kMissed}, {"difference: added", kAdded}});
  return key;
}

Picture picture_case(const Tensor& image, const Tensor& truth, const Tensor& prediction, const Geometry& geometry,
                     const std::string& caption) {
  if (!(image.shape() == truth.shape()) || !(image.shape() == prediction.shape()) || image.rank() != 3)
    throw_usage("picture_case",
                "scan " + image.shape().str() + ", truth " + truth.shape().str() + ", prediction " + prediction.shape().str());
  // Left, posterior, superior along x, y, z: then the panels below are what a radiologist expects.
  const Orientation turn = orientation_to(geometry, "LPS");
  const Tensor scan = reorient(image, turn).contiguous(), actual = reorient(truth, turn).contiguous(),
               guess = reorient(prediction, turn).contiguous();
  const auto spacing = reorient(geometry, turn).spacing();
  const auto grey = scan.span<float>();
  const auto t = actual.span<std::uint8_t>(), p = guess.span<std::uint8_t>();
  const std::array<std::int64_t, 3> n{scan.size(0), scan.size(1), scan.size(2)};
  const std::int64_t slab = n[1] * n[2];

  std::vector<float> sorted(grey.begin(), grey.end());
  const std::size_t tail = sorted.size() / 200;  // half a percent at either end is left to saturate
  std::nth_element(sorted.begin(), sorted.begin() + std::ptrdiff_t(tail), sorted.end());
  const float low = sorted[tail];
  std::nth_element(sorted.begin(), sorted.end() - 1 - std::ptrdiff_t(tail), sorted.end());
  const float high = sorted[sorted.size() - 1 - tail];

  const std::int64_t z = telling_slice(t, p, n, 0), y = telling_slice(t, p, n, 1), x = telling_slice(t, p, n, 2);
  const Plane planes[] = {
      {n[1], n[2], spacing[1], spacing[0], z * slab, n[2], 1},                       // axial: rows to posterior
      {n[0], n[2], spacing[2], spacing[0], (n[0] - 1) * slab + y * n[2], -slab, 1},  // coronal: superior on top
      {n[0], n[1], spacing[2], spacing[1], (n[0] - 1) * slab + x, -slab, n[2]},      // sagittal: anterior on the left
  };
  double longest = 0;
  for (const auto& plane : planes)
    longest = std::max({longest, double(plane.rows) * plane.row_mm, double(plane.columns) * plane.column_mm});
  const double finest = std::min({spacing[0], spacing[1], spacing[2]});
  const double scale = std::max(1.0, std::round(kTarget / longest * finest)) / finest;  // whole pixels a voxel of the finest axis

  int widths[3], heights[3], height = kGap, width = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    widths[k] = std::max(1, int(std::lround(double(planes[k].columns) * planes[k].column_mm * scale)));
    heights[k] = std::max(1, int(std::lround(double(planes[k].rows) * planes[k].row_mm * scale)));
    height += heights[k] + kGap;
    width = std::max(width, widths[k]);
  }
  Canvas canvas{3 * width + 4 * kGap, height, {}};
  canvas.rgb.assign(std::size_t(canvas.width) * std::size_t(canvas.height) * 3, 255);

  auto by_label = [](std::span<const std::uint8_t> labels) {
    return [labels](std::int64_t at, Colour& c) {
      if (labels[std::size_t(at)] == 0) return false;
      c = label_colour(labels[std::size_t(at)]);
      return true;
    };
  };
  auto difference = [&](std::int64_t at, Colour& c) {
    const auto a = t[std::size_t(at)], b = p[std::size_t(at)];
    if (a == 0 && b == 0) return false;
    c = a == b ? kAgree : a == 0 ? kAdded : kMissed;
    return true;
  };
  int top = kGap;
  for (std::size_t k = 0; k < 3; ++k) {
    auto left = [&](int column) { return kGap + column * (width + kGap) + (width - widths[k]) / 2; };
    paint(canvas, left(0), top, widths[k], heights[k], planes[k], grey, low, high, by_label(t));
    paint(canvas, left(1), top, widths[k], heights[k], planes[k], grey, low, high, by_label(p));
    paint(canvas, left(2), top, widths[k], heights[k], planes[k], grey, low, high, difference);
    top += heights[k] + kGap;
  }
  return {caption, encode_png(canvas.rgb, canvas.width, canvas.height, 3)};
}

}  // namespace tenon::medical
