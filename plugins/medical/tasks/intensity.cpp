#include "medical/tasks/intensity.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tenon::medical {
namespace {

// Places of the draws in a patch's stream: fixed, so that switching one change off leaves the others' numbers alone.
enum Place : std::uint64_t {
  kNoise = 0,
  kBlur = 2,
  kBrightness = 4,
  kShift = 6,
  kContrast = 8,
  kLowResolution = 10,
  kGamma = 12,
  kInvertedGamma = 14
};

float draw(const Chance& c, const Random& r, std::uint64_t place, float neutral) {
  return r.uniform(place) < float(c.probability) ? r.uniform(place + 1, float(c.low), float(c.high)) : neutral;
}

/// Runs `line(values, n)` over every line of the grid along `axis`, on a copy with stride 1.
template <class F>
void each_line(float* v, const std::array<std::int64_t, 3>& size, int axis, F&& line) {
  const std::array<std::int64_t, 3> stride{size[1] * size[2], size[2], 1};
  const int a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
  const std::size_t n = std::size_t(size[std::size_t(axis)]);
  std::vector<float> buffer(n);
  for (std::int64_t i = 0; i < size[std::size_t(a)]; ++i)
    for (std::int64_t j = 0; j < size[std::size_t(b)]; ++j) {
      float* at = v + i * stride[std::size_t(a)] + j * stride[std::size_t(b)];
      const std::int64_t step = stride[std::size_t(axis)];
      for (std::size_t k = 0; k < n; ++k) buffer[k] = at[std::int64_t(k) * step];
      line(buffer);
      for (std::size_t k = 0; k < n; ++k) at[std::int64_t(k) * step] = buffer[k];
    }
}

void blur(float* v, const std::array<std::int64_t, 3>& size, float sigma) {
  const int radius = std::max(1, int(std::ceil(3 * sigma)));
  std::vector<float> weight(std::size_t(2 * radius + 1));
  float sum = 0;
  for (int k = -radius; k <= radius; ++k) sum += weight[std::size_t(k + radius)] = std::exp(-0.5f * float(k * k) / (sigma * sigma));
  for (float& w : weight) w /= sum;
  std::vector<float> padded;
  for (int axis = 0; axis < 3; ++axis)
    each_line(v, size, axis, [&](std::vector<float>& line) {
      const int n = int(line.size());
      padded.resize(std::size_t(n + 2 * radius));
      for (int k = 0; k < n + 2 * radius; ++k) padded[std::size_t(k)] = line[std::size_t(std::clamp(k - radius, 0, n - 1))];
      for (int k = 0; k < n; ++k) {
        float value = 0;
        for (int w = 0; w <= 2 * radius; ++w) value += weight[std::size_t(w)] * padded[std::size_t(k + w)];
        line[std::size_t(k)] = value;
      }
    });
}

/// Nearest down to `share` of the resolution, linear back up: what a thicker voxel would have left.
void lower_resolution(float* v, const std::array<std::int64_t, 3>& size, float share) {
  std::vector<float> coarse;
  for (int axis = 0; axis < 3; ++axis) {
    const auto n = size[std::size_t(axis)];
    const auto m = std::max<std::int64_t>(1, std::llround(double(n) * share));
    if (m == n) continue;
    const float down = float(n) / float(m), up = float(m) / float(n);
    each_line(v, size, axis, [&](std::vector<float>& line) {
      coarse.resize(std::size_t(m));
      for (std::int64_t k = 0; k < m; ++k)
        coarse[std::size_t(k)] = line[std::size_t(std::min(n - 1, std::int64_t((float(k) + 0.5f) * down)))];
      for (std::int64_t k = 0; k < n; ++k) {
        const float at = std::clamp((float(k) + 0.5f) * up - 0.5f, 0.0f, float(m - 1));
        const auto low = std::int64_t(at), high = std::min(low + 1, m - 1);
        line[std::size_t(k)] = coarse[std::size_t(low)] + (at - float(low)) * (coarse[std::size_t(high)] - coarse[std::size_t(low)]);
      }
    });
  }
}

struct Moments {
  double mean = 0, deviation = 0;
  float low = 0, high = 0;
};

Moments moments(const float* v, std::int64_t n) {
  Moments m;
  double sum = 0, squares = 0;
  float low = v[0], high = v[0];
  for (std::int64_t i = 0; i < n; ++i) {
    sum += v[i];
    squares += double(v[i]) * v[i];
    low = std::min(low, v[i]);
    high = std::max(high, v[i]);
  }
  m.mean = sum / double(n);
  m.deviation = std::sqrt(std::max(0.0, squares / double(n) - m.mean * m.mean));
  m.low = low;
  m.high = high;
  return m;
}

/// v = ((v - low) / range)^exponent, brought back to the mean and deviation it had. On -v where `inverted`.
void apply_gamma(float* v, std::int64_t n, float exponent, bool inverted) {
  const float sign = inverted ? -1.0f : 1.0f;
  for (std::int64_t i = 0; i < n; ++i) v[i] *= sign;
  const Moments before = moments(v, n);
  const float range = before.high - before.low;
  if (range > 0) {
    for (std::int64_t i = 0; i < n; ++i) v[i] = std::pow(std::max(0.0f, (v[i] - before.low) / range), exponent);
    const Moments after = moments(v, n);
    const double factor = before.deviation / std::max(after.deviation, 1e-8);
    for (std::int64_t i = 0; i < n; ++i) v[i] = float((v[i] - after.mean) * factor + before.mean);
  }
  for (std::int64_t i = 0; i < n; ++i) v[i] *= sign;
}

/// Four normals a Philox block: two Box-Muller pairs.
void add_noise(float* v, std::int64_t n, float deviation, const Random& random) {
  constexpr float kTwoPi = 6.28318530717958647692f, kUnit = 5.9604644775390625e-08f;
  for (std::int64_t i = 0; i < n; i += 4) {
    const auto bits = random.bits(std::uint64_t(i));
    float z[4];
    for (std::size_t pair = 0; pair < 2; ++pair) {
      const float radius = deviation * std::sqrt(-2.0f * std::log((float(bits[2 * pair] >> 8) + 0.5f) * kUnit));
      const float angle = kTwoPi * uniform_from_bits(bits[2 * pair + 1]);
      z[2 * pair] = radius * std::cos(angle);
      z[2 * pair + 1] = radius * std::sin(angle);
    }
    for (std::int64_t k = 0; k < std::min<std::int64_t>(4, n - i); ++k) v[i + k] += z[k];
  }
}

}  // namespace

