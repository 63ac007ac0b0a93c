/// Distances between computed and exact numbers, and where to measure them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace check {

/// Distance in units of the last place of the exact value; infinite where one is NaN or infinite and the other is not, or a zero has the
/// other sign.
template <class T, class Exact>
double ulps(T got, Exact exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : INFINITY;
  const T rounded = T(exact), most = std::numeric_limits<T>::max();
  if (std::isinf(rounded) || std::isinf(got))
    return got == rounded || std::nextafter(most, T(0)) < std::abs(std::isinf(got) ? rounded : got) ? 0 : INFINITY;
  if (exact == 0 && got == 0) return std::signbit(exact) == std::signbit(got) ? 0 : INFINITY;
  int exponent;
  std::frexp(rounded, &exponent);
  const Exact unit = std::ldexp(Exact(1), std::max(exponent, std::numeric_limits<T>::min_exponent) - std::numeric_limits<T>::digits);
  return double(std::abs(Exact(got) - exact) / unit);
}

/// Zeros, infinities, NaN, the ends of the range, and where functions change from one form to another.
template <class T>
std::vector<T> special_numbers() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> all{NAN};
  for (T v : {T(0),
              T(1),
              T(0.5),
              T(2),
              T(3),
              T(1.5707963267948966),
              T(2.5),
              T(1e-9),
              T(1e5),
              T(1e6),
              T(3e7),
              Limits::denorm_min(),
              Limits::min(),
              Limits::max(),
              T(INFINITY),
              std::nextafter(T(1), T(0)),
              std::nextafter(T(1), T(2)),
              std::nextafter(T(0.5), T(1)),
              T(88.7),
              T(89.4),
              T(89.42),
              T(103.9),
              T(709.7),
              T(710.4),
              T(710.5),
              T(745.1),
              T(746)})
    all.push_back(v), all.push_back(-v);
  return all;
}
/// Those, and numbers of every size and sign.
template <class T>
std::vector<T> numbers(int count) {
  std::vector<T> all = special_numbers<T>();
  const int reach = std::numeric_limits<T>::max_exponent - 2;
  for (int i = 0; i < count; ++i) {
    const double turn = 0.6180339887498949 * i, share = turn - std::floor(turn);
    all.push_back(T((i & 1 ? 20 : 1.25) * (2 * share - 1)));
    all.push_back(std::ldexp(T(i & 1 ? 1 + share : -1 - share), i * 37 % (2 * reach) - reach));
  }
  return all;
}

/// Numbers that compare equal where their bits do, NaN too.
inline std::vector<std::uint64_t> bits(const std::vector<double>& values) {
  std::vector<std::uint64_t> all(values.size());
  std::transform(values.begin(), values.end(), all.begin(), [](double v) { return std::bit_cast<std::uint64_t>(v); });
  return all;
}

}  // namespace check
