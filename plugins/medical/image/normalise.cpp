#include "medical/image/normalise.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/kernel.hpp"

namespace tenon::medical {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  ///< voxels a partial sum; fixed, so that sums do not depend on threads

Tensor checked_image(const char* op, const Tensor& image, const Tensor& mask) {
  if (image.dtype() != DType::f32) throw_usage(op, "takes an f32 image, got " + image.str());
  if (mask.defined() && (mask.dtype() != DType::u8 || mask.shape() != image.shape())) {
    throw_usage(op, "takes a u8 mask of the image's shape, got " + mask.str() + " for " + image.str());
  }
  return image.contiguous();
}

/// Linear interpolation between order statistics (numpy's default).
double percentile(std::vector<float>& sorted, double share) {
  double at = share * double(sorted.size() - 1);
  auto below = std::size_t(at);
  double fraction = at - double(below);
  double low = sorted[below], high = sorted[std::min(below + 1, sorted.size() - 1)];
  return low + (high - low) * fraction;
}

struct Moments {
  std::int64_t count = 0, not_finite = 0;
  double sum = 0, squares = 0;
  float low = std::numeric_limits<float>::infinity(), high = -std::numeric_limits<float>::infinity();
};

/// Two passes: mean first, then squares about it.
IntensityStatistics moments_of(const float* data, const std::uint8_t* mask, std::int64_t n) {
  std::int64_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<Moments> parts(static_cast<std::size_t>(chunks));
  auto pass = [&](double about) {
    parallel_for(chunks, [&](std::int64_t c) {
      Moments m;
      for (std::int64_t i = c * kChunk, end = std::min(n, i + kChunk); i < end; ++i) {
        if (mask && !mask[i]) continue;
        float v = data[i];
        if (!std::isfinite(v)) {
          ++m.not_finite;
          continue;
        }
        ++m.count;
        double d = double(v) - about;
        m.sum += d;
        m.squares += d * d;
        m.low = std::min(m.low, v);
        m.high = std::max(m.high, v);
      }
      parts[std::size_t(c)] = m;
    });
    Moments all;
    for (const Moments& m : parts) {
      all.count += m.count, all.not_finite += m.not_finite, all.sum += m.sum, all.squares += m.squares;
      all.low = std::min(all.low, m.low), all.high = std::max(all.high, m.high);
    }
    return all;
  };
  Moments first = pass(0);
  IntensityStatistics out;
  out.count = first.count + first.not_finite;
  out.not_finite = first.not_finite;
  if (first.count == 0) return out;
  out.mean = first.sum / double(first.count);
  out.deviation = std::sqrt(pass(out.mean).squares / double(first.count));
  out.minimum = first.low;
  out.maximum = first.high;
  return out;
}

}  // namespace

IntensityStatistics intensity_statistics(const Tensor& image, const Tensor& mask) {
  Tensor dense = checked_image("intensity_statistics", image, mask);
  Tensor dense_mask = mask.defined() ? mask.contiguous() : mask;
  const std::uint8_t* m = mask.defined() ? dense_mask.data<std::uint8_t>() : nullptr;
  const float* data = dense.data<float>();
  std::int64_t n = dense.numel();
  IntensityStatistics out = moments_of(data, m, n);
  std::vector<float> sorted;
  sorted.reserve(std::size_t(out.count - out.not_finite));
  for (std::int64_t i = 0; i < n; ++i) {
    if ((!m || m[i]) && std::isfinite(data[i])) sorted.push_back(data[i]);
  }
  if (sorted.empty()) return out;
  std::sort(sorted.begin(), sorted.end());
  out.median = percentile(sorted, 0.5);
  out.p005 = percentile(sorted, 0.005);
  out.p995 = percentile(sorted, 0.995);
  return out;
}

Normalisation z_score(const Tensor& image, const Tensor& mask) {
  Tensor dense = checked_image("z_score", image, mask);
  Tensor dense_mask = mask.defined() ? mask.contiguous() : mask;
  auto s = moments_of(dense.data<float>(), mask.defined() ? dense_mask.data<std::uint8_t>() : nullptr, dense.numel());
  Normalisation out;
  out.shift = s.mean;
  out.scale = std::max(s.deviation, 1e-8);
  return out;
}

Normalisation ct_normalisation(double p005, double p995, double mean, double deviation) {
  return {p005, p995, mean, std::max(deviation, 1e-8)};
}

Tensor normalise(const Tensor& image, const Normalisation& how, const Tensor& mask) {
  Tensor dense = checked_image("normalise", image, mask);
  Tensor dense_mask = mask.defined() ? mask.contiguous() : mask;
  Tensor out = Tensor::empty(image.shape(), DType::f32);
  const float* from = dense.data<float>();
  const std::uint8_t* m = mask.defined() ? dense_mask.data<std::uint8_t>() : nullptr;
  float* to = out.data<float>();
  double inverse = 1 / how.scale;
  parallel_blocks(dense.numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double v = std::min(std::max(double(from[i]), how.low), how.high);
      to[i] = m && !m[i] ? 0.0f : float((v - how.shift) * inverse);
    }
  });
  return out;
}

Tensor denormalise(const Tensor& image, const Normalisation& how) {
  Tensor dense = checked_image("denormalise", image, {});
  Tensor out = Tensor::empty(image.shape(), DType::f32);
  const float* from = dense.data<float>();
  float* to = out.data<float>();
  parallel_blocks(dense.numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = float(double(from[i]) * how.scale + how.shift);
  });
  return out;
}

}  // namespace tenon::medical
