/// The maths of the normalisations, shared by every executor. V is a scalar or a SIMD vector of one (passed by
/// reference: the calling convention of vectors differs between instruction sets).
///
/// With g = dy * act'(pre): y = act(pre), pre = (x - mean) * gain + shift, gain = rstd * scale, and
/// d_shift = sum g, d_scale = sum g xhat,
/// d_x = gain g - rstd (mean(scale g) + xhat mean(scale g xhat)) = gain g + offset + pull (x - mean)
/// (Ioffe & Szegedy 2015, differentiated; means over what shares the statistics).
/// x - mean is formed first: with |mean| much larger than the deviation it is exact where x gain + (shift - mean gain) is not.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

template <class V>
TENON_MATHS V norm_affine(const V& x, const V& mean, const V& gain, const V& shift) {
  return (x - mean) * gain + shift;
}

template <class V>
TENON_MATHS V leaky(const V& v, const V& slope) {
  return v > 0 ? v : slope * v;
}

/// dy * act'(pre)
template <class V>
TENON_MATHS V leaky_gradient(const V& dy, const V& pre, const V& slope) {
  return pre > 0 ? dy : slope * dy;
}

template <class V>
TENON_MATHS V norm_input_gradient(const V& g, const V& centred, const V& gain, const V& offset, const V& pull) {
  return gain * g + (pull * centred + offset);
}

/// Count, mean and sum of squared deviations of a set; `merge` is Chan, Golub & LeVeque's update (1979).
struct Moments {
  double count = 0, mean = 0, m2 = 0;
  TENON_HD void merge(double n, double other_mean, double other_m2) {
    if (n == 0) return;
    double total = count + n, delta = other_mean - mean;
    mean += delta * (n / total);
    m2 += other_m2 + delta * delta * (count * n / total);
    count = total;
  }
};

/// What the input's gradient needs of the sums over a group: mean1 = mean(scale g), mean2 = mean(scale g xhat).
template <class A>
struct NormPull {
  A offset, pull;
};
template <class A>
TENON_HD inline NormPull<A> norm_pull(double mean1, double mean2, double rstd) {
  return {A(-rstd * mean1), A(-rstd * rstd * mean2)};
}

}  // namespace tenon
