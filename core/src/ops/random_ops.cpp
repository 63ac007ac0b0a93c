/// Random tensors, f32: element i depends on (seed, stream, i) alone.
#include <cmath>
#include <limits>

#include "ops/check.hpp"
#include "ops/random_kernels.hpp"
#include "tenon/ops.hpp"

namespace tenon {
namespace {

/// Values are f32.
bool fits_f32(double v) { return std::abs(v) <= double(std::numeric_limits<float>::max()); }

Tensor fill(const char* op, KernelSlot<const RandomFill&>& slot, const Shape& shape, RandomFill p) {
  for (std::int64_t n : shape)
    if (n < 0) throw_usage(op, "negative size in " + shape.str());
  check_result(op, shape, DType::f32);
  p.count = shape.numel();
  Tensor y = Tensor::empty(shape);
  if (p.count > 0) launch(op, {}, {y}, slot(y.device(), p));
  return y;
}

}  // namespace

Tensor random_uniform(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double low, double high) {
  if (!(low <= high) || !std::isfinite(low) || !std::isfinite(high))
    throw_usage("random_uniform", "range " + std::to_string(low) + " to " + std::to_string(high) + " for shape " + shape.str(),
                "low must not be above high");
  if (!fits_f32(low) || !fits_f32(high) || !fits_f32(high - low))
    throw_usage("random_uniform", "range " + std::to_string(low) + " to " + std::to_string(high) + " for shape " + shape.str(),
                "low, high and their difference must fit f32");
  return fill("random_uniform", random_uniform_kernel, shape, {0, seed, stream, float(low), float(high)});
}

Tensor random_normal(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double mean, double stddev) {
  if (!(stddev >= 0) || !fits_f32(mean) || !fits_f32(stddev))
    throw_usage("random_normal", "mean " + std::to_string(mean) + ", stddev " + std::to_string(stddev) + " for shape " + shape.str(),
                "stddev must be 0 or more, and both fit f32");
  return fill("random_normal", random_normal_kernel, shape, {0, seed, stream, float(mean), float(stddev)});
}

}  // namespace tenon
