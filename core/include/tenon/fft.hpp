/// Discrete Fourier transforms of any size along any axes, of f32, f64, c64 and c128 tensors; differentiable any number of times.
///
/// X[k] = sum_j x[j] exp(-2 pi i j k / n) along each axis, divided as `norm` says. Other types are refused: convert first.
#pragma once

#include <vector>

#include "tenon/tensor.hpp"

namespace tenon {

enum class FftNorm {
  backward,  ///< the inverse divides by the number of values
  ortho,     ///< both divide by its square root
  forward    ///< the forward transform divides by it
};

/// Complex to complex along `axes` (all when empty); a real x counts as complex. Same shape.
TENON_API Tensor fft(const Tensor& x, const std::vector<int>& axes = {-1}, FftNorm norm = FftNorm::backward);
TENON_API Tensor ifft(const Tensor& x, const std::vector<int>& axes = {-1}, FftNorm norm = FftNorm::backward);
/// Real to complex: along the last of `axes`, of size n, only the values 0 to n / 2; the others are their conjugates.
TENON_API Tensor rfft(const Tensor& x, const std::vector<int>& axes = {-1}, FftNorm norm = FftNorm::backward);
/// The inverse of rfft; `size` is that of the result along the last of `axes`: 2 (m - 1), for m values, where it is -1. The imaginary parts
/// of values that are their own mirror are ignored.
TENON_API Tensor irfft(const Tensor& z, std::int64_t size = -1, const std::vector<int>& axes = {-1}, FftNorm norm = FftNorm::backward);

/// The frequency of each value: 0, 1, ..., -2, -1 over n spacing (f64 [n]); and of each value of rfft (f64 [n / 2 + 1]).
TENON_API Tensor fft_frequencies(std::int64_t n, double spacing = 1);
TENON_API Tensor rfft_frequencies(std::int64_t n, double spacing = 1);
/// Moves frequency 0 to the middle of the axes (all when empty), position n / 2; and back.
TENON_API Tensor fft_shift(const Tensor& x, const std::vector<int>& axes = {});
TENON_API Tensor ifft_shift(const Tensor& x, const std::vector<int>& axes = {});

}  // namespace tenon
