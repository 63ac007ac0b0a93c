#include "medical/tasks/affine_sampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tenon::medical {
namespace {

constexpr std::int64_t kBlock = 64;  // voxels of a row whose indices and weights are held at a time

/// Largest share among the 8 corners; ties to the smaller label.
std::uint8_t vote(const std::uint8_t (&corner)[8], float fz, float fy, float fx) {
  const float wz[2] = {1 - fz, fz}, wy[2] = {1 - fy, fy}, wx[2] = {1 - fx, fx};
  float share[8];
  for (int c = 0; c < 8; ++c) share[c] = wz[c >> 2] * wy[(c >> 1) & 1] * wx[c & 1];
  std::uint8_t best = 255;
  float best_share = -1;
  for (int c = 0; c < 8; ++c) {
    float sum = 0;
    for (int d = 0; d < 8; ++d) sum += corner[d] == corner[c] ? share[d] : 0.0f;
    if (sum > best_share || (sum == best_share && corner[c] < best)) {
      best_share = sum;
      best = corner[c];
    }
  }
  return best;
}

struct Point {
  float z, y, x;
};

/// One voxel whose neighbours may lie outside.
void sample_edge(const ScanView& scan, const Point& p, float* image, std::uint8_t* label) {
  const auto [nz, ny, nx] = scan.size;
  const float bz = std::floor(p.z), by = std::floor(p.y), bx = std::floor(p.x);
  const float fz = p.z - bz, fy = p.y - by, fx = p.x - bx;
  const bool far = bz < -1 || by < -1 || bx < -1 || bz >= float(nz) || by >= float(ny) || bx >= float(nx);
  if (far || !(bz == bz && by == by && bx == bx)) {
    for (int c = 0; c < scan.channels; ++c) image[c] = 0;
    if (label) *label = 0;
    return;
  }
  const auto iz = std::int64_t(bz), iy = std::int64_t(by), ix = std::int64_t(bx);
  const std::int64_t plane = nz * ny * nx;
  std::int64_t at[8];  // the neighbours, -1 outside
  for (int k = 0; k < 8; ++k) {
    const std::int64_t z = iz + (k >> 2), y = iy + ((k >> 1) & 1), x = ix + (k & 1);
    const bool inside = z >= 0 && z < nz && y >= 0 && y < ny && x >= 0 && x < nx;
    at[k] = inside ? (z * ny + y) * nx + x : -1;
  }
  for (int c = 0; c < scan.channels; ++c) {
    float value[8], along_x[4];
    for (int k = 0; k < 8; ++k) value[k] = at[k] >= 0 ? scan.image[c * plane + at[k]] : 0.0f;
    for (int k = 0; k < 4; ++k) along_x[k] = value[2 * k] + fx * (value[2 * k + 1] - value[2 * k]);
    const float low = along_x[0] + fy * (along_x[1] - along_x[0]), high = along_x[2] + fy * (along_x[3] - along_x[2]);
    image[c] = low + fz * (high - low);
  }
  if (!label) return;
  std::uint8_t corner[8];
  for (int k = 0; k < 8; ++k) corner[k] = at[k] >= 0 ? scan.labels[at[k]] : std::uint8_t(0);
  *label = vote(corner, fz, fy, fx);
}

/// The x in [0, length) for which p + x d lies in [0, n - 1): all 8 neighbours exist there. Narrows [first, last).
void narrow(float p, float d, std::int64_t n, std::int64_t& first, std::int64_t& last) {
  const float top = float(n - 1);
  auto inside = [&](std::int64_t x) {
    const float v = p + float(x) * d;
    return v >= 0 && v < top;
  };
  if (n < 2) {
    last = first;
    return;
  }
  if (d != 0) {
    // An estimate from the real line, made exact below with the very expression that the sampling uses; that
    // expression is monotonic in x, so the inside is one interval.
    const double a = -double(p) / d, b = (double(top) - p) / d;
    const double low = std::clamp(std::min(a, b), -1.0, double(last) + 1), high = std::clamp(std::max(a, b), -1.0, double(last) + 1);
    first = std::max(first, std::int64_t(std::floor(low)) - 1);
    last = std::min(last, std::int64_t(std::ceil(high)) + 2);
  }
  while (first < last && !inside(first)) ++first;
  while (first < last && !inside(last - 1)) --last;
}

}  // namespace

