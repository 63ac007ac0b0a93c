#include "climate/grid/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tenon/error.hpp"

namespace tenon::climate {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

/// One axis' share of a weight.
struct Part {
  std::int64_t index;
  double weight;
};
using Parts = std::vector<std::vector<Part>>;  ///< one list a target position

double turned(double x, double near) { return x - 360 * std::round((x - near) / 360); }

/// Order of positions by their coordinate.
std::vector<std::int64_t> ascending(const std::vector<double>& x) {
  std::vector<std::int64_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return x[std::size_t(a)] < x[std::size_t(b)]; });
  return order;
}

// ---- conservative ---------------------------------------------------------------------------------------------

/// Overlap in sin(latitude), over the target's.
Parts latitude_overlaps(const Grid& s, const Grid& t) {
  Parts out(t.lat.size());
  for (std::size_t j = 0; j < t.lat.size(); ++j) {
    const auto [low, high] = t.lat_cells[j];
    const double whole = std::sin(high * kDegree) - std::sin(low * kDegree);
    for (std::size_t i = 0; i < s.lat.size(); ++i) {
      const double a = std::max(low, s.lat_cells[i][0]), b = std::min(high, s.lat_cells[i][1]);
      if (b > a) out[j].push_back({std::int64_t(i), (std::sin(b * kDegree) - std::sin(a * kDegree)) / whole});
    }
  }
  return out;
}

/// Overlap in longitude, at whatever turn, over the target's.
Parts longitude_overlaps(const Grid& s, const Grid& t) {
  Parts out(t.lon.size());
  for (std::size_t j = 0; j < t.lon.size(); ++j) {
    const auto [low, high] = t.lon_cells[j];
    for (std::size_t i = 0; i < s.lon.size(); ++i) {
      double sum = 0;
      const auto [first, last] = s.lon_cells[i];
      const double base = 360 * std::floor((low - first) / 360);
      for (double turn : {base - 360, base, base + 360, base + 720}) {
        const double a = std::max(low, first + turn), b = std::min(high, last + turn);
        if (b > a + 1e-12 * (high - low)) sum += b - a;
      }
      if (sum > 0) out[j].push_back({std::int64_t(i), sum / (high - low)});
    }
  }
  return out;
}

// ---- bilinear --------------------------------------------------------------------------------------------------

constexpr double kSlack = 1e-9;  ///< degrees: a target on the outermost centre is inside

Parts latitude_between(const Grid& s, const Grid& t, std::vector<int>& pole) {
  const auto order = ascending(s.lat);
  const double bottom = s.lat[std::size_t(order.front())], top = s.lat[std::size_t(order.back())];
  const bool south = s.lat_cells[std::size_t(order.front())][0] <= -90 + 1e-6, north = s.lat_cells[std::size_t(order.back())][1] >= 90 - 1e-6;
  Parts out(t.lat.size());
  pole.assign(t.lat.size(), 0);
  for (std::size_t j = 0; j < t.lat.size(); ++j) {
    const double y = t.lat[j];
    if (y >= bottom - kSlack && y <= top + kSlack) {
      std::size_t k = 0;
      while (k + 1 < order.size() && s.lat[std::size_t(order[k + 1])] <= y) ++k;
      const double a = s.lat[std::size_t(order[k])];
      const double f = k + 1 < order.size() ? std::clamp((y - a) / (s.lat[std::size_t(order[k + 1])] - a), 0.0, 1.0) : 0.0;
      out[j].push_back({order[k], 1 - f});
      if (f > 0) out[j].push_back({order[k + 1], f});
    } else if (s.circular && ((y > top && north) || (y < bottom && south))) {
      // Row, then the pole's share, which the row's mean stands for.
      const bool up = y > top;
      const double edge = up ? top : bottom, f = std::min(1.0, std::abs(y - edge) / (90 - std::abs(edge)));
      out[j].push_back({up ? order.back() : order.front(), 1 - f});
      pole[j] = 1;
    }
  }
  return out;
}

Parts longitude_between(const Grid& s, const Grid& t) {
  // Source longitudes within one turn from the first on.
  std::vector<double> x = s.lon;
  const double start = s.lon.front();
  for (double& v : x) v -= 360 * std::floor((v - start) / 360);
  const auto order = ascending(x);
  Parts out(t.lon.size());
  for (std::size_t j = 0; j < t.lon.size(); ++j) {
    const double low = x[std::size_t(order.front())];
    double y = t.lon[j] - 360 * std::floor((t.lon[j] - low + kSlack) / 360);
    std::size_t k = 0;
    while (k + 1 < order.size() && x[std::size_t(order[k + 1])] <= y + kSlack) ++k;
    const double a = x[std::size_t(order[k])];
    double next;
    std::int64_t after;
    if (k + 1 < order.size()) {
      next = x[std::size_t(order[k + 1])];
      after = order[k + 1];
      // Across the seam of a regional grid there is no neighbour.
      if (!s.circular && next - a > 180) continue;
    } else if (s.circular) {
      next = low + 360;
      after = order.front();
    } else {
      if (y <= a + kSlack) out[j].push_back({order[k], 1});
      continue;
    }
    const double f = std::clamp((y - a) / (next - a), 0.0, 1.0);
    out[j].push_back({order[k], 1 - f});
    if (f > 0) out[j].push_back({after, f});
  }
  return out;
}

