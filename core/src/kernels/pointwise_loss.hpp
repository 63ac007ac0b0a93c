/// The maths of losses that are a function of each element alone, for loops that compilers vectorise (private; CPU loops only).
///
/// `value` of two or three operands, and `slope<K>`, its derivative by operand K. Kinks have the slopes of the plain ops: 0 at |0|, half at
/// a tie.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/maths.hpp"

namespace tenon {

/// log_loop for all arguments.
template <class A>
TENON_MATHS A log_any(A x) {
  constexpr bool kWide = std::is_same_v<A, double>;
  constexpr A kUp = kWide ? A(4503599627370496.0) : A(8388608.0), kLogUp = kWide ? A(36.04365338911715) : A(15.9423852);
  const bool small = x < std::numeric_limits<A>::min();
  A y = log_loop(small ? x * kUp : x) - (small ? kLogUp : A(0));
  y = x <= std::numeric_limits<A>::max() ? y : x;
  y = x == 0 ? -std::numeric_limits<A>::infinity() : y;
  return x < 0 ? std::numeric_limits<A>::quiet_NaN() : y;
}
TENON_MATHS float softplus_loop(float x) {
  return softplus_f32(x);
}
TENON_MATHS double softplus_loop(double x) {
  return softplus_f64(x);
}
TENON_MATHS float sigmoid_loop(float x) {
  return sigmoid_fast(x);
}
TENON_MATHS double sigmoid_loop(double x) {
  return sigmoid_f64(x);
}
TENON_MATHS float erf_loop(float x) {
  return erf_fast(x);
}
TENON_MATHS double erf_loop(double x) {
  return erf_f64(x);
}
template <class A>
TENON_MATHS A sign_of(A x) {
  return x > 0 ? A(1) : x < 0 ? A(-1) : A(0);
}

/// What a loss is given beside its operands; each says what.
template <class A>
struct LossParameters {
  A a, b;
};

/// |x - target|
struct L1Loss {
  static constexpr int kOperands = 2;
  template <class A>
  TENON_MATHS static A value(A x, A target, A, LossParameters<A>) {
    return size_of_number(x - target);
  }
  template <int K, class A>
  TENON_MATHS static A slope(A x, A target, A, LossParameters<A>) {
    return sign_of(K == 0 ? x - target : target - x);
  }
};

/// (x - target)^2
struct L2Loss {
  static constexpr int kOperands = 2;
  template <class A>
  TENON_MATHS static A value(A x, A target, A, LossParameters<A>) {
    return (x - target) * (x - target);
  }
  template <int K, class A>
  TENON_MATHS static A slope(A x, A target, A, LossParameters<A>) {
    return A(K == 0 ? 2 : -2) * (x - target);
  }
};

/// a: delta
struct HuberLoss {
  static constexpr int kOperands = 2;
  template <class A>
  TENON_MATHS static A value(A x, A target, A, LossParameters<A> p) {
    const A size = size_of_number(x - target), inside = size > p.a ? p.a : size;
    return inside * (size - inside * A(0.5));
  }
  template <int K, class A>
  TENON_MATHS static A slope(A x, A target, A, LossParameters<A> p) {
    A e = K == 0 ? x - target : target - x;
    e = e > p.a ? p.a : e;
    return e < -p.a ? -p.a : e;
  }
};

/// (1 - target) x + log(1 + e^-x)
struct BceLoss {
  static constexpr int kOperands = 2;
  template <class A>
  TENON_MATHS static A value(A x, A target, A, LossParameters<A>) {
    return (A(1) - target) * x + softplus_loop(-x);
  }
  template <int K, class A>
  TENON_MATHS static A slope(A x, A target, A, LossParameters<A>) {
    return K == 0 ? (A(1) - target) - sigmoid_loop(-x) : -x;
  }
};

/// e^x - target x
struct PoissonLoss {
  static constexpr int kOperands = 2;
  template <class A>
  TENON_MATHS static A value(A x, A target, A, LossParameters<A>) {
    return exp_loop(x) - target * x;
  }
  template <int K, class A>
  TENON_MATHS static A slope(A x, A target, A, LossParameters<A>) {
    return K == 0 ? exp_loop(x) - target : -x;
  }
};

/// target (log target - x), 0 where the target is
struct KlLoss {
  static constexpr int kOperands = 2;
  template <class A>
  TENON_MATHS static A value(A x, A target, A, LossParameters<A>) {
    return target == 0 ? A(0) : target * (log_any(target) - x);
  }
  template <int K, class A>
  TENON_MATHS static A slope(A x, A target, A, LossParameters<A>) {
    if constexpr (K == 0) return -target;
    return target == 0 ? A(0) : (log_any(target) - x) + A(1);
  }
};

/// Of mean, variance and target; a: the least variance, b: a constant.
struct GaussianLoss {
  static constexpr int kOperands = 3;
  template <class A>
  TENON_MATHS static A bounded(A variance, A least) {
    const A v = variance < least ? least : variance;
    return variance < 0 ? std::numeric_limits<A>::quiet_NaN() : v;
  }
  template <class A>
  TENON_MATHS static A value(A mean, A variance, A target, LossParameters<A> p) {
    const A v = bounded(variance, p.a), e = target - mean;
    return (log_any(v) + e * e / v) * A(0.5) + p.b;
  }
  template <int K, class A>
  TENON_MATHS static A slope(A mean, A variance, A target, LossParameters<A> p) {
    const A v = bounded(variance, p.a), e = target - mean;
    if constexpr (K == 0) return -e / v;
    if constexpr (K == 2) return e / v;
    const A share = variance == p.a ? A(0.25) : A(0.5), slope = share * (A(1) - e * e / v) / v;
    return variance < p.a ? A(0) : slope;
  }
};

/// Of mean, deviation and target.
struct CrpsLoss {
  static constexpr int kOperands = 3;
  static constexpr double kRootHalf = 0.70710678118654752440, kDensity = 0.39894228040143267794, kInverseRootPi = 0.56418958354775628695;
  template <class A>
  TENON_MATHS static A value(A mean, A deviation, A target, LossParameters<A>) {
    const A off = target - mean, z = off / (deviation == 0 ? A(1) : deviation), density = exp_loop(z * z * A(-0.5)) * A(kDensity);
    const A spread = deviation * (z * erf_loop(z * A(kRootHalf)) + density * A(2) - A(kInverseRootPi));
    return deviation == 0 ? size_of_number(off) : spread;
  }
  template <int K, class A>
  TENON_MATHS static A slope(A mean, A deviation, A target, LossParameters<A>) {
    const A off = target - mean, z = off / (deviation == 0 ? A(1) : deviation);
    if constexpr (K == 1) {
      const A slope = exp_loop(z * z * A(-0.5)) * A(2 * kDensity) - A(kInverseRootPi);
      return deviation == 0 ? A(0) : slope;
    }
    const A slope = deviation == 0 ? sign_of(off) : erf_loop(z * A(kRootHalf));
    return K == 0 ? -slope : slope;
  }
};

}  // namespace tenon
