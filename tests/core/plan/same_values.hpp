/// Whether two tensors hold the same numbers: zeros of one sign, NaN for NaN whatever its bits.
#pragma once

#include <cmath>
#include <vector>

#include "tenon/complex.hpp"
#include "tenon/tensor.hpp"

inline bool same_values(const tenon::Tensor& x, const tenon::Tensor& y) {
  using namespace tenon;
  const auto values = [](const Tensor& t) {
    if (!is_complex(t.dtype())) return t.to_vector();
    std::vector<double> all = real(t).to_vector();
    const std::vector<double> imaginary = imag(t).to_vector();
    all.insert(all.end(), imaginary.begin(), imaginary.end());
    return all;
  };
  if (!(x.shape() == y.shape()) || x.dtype() != y.dtype()) return false;
  const auto a = values(x), b = values(y);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] && std::signbit(a[i]) == std::signbit(b[i])) && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}
