/// Factors and twiddle factors of one size, shared by all transforms of it (private).
#pragma once

#include <complex>
#include <memory>
#include <vector>

#include "backend/cpu/fft/fft_line.hpp"
#include "tenon/export.hpp"

namespace tenon::cpu {

/// exp(-2 pi i k / n), correctly rounded but for the last place, for 0 <= k < n.
TENON_API std::complex<double> unit_root(std::int64_t k, std::int64_t n);

/// exp(-pi i j^2 / n) for j in [0, n): Bluestein's chirp.
std::vector<std::complex<double>> fft_chirp(std::int64_t n);
/// The transform of the conjugate chirp, laid around a circle of `size`, over `size`.
std::vector<std::complex<double>> fft_chirp_kernel(const std::vector<std::complex<double>>& chirp, std::int64_t size);
/// The smallest number of the form 2^a 3^b 5^c that is not below n.
std::int64_t smooth_size(std::int64_t n);
/// No prime factor beyond 13.
bool is_smooth(std::int64_t n);

template <class T>
class FftTables {
 public:
  explicit FftTables(std::int64_t n);
  const FftLine<T>& line() const { return line_; }
  /// From a cache of the last sizes.
  static std::shared_ptr<const FftTables> of(std::int64_t n);

 private:
  FftLine<T> line_;
  std::vector<FftPass<T>> passes_;
  std::vector<std::vector<T>> numbers_;
  std::shared_ptr<const FftTables> convolution_;
};

/// Interleaved real and imaginary parts in T.
template <class T>
std::vector<T> interleaved(const std::vector<std::complex<double>>& values) {
  std::vector<T> all;
  all.reserve(2 * values.size());
  for (const auto& v : values) {
    all.push_back(T(v.real()));
    all.push_back(T(v.imag()));
  }
  return all;
}

}  // namespace tenon::cpu
