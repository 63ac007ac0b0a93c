/// The two ways to a Fourier transform on CUDA: our own sums, and cuFFT (private).
#pragma once

#include <cstddef>

#include "backend/fft_geometry.hpp"
#include "tenon/kernel.hpp"

namespace tenon::cuda {

/// Any geometry as a product with the matrix of the transform, computing only what is kept: n * kept sums a line. On tensor cores where
/// that can be (ops/fft_tensor.cuh), else, and in make_plain_fft, by multiplications and additions alone.
Kernel make_direct_fft(const FftGeometry& g, double scale);
Kernel make_plain_fft(const FftGeometry& g, double scale);
/// Whether make_direct_fft uses tensor cores.
bool direct_fft_on_tensor_cores(const FftGeometry& g);
std::size_t direct_fft_workspace(const FftGeometry& g);

}  // namespace tenon::cuda
