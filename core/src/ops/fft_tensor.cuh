/// Fourier transforms of which little is kept, as products on tensor cores (private).
#pragma once

#include "backend/fft_geometry.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cuda {

/// Whether the layout suits (f32, lines side by side in fours) and the transform's matrix stays in a processor's first-level cache.
bool tensor_fft_fits(const FftGeometry& g);
/// Where it fits. Each number is the sum of two of TF32, 22 significant bits, so that a product is three of tensor cores and as exact as one in f32; a line
/// with a value that is not finite, or is within 2^-12 of the largest, gives NaN. Takes the operands x and y; `plain` does it where they do not lie on 16 bytes.
Kernel make_tensor_fft(const FftGeometry& g, double scale, Kernel plain);

}  // namespace tenon::cuda
