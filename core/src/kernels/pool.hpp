/// Geometry of pooling windows, shared by every executor. Three spatial axes; fewer are led by ones.
#pragma once

#include <cstdint>

#include "kernels/types.hpp"

namespace tenon {

/// Windows of `kernel` every `stride`; kernel 0: `out` windows that cover the axis evenly, [floor(o in / out), ceil((o + 1) in / out)).
struct PoolAxis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, padding = 0;
  static PoolAxis adaptive(std::int64_t in, std::int64_t out) { return {in, out, 0, 0, 0}; }
  /// Input positions of window o: [begin(o), end(o)).
  TENON_HD std::int64_t begin(std::int64_t o) const {
    if (kernel == 0) return o * in / out;
    return o * stride - padding > 0 ? o * stride - padding : 0;
  }
  TENON_HD std::int64_t end(std::int64_t o) const {
    if (kernel == 0) return ((o + 1) * in + out - 1) / out;
    return o * stride - padding + kernel < in ? o * stride - padding + kernel : in;
  }
  /// Windows that hold input position i: [first_window(i), last_window(i)].
  TENON_HD std::int64_t first_window(std::int64_t i) const {
    if (kernel == 0) return i * out / in;
    std::int64_t over = i + padding - kernel + 1;
    return over > 0 ? (over + stride - 1) / stride : 0;
  }
  TENON_HD std::int64_t last_window(std::int64_t i) const {
    if (kernel == 0) return ((i + 1) * out + in - 1) / in - 1;
    return (i + padding) / stride < out - 1 ? (i + padding) / stride : out - 1;
  }
};

/// True where `v` takes over from `best`: the first maximum wins, and a NaN stays.
template <class A>
TENON_MATHS bool beats(A v, A best) {
  return v > best || (v != v && best == best);
}

}  // namespace tenon
