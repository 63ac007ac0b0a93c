/// One discrete Fourier transform along an axis, as every backend takes it (private).
#pragma once

#include <cstdint>

#include "tenon/dtype.hpp"

namespace tenon {

enum class FftKind { complex, real_forward, real_inverse };

/// X[k] = scale * sum_j x[j] exp(-+ 2 pi i j k / n), minus for forward, along the middle axis of [outer, n, inner]. A real transform
/// gives, and an inverse real one takes, the values 0 to n / 2; in the latter the imaginary parts of values that are their own mirror
/// (0 and n / 2) are ignored.
///
/// Of the spectrum, which is the result of a forward and the argument of an inverse transform, only the first `low` and (complex ones) the
/// last `high` values may be kept: the others are not written, or count as zero. Values of a real line's spectrum that are not their own
/// mirror are multiplied by `interior`.
struct FftGeometry {
  FftKind kind = FftKind::complex;
  bool inverse = false;       ///< of complex; the others say it in their kind
  DType scalar = DType::f32;  ///< f32 or f64
  std::int64_t outer = 1, n = 1, inner = 1;
  std::int64_t low = -1, high = 0;  ///< low -1: the whole spectrum
  double interior = 1;

  std::int64_t whole() const { return kind == FftKind::complex ? n : n / 2 + 1; }
  std::int64_t first() const { return low < 0 ? whole() : low; }
  std::int64_t kept() const { return first() + high; }
  bool pruned() const { return kept() < whole(); }
};

}  // namespace tenon
