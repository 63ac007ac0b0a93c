/// What the files of linear algebra share (private).
#pragma once

#include <string>

#include "ops/check.hpp"
#include "tenon/linalg.hpp"
#include "tenon/ops.hpp"

namespace tenon::linalg {

inline Tensor turned(const Tensor& a) {
  return a.transpose(-2, -1);
}

inline void check_matrix(const char* op, const Tensor& a, bool square, const char* what = "a") {
  check_defined(op, a, what);
  if (a.dtype() != DType::f32 && a.dtype() != DType::f64)
    throw_usage(op, std::string(what) + " is " + a.str() + ", not f32 or f64", is_complex(a.dtype()) ? "complex numbers are not taken here: give real(z) and imag(z)" : "convert it with .to(DType::f32)");
  if (a.rank() < 2 || a.size(-1) < 1 || a.size(-2) < 1)
    throw_usage(op, std::string(what) + " is " + a.str() + ": no matrix of at least one row and one column",
                "matrices stand on the last two axes");
  if (square && a.size(-1) != a.size(-2)) throw_usage(op, std::string(what) + " is " + a.str() + ": its matrices are not square");
}

inline Shape leading(const Tensor& a) {
  return Shape(std::span<const std::int64_t>(a.shape().begin(), std::size_t(a.rank() - 2)));
}
inline Shape with_axes(Shape lead, std::initializer_list<std::int64_t> sizes) {
  for (std::int64_t s : sizes) lead.push_back(s);
  return lead;
}
inline Tensor empty_f64(const Shape& lead, std::initializer_list<std::int64_t> sizes, Device device) {
  return Tensor::empty(with_axes(lead, sizes), DType::f64, device);
}

/// f64 itself; f32 by way of f64.
template <class F>
Tensor through_f64(const Tensor& a, const F& f) {
  return a.dtype() == DType::f64 ? f(a) : f(a.to(DType::f64)).to(a.dtype());
}

/// x times the diagonal matrix of s [..., n]: columns scaled.
inline Tensor scale_columns(const Tensor& x, const Tensor& s) {
  return x * s.unsqueeze(-2);
}

/// triangular_solve whose errors begin with `op`; values up to `tolerance` times the largest of a diagonal count as 0.
Tensor solve_triangle(const char* op, const Tensor& t, const Tensor& b, const Triangle& triangle, double tolerance = 0);
Tensor inverse(const char* op, const Tensor& a);
Tensor identity(std::int64_t n, Device device);

}  // namespace tenon::linalg
