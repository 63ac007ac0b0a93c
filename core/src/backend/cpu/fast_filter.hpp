/// Fast filtering of sequences: fewer products for the same correlation (private).
///
/// One level cuts a correlation of K taps, y[l] = sum over t of w[t] x[l + t], into three of K / 2 taps on sequences of half the length,
/// where four would do the work directly. With even and odd taps w0, w1, even and odd outputs y0, y1, and xe[j] = x[2 j], xo[j] = x[2 j +
/// 1]:
///   P = (w0 + w1) * xo,  Q0 = w0 * (xe - xo),  Q1 = w1 * (xe shifted by one - xo),  y0 = P + Q0,  y1 = P + Q1
/// (transposed two-by-two fast FIR algorithm, Mou & Duhamel, IEEE Trans. Signal Processing 39, 1991). All coefficients are 0, 1 and -1.
/// Levels nest: two do 9 products for 16. The gradient of the weights is the same scheme transposed: y's phases are added up as weights are
/// here, and the three products are put together as y is here.
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::cpu {

/// The sums of one or two nested levels.
class FastFilter {
 public:
  explicit FastFilter(int levels);
  int levels() const { return levels_; }
  std::int64_t phases() const { return std::int64_t(parts_.size()); }      ///< 2^levels: positions l = phases m + phase
  std::int64_t products() const { return std::int64_t(members_.size()); }  ///< 3^levels
  /// The phases that are added up for the second factor (weights, or y in a weight gradient) of a product.
  const std::vector<std::int64_t>& members(std::int64_t product) const { return members_[std::size_t(product)]; }
  /// The products whose sum is the result at a phase.
  const std::vector<std::int64_t>& parts(std::int64_t phase) const { return parts_[std::size_t(phase)]; }

  /// Rows of x that `rows` outputs of a product with `taps` taps need, before any level: x [spread(n), channels].
  std::int64_t spread(std::int64_t rows) const;
  /// The first factor of every product from x [spread(rows), channels]: product d at to + d * apart, [rows, channels]. `scratch` holds
  /// scratch_floats.
  void split(const float* x, std::int64_t rows, std::int64_t channels, float* to, std::int64_t apart, float* scratch) const;
  std::int64_t scratch_floats(std::int64_t rows, std::int64_t channels) const { return levels_ == 2 ? 3 * (2 * rows + 1) * channels : 0; }

 private:
  int levels_;
  std::vector<std::vector<std::int64_t>> members_, parts_;
};

}  // namespace tenon::cpu
