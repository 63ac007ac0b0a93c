/// Factors and twiddle factors of one size, shared by all transforms of it (private).
#pragma once

#include <complex>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "backend/cpu/fft/fft_line.hpp"
#include "tenon/export.hpp"

namespace tenon::cpu {

/// exp(-2 pi i k / n), correctly rounded but for the last place, for 0 <= k < n.
TENON_API std::complex<double> unit_root(std::int64_t k, std::int64_t n);

/// The same for many k of one n: products, in long double, of two from tables of some sqrt(n) sines and cosines.
class TENON_API UnitRoots {
 public:
  explicit UnitRoots(std::int64_t n);
  std::complex<double> operator()(std::int64_t k) const;

 private:
  struct Root {
    long double c, s;
  };
  std::int64_t n_, fine_size_;
  std::vector<Root> fine_, coarse_;  ///< of the angles pi / 4 j / n: j below fine_size_, and its multiples
};

/// The last `kCapacity` things that were made of a size.
template <class T, std::size_t kCapacity>
class OfSize {
 public:
  using Entry = std::shared_ptr<const T>;
  /// `make` runs outside the lock: it may ask for another size.
  template <class Make>
  Entry get(std::int64_t n, const Make& make) {
    {
      std::lock_guard lock(mutex_);
      for (auto it = entries_.begin(); it != entries_.end(); ++it)
        if (it->first == n) {
          entries_.splice(entries_.begin(), entries_, it);
          return entries_.front().second;
        }
    }
    Entry made = make();
    std::lock_guard lock(mutex_);
    entries_.emplace_front(n, made);
    if (entries_.size() > kCapacity) entries_.pop_back();
    return made;
  }

 private:
  std::mutex mutex_;
  std::list<std::pair<std::int64_t, Entry>> entries_;  ///< latest first
};

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
  /// One of the last sizes', or made.
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
