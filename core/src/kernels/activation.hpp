/// Sigmoid, hyperbolic tangent, error function and both forms of GELU without calls or branches, for loops that compilers vectorise.
///
/// f32: sigmoid and tanh within 4 ulp (tanh relative to its value also near 0), erf within 4e-7 of it; f64 by the C library.
#pragma once

#include "kernels/softmax.hpp"

namespace tenon {

// No sum here has two products: a compiler that fuses one of them with the addition may take the other in the rest of a loop, and an element's bits would
// depend on where it lies.

TENON_MATHS float sigmoid_fast(float x) {
  return 1.0f / (1.0f + exp_f32(-x));
}
TENON_MATHS double sigmoid_fast(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// (e^y - 1) / (e^y + 1) at y = 2 x, where e^y - 1 = 2^n (e^r - 1) + (2^n - 1): nothing cancels near 0.
TENON_MATHS float tanh_fast(float x) {
  float y = x + x;
  y = y < -20.0f ? -20.0f : y;  // there the result is 1 to the last bit
  y = y > 20.0f ? 20.0f : y;
  const ExpParts e = exp_parts(y);
  const float power = std::bit_cast<float>((e.whole + 127) << 23), minus_one = power * e.rest + (power - 1.0f);
  return minus_one / (minus_one + 2.0f);
}
TENON_MATHS double tanh_fast(double x) {
  return std::tanh(x);
}

/// x P(x^2) / Q(x^2), fitted to equal relative error (2e-8 before rounding) on |x| <= 3.92, beyond which the result is 1.
TENON_MATHS float erf_fast(float x) {
  x = x < -3.92f ? -3.92f : x;
  x = x > 3.92f ? 3.92f : x;
  const float z = x * x;
  float p = 2.050094313e-06f;
  p = p * z + 2.848813758e-04f;
  p = p * z + 3.765565551e-03f;
  p = p * z + 5.274856721e-02f;
  p = p * z + 1.904052977e-01f;
  p = p * z + 1.128379146e+00f;
  float q = 3.809171599e-05f;
  q = q * z + 1.162522609e-03f;
  q = q * z + 1.496911505e-02f;
  q = q * z + 1.141086269e-01f;
  q = q * z + 5.020750430e-01f;
  q = q * z + 1.0f;
  return x * p / q;
}
TENON_MATHS double erf_fast(double x) {
  return std::erf(x);
}

/// x Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016).
template <class A>
TENON_MATHS A gelu_fast(A x) {
  return A(0.5) * x * (A(1) + erf_fast(x * A(0.70710678118654752440)));
}
/// Phi(x) + x phi(x)
template <class A>
TENON_MATHS A gelu_slope(A x) {
  return A(0.5) * (A(1) + erf_fast(x * A(0.70710678118654752440)) + x * A(0.79788456080286535588) * exp_fast(A(-0.5) * x * x));
}

/// x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3) (Hendrycks & Gimpel 2016), which is x sigmoid(2 u).
template <class A>
TENON_MATHS A gelu_tanh_fast(A x) {
  return x * sigmoid_fast(x * (A(1.59576912160573071176) + A(0.07135481627260025) * x * x));
}
/// With s = sigmoid(z), z = 2 u: s + x s (1 - s) dz/dx, where s (1 - s) = e / (1 + e)^2 and e = exp(-|z|) lose no digits.
template <class A>
TENON_MATHS A gelu_tanh_slope(A x) {
  x = x < A(-10) ? A(-10) : x;  // beyond, the slope is that there: 0 but for some 1e-35
  x = x > A(10) ? A(10) : x;
  const A square = x * x, z = x * (A(1.59576912160573071176) + A(0.07135481627260025) * square);
  const A e = exp_fast(z < A(0) ? z : -z), part = A(1) / (A(1) + e);
  return part * ((z < A(0) ? e : A(1)) + x * e * part * (A(1.59576912160573071176) + A(0.21406444881780076) * square));
}

}  // namespace tenon
