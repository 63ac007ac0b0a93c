#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "medical/image/volume.hpp"

namespace tenon::medical {

std::array<double, 3> Geometry::spacing() const {
  std::array<double, 3> out;
  for (std::size_t c = 0; c < 3; ++c) out[c] = std::hypot(to_ras[0][c], to_ras[1][c], to_ras[2][c]);
  return out;
}

std::array<std::array<double, 3>, 3> Geometry::direction() const {
  auto length = spacing();
  std::array<std::array<double, 3>, 3> out;
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t c = 0; c < 3; ++c) out[r][c] = to_ras[r][c] / length[c];
  }
  return out;
}

std::array<double, 3> Geometry::origin() const { return {to_ras[0][3], to_ras[1][3], to_ras[2][3]}; }

std::array<double, 3> Geometry::point(double i, double j, double k) const {
  std::array<double, 3> out;
  for (std::size_t r = 0; r < 3; ++r) out[r] = to_ras[r][0] * i + to_ras[r][1] * j + to_ras[r][2] * k + to_ras[r][3];
  return out;
}

double Geometry::determinant() const {
  const auto& m = to_ras;
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

double Geometry::shear() const {
  auto d = direction();
  double worst = 0;
  for (std::size_t a = 0; a < 3; ++a) {
    for (std::size_t b = a + 1; b < 3; ++b) worst = std::max(worst, std::abs(d[0][a] * d[0][b] + d[1][a] * d[1][b] + d[2][a] * d[2][b]));
  }
  return worst;
}

Geometry Geometry::from_parts(std::array<std::int64_t, 3> size, const std::array<double, 3>& spacing,
                              const std::array<std::array<double, 3>, 3>& direction, const std::array<double, 3>& origin) {
  Geometry g;
  g.size = size;
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t c = 0; c < 3; ++c) g.to_ras[r][c] = direction[r][c] * spacing[c];
    g.to_ras[r][3] = origin[r];
  }
  return g;
}

double corner_difference(const Geometry& a, const Geometry& b) {
  double worst = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double i = corner & 1 ? double(a.size[0] - 1) : 0, j = corner & 2 ? double(a.size[1] - 1) : 0, k = corner & 4 ? double(a.size[2] - 1) : 0;
    auto p = a.point(i, j, k), q = b.point(i, j, k);
    worst = std::max(worst, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return worst;
}

std::string describe_difference(const Geometry& a, const Geometry& b, double tolerance) {
  if (a.size != b.size) {
    return fmt::format("sizes differ: {}x{}x{} against {}x{}x{} voxels", a.size[0], a.size[1], a.size[2], b.size[0], b.size[1], b.size[2]);
  }
  double mm = corner_difference(a, b);
  if (mm <= tolerance) return {};
  auto s = a.spacing(), t = b.spacing();
  return fmt::format("grids lie up to {:.4g} mm apart (spacing {:.6g}x{:.6g}x{:.6g} against {:.6g}x{:.6g}x{:.6g} mm, axes {} against {})", mm,
                     s[0], s[1], s[2], t[0], t[1], t[2], a.orientation(), b.orientation());
}

std::vector<std::string> Volume::warnings() const {
  std::vector<std::string> out;
  for (int i = 0;; ++i) {
    auto found = attributes.find("warning." + std::to_string(i));
    if (found == attributes.end()) return out;
    out.push_back(found->second);
  }
}

std::string Volume::warning_line(const std::filesystem::path& file) const {
  std::string line;
  for (const auto& text : warnings()) line += (line.empty() ? file.string() + ": " : "; ") + text;
  return line;
}

void Volume::warn(std::string text) { attributes["warning." + std::to_string(warnings().size())] = std::move(text); }

}  // namespace tenon::medical