// ---- nearest ---------------------------------------------------------------------------------------------------

bool inside(const std::vector<std::array<double, 2>>& cells, double x, double turn) {
  for (const auto& c : cells) {
    const double y = turn > 0 ? turned(x, (c[0] + c[1]) / 2) : x;
    if (y >= c[0] - kSlack && y <= c[1] + kSlack) return true;
  }
  return false;
}

/// The source position whose longitude is nearest; of equal ones the first.
std::int64_t nearest_longitude(const std::vector<double>& lon, double x, double& away) {
  std::int64_t best = 0;
  away = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < lon.size(); ++i) {
    const double d = std::abs(turned(lon[i], x) - x);
    if (d < away - 1e-10) {
      away = d;
      best = std::int64_t(i);
    }
  }
  return best;
}

/// (chord / 2)^2 between two places: grows with the distance on the sphere.
double chord(double lat_a, double lat_b, double dlon) {
  const double y = std::sin((lat_a - lat_b) * kDegree / 2), x = std::sin(dlon * kDegree / 2);
  return y * y + std::cos(lat_a * kDegree) * std::cos(lat_b * kDegree) * x * x;
}

Weights nearest(const Grid& s, const Grid& t) {
  Weights w;
  w.begin.push_back(0);
  std::vector<std::int64_t> column(t.lon.size());
  std::vector<double> away(t.lon.size());
  std::vector<char> covered(t.lon.size());
  for (std::size_t i = 0; i < t.lon.size(); ++i) {
    column[i] = nearest_longitude(s.lon, t.lon[i], away[i]);
    covered[i] = inside(s.lon_cells, t.lon[i], 360);
  }
  for (std::size_t j = 0; j < t.lat.size(); ++j) {
    const bool row = inside(s.lat_cells, t.lat[j], 0);
    for (std::size_t i = 0; i < t.lon.size(); ++i) {
      if (row && covered[i]) {
        std::size_t best = 0;
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t k = 0; k < s.lat.size(); ++k) {  // along a parallel the nearest longitude is the nearest place
          const double d = chord(s.lat[k], t.lat[j], away[i]);
          if (d < least - 1e-14) {
            least = d;
            best = k;
          }
        }
        w.source.push_back(std::int32_t(std::int64_t(best) * std::int64_t(s.lon.size()) + column[i]));
        w.weight.push_back(1);
      }
      w.begin.push_back(std::int64_t(w.source.size()));
    }
  }
  return w;
}

}  // namespace

Method method_from_name(const std::string& name) {
  if (name == "nearest") return Method::nearest;
  if (name == "bilinear") return Method::bilinear;
  if (name == "conservative") return Method::conservative;
  throw_usage("regrid", "method '" + name + "' is not known", "nearest, bilinear or conservative");
}

Weights make_weights(const Grid& s, const Grid& t, Method method) {
  const std::int64_t columns = std::int64_t(s.lon.size()), cells = std::int64_t(s.lat.size()) * columns;
  if (cells > std::numeric_limits<std::int32_t>::max()) throw Error(ErrorKind::data, "climate.grid", fmt::format("the source grid has {} cells", cells), "select a part of it first");
  if (method == Method::conservative) {
    require_cells(s);
    require_cells(t);
  }
  Weights w;
  if (method == Method::nearest) {
    w = nearest(s, t);
  } else {
    std::vector<int> pole(t.lat.size(), 0);
    const Parts lat = method == Method::conservative ? latitude_overlaps(s, t) : latitude_between(s, t, pole);
    const Parts lon = method == Method::conservative ? longitude_overlaps(s, t) : longitude_between(s, t);
    w.begin.push_back(0);
    for (std::size_t j = 0; j < t.lat.size(); ++j) {
      for (std::size_t i = 0; i < t.lon.size(); ++i) {
        for (const auto& y : lat[j]) {
          for (const auto& x : lon[i]) {
            if (y.weight * x.weight == 0) continue;
            w.source.push_back(std::int32_t(y.index * columns + x.index));
            w.weight.push_back(y.weight * x.weight);
          }
        }
        if (pole[j] && !lon[i].empty()) {
          const double share = (1 - lat[j][0].weight) / double(columns);
          for (std::int64_t c = 0; share > 0 && c < columns; ++c) {
            w.source.push_back(std::int32_t(lat[j][0].index * columns + c));
            w.weight.push_back(share);
          }
        }
        w.begin.push_back(std::int64_t(w.source.size()));
      }
    }
  }
  w.sources = cells;
  w.targets = std::int64_t(t.lat.size() * t.lon.size());
  return w;
}

}  // namespace tenon::climate
