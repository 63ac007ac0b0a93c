/// Changing grey values on the CPU, one channel of a patch at a time.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/intensity.hpp"
#include "ops/patches_kernels.hpp"
#include "tenon/patches.hpp"

namespace tenon {
namespace {

using Size = std::array<std::int64_t, 3>;

/// Runs `line(values, n)` over every line of the grid along `axis`, on a copy with stride 1.
template <class F>
void each_line(float* v, const Size& size, int axis, F&& line) {
  const Size stride{size[1] * size[2], size[2], 1};
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

void blur(float* v, const Size& size, float sigma) {
  const int radius = blur_radius(sigma);
  std::vector<float> weight(std::size_t(2 * radius + 1));
  float sum = 0;
  for (int k = -radius; k <= radius; ++k) sum += weight[std::size_t(k + radius)] = blur_weight(k, sigma);
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

void lower_resolution(float* v, const Size& size, float share) {
  std::vector<float> coarse;
  for (int axis = 0; axis < 3; ++axis) {
    const CoarseLine map(size[std::size_t(axis)], share);
    if (map.m == map.n) continue;
    each_line(v, size, axis, [&](std::vector<float>& line) {
      coarse.resize(std::size_t(map.m));
      for (std::int64_t k = 0; k < map.m; ++k) coarse[std::size_t(k)] = line[std::size_t(map.source(k))];
      for (std::int64_t k = 0; k < map.n; ++k) line[std::size_t(k)] = map.value(k, [&](std::int64_t i) { return coarse[std::size_t(i)]; });
    });
  }
}

Moments moments(const float* v, std::int64_t n) {
  double sum = 0, squares = 0;
  float low = v[0], high = v[0];
  for (std::int64_t i = 0; i < n; ++i) {
    sum += v[i];
    squares += double(v[i]) * v[i];
    low = std::min(low, v[i]);
    high = std::max(high, v[i]);
  }
  return moments_of(sum, squares, low, high, n);
}

/// On -v where `inverted`.
void apply_gamma(float* v, std::int64_t n, float exponent, bool inverted) {
  const float sign = inverted ? -1.0f : 1.0f;
  for (std::int64_t i = 0; i < n; ++i) v[i] *= sign;
  const Moments before = moments(v, n);
  const float range = before.high - before.low;
  if (range > 0) {
    for (std::int64_t i = 0; i < n; ++i) v[i] = raised(v[i], before.low, range, exponent);
    const Restored restored(before, moments(v, n));
    for (std::int64_t i = 0; i < n; ++i) v[i] = restored(v[i]);
  }
  for (std::int64_t i = 0; i < n; ++i) v[i] *= sign;
}

void add_noise(float* v, std::int64_t n, float deviation, const Random& random) {
  constexpr float kTwoPi = 6.28318530717958647692f;
  const auto cos_sin = [](float turns, float& c, float& s) {
    c = std::cos(kTwoPi * turns);
    s = std::sin(kTwoPi * turns);
  };
  for (std::int64_t i = 0; i < n; i += 4) {
    const auto bits = random.bits(std::uint64_t(i));
    for (std::int64_t k = i; k < std::min(i + 4, n); k += 2) {
      float z[2];
      normal_pair(bits, int(k - i) / 2, deviation, z, cos_sin);
      v[k] += z[0];
      if (k + 1 < n) v[k + 1] += z[1];
    }
  }
}

}  // namespace

void apply_intensity(float* values, const Size& size, std::int64_t step, const IntensityChange& change, const Random& noise) {
  if (change.neutral()) return;
  const std::int64_t n = size[0] * size[1] * size[2];
  if (n == 0) return;
  std::vector<float> plane;
  float* v = values;
  if (step != 1) {
    plane.resize(std::size_t(n));
    for (std::int64_t i = 0; i < n; ++i) plane[std::size_t(i)] = values[i * step];
    v = plane.data();
  }
  if (change.blur > 0) blur(v, size, change.blur);
  if (change.contrast != 1) {
    const Moments m = moments(v, n);
    for (std::int64_t i = 0; i < n; ++i)
      v[i] = contrasted(v[i], float(m.mean), m.low, m.high, change.contrast) * change.brightness + change.shift;
  } else if (change.brightness != 1 || change.shift != 0) {
    for (std::int64_t i = 0; i < n; ++i) v[i] = v[i] * change.brightness + change.shift;
  }
  if (change.low_resolution != 1) lower_resolution(v, size, change.low_resolution);
  if (change.inverted_gamma != 1) apply_gamma(v, n, change.inverted_gamma, true);
  if (change.gamma != 1) apply_gamma(v, n, change.gamma, false);
  if (change.noise > 0) add_noise(v, n, change.noise, noise);
  if (step != 1)
    for (std::int64_t i = 0; i < n; ++i) values[i * step] = v[i];
}

namespace {

/// Every channel of every patch, in place.
void change_all(const PatchChange& p, const void* drawn, const void* of_noise, float* patches) {
  static_assert(sizeof(IntensityChange) == 8 * sizeof(float));
  const auto* changes = static_cast<const IntensityChange*>(drawn);
  const auto* keys = static_cast<const std::uint64_t*>(of_noise);
  parallel_for(p.count * p.channels, [&](std::int64_t plane) {
    apply_intensity(patches + plane / p.channels * p.voxels() * p.channels + plane % p.channels, p.size, p.channels, changes[plane],
                    Random(keys[2 * plane], keys[2 * plane + 1]));
  });
}

}  // namespace

KernelSlot<const PatchChange&> change_intensity_kernel("change_intensity", [](const PatchChange& p) -> Kernel {
  return [p](void* const* o) {
    auto* to = static_cast<float*>(o[3]);
    std::copy_n(static_cast<const float*>(o[0]), p.count * p.voxels() * p.channels, to);
    change_all(p, o[1], o[2], to);
  };
});

KernelSlot<const PatchCut&> cut_changed_patches_kernel("cut_changed_patches", [](const PatchCut& p) -> Kernel {
  return [cut = cut_patches_kernel(Device{}, p), p](void* const* o) {
    void* const cutting[] = {o[0], o[1], o[2], o[3], o[6]};
    cut(cutting);
    change_all(p.change(), o[4], o[5], static_cast<float*>(o[6]));
  };
});

}  // namespace tenon