void sample_affine(const ScanView& scan, const GridMap& map, const std::array<std::int64_t, 3>& patch, float* image, std::uint8_t* labels) {
  const auto [nz, ny, nx] = scan.size;
  const std::int64_t plane = nz * ny * nx, row_step = nx, slab_step = ny * nx;
  const auto& m = map.matrix;
  const Point d{m[0][2], m[1][2], m[2][2]};
  std::uint8_t* const want = scan.labels ? labels : nullptr;
  const auto top_z = std::int32_t(nz - 2), top_y = std::int32_t(ny - 2), top_x = std::int32_t(nx - 2);
  std::int32_t base[kBlock];
  float wz[kBlock], wy[kBlock], wx[kBlock];

  for (std::int64_t z = 0; z < patch[0]; ++z)
    for (std::int64_t y = 0; y < patch[1]; ++y) {
      const Point p{map.shift[0] + m[0][0] * float(z) + m[0][1] * float(y), map.shift[1] + m[1][0] * float(z) + m[1][1] * float(y),
                    map.shift[2] + m[2][0] * float(z) + m[2][1] * float(y)};
      const std::int64_t row = (z * patch[1] + y) * patch[2];
      std::int64_t first = 0, last = patch[2];
      narrow(p.z, d.z, nz, first, last);
      narrow(p.y, d.y, ny, first, last);
      narrow(p.x, d.x, nx, first, last);
      auto edge = [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t x = from; x < to; ++x)
          sample_edge(scan, {p.z + float(x) * d.z, p.y + float(x) * d.y, p.x + float(x) * d.x}, image + (row + x) * scan.channels,
                      want ? want + row + x : nullptr);
      };
      if (first >= last) {
        edge(0, patch[2]);
        continue;
      }
      edge(0, first);
      for (std::int64_t begin = first; begin < last; begin += kBlock) {
        const std::int64_t n = std::min(kBlock, last - begin);
        for (std::int64_t k = 0; k < n; ++k) {
          const float fx = float(begin + k);
          const float vz = p.z + fx * d.z, vy = p.y + fx * d.y, vx = p.x + fx * d.x;
          // Truncation is floor, all are >= 0. The bound holds memory safe where a compiler rounds this expression otherwise
          // than the one in `narrow` (contraction).
          const auto iz = std::min(std::int32_t(vz), top_z), iy = std::min(std::int32_t(vy), top_y), ix = std::min(std::int32_t(vx), top_x);
          wz[k] = vz - float(iz);
          wy[k] = vy - float(iy);
          wx[k] = vx - float(ix);
          base[k] = (iz * std::int32_t(ny) + iy) * std::int32_t(nx) + ix;
        }
        for (int c = 0; c < scan.channels; ++c) {
          const float* source = scan.image + c * plane;
          float* out = image + (row + begin) * scan.channels + c;
          for (std::int64_t k = 0; k < n; ++k) {
            const float* s = source + base[k];
            const float a = s[0] + wx[k] * (s[1] - s[0]), b = s[row_step] + wx[k] * (s[row_step + 1] - s[row_step]);
            const float* t = s + slab_step;
            const float e = t[0] + wx[k] * (t[1] - t[0]), f = t[row_step] + wx[k] * (t[row_step + 1] - t[row_step]);
            const float low = a + wy[k] * (b - a), high = e + wy[k] * (f - e);
            out[k * scan.channels] = low + wz[k] * (high - low);
          }
        }
        if (!want) continue;
        for (std::int64_t k = 0; k < n; ++k) {
          const std::uint8_t* s = scan.labels + base[k];
          std::uint16_t pair[4];  // two x-neighbours at a time
          std::memcpy(&pair[0], s, 2);
          std::memcpy(&pair[1], s + row_step, 2);
          std::memcpy(&pair[2], s + slab_step, 2);
          std::memcpy(&pair[3], s + slab_step + row_step, 2);
          const bool same = pair[0] == pair[1] && pair[0] == pair[2] && pair[0] == pair[3] && (pair[0] >> 8) == (pair[0] & 0xff);
          if (same) {
            want[row + begin + k] = s[0];
          } else {
            const std::uint8_t* t = s + slab_step;
            const std::uint8_t corner[8] = {s[0], s[1], s[row_step], s[row_step + 1], t[0], t[1], t[row_step], t[row_step + 1]};
            want[row + begin + k] = vote(corner, wz[k], wy[k], wx[k]);
          }
        }
      }
      edge(last, patch[2]);
    }
}

void sample_copy(const ScanView& scan, const std::array<std::int64_t, 3>& start, const std::array<std::int64_t, 3>& patch, float* image,
                 std::uint8_t* labels) {
  const auto [nz, ny, nx] = scan.size;
  const std::int64_t plane = nz * ny * nx, voxels = patch[0] * patch[1] * patch[2];
  std::fill(image, image + voxels * scan.channels, 0.0f);
  if (labels) std::fill(labels, labels + voxels, std::uint8_t(0));
  const std::int64_t x0 = std::max<std::int64_t>(0, -start[2]), x1 = std::min(patch[2], nx - start[2]);
  if (x0 >= x1) return;
  for (std::int64_t z = std::max<std::int64_t>(0, -start[0]); z < std::min(patch[0], nz - start[0]); ++z)
    for (std::int64_t y = std::max<std::int64_t>(0, -start[1]); y < std::min(patch[1], ny - start[1]); ++y) {
      const std::int64_t from = ((z + start[0]) * ny + y + start[1]) * nx + start[2] + x0, to = (z * patch[1] + y) * patch[2] + x0;
      for (int c = 0; c < scan.channels; ++c)
        for (std::int64_t x = 0; x < x1 - x0; ++x) image[(to + x) * scan.channels + c] = scan.image[c * plane + from + x];
      if (labels && scan.labels) std::memcpy(labels + to, scan.labels + from, std::size_t(x1 - x0));
    }
}

}  // namespace tenon::medical
