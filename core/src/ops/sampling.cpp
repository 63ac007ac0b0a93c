#include "tenon/sampling.hpp"

#include <cmath>
#include <limits>

#include "ops/check.hpp"
#include "ops/sampling_kernels.hpp"
#include "ops/sobol_directions.hpp"
#include "tenon/error.hpp"

namespace tenon {
namespace {

template <class Draw>
Tensor fill(const char* op, KernelSlot<std::int64_t, const Draw&>& slot, const Shape& shape, DType dtype, const Draw& draw) {
  for (std::int64_t n : shape)
    if (n < 0) throw_usage(op, "negative size in " + shape.str());
  check_result(op, shape, dtype);
  Tensor y = Tensor::empty(shape, dtype);
  if (y.numel() > 0) launch(op, {}, {y}, slot(y.device(), y.numel(), draw));
  return y;
}

/// As f32, and so is 1 / v.
bool positive(double v) {
  return v >= double(std::numeric_limits<float>::min()) && v <= 1 / double(std::numeric_limits<float>::min());
}

}  // namespace

Tensor random_bernoulli(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double p) {
  if (!(p >= 0 && p <= 1))
    throw_usage("random_bernoulli", "probability " + std::to_string(p) + " for shape " + shape.str(), "it lies between 0 and 1");
  return fill("random_bernoulli", random_bernoulli_kernel, shape, DType::boolean,
              BernoulliDraw{{seed, stream}, std::uint64_t(std::ldexp(p, 32))});
}

Tensor random_integers(const Shape& shape, std::uint64_t seed, std::uint64_t stream, std::int64_t low, std::int64_t high) {
  if (low >= high)
    throw_usage("random_integers", "range " + std::to_string(low) + " to " + std::to_string(high) + " for shape " + shape.str(),
                "high, which is left out, must be above low");
  return fill("random_integers", random_integers_kernel, shape, DType::i64,
              IntegerDraw{{seed, stream}, low, std::uint64_t(high) - std::uint64_t(low)});
}

Tensor random_permutation(std::int64_t n, std::uint64_t seed, std::uint64_t stream) {
  if (n < 0) throw_usage("random_permutation", "length " + std::to_string(n));
  return fill("random_permutation", random_permutation_kernel, {n}, DType::i64, PermutationDraw{{n, Random(seed, stream)}});
}

Tensor random_exponential(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double rate) {
  if (!positive(rate))
    throw_usage("random_exponential", "rate " + std::to_string(rate) + " for shape " + shape.str(), "it must be above 0 and fit f32");
  return fill("random_exponential", random_exponential_kernel, shape, DType::f32, ExponentialDraw{{seed, stream}, float(1 / rate)});
}

Tensor random_gamma(const Shape& shape, std::uint64_t seed, std::uint64_t stream, double k, double scale) {
  if (!positive(k) || !positive(scale))
    throw_usage("random_gamma", "k " + std::to_string(k) + ", scale " + std::to_string(scale) + " for shape " + shape.str(),
                "both must be above 0 and fit f32");
  return fill("random_gamma", random_gamma_kernel, shape, DType::f32, GammaDraw{seed, stream, float(k), float(scale)});
}

Tensor sobol(std::int64_t count, std::int64_t dimensions, std::uint64_t seed, std::uint64_t stream, Scrambling scrambling,
             std::int64_t first, DType dtype) {
  static_assert(kMaxSobolDimensions == kSobolDimensions);
  constexpr std::int64_t kPoints = std::int64_t(1) << 32;
  if (count < 0 || first < 0 || first > kPoints || count > kPoints - first)
    throw_usage("sobol", "points " + std::to_string(first) + " to " + std::to_string(first) + " + " + std::to_string(count),
                "there are 2^32");
  if (dimensions < 1 || dimensions > kMaxSobolDimensions)
    throw_usage("sobol", std::to_string(dimensions) + " dimensions", "there are 1 to " + std::to_string(kMaxSobolDimensions));
  if (dtype != DType::f32 && dtype != DType::f64) throw_usage("sobol", "points of " + std::string(name_of(dtype)), "they are f32 or f64");
  Tensor y = Tensor::empty({count, dimensions}, dtype);
  if (count > 0)
    launch("sobol", {}, {y},
           sobol_kernel(y.device(), SobolPoints{count, dimensions, first, seed, stream, scrambling == Scrambling::owen, dtype}));
  return y;
}

}  // namespace tenon
