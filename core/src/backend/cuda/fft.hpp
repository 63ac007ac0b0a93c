/// The two ways to a Fourier transform on CUDA: our own sums, and cuFFT (private).
#pragma once

#include <cstddef>

#include "backend/fft_geometry.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cuda {

/// Any geometry as a product with the matrix of the transform, computing only what is kept: n * kept sums a line.
Kernel make_direct_fft(const FftGeometry& g, double scale);
std::size_t direct_fft_workspace(const FftGeometry& g);

}  // namespace tenon::cuda
