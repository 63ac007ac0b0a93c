#include "rules.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "classes.hpp"
#include "features.hpp"

namespace driving_plugin {
namespace {

constexpr std::int64_t kHeights = 41, kReflectances = 5, kNumbers = 8;
constexpr std::int64_t kAround = 2;  // pillars on each side in which the ground is looked for

struct Column {
  float low = std::numeric_limits<float>::infinity(), high = -low, reflectance = 0;
  std::int64_t points = 0;
};

std::int64_t bins_of(Rule::Kind kind) {
  return kind == Rule::Kind::constant ? 1 : kind == Rule::Kind::height ? kHeights : kHeights * kReflectances * kNumbers;
}

/// [nx * ny] the row of the table for each pillar; -1 where no point is.
std::vector<std::int64_t> bins(Rule::Kind kind, const Grid& grid, std::span<const Point> points) {
  std::vector<Column> columns(static_cast<std::size_t>(grid.cells()));
  for (const Point& p : points) {
    const std::int64_t cell = grid.cell_of(p);
    if (cell < 0) continue;
    Column& column = columns[static_cast<std::size_t>(cell)];
    column.low = std::min(column.low, p.z);
    column.high = std::max(column.high, p.z);
    column.reflectance += p.reflectance;
    ++column.points;
  }
  std::vector<std::int64_t> out(columns.size(), -1);
  for (std::int64_t ix = 0; ix < grid.nx; ++ix) {
    for (std::int64_t iy = 0; iy < grid.ny; ++iy) {
      const auto cell = static_cast<std::size_t>(ix * grid.ny + iy);
      const Column& column = columns[cell];
      if (column.points == 0) continue;
      float ground = column.low;
      for (std::int64_t kx = std::max<std::int64_t>(0, ix - kAround); kx <= std::min(grid.nx - 1, ix + kAround); ++kx)
        for (std::int64_t ky = std::max<std::int64_t>(0, iy - kAround); ky <= std::min(grid.ny - 1, iy + kAround); ++ky)
          ground = std::min(ground, columns[static_cast<std::size_t>(kx * grid.ny + ky)].low);
      const auto height = std::min(kHeights - 1, static_cast<std::int64_t>((column.high - ground) / 0.1f));
      const auto reflectance =
          std::min(kReflectances - 1, static_cast<std::int64_t>(5 * column.reflectance / static_cast<float>(column.points)));
      const auto number = std::min<std::int64_t>(kNumbers - 1, std::bit_width(static_cast<std::uint64_t>(column.points)) - 1);
      out[cell] = kind == Rule::Kind::constant ? 0
                  : kind == Rule::Kind::height ? height
                                               : (height * kReflectances + reflectance) * kNumbers + number;
    }
  }
  return out;
}

}  // namespace

std::string Rule::name() const {
  return kind_ == Kind::constant ? "the most frequent class everywhere"
         : kind_ == Kind::height ? "height above the ground"
                                 : "height, reflectance, points";
}

void Rule::fit(const Grid& grid, std::span<const Scene> scenes) {
  std::vector<std::array<std::int64_t, kClasses>> votes(static_cast<std::size_t>(bins_of(kind_)));
  std::array<std::int64_t, kClasses> all{};
  for (const Scene& scene : scenes) {
    const std::vector<std::int64_t> rows = bins(kind_, grid, scene.points);
    const std::vector<std::uint8_t> truth = cell_classes(grid, scene.points, scene.classes);
    for (std::size_t c = 0; c < rows.size(); ++c) {
      if (rows[c] < 0) continue;
      ++votes[static_cast<std::size_t>(rows[c])][truth[c]];
      ++all[truth[c]];
    }
  }
  const auto most = [](const std::array<std::int64_t, kClasses>& v) {
    return static_cast<std::uint8_t>(std::max_element(v.begin(), v.end()) - v.begin());
  };
  table_.assign(votes.size(), most(all));  // also for numbers that no scene had
  for (std::size_t row = 0; row < votes.size(); ++row)
    if (std::any_of(votes[row].begin(), votes[row].end(), [](std::int64_t n) { return n > 0; })) table_[row] = most(votes[row]);
}

std::vector<std::uint8_t> Rule::apply(const Grid& grid, std::span<const Point> points) const {
  const std::vector<std::int64_t> rows = bins(kind_, grid, points);
  std::vector<std::uint8_t> out(rows.size(), kUnseen);
  for (std::size_t c = 0; c < rows.size(); ++c)
    if (rows[c] >= 0) out[c] = table_[static_cast<std::size_t>(rows[c])];
  return out;
}

}  // namespace driving_plugin
