/// What running sums and their kin carry from element to element: written once for every device.
///
/// A state holds the elements so far; `add` takes one more, `join` puts the states of two neighbouring runs together.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/types.hpp"

namespace tenon {

/// f32 is carried in f64; integers wrap.
template <class T>
using RunningAcc = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

template <class T>
struct RunningSum {
  RunningAcc<T> total = 0;
  TENON_MATHS void add(T x) { total += RunningAcc<T>(x); }
  TENON_MATHS void join(const RunningSum& next) { total += next.total; }
  TENON_MATHS T value() const { return T(total); }
};

template <class T>
struct RunningProduct {
  RunningAcc<T> total = 1;
  TENON_MATHS void add(T x) { total *= RunningAcc<T>(x); }
  TENON_MATHS void join(const RunningProduct& next) { total *= next.total; }
  TENON_MATHS T value() const { return T(total); }
};

/// The largest term and the sum of all terms over it.
template <class T>
struct RunningLogSumExp {
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  TENON_MATHS void add(T x) { join(RunningLogSumExp{double(x), 1}); }
  TENON_MATHS void join(const RunningLogSumExp& next) {
    if (next.top <= top) {
      if (next.top == top)
        sum += top == -std::numeric_limits<double>::infinity() ? 0 : next.sum;  // inf - inf has no exponential
      else
        sum += next.sum * std::exp(next.top - top);
    } else {  // a NaN comes here too, and stays
      sum = sum == 0 ? next.sum : sum * std::exp(top - next.top) + next.sum;
      top = next.top;
    }
  }
  TENON_MATHS T value() const { return T(top + std::log(sum)); }
};

}  // namespace tenon
