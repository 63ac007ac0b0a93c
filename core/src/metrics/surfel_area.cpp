#include <algorithm>
#include <cmath>
#include <vector>

#include "tenon/surface_distance.hpp"

// The surface through a 2x2x2 neighbourhood, built from first principles instead of a table: corners are inside or outside,
// the surface cuts the edges between them in the middle. With more than four corners inside, the outside is what is
// enclosed. Corners joined by edges are one piece, and each piece is one polygon. Four of the six kinds of polygon are
// plane. The two others are cut like the marching-cubes tables in use do it: the pentagon of three corners loses the ear
// at the middle corner; the hexagon of four corners in a row, a-b-c-d, loses the ears at b and c, and the rest is cut from
// the vertex of a next to c's to the vertex of d next to b's.

namespace tenon {
namespace {

using Vector = std::array<double, 3>;

struct Cut {
  int corner;  ///< the enclosed end of the cut edge
  int faces[2];
  Vector at;
};

bool inside(int code, int corner) {
  return (code >> (7 - corner)) & 1;
}
/// Bit of `corner` along axis 0 (z), 1 (y), 2 (x).
int bit(int corner, int axis) {
  return (corner >> (2 - axis)) & 1;
}
int neighbour(int corner, int axis) {
  return corner ^ (4 >> axis);
}

double area(const std::vector<Vector>& polygon) {
  Vector sum{};
  for (std::size_t i = 1; i + 1 < polygon.size(); ++i) {
    Vector u{}, v{};
    for (std::size_t k = 0; k < 3; ++k) {
      u[k] = polygon[i][k] - polygon[0][k];
      v[k] = polygon[i + 1][k] - polygon[0][k];
    }
    for (std::size_t k = 0; k < 3; ++k) sum[k] += 0.5 * (u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3]);
  }
  return std::sqrt(sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
}

std::vector<int> piece_of(int code, int first) {
  std::vector<int> piece{first};
  for (std::size_t i = 0; i < piece.size(); ++i)
    for (int axis = 0; axis < 3; ++axis) {
      const int next = neighbour(piece[i], axis);
      if (inside(code, next) && std::find(piece.begin(), piece.end(), next) == piece.end()) piece.push_back(next);
    }
  return piece;
}

/// The cut edges of a piece, in order around it: neighbours share a face of the cube.
std::vector<Cut> loop_of(int code, const std::vector<int>& piece, const Vector& spacing) {
  std::vector<Cut> cuts;
  for (int corner : piece)
    for (int axis = 0; axis < 3; ++axis) {
      if (inside(code, neighbour(corner, axis))) continue;
      Cut cut{corner, {}, {}};
      int face = 0;
      for (int other = 0; other < 3; ++other) {
        cut.at[std::size_t(other)] = spacing[std::size_t(other)] * (other == axis ? 0.5 : bit(corner, other));
        if (other != axis) cut.faces[face++] = 2 * other + bit(corner, other);
      }
      cuts.push_back(cut);
    }
  auto share = [](const Cut& a, const Cut& b) {
    return a.faces[0] == b.faces[0] || a.faces[0] == b.faces[1] || a.faces[1] == b.faces[0] || a.faces[1] == b.faces[1];
  };
  for (std::size_t i = 1; i < cuts.size(); ++i)
    for (std::size_t j = i; j < cuts.size(); ++j)
      if (share(cuts[i - 1], cuts[j])) {
        std::swap(cuts[i], cuts[j]);
        break;
      }
  return cuts;
}

double piece_area(const std::vector<Cut>& loop) {
  const std::size_t n = loop.size();
  auto cuts_of = [&](int corner) { return std::count_if(loop.begin(), loop.end(), [&](const Cut& c) { return c.corner == corner; }); };
  std::vector<std::size_t> single;  // vertices that are their corner's only one
  for (std::size_t i = 0; i < n; ++i)
    if (cuts_of(loop[i].corner) == 1) single.push_back(i);
  std::vector<Vector> all;
  for (const Cut& c : loop) all.push_back(c.at);
  auto ear = [&](std::size_t i) { return area({loop[(i + n - 1) % n].at, loop[i].at, loop[(i + 1) % n].at}); };

  if (n == 5 && single.size() == 1) {  // three corners
    std::vector<Vector> rest = all;
    rest.erase(rest.begin() + std::ptrdiff_t(single[0]));
    return ear(single[0]) + area(rest);
  }
  if (n == 6 && single.size() == 2) {  // four in a row: vertices b and c stand opposite each other
    const std::size_t b = single[0], c = single[1];
    // Around the loop: b, p, q, c, r, s with p, q of one end of the row and r, s of the other. The end next to b in the
    // row is the one that shares an edge with b's corner.
    auto joined = [](int u, int v) { return u != v && ((u ^ v) & ((u ^ v) - 1)) == 0; };
    const std::size_t p = (b + 1) % n, q = (b + 2) % n, r = (c + 1) % n, s = (c + 2) % n;
    const bool p_is_a = joined(loop[p].corner, loop[b].corner);
    // a's vertex next to c's is q or r; d's vertex next to b's is s or p.
    const Vector from = p_is_a ? all[q] : all[r], to = p_is_a ? all[s] : all[p];
    const Vector one = p_is_a ? all[p] : all[s], other = p_is_a ? all[r] : all[q];
    return ear(b) + ear(c) + area({from, to, one}) + area({from, to, other});
  }
  return area(all);
}

}  // namespace

std::array<double, 256> surfel_areas(const std::array<double, 3>& spacing) {
  std::array<double, 256> areas{};
  for (int code = 1; code < 255; ++code) {
    int count = 0;
    for (int corner = 0; corner < 8; ++corner) count += inside(code, corner);
    const int enclosed = count > 4 ? 255 - code : code;
    std::vector<bool> seen(8, false);
    for (int corner = 0; corner < 8; ++corner) {
      if (!inside(enclosed, corner) || seen[std::size_t(corner)]) continue;
      const auto piece = piece_of(enclosed, corner);
      for (int c : piece) seen[std::size_t(c)] = true;
      areas[std::size_t(code)] += piece_area(loop_of(enclosed, piece, spacing));
    }
  }
  return areas;
}

}  // namespace tenon