bool IntensityDraw::neutral() const {
  return noise == 0 && blur == 0 && brightness == 1 && shift == 0 && contrast == 1 && low_resolution == 1 && gamma == 1 &&
         inverted_gamma == 1;
}

IntensityDraw draw_intensity(const IntensitySettings& s, const Random& r) {
  IntensityDraw d;
  d.noise = std::sqrt(draw(s.noise, r, kNoise, 0));
  d.blur = draw(s.blur, r, kBlur, 0);
  d.brightness = draw(s.brightness, r, kBrightness, 1);
  if (r.uniform(kShift) < float(s.shift.probability)) d.shift = float(s.shift.high) * r.normal(kShift + 1);
  d.contrast = draw(s.contrast, r, kContrast, 1);
  d.low_resolution = draw(s.low_resolution, r, kLowResolution, 1);
  d.gamma = draw(s.gamma, r, kGamma, 1);
  d.inverted_gamma = draw(s.inverted_gamma, r, kInvertedGamma, 1);
  return d;
}

void apply_intensity(float* values, const std::array<std::int64_t, 3>& size, std::int64_t step, const IntensityDraw& draw,
                     const Random& noise) {
  if (draw.neutral()) return;
  const std::int64_t n = size[0] * size[1] * size[2];
  if (n == 0) return;
  std::vector<float> plane;
  float* v = values;
  if (step != 1) {
    plane.resize(std::size_t(n));
    for (std::int64_t i = 0; i < n; ++i) plane[std::size_t(i)] = values[i * step];
    v = plane.data();
  }
  if (draw.blur > 0) blur(v, size, draw.blur);
  if (draw.contrast != 1) {
    const Moments m = moments(v, n);
    const float mean = float(m.mean), scale = draw.brightness, low = m.low, high = m.high, factor = draw.contrast, shift = draw.shift;
    for (std::int64_t i = 0; i < n; ++i) v[i] = std::clamp(mean + (v[i] - mean) * factor, low, high) * scale + shift;
  } else if (draw.brightness != 1 || draw.shift != 0) {
    for (std::int64_t i = 0; i < n; ++i) v[i] = v[i] * draw.brightness + draw.shift;
  }
  if (draw.low_resolution != 1) lower_resolution(v, size, draw.low_resolution);
  if (draw.inverted_gamma != 1) apply_gamma(v, n, draw.inverted_gamma, true);
  if (draw.gamma != 1) apply_gamma(v, n, draw.gamma, false);
  if (draw.noise > 0) add_noise(v, n, draw.noise, noise);
  if (step != 1)
    for (std::int64_t i = 0; i < n; ++i) values[i * step] = v[i];
}

}  // namespace tenon::medical
