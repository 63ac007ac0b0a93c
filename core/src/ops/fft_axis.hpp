/// One transform along one axis: what all of tenon/fft.hpp and the spectral convolution are made of (private).
#pragma once

#include "backend/fft_geometry.hpp"
#include "tenon/tensor.hpp"

namespace tenon {

/// See FftGeometry for `low`, `high` and `interior`.
struct FftStep {
  FftKind kind;
  bool inverse;
  int axis;
  std::int64_t n;  ///< of the line that is not pruned
  double scale = 1;
  std::int64_t low = -1, high = 0;
  double interior = 1;

  /// The step that takes gradients back: the conjugate transpose of this one, seen as a real-linear map.
  FftStep adjoint() const;
};

/// x: f32 or f64 for a real forward step, else c64 or c128. Differentiable.
Tensor fft_axis(const char* op, const Tensor& x, const FftStep& step);

}  // namespace tenon
