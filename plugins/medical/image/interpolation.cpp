#include "medical/image/interpolation.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

const double kPole = std::sqrt(3.0) - 2.0;
constexpr std::int64_t kLanes = 16;  ///< lines filtered side by side

/// Puts weight `w` of coefficient `i` into the window. Beyond the left edge the spline of a signal that stays at s0 has
/// c(-m) = s0 + (c0 - s0) z^m with s0 = ((4 + z) c0 + c1) / (5 + z); likewise on the right.
void add_cubic_tap(float* window, std::int64_t start, std::int64_t n, std::int64_t i, double w) {
  auto put = [&](std::int64_t at, double v) { window[at - start] = float(double(window[at - start]) + v); };
  if (i >= 0 && i < n) return put(i, w);
  std::int64_t edge = i < 0 ? 0 : n - 1, next = i < 0 ? 1 : n - 2, m = i < 0 ? -i : i - (n - 1);
  double decay = std::pow(kPole, double(m));
  put(edge, w * ((1 - decay) * (4 + kPole) / (5 + kPole) + decay));
  put(next, w * (1 - decay) / (5 + kPole));
}

/// Filters `lanes` (at most kLanes) neighbouring lines whose samples lie `stride` apart.
void filter_lines(float* data, std::int64_t n, std::int64_t stride, std::int64_t lanes) {
  const float z = float(kPole);
  std::array<float, kLanes> steady;
  const float* last = data + (n - 1) * stride;
  for (std::int64_t l = 0; l < lanes; ++l) {
    steady[std::size_t(l)] = 6.0f * last[l] / (1 - z);
    data[l] = 6.0f * data[l] / (1 - z);
  }
  for (std::int64_t k = 1; k < n; ++k) {
    float* now = data + k * stride;
    const float* before = now - stride;
    for (std::int64_t l = 0; l < lanes; ++l) now[l] = 6.0f * now[l] + z * before[l];
  }
  float* end = data + (n - 1) * stride;
  for (std::int64_t l = 0; l < lanes; ++l) {
    float s = steady[std::size_t(l)];
    end[l] = -z * (s / (1 - z) + (end[l] - s) / (1 - z * z));
  }
  for (std::int64_t k = n - 2; k >= 0; --k) {
    float* now = data + k * stride;
    const float* after = now + stride;
    for (std::int64_t l = 0; l < lanes; ++l) now[l] = z * (after[l] - now[l]);
  }
}

}  // namespace

InterpolationTable interpolation_table(std::int64_t n_in, std::int64_t n_out, int order) {
  InterpolationTable table;
  table.taps = order == 0 ? 1 : std::min<std::int64_t>(order + 1, n_in);
  table.start.resize(std::size_t(n_out));
  table.weights.assign(std::size_t(n_out * table.taps), 0.0f);
  double scale = double(n_in) / double(n_out);
  for (std::int64_t d = 0; d < n_out; ++d) {
    double src = (double(d) + 0.5) * scale - 0.5;
    float* window = table.weights.data() + d * table.taps;
    std::int64_t& start = table.start[std::size_t(d)];
    auto below = std::int64_t(std::floor(src));
    double f = src - double(below);
    if (order == 0 || n_in == 1) {
      start = std::clamp<std::int64_t>(std::int64_t(std::floor(src + 0.5)), 0, n_in - 1);
      window[0] = 1;
    } else if (order == 1) {
      start = std::clamp<std::int64_t>(below, 0, n_in - 2);
      double at = std::clamp(src - double(start), 0.0, 1.0);
      window[0] = float(1 - at);
      window[1] = float(at);
    } else {
      start = std::clamp<std::int64_t>(below - 1, 0, std::max<std::int64_t>(n_in - 4, 0));
      double w[4] = {(1 - f) * (1 - f) * (1 - f) / 6, (4 - 6 * f * f + 3 * f * f * f) / 6, (1 + 3 * f + 3 * f * f - 3 * f * f * f) / 6,
                     f * f * f / 6};
      for (int t = 0; t < 4; ++t) add_cubic_tap(window, start, n_in, below - 1 + t, w[t]);
    }
  }
  return table;
}

void bspline_prefilter(float* data, std::int64_t outer, std::int64_t n, std::int64_t inner) {
  if (n < 2) return;
  if (inner >= kLanes) {
    std::int64_t blocks = (inner + kLanes - 1) / kLanes;
    parallel_for(outer * blocks, [&](std::int64_t task) {
      std::int64_t o = task / blocks, i = task % blocks * kLanes;
      filter_lines(data + o * n * inner + i, n, inner, std::min(kLanes, inner - i));
    });
    return;
  }
  // Short inner axis: lines are gathered side by side first, so that the recursion still runs over many at once.
  std::int64_t lines = outer * inner;
  parallel_for((lines + kLanes - 1) / kLanes, [&](std::int64_t task) {
    std::vector<float> block(std::size_t(n * kLanes));
    std::int64_t first = task * kLanes, lanes = std::min(kLanes, lines - first);
    auto at = [&](std::int64_t l) { return data + (first + l) / inner * n * inner + (first + l) % inner; };
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float* line = at(l);
      for (std::int64_t k = 0; k < n; ++k) block[std::size_t(k * kLanes + l)] = line[k * inner];
    }
    filter_lines(block.data(), n, kLanes, lanes);
    for (std::int64_t l = 0; l < lanes; ++l) {
      float* line = at(l);
      for (std::int64_t k = 0; k < n; ++k) line[k * inner] = block[std::size_t(k * kLanes + l)];
    }
  });
}

void interpolate_axis(const float* in, float* out, std::int64_t outer, std::int64_t n_in, std::int64_t n_out, std::int64_t inner,
                      const InterpolationTable& table) {
  std::int64_t taps = table.taps;
  if (inner == 1) {
    parallel_blocks(outer, 256, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) {
        const float* line = in + o * n_in;
        float* to = out + o * n_out;
        for (std::int64_t d = 0; d < n_out; ++d) {
          const float* from = line + table.start[std::size_t(d)];
          const float* w = table.weights.data() + d * taps;
          float sum = 0;
          for (std::int64_t t = 0; t < taps; ++t) sum += w[t] * from[t];
          to[d] = sum;
        }
      }
    });
    return;
  }
  parallel_for(outer * n_out, [&](std::int64_t task) {
    std::int64_t o = task / n_out, d = task % n_out;
    const float* from = in + (o * n_in + table.start[std::size_t(d)]) * inner;
    const float* w = table.weights.data() + d * taps;
    float* to = out + task * inner;
    for (std::int64_t i = 0; i < inner; ++i) to[i] = w[0] * from[i];
    for (std::int64_t t = 1; t < taps; ++t) {
      const float* row = from + t * inner;
      for (std::int64_t i = 0; i < inner; ++i) to[i] += w[t] * row[i];
    }
  });
}

}  // namespace tenon::medical
