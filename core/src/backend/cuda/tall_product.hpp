/// c = a^T b of tall matrices in f32: the gradient of a small layer's weights over many rows (private).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenon::cuda {

/// a [k, m], rows a_row apart; b [k, n], rows b_row apart. Strides in elements, at least the width of a row.
struct TallShape {
  std::int64_t k = 0, m = 0, n = 0, a_row = 0, b_row = 0;
};

/// Whether the matrices are so tall that few tiles of c stand before many rows: there a library's kernels leave most of a device idle, or split
/// the rows, and read a once more for its sums.
bool tall_product_fits(const TallShape& s);
/// Bytes of a call's workspace. `sums`: whether the sums of a's columns are wanted, too.
std::size_t tall_product_workspace(const TallShape& s, bool sums);
/// c [m, n] dense, and sums [m] unless null. Rows are added in f32 in pieces of at most 8192, which the shape alone decides, pieces in f64.
void tall_product(const TallShape& s, const float* a, const float* b, float* c, float* sums, void* workspace);

}  // namespace tenon::cuda
